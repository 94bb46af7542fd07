"""A module directory's indexes: depmod's binary ones where there are any, else its text files."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar, get_args

from pyalias import kernels
from pyalias.errors import FileAccessError, ImageError
from pyalias.kmod.binindex import BinIndex
from pyalias.kmod.textindexes import TextIndexes, read_module_texts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Prefer = Literal["bin", "text"]
_T = TypeVar("_T")

BIN_NAMES = (
    "modules.dep.bin",
    "modules.symbols.bin",
    "modules.alias.bin",
    "modules.builtin.bin",
    "modules.builtin.alias.bin",
)


class Indexes(Protocol):
    """What the lookup asks; keys are normalised."""

    def dependency_line(self, name: bytes) -> str | None:
        """The line of ``modules.dep`` for a module, ``PATH: PATH ...``."""

    def symbol_modules(self, key: bytes) -> list[str]:
        """The modules that export a symbol; the key begins with ``symbol:``."""

    def alias_modules(self, key: bytes) -> list[str]:
        """The modules whose aliases match."""

    def is_builtin(self, name: bytes) -> bool:
        """Whether a module is built into the kernel."""

    def builtin_alias_modules(self, key: bytes) -> list[str]:
        """The built-in modules whose aliases match."""

    def patterns(self) -> dict[str, list[str]]:
        """The aliases of each module, built-in ones included."""


class BinIndexes:
    """depmod's ``.bin`` files, all opened at once; a missing one answers nothing, as in modprobe.

    Raises:
        FileAccessError: one cannot be read.
        ImageError: one is damaged; also from each question that comes by the damage.
    """

    def __init__(self, directory: Path) -> None:
        opened = {name: _open(f"{directory}/{name}") for name in BIN_NAMES}
        self._dep = opened["modules.dep.bin"]
        self._symbols = opened["modules.symbols.bin"]
        self._alias = opened["modules.alias.bin"]
        self._builtin = opened["modules.builtin.bin"]
        self._builtin_alias = opened["modules.builtin.alias.bin"]

    def dependency_line(self, name: bytes) -> str | None:
        """As ``Indexes``."""
        return _search(self._dep, name)

    def symbol_modules(self, key: bytes) -> list[str]:
        """As ``Indexes``."""
        return _search_wild(self._symbols, key)

    def alias_modules(self, key: bytes) -> list[str]:
        """As ``Indexes``."""
        return _search_wild(self._alias, key)

    def is_builtin(self, name: bytes) -> bool:
        """As ``Indexes``."""
        return _search(self._builtin, name) is not None

    def builtin_alias_modules(self, key: bytes) -> list[str]:
        """As ``Indexes``."""
        return _search_wild(self._builtin_alias, key)

    def patterns(self) -> dict[str, list[str]]:
        """As ``Indexes``; normalised, in the order of the index."""
        found: dict[str, list[str]] = {}
        for index in (self._alias, self._builtin_alias):
            if index is not None:
                for entry in _advised(lambda index=index: list(index.items())):  # type: ignore[misc]
                    found.setdefault(entry.value, []).append(entry.key)
        return found


def open_indexes(directory: Path, prefer: Prefer) -> Indexes:
    """The indexes of a module directory, in the form preferred, or else in the other.

    Raises:
        FileAccessError: the directory is missing, or holds nothing of depmod's, or is unreadable.
        ImageError: a binary index is damaged.
        ValueError: another form.
    """
    if prefer not in get_args(Prefer):
        raise ValueError(f'prefer: expected "bin" or "text", found {prefer!r}')
    has_bin = any(os.path.exists(f"{directory}/{name}") for name in BIN_NAMES)  # noqa: PTH110
    if has_bin and prefer == "bin":
        return BinIndexes(directory)
    texts = read_module_texts(directory)
    if texts:
        return TextIndexes(texts)
    if has_bin:
        return BinIndexes(directory)
    # Nothing of depmod's: this says which file is missing.
    kernels.read_file(directory / "modules.dep", "expected a kernel's modules directory, as depmod leaves it")
    return TextIndexes({})


def _open(path: str) -> BinIndex | None:
    try:
        return _advised(lambda: BinIndex.open(path))
    except FileAccessError as error:
        if error.errno == errno.ENOENT:
            return None
        raise


def _search(index: BinIndex | None, key: bytes) -> str | None:
    return None if index is None else _advised(lambda: index.search(key))


def _search_wild(index: BinIndex | None, key: bytes) -> list[str]:
    return [] if index is None else _advised(lambda: index.lookup_wild(key))


def _advised(read: Callable[[], _T]) -> _T:
    """A damaged index, and what to do about it."""
    try:
        return read()
    except ImageError as error:
        raise ImageError(f'{error}; run depmod, or open with prefer="text" to read the text files') from error
