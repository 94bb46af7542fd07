"""Files in pieces of whole lines, decompressed on the way, in bounded memory.

Text is UTF-8 in which any other byte survives (``surrogateescape``): a firmware string may hold
anything, and what is read must be what is looked up and what is written again.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pyalias.errors import FileAccessError, InventoryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONGEST_RECORD = 16 << 20
BLOCK_SIZE = 4 << 20

OPENERS: dict[str, Callable[[BinaryIO], Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}


@contextmanager
def open_stream(path: str | os.PathLike[str]) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The file as it is read, decompressed by its name; and the file itself, for its position.

    Raises:
        FileAccessError: the file cannot be opened.
    """
    name = os.fspath(path)
    opener = OPENERS.get(Path(name).suffix)
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - closed below; here only this error is caught
    except OSError as error:
        raise FileAccessError.from_oserror(error, name, "check the name of the device list") from error
    with file, opener(file) if opener else file as stream:
        yield stream, file


def regular_size(file: BinaryIO) -> int | None:
    """The size of a regular file; ``None`` of a pipe or a file in memory."""
    try:
        status = os.fstat(file.fileno())
    except OSError:  # a file in memory has no number
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def text_blocks(stream: BinaryIO, name: str, start: bytes = b"") -> Iterator[str]:
    """The stream in pieces of whole lines; ``start`` are bytes that were read from it already."""
    carry = b""
    while chunk := start or read_bytes(stream, name):
        start = b""
        head, newline, tail = chunk.rpartition(b"\n")
        if newline:
            yield (carry + head + newline).decode("utf-8", "surrogateescape")
            carry = tail
        else:
            carry += tail
        if len(carry) > LONGEST_RECORD:
            raise InventoryError(
                f"{name}: a line is longer than {LONGEST_RECORD} bytes; is this a device list?"
            )
    if carry:
        yield carry.decode("utf-8", "surrogateescape")


def read_bytes(stream: BinaryIO, name: str, size: int | None = None) -> bytes:
    """Some bytes; none at the end.

    Raises:
        InventoryError: the compressed data are damaged or cut short.
        FileAccessError: the system failed to read.
    """
    try:
        return stream.read(BLOCK_SIZE if size is None else size)
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise InventoryError(f"{name}: the compressed data are damaged or cut short: {error}") from error
    except OSError as error:
        if error.errno is None:  # gzip and bz2 say so when the data are not theirs
            raise InventoryError(f"{name}: the compressed data are damaged: {error}") from error
        raise FileAccessError.from_oserror(error, name, "check the device list") from error
