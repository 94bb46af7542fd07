"""depmod's binary indexes: ``modules.alias.bin`` and its kin (dep, symbols, builtin, builtin.alias)."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from pyalias._binding import BinFile
from pyalias.errors import FileAccessError, ImageError, InvalidModaliasError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

_MAGIC = bytes.fromhex("b007f457")


class BinEntry(NamedTuple):
    """One entry: its key (a normalised pattern, a name, ...), its priority, and its value."""

    key: str
    priority: int
    value: str


class BinIndex:
    """One binary index, read where it lies; both of depmod's layouts.

    The header is checked when it is opened, and everything else when a call comes by it, so that
    opening costs nothing and a damaged file gives an exception instead of a wrong read. ``items``
    reads all of it. Immutable, and safe to use from many threads.

    Keys are compared as they are: libkmod normalises an alias (``alias_normalize``) before it asks
    an index, and so must the caller. Text is UTF-8 with surrogateescape, so any byte survives.
    """

    def __init__(self, data: Buffer, path: str | None = None) -> None:
        self._file = BinFile(data, path)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Map an index file into memory. Like any mapped file it must not shrink under its readers.

        Raises:
            FileAccessError: the file is missing or cannot be read.
            ImageError: it is no index of depmod's (kmod: ``index_mm_open``).
        """
        try:
            # Without a file object: a context opens five of these, and that is most of its cost.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if not os.fstat(descriptor).st_size:
                    raise ImageError("an empty file is no index of depmod's", os.fspath(path))
                data = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise FileAccessError.from_oserror(error, path, "expected an index that depmod wrote") from error
        return cls(data, os.fspath(path))

    @classmethod
    def from_bytes(cls, data: Buffer) -> Self:
        """Read an index that lies in memory; the buffer is borrowed and must not change.

        Raises:
            ImageError: it is no index of depmod's.
        """
        return cls(data)

    def search(self, key: str | bytes) -> str | None:
        """The value of exactly this key, the first where there are several (kmod: ``index_mm_search``).

        Raises:
            ImageError: the file is damaged on the way to the key; the message says at which byte.
        """
        value = self._file.search(_key(key))
        return None if value is None else _text(value)

    def lookup_wild(self, key: str | bytes) -> list[str]:
        """The values of all patterns that match a key (kmod: ``index_mm_searchwild``).

        By priority, equal priorities as libkmod orders them, one for each match: a key that holds
        ``*``, ``?`` or ``[`` may match one pattern twice, as in libkmod.

        Raises:
            ImageError: the file is damaged where the search comes by; the message says at which byte.
            LimitError: patterns that no kernel has take more than some seconds to match.
        """
        return [_text(value) for _, value in self._file.search_wild(_key(key))]

    def items(self) -> Iterator[BinEntry]:
        """All entries, in the order in which depmod and ``modprobe -c`` dump them: by key.

        Raises:
            ImageError: the file is damaged; what stood before the damage has been given.
        """
        for key, priority, value in self._file.items():
            yield BinEntry(_text(key), priority, _text(value))


def is_bin_index(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as depmod's indexes do; false where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return file.read(4) == _MAGIC
    except OSError:
        return False


def _key(key: str | bytes) -> bytes:
    try:
        return key.encode("utf-8", "surrogateescape") if isinstance(key, str) else bytes(key)
    except UnicodeEncodeError as error:
        raise InvalidModaliasError(f"{key!r} holds a lone surrogate, which is no byte", key) from error


def _text(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")
