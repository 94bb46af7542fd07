"""A module directory's indexes: depmod's binary ones where there are any, else its text files."""

from __future__ import annotations

import errno
import os
from _thread import allocate_lock

from pyalias import kernels
from pyalias.errors import FileAccessError, ImageError
from pyalias.kmod.binindex import BinIndex, OpenedFile
from pyalias.kmod.textindexes import TextIndexes, read_module_texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, TypeVar

    from pyalias.kmod.binindex import BinEntry

    Prefer = Literal["bin", "text"]
    _T = TypeVar("_T")

BIN_NAMES = (
    "modules.dep.bin",
    "modules.symbols.bin",
    "modules.alias.bin",
    "modules.builtin.bin",
    "modules.builtin.alias.bin",
)


class BinIndexes:
    """depmod's ``.bin`` files, all opened at once; a missing one answers nothing, as in modprobe.

    Each is mapped when it is first asked, as the file that was opened.

    Raises:
        FileAccessError: one cannot be read.
        ImageError: one is damaged; also from each question that comes by the damage.
    """

    def __init__(self, directory: str) -> None:
        opened = [_open(f"{directory}/{name}") for name in BIN_NAMES]
        self.stamps = {
            f"{directory}/{name}": None if file is None else file.stamp
            for name, file in zip(BIN_NAMES, opened, strict=True)
        }
        """Of each file, as it was opened."""
        lock = allocate_lock()
        self._dep, self._symbols, self._alias, self._builtin, self._builtin_alias = (
            _Late(file, lock) for file in opened
        )

    def dependency_line(self, name: bytes) -> str | None:
        """As ``TextIndexes``."""
        return _search(self._dep, name)

    def module_names(self) -> list[str]:
        """As ``TextIndexes``, in the order of the index."""
        index = self._dep.index()
        return [] if index is None else [entry.key for entry in _advised(_items, index)]

    def symbol_modules(self, key: bytes) -> list[str]:
        """As ``TextIndexes``."""
        return _search_wild(self._symbols, key)

    def alias_modules(self, key: bytes) -> list[str]:
        """As ``TextIndexes``."""
        return _search_wild(self._alias, key)

    def is_builtin(self, name: bytes) -> bool:
        """As ``TextIndexes``."""
        return _search(self._builtin, name) is not None

    def builtin_alias_modules(self, key: bytes) -> list[str]:
        """As ``TextIndexes``."""
        return _search_wild(self._builtin_alias, key)

    def patterns(self) -> dict[str, list[str]]:
        """As ``TextIndexes``; normalised, in the order of the index."""
        found: dict[str, list[str]] = {}
        for late in (self._alias, self._builtin_alias):
            if (index := late.index()) is not None:
                for entry in _advised(_items, index):
                    found.setdefault(entry.value, []).append(entry.key)
        return found


def _items(index: BinIndex) -> list[BinEntry]:
    return list(index.items())


class _Late:
    """An index that is mapped when it is first asked."""

    __slots__ = ("_file", "_index", "_lock")

    def __init__(self, file: OpenedFile | None, lock: Any) -> None:
        self._file = file
        self._lock = lock
        self._index: BinIndex | None = None

    def index(self) -> BinIndex | None:
        """The index, or ``None`` where there is no file."""
        if self._index is None and self._file is not None:
            with self._lock:
                if self._index is None:
                    self._index = _advised(self._map)
        return self._index

    def _map(self) -> BinIndex:
        assert self._file is not None
        return BinIndex(self._file.map(), self._file.path)


Indexes = BinIndexes | TextIndexes
"""What the lookup asks; keys are normalised."""


def open_bin_indexes(directory: str) -> BinIndexes | None:
    """The binary indexes of a directory that depmod has seen; ``None`` where they do not say so alone.

    Raises:
        FileAccessError, ImageError: as ``BinIndexes``.
    """
    indexes = BinIndexes(directory)
    telling = (f"{directory}/{name}" for name in kernels.DEPMOD_FILES)
    return indexes if any(map(indexes.stamps.get, telling)) else None


def open_indexes(directory: str, prefer: Prefer) -> Indexes:
    """The indexes of a module directory, in the form preferred, or else in the other.

    Raises:
        FileAccessError: the directory is missing, or holds nothing of depmod's, or is unreadable.
        ImageError: a binary index is damaged.
        ValueError: another form.
    """
    if prefer not in {"bin", "text"}:
        raise ValueError(f'prefer: expected "bin" or "text", found {prefer!r}')
    has_bin = any(os.path.exists(f"{directory}/{name}") for name in BIN_NAMES)
    if has_bin and prefer == "bin":
        return BinIndexes(directory)
    texts = read_module_texts(directory)
    if texts:
        return TextIndexes(texts)
    if has_bin:
        return BinIndexes(directory)
    # Nothing of depmod's: this says which file is missing.
    kernels.read_file(
        f"{directory}/modules.dep", "expected a kernel's modules directory, as depmod leaves it"
    )
    return TextIndexes({})


def _open(path: str) -> OpenedFile | None:
    try:
        return _advised(OpenedFile, path)
    except FileAccessError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            return None
        raise


def _search(late: _Late, key: bytes) -> str | None:
    index = late.index()
    return None if index is None else _advised(index.search, key)


def _search_wild(late: _Late, key: bytes) -> list[str]:
    index = late.index()
    return [] if index is None else _advised(index.lookup_wild, key)


def _advised(read: Callable[..., _T], *arguments: Any) -> _T:
    """A damaged index, and what to do about it."""
    try:
        return read(*arguments)
    except ImageError as error:
        raise ImageError(f'{error}; run depmod, or open with prefer="text" to read the text files') from error
