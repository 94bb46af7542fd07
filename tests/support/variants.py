"""The variants that this CPU runs, and memory behind which nothing may be read."""

from __future__ import annotations

import ctypes
import mmap

import pytest

import pyalias
from pyalias import _binding

VARIANTS = _binding.variants()
EACH_VARIANT = pytest.mark.parametrize("variant", VARIANTS)


def opened(image: bytes, variant: str) -> pyalias.AliasIndex:
    """An index that matches by one variant, and has been asked nothing yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYALIAS_CPU", variant)
        return pyalias.AliasIndex.from_bytes(image)


class GuardedPages:
    """Memory whose next byte may not be read."""

    def __init__(self, pages: int = 4) -> None:
        self._size = pages * mmap.PAGESIZE
        self._map = mmap.mmap(-1, self._size + mmap.PAGESIZE)
        self._base = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        libc = ctypes.CDLL(None, use_errno=True)
        guard = ctypes.c_void_p(self._base + self._size)
        assert libc.mprotect(guard, ctypes.c_size_t(mmap.PAGESIZE), 0) == 0

    def ending_with(self, data: bytes) -> tuple[memoryview, int]:
        """The data at the very end, and its address."""
        start = self._size - len(data)
        self._map[start : self._size] = data
        return memoryview(self._map)[start : self._size], self._base + start
