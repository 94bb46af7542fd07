"""Compressed streams, known by their first bytes: gzip, xz, zstandard, lz4 (both of its formats), bzip2."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import tarfile
import zlib
from functools import partial
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, cast

from pyalias.errors import PackageError
from pyalias.packages.libraries import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONGEST_MAGIC = 6
MEMBER_ROOM = 1 << 30  # bytes of one file: what has more is a bomb, not a driver

_CHUNK = 1 << 17
_LZ4_LEGACY = bytes.fromhex("02214c18")
_LZ4_BLOCK_ROOM = 8 << 20  # of the legacy format


def _zstd(file: IO[bytes]) -> IO[bytes]:
    zstandard = load("zstandard", "zstandard-compressed files (.zst)")
    stream: IO[bytes] = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return stream


def _lz4(file: IO[bytes]) -> IO[bytes]:
    stream: IO[bytes] = load("lz4.frame", "lz4-compressed files").open(file)
    return stream


def _lz4_legacy(file: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", _Chunks(_lz4_legacy_blocks(file)))


def _lz4_legacy_blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The blocks of the format that the kernel's own decompressor reads (``lib/decompress_unlz4.c``)."""
    decompress = load("lz4.block", "lz4-compressed files").decompress
    while word := file.read(4):
        if word == _LZ4_LEGACY:
            continue
        size = int.from_bytes(word, "little")
        if size == 0 or len(word) < 4:
            return  # padding
        block = file.read(size)
        if len(block) < size:
            raise EOFError("an lz4 block is cut short")
        yield decompress(block, uncompressed_size=_LZ4_BLOCK_ROOM)


class _Chunks(io.RawIOBase):
    """A stream over an iterator of bytes."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


_OPENERS: tuple[tuple[bytes, Callable[[Any], Any]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (b"\xfd7zXZ\0", lzma.LZMAFile),
    (b"\x5d\0\0", lzma.LZMAFile),
    (b"\x28\xb5\x2f\xfd", _zstd),
    (b"\x04\x22\x4d\x18", _lz4),
    (_LZ4_LEGACY, _lz4_legacy),
    (b"BZh", bz2.BZ2File),
)


def is_compressed(start: bytes) -> bool:
    """Whether these are the first bytes of a stream that ``open_stream`` would decompress."""
    return any(start.startswith(magic) for magic, _ in _OPENERS)


def open_stream(file: IO[bytes], start: bytes) -> IO[bytes]:
    """The contents of a stream, given its first bytes, which have been read from ``file`` already.

    What is not compressed comes out as it is. A read gives as many bytes as were asked for.

    Raises:
        MissingLibraryError: the format needs a library that is not installed.
    """
    whole: Any = io.BufferedReader(_Chunks(chain((start,), iter(partial(file.read, _CHUNK), b""))), _CHUNK)
    for magic, opener in _OPENERS:
        if start.startswith(magic):
            return io.BufferedReader(opener(whole), _CHUNK)
    return cast("IO[bytes]", whole)


def decompress_module(data: bytes, name: str) -> bytes:
    """A module file's contents, compressed or not.

    Raises:
        PackageError: damaged, or of more than 1 GiB.
        MissingLibraryError: the format needs a library that is not installed.
    """
    if not is_compressed(data[:LONGEST_MAGIC]):
        return data
    try:
        file = io.BytesIO(data)
        contents = open_stream(file, file.read(LONGEST_MAGIC)).read(MEMBER_ROOM + 1)
    except damage_errors() as error:
        raise PackageError(f"the compressed module is damaged: {error}", name) from error
    if len(contents) > MEMBER_ROOM:
        raise PackageError(f"a module of more than {MEMBER_ROOM} bytes", name)
    return contents


def damage_errors() -> tuple[type[Exception], ...]:
    """What readers of streams and tars raise for damaged or truncated data."""
    loaded = [sys.modules[name] for name in ("zstandard", "lz4.block") if name in sys.modules]
    others = [
        getattr(module, name, RuntimeError) for module in loaded for name in ("ZstdError", "LZ4BlockError")
    ]
    return (EOFError, zlib.error, lzma.LZMAError, OSError, tarfile.TarError, RuntimeError, *others)
