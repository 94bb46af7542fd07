"""depmod's binary indexes: ``modules.alias.bin`` and its kin (dep, symbols, builtin, builtin.alias)."""

from __future__ import annotations

import mmap
import os

from pyalias._binding import BinFile
from pyalias._records import NamedTuple
from pyalias.errors import FileAccessError, ImageError, InvalidModaliasError
from pyalias.kmod.stamps import stamp_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from typing_extensions import Buffer

_MAGIC = bytes.fromhex("b007f457")
_VERSION = bytes.fromhex("0002")  # the high half, which counts
_HEADER_SIZE = 12


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
        opened = OpenedFile(os.fspath(path))
        return cls(opened.map(), opened.path)

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


class OpenedFile:
    """An index file that is opened, and may be mapped later: most lookups ask two of five.

    Its descriptor stands for the file that was there, whatever is renamed to its place meanwhile.

    Raises:
        FileAccessError: the file is missing or cannot be read.
        ImageError: its header is none of depmod's.
    """

    __slots__ = ("_descriptor", "path", "stamp")

    def __init__(self, path: str) -> None:
        self._descriptor = -1
        self.path = path
        try:
            # Without a file object: a context opens five of these.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self.stamp = stamp_of(os.fstat(self._descriptor))
            header = os.read(self._descriptor, _HEADER_SIZE)
        except OSError as error:
            raise _unreadable(error, path) from error
        if not header:
            raise ImageError("an empty file is no index of depmod's", path)
        if len(header) < _HEADER_SIZE or not header.startswith(_MAGIC + _VERSION):
            BinFile(header, path)  # says what is wrong

    def map(self) -> mmap.mmap:
        """The bytes of the file, which is closed then."""
        try:
            data = mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise _unreadable(error, self.path) from error
        except ValueError as error:
            raise ImageError("it was cut short while it was open", self.path) from error
        self._close()
        return data

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self._close()


def _unreadable(error: OSError, path: str) -> FileAccessError:
    return FileAccessError.from_oserror(error, path, "expected an index that depmod wrote")


def is_bin_index(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as depmod's indexes do; false where it cannot be read."""
    try:
        with open(path, "rb") as file:
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
