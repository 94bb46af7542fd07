"""depmod's binary indexes (``pyalias.kmod.binindex``)."""

from __future__ import annotations

from pyalias._binding.core import ffi, lib, raise_error, text_of
from pyalias._records import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer


class BinValue(NamedTuple):
    """A value of a binary index and its priority: the smallest comes first."""

    priority: int
    value: bytes


class BinFile:
    """The bytes of one ``modules.*.bin``, borrowed; each call checks what it reads.

    Raises:
        ImageError: the header is none of depmod's; later, from each method: damage, and where.
    """

    def __init__(self, data: Buffer, file: str | None = None) -> None:
        self._data = ffi.from_buffer("uint8_t[]", data)
        self._file = file
        error = ffi.new("pya_error *")
        raise_error(lib.pya_bin_check(self._data, len(self._data), error), error, file)

    def search(self, key: bytes) -> bytes | None:
        """The first value of exactly this key."""
        value = ffi.new("pya_bin_value *")
        error = ffi.new("pya_error *")
        found = lib.pya_bin_search(self._data, len(self._data), key, len(key), value, error)
        if found < 0:
            raise_error(found, error, self._file)
        return text_of(value.text) if found else None

    def search_wild(self, key: bytes) -> list[BinValue]:
        """The values of all patterns that match the key, in libkmod's order, repeats kept."""
        values = ffi.new("pya_bin_value **")
        error = ffi.new("pya_error *")
        count = lib.pya_bin_search_wild(self._data, len(self._data), key, len(key), values, error)
        if count < 0:
            raise_error(count, error, self._file)
        if not count:
            return []
        owner = ffi.gc(values[0], lib.pya_bin_values_free)
        return [BinValue(owner[i].priority, text_of(owner[i].text)) for i in range(count)]

    def items(self) -> Iterator[tuple[bytes, int, bytes]]:
        """Key, priority and value of all entries, in depmod's order."""
        walk = ffi.gc(lib.pya_bin_walk_new(self._data, len(self._data)), lib.pya_bin_walk_free)
        if walk == ffi.NULL:
            raise MemoryError
        key, value, error = ffi.new("pya_text *"), ffi.new("pya_bin_value *"), ffi.new("pya_error *")
        while (code := lib.pya_bin_walk_next(walk, key, value, error)) > 0:
            yield text_of(key[0]), value.priority, text_of(value.text)
        raise_error(code, error, self._file)
