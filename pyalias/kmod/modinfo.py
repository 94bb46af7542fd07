"""What ``modinfo`` shows: the records of a module, its signature, and the lines that are printed of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pyalias import kernels

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Records = list[tuple[str, str]]

_KEY_WIDTH = 15


def read_modinfo(path: str | os.PathLike[str]) -> Records:
    """Key and value of all that a module file says of itself (kmod: ``kmod_module_get_info``).

    The records of its ``.modinfo`` section in their order, then ``sig_id``, ``signer``,
    ``sig_key``, ``sig_hashalgo`` and ``signature`` where it is signed. The file may be compressed
    (``.ko.gz``, ``.ko.xz``, ``.ko.zst``). Text is UTF-8 with surrogateescape.

    Raises:
        FileAccessError: the file is missing or cannot be read.
        PackageError: it is no module, or a damaged one.
        MissingLibraryError: the extra ``packages`` is needed and not installed.
    """
    return parse_modinfo(kernels.read_file(Path(path), "expected a kernel module (.ko)"), os.fspath(path))


def parse_modinfo(data: bytes, name: str) -> Records:
    """The same of a module that lies in memory, compressed or not; ``name`` is for messages."""
    from pyalias.packages.compression import decompress_module  # noqa: PLC0415 few need it
    from pyalias.packages.elf import read_module  # noqa: PLC0415
    from pyalias.packages.signature import signature_fields  # noqa: PLC0415

    contents = decompress_module(data, name)
    records = read_module(contents, name).records + signature_fields(contents)
    return [(_text(key), _text(value)) for key, value in records]


def builtin_modinfo(text: bytes, name: str) -> Records:
    """What ``modules.builtin.modinfo`` says of a built-in module (kmod: ``kmod_builtin_get_modinfo``)."""
    prefix = os.fsencode(name) + b"."
    found = []
    for record in text.split(b"\0"):
        if record.startswith(prefix):
            key, _, value = record.removeprefix(prefix).partition(b"=")
            found.append((_text(key), _text(value)))
    return found


def modinfo_lines(
    filename: str | None,
    records: Iterable[tuple[str, str]],
    *,
    name: str = "",
    field: str | None = None,
    null: bool = False,
) -> str:
    """What ``modinfo`` prints of one module (kmod: ``tools/modinfo.c``, ``modinfo_do``).

    Args:
        filename: ``None`` for a module that is built in; then ``name`` is printed.
        records: as ``read_modinfo`` gives them.
        name: of the module.
        field: its values alone (``-F``): a key, ``filename``, or ``parm`` for all parameters.
        null: a NUL ends each item, not a newline (``-0``).
    """
    end = "\0" if null else "\n"
    shown = "(builtin)" if filename is None else filename
    if field == "filename":
        items = [shown]
    elif field == "parm":
        items = [_parameter(*parameter) for parameter in _parameters(records)]
    elif field is not None:
        items = [value for key, value in records if key == field]
    else:
        items = [f"{'name:':<16}{name}"] if filename is None else []
        items.append(f"{'filename:':<16}{shown}")
        others = [(key, value) for key, value in records if key not in {"parm", "parmtype"}]
        items += [f"{key}={value}" if null else _padded(key, value) for key, value in others]
        items += [f"{'parm:':<16}{_described(*parameter)}" for parameter in _parameters(records)]
    return "".join(item + end for item in items)


def _padded(key: str, value: str) -> str:
    # A width below zero is printf's for filling on the other side: long keys get blanks as well.
    return f"{key}:{' ' * abs(_KEY_WIDTH - len(os.fsencode(key)))}{value}"


def _parameters(records: Iterable[tuple[str, str]]) -> Sequence[tuple[str, str | None, str | None]]:
    """Name, description and type of each, the one that was named last first (``process_parm``)."""
    found: dict[str, list[str | None]] = {}
    for key, value in records:
        if key in {"parm", "parmtype"} and ":" in value:
            name, _, text = value.partition(":")
            found.setdefault(name, [None, None])[key == "parmtype"] = text
    return [(name, description, kind) for name, (description, kind) in reversed(found.items())]


def _parameter(name: str, description: str | None, kind: str | None) -> str:
    """With ``-F parm`` (``modinfo_params_do``)."""
    if description is None:
        return f"{name}: ({kind})"
    return f"{name}:{description} ({kind})" if kind is not None else f"{name}:{description}"


def _described(name: str, description: str | None, kind: str | None) -> str:
    if description is None:
        return f"{name}:{kind}"
    return f"{name}:{description} ({kind})" if kind is not None else f"{name}:{description}"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
