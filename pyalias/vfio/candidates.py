"""The ``vfio_pci:`` aliases of an index, and how specific each is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from pyalias.errors import PyaliasError

if TYPE_CHECKING:
    from pyalias.aliases import Alias
    from pyalias.index import AliasIndex

Compat = Literal["libvirt"]

_PREFIX = "vfio_pci:"
_BUILTIN = "modules.builtin.modinfo"
_MARKERS = ("v", "d", "sv", "sd", "bc", "sc", "i")
_WIDTHS = (8, 8, 8, 8, 2, 2, 2)


def _fields_expression() -> re.Pattern[str]:
    """A pattern's fields; one that was written by hand may stop early, at a star."""
    expression = ""
    for marker in reversed(_MARKERS):
        expression = f"(?:{marker}([^a-z]*){expression})?"
    return re.compile(expression)


_FIELDS = _fields_expression()


class Candidate(NamedTuple):
    """An alias that matches: how many of its seven fields are wild, and how many have some wildcard."""

    alias: Alias
    wild_fields: int
    partly_wild_fields: int

    @property
    def module(self) -> str:
        """The module, normalised."""
        return self.alias.module

    @property
    def pattern(self) -> str:
        """The pattern behind ``vfio_pci:``."""
        return self.alias.pattern[len(_PREFIX) :]

    @property
    def stars(self) -> int:
        """The literal count of ``*`` in the pattern."""
        return self.alias.pattern.count("*")

    @property
    def rank(self) -> tuple[int, int]:
        """Smaller is more specific: whole fields first, then parts of fields."""
        return self.wild_fields, self.partly_wild_fields


def candidates_of(index: AliasIndex, compat: Compat | None) -> list[Candidate]:
    """All of them, in the order of the file: ``modules.alias``, then what is built in.

    With ``compat="libvirt"`` those that libvirt can see.
    """
    if compat not in {None, "libvirt"}:
        raise PyaliasError(f"compat: expected None or 'libvirt', found {compat!r}")
    # By line and not by module; aliases without line numbers have 0 and stay where they are.
    aliases = sorted(index.aliases(_PREFIX), key=lambda alias: (alias.file == _BUILTIN, alias.line or 0))
    if compat == "libvirt":
        aliases = [alias for alias in aliases if _libvirt_sees(alias)]
    return [Candidate(alias, *_wildness(alias.pattern)) for alias in aliases]


def _libvirt_sees(alias: Alias) -> bool:
    """Whether ``virPCIDeviceFindBestVFIOVariant`` would ever match the line.

    It looks for a newline, ``alias vfio_pci:`` in modules.alias, and compares each field as text or with
    ``*``: any other wildcard, also that of ``i02*``, makes a line that no device has.
    """
    found = _FIELDS.fullmatch(alias.pattern, len(_PREFIX)) if alias.pattern.startswith(_PREFIX) else None
    return (
        found is not None
        and alias.line != 1
        and alias.file != _BUILTIN
        and all(field == "*" or re.fullmatch("[0-9A-F]+", field or "") for field in found.groups())
    )


def _wildness(pattern: str) -> tuple[int, int]:
    """How many fields are wild, and how many hold other wildcards. An unreadable text is partly wild."""
    found = _FIELDS.fullmatch(pattern, len(_PREFIX))
    if not found:
        stars_alone = not pattern[len(_PREFIX) :].strip("*")
        return (len(_MARKERS), 0) if stars_alone else (len(_MARKERS) - 1, 1)
    wild = partly = 0
    for field, width in zip(found.groups(), _WIDTHS, strict=True):
        if not (field or "").strip("*"):
            wild += 1
        # A star behind all digits lets nothing more in than the field's one value.
        elif re.search(r"[*?[]", field[:width]):
            partly += 1
    return wild, partly
