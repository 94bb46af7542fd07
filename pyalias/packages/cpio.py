"""cpio archives in the "new" format, as initramfs images are: several in a row, each compressed or not.

The kernel's ``Documentation/driver-api/early-userspace/buffer-format.rst`` describes them: an
uncompressed archive of CPU microcode often stands before the compressed one with everything else.
"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING

from pyalias.errors import PackageError
from pyalias.packages.compression import LONGEST_MAGIC, MEMBER_ROOM, is_compressed, open_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAGICS = (b"070701", b"070702")

_HEADER = 110
_TRAILER = b"TRAILER!!!"
_NAME_ROOM = 4096
_HEXADECIMAL = re.compile(rb"[0-9A-Fa-f]{8}")
_TYPE, _REGULAR = 0o170000, 0o100000


def read_initramfs(file: IO[bytes], path: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Name and reader of each regular file of all the archives in an image, in order.

    A reader must be called before the next member is asked for.

    Raises:
        PackageError: no cpio archive, or a damaged one.
    """
    while start := _start(file):
        if start in MAGICS:
            yield from _read_cpio(file, start, path)
        elif is_compressed(start):
            # A compressed archive is the last one: where its stream ends, few decompressors tell.
            yield from read_initramfs(open_stream(file, start), path)
            return
        else:
            raise PackageError(f"expected a cpio archive, found {start!r}", path)


def _start(file: IO[bytes]) -> bytes:
    """The first bytes of the next archive; there may be any number of zeros before it."""
    while (byte := file.read(1)) == b"\0":
        pass
    return byte + file.read(LONGEST_MAGIC - 1) if byte else b""


def _read_cpio(file: IO[bytes], start: bytes, path: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The members of one archive, whose magic has been read; stops behind its trailer."""
    while True:
        header = start + _exactly(file, _HEADER - len(start), path)
        start = b""
        mode, size, name_size = _numbers(header, path)
        name = _exactly(file, name_size, path).rstrip(b"\0")
        _exactly(file, -(_HEADER + name_size) % 4, path)
        if name == _TRAILER:
            return
        member = _Member(file, size, path)
        if mode & _TYPE == _REGULAR and size:
            yield name.decode("utf-8", "surrogateescape"), member.read
        member.skip()
        _exactly(file, -size % 4, path)


class _Member:
    """The contents of one file, which may be read or be passed over."""

    def __init__(self, file: IO[bytes], size: int, path: str) -> None:
        self._file, self._unread, self._path = file, size, path

    def read(self) -> bytes:
        if self._unread > MEMBER_ROOM:
            raise PackageError(f"a file of more than {MEMBER_ROOM} bytes in a cpio archive", self._path)
        size, self._unread = self._unread, 0
        return _exactly(self._file, size, self._path)

    def skip(self) -> None:
        while self._unread:
            step = min(self._unread, 1 << 20)
            _exactly(self._file, step, self._path)
            self._unread -= step


def _numbers(header: bytes, path: str) -> tuple[int, int, int]:
    """Mode, size of the file, size of the name."""
    fields = [header[at : at + 8] for at in (14, 54, 94)]
    if header[:6] not in MAGICS or not all(map(_HEXADECIMAL.fullmatch, fields)):
        raise PackageError(f"expected a header of cpio's new format, found {header[:60]!r}", path)
    mode, size, name_size = (int(field, 16) for field in fields)
    if not 0 < name_size <= _NAME_ROOM:
        raise PackageError(f"a name of {name_size} bytes in a cpio archive", path)
    return mode, size, name_size


def _exactly(file: IO[bytes], count: int, path: str) -> bytes:
    data = file.read(count) if count else b""
    if len(data) < count:
        raise PackageError("the cpio archive is cut short", path)
    return data
