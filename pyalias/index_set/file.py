"""The file of a set: a header, a table of kernels, and their images as they are, each one once.

    HEADER   magic[8]  version u32  kernel_count u32  size u64  checksum u32  names_size u32
    KERNEL   image_at u64  image_size u64  name_end u32  zero u32        one a kernel, in the set's order
    NAMES    UTF-8, one behind the other: a kernel's name ends at its name_end
    IMAGES   each at a multiple of PAGE, gaps zero; kernels with the same aliases share one

Numbers are little-endian. The checksum is the CRC-32 of header, table and names, with zero in its own
place; an image has a checksum of its own, which is looked at when the kernel is first asked for.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from pyalias.errors import ImageError, LimitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from typing_extensions import Buffer

MAGIC = b"pyalset\x1a"
VERSION = 0x00010000
PAGE = 4096
LONGEST_NAME = 255
MOST_KERNELS = 1 << 16
_HEADER = struct.Struct("<8sIIQII")
_CHECKSUM_AT = 24
_KERNEL = struct.Struct("<QQII")


class Place(NamedTuple):
    """Where the image of a kernel stands."""

    at: int
    size: int


def check_name(name: str) -> bytes:
    """The bytes of a kernel's name.

    Raises:
        LimitError: it cannot be one.
    """
    try:
        text = name.encode("utf-8", "surrogateescape")
    except (AttributeError, UnicodeEncodeError) as error:
        raise LimitError(f"expected the name of a kernel, such as 6.12.0-amd64, found {name!r}") from error
    if not 0 < len(text) <= LONGEST_NAME or b"\0" in text:
        raise LimitError(f"the name of a kernel has 1 to {LONGEST_NAME} bytes and no NUL, found {name!r}")
    return text


def check_count(kernels: int) -> None:
    """Whether a set can have so many.

    Raises:
        LimitError: it cannot.
    """
    if not 0 < kernels <= MOST_KERNELS:
        raise LimitError(f"a set has 1 to {MOST_KERNELS} kernels, found {kernels}")


def pieces(images: Mapping[str, Buffer]) -> Iterator[bytes | memoryview]:
    """The bytes of a set's file, piece by piece.

    Raises:
        LimitError: a name that cannot be one, or more than ``MOST_KERNELS``.
    """
    names = [check_name(name) for name in images]
    check_count(len(names))
    end = _HEADER.size + _KERNEL.size * len(names) + sum(map(len, names))
    stored: dict[bytes, Place] = {}
    table, name_end = b"", 0
    for name, buffer in zip(names, images.values(), strict=True):
        image = bytes(buffer)
        if image not in stored:
            stored[image] = Place(_next_page(end), len(image))
            end = stored[image].at + len(image)
        name_end += len(name)
        table += _KERNEL.pack(*stored[image], name_end, 0)
    rest = table + b"".join(names)
    head = _HEADER.pack(MAGIC, VERSION, len(names), end, 0, name_end)
    yield _HEADER.pack(MAGIC, VERSION, len(names), end, zlib.crc32(head + rest), name_end)
    yield rest
    written = len(head) + len(rest)
    for image, place in stored.items():
        yield bytes(place.at - written)
        yield image
        written = place.at + place.size


def read_table(data: memoryview, file: str | None = None) -> dict[str, Place]:
    """Where the image of each kernel stands, in the set's order.

    Raises:
        ImageError: damaged, cut short, of another version, or no set.
    """
    magic = bytes(data[: len(MAGIC)])
    if magic != MAGIC:
        found = "an index of one kernel" if magic == b"pyalias\x1a" else f"{magic!r}"
        raise ImageError(f"expected a set of indexes, which starts with {MAGIC!r}, found {found}", file)
    if len(data) < _HEADER.size:
        raise ImageError(f"cut short: {len(data)} bytes, a header has {_HEADER.size}", file)
    _, version, count, size, checksum, names_size = _HEADER.unpack_from(data)
    if version != VERSION:
        raise ImageError(f"version {version:#x}, this reads {VERSION:#x}: make the set anew", file)
    if size != len(data):
        raise ImageError(f"{len(data)} bytes, the header says {size}: cut short or damaged", file)
    names_at = _HEADER.size + _KERNEL.size * count
    end = names_at + names_size
    if not 0 < count <= MOST_KERNELS or end > size:
        raise ImageError(f"{count} kernels do not fit into {size} bytes: damaged", file)
    head = bytearray(data[:end])
    head[_CHECKSUM_AT : _CHECKSUM_AT + 4] = bytes(4)
    if zlib.crc32(head) != checksum:
        raise ImageError(f"the checksum of its first {end} bytes is wrong: damaged", file)
    places: dict[str, Place] = {}
    name_start = 0
    for number in range(count):
        at, image_size, name_end, zero = _KERNEL.unpack_from(data, _HEADER.size + _KERNEL.size * number)
        name = bytes(data[names_at + name_start : names_at + name_end]).decode("utf-8", "surrogateescape")
        name_start, room = name_end, size - image_size
        if not name or name in places or name_end > names_size or zero or at % PAGE or not end <= at <= room:
            raise ImageError(f"the entry of kernel {number} ({name!r}) contradicts the file: damaged", file)
        places[name] = Place(at, image_size)
    return places


def _next_page(at: int) -> int:
    return -(-at // PAGE) * PAGE
