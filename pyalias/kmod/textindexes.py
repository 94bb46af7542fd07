"""The text files of a module directory as indexes, for trees that depmod's ``.bin`` files did not reach."""

from __future__ import annotations

import os
from functools import cached_property

from pyalias import _binding, kernels
from pyalias.errors import AliasFileError
from pyalias.kmod.text import to_text
from pyalias.names import module_name, normalise_alias

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT_NAMES = (
    "modules.dep",
    "modules.symbols",
    "modules.alias",
    "modules.builtin",
    "modules.builtin.modinfo",
)


def read_module_texts(directory: str) -> dict[str, bytes]:
    """The text files that are there.

    Raises:
        FileAccessError: one cannot be read.
    """
    present = [name for name in TEXT_NAMES if os.path.exists(f"{directory}/{name}")]
    return {name: kernels.read_file(f"{directory}/{name}", "make it readable") for name in present}


class TextIndexes:
    """Text files, all read at once and each compiled when it is first asked.

    They hold what the ``.bin`` files hold: a module's place in ``modules.dep`` is its priority, and
    ``modules.alias`` is written in that order.

    Raises:
        AliasFileError: from the first question to a damaged file; the message says where.
    """

    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self._texts = texts

    def dependency_line(self, name: bytes) -> str | None:
        """The line of ``modules.dep`` for a module."""
        line = self._dependency_lines.get(name)
        return None if line is None else to_text(line)

    def module_names(self) -> list[str]:
        """All modules that have a line in ``modules.dep``."""
        return [to_text(name) for name in self._dependency_lines]

    def symbol_modules(self, key: bytes) -> list[str]:
        """The modules that export a symbol."""
        return _modules(self._symbols, key)

    def alias_modules(self, key: bytes) -> list[str]:
        """The modules whose aliases match."""
        return _modules(self._aliases, key)

    def is_builtin(self, name: bytes) -> bool:
        """Whether a module is built in."""
        return name in self._builtin

    def builtin_alias_modules(self, key: bytes) -> list[str]:
        """The built-in modules whose aliases match."""
        return _modules(self._builtin_aliases, key)

    def patterns(self) -> dict[str, list[str]]:
        """The aliases of each module, as they stand in the text."""
        found: dict[str, list[str]] = {}
        for image in (self._aliases, self._builtin_aliases):
            lines = sorted((image.line(line) for line in range(image.counts.aliases)), key=_number)
            for line in lines:
                found.setdefault(to_text(line.module), []).append(to_text(line.pattern))
        return found

    def _text(self, name: str) -> bytes:
        return self._texts.get(name, b"")

    @cached_property
    def _dependency_lines(self) -> dict[bytes, bytes]:
        lines: dict[bytes, bytes] = {}
        for number, line in enumerate(self._text("modules.dep").split(b"\n"), 1):
            path, colon, _ = line.partition(b":")
            if line and not colon:
                shown = line[:80].decode("utf-8", "backslashreplace")
                message = f'expected "PATH: DEPENDENCIES", found {shown!r}; run depmod'
                raise AliasFileError(message, "modules.dep", number)
            if line:
                lines.setdefault(module_name(path), line)
        return lines

    @cached_property
    def _builtin(self) -> frozenset[bytes]:
        lines = self._text("modules.builtin").split(b"\n")
        # depmod takes only lines that begin with a letter (output_builtin_bin).
        return frozenset(module_name(line) for line in lines if line[:1].isalpha())

    @cached_property
    def _aliases(self) -> _binding.Image:
        return _compile(kernels.alias_text_source("modules.alias", self._text("modules.alias")))

    @cached_property
    def _builtin_aliases(self) -> _binding.Image:
        return _compile(kernels.builtin_source(self._text("modules.builtin.modinfo")))

    @cached_property
    def _symbols(self) -> _binding.Image:
        ranks = {name: rank for rank, name in enumerate(self._dependency_lines)}
        lines = []
        for line in self._text("modules.symbols").split(b"\n"):
            if line.startswith(b"alias "):
                pattern, _, module = line.removeprefix(b"alias ").rpartition(b" ")
                # depmod does not normalise symbols, and normalised keys never meet what that changes.
                if normalise_alias(pattern) == pattern:
                    lines.append((pattern, module))
        # Symbols stand in no order: it is the modules' order that depmod makes priorities of.
        lines.sort(key=lambda line: ranks.get(line[1], len(ranks)))
        return _compile(_binding.Source(b"modules.symbols", _binding.ORDER_PRIORITY, aliases=lines))


def _number(line: _binding.Line) -> int:
    return line.number


def _compile(source: _binding.Source) -> _binding.Image:
    return _binding.Image(_binding.compile_image([source]))


def _modules(image: _binding.Image, key: bytes) -> list[str]:
    return [to_text(image.line(line).module) for line in image.match_lines(key)]
