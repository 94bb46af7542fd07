"""The five binary indexes of a module directory, made from its text files as depmod makes them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from pyalias import kernels
from pyalias.atomic_file import AtomicFile
from pyalias.errors import AliasFileError
from pyalias.kmod.binwriter import write_index
from pyalias.names import module_name, normalise_alias

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

    from pyalias.kmod.binwriter import Entry, Layout

    Texts = Mapping[str, bytes]

_NEEDED = ("modules.dep", "modules.alias", "modules.symbols")
_OPTIONAL = ("modules.builtin", "modules.builtin.modinfo")
_ADVICE = "expected a kernel's modules directory, as depmod leaves it"


def read_texts(directory: str | os.PathLike[str]) -> dict[str, bytes]:
    """The text files that the indexes are made from, by name; those of built-in modules may be missing.

    Raises:
        FileAccessError: another one is missing, or one cannot be read.
    """
    where = Path(directory)
    names = [*_NEEDED, *(name for name in _OPTIONAL if (where / name).exists())]
    return {name: kernels.read_file(where / name, _ADVICE) for name in names}


def build_indexes(texts: Texts, layout: Layout = "post") -> dict[str, bytes]:
    """``modules.dep.bin`` and its kin, by file name, with the bytes that depmod writes.

    Patterns with stray brackets stand in no index (kmod: ``output_aliases_bin``).

    Raises:
        AliasFileError: a line that depmod would not write, or text that no index can hold.
        LimitError: an index beyond 256 MiB.
    """
    return {name: write_index(entries(texts), layout) for name, entries in _INDEXES.items()}


def write_indexes(directory: str | os.PathLike[str], layout: Layout = "post") -> list[Path]:
    """Write the five indexes of a directory beside its text files, each atomically; returns their paths.

    Raises:
        FileAccessError: a text file is missing, or an index cannot be written.
        AliasFileError, LimitError: as ``build_indexes``; nothing has been written then.
    """
    written = []
    for name, data in build_indexes(read_texts(directory), layout).items():
        written.append(Path(directory) / name)
        with AtomicFile(written[-1]) as file:
            file.write(data)
    return written


def _module_ranks(texts: Texts) -> dict[bytes, int]:
    """The order of depmod, which is that of the lines in ``modules.dep``."""
    paths = (line.partition(b":")[0] for line in texts["modules.dep"].split(b"\n"))
    return {module_name(path): rank for rank, path in enumerate(paths)}


def _dep_entries(texts: Texts) -> Iterator[Entry]:
    for rank, line in enumerate(texts["modules.dep"].split(b"\n")):
        if line:
            path, colon, _ = line.partition(b":")
            if not colon:
                raise _unexpected(line, '"PATH: DEPENDENCIES"', "modules.dep", rank + 1)
            yield module_name(path), rank, line


def _alias_lines(texts: Texts, name: str) -> Iterator[tuple[bytes, int, bytes]]:
    """Pattern, rank and module of the lines ``alias PATTERN MODULE``, split at the last blank."""
    ranks = _module_ranks(texts)
    for number, line in enumerate(texts[name].split(b"\n"), 1):
        if not line.startswith(b"alias "):
            continue
        pattern, blank, module = line[len(b"alias ") :].rpartition(b" ")
        if not blank or module not in ranks:
            expected = '"alias PATTERN MODULE" with a module of modules.dep'
            raise _unexpected(line, expected, name, number)
        yield pattern, ranks[module], module


def _alias_entries(texts: Texts) -> Iterator[Entry]:
    for pattern, rank, module in _alias_lines(texts, "modules.alias"):
        normal = normalise_alias(pattern)
        if normal is not None:
            yield normal, rank, module


def _symbol_entries(texts: Texts) -> Iterator[Entry]:
    return _alias_lines(texts, "modules.symbols")


def _builtin_entries(texts: Texts) -> Iterator[Entry]:
    for line in BytesIO(texts.get("modules.builtin", b"")):
        if line[:1].isalpha():
            yield module_name(line), 0, b""


def _builtin_alias_entries(texts: Texts) -> Iterator[Entry]:
    for pattern, module in kernels.builtin_source(texts.get("modules.builtin.modinfo", b"")).aliases:
        normal = normalise_alias(pattern)
        if normal is not None:
            yield normal, 0, module


def _unexpected(line: bytes, expected: str, name: str, number: int) -> AliasFileError:
    shown = line[:80].decode("utf-8", "backslashreplace")
    return AliasFileError(f"expected {expected}, found {shown!r}", name, number)


_INDEXES: dict[str, Callable[[Texts], Iterator[Entry]]] = {
    "modules.dep.bin": _dep_entries,
    "modules.alias.bin": _alias_entries,
    "modules.symbols.bin": _symbol_entries,
    "modules.builtin.bin": _builtin_entries,
    "modules.builtin.alias.bin": _builtin_alias_entries,
}
