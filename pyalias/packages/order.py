"""The order of a kernel's modules, which is what decides the order of answers (kmod: ``depmod.c``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_BUCKETS = 512  # of depmod's table of modules by name
_MASK = 0xFFFFFFFF


def module_order(paths: Mapping[bytes, bytes], listed: bytes | None) -> list[bytes]:
    """Names of modules in depmod's order, given name to uncompressed path, and ``modules.order``.

    First those that ``modules.order`` lists, of repeated lines the last one counts; then the
    others as they lie in depmod's hash table: by bucket, and within it by name
    (``depmod_modules_sort``, ``depmod_modules_build_array``; ``shared/hash.c``).
    """
    lines = (listed or b"").split(b"\n")
    ranks = {path: rank for rank, path in enumerate(lines)}
    behind = len(lines)
    keys = {name: (ranks.get(path, behind), _hash(name) % _BUCKETS, name) for name, path in paths.items()}
    return sorted(keys, key=keys.__getitem__)


def _hash(name: bytes) -> int:
    """Paul Hsieh's SuperFastHash, as ``hash_superfast`` computes it, on 32 bits."""
    value = len(name)
    whole = len(name) & ~3
    for at in range(0, whole, 4):
        value = value + _half(name, at) & _MASK
        value = (value << 16 ^ _half(name, at + 2) << 11 ^ value) & _MASK
        value = value + (value >> 11) & _MASK
    value = _last_bytes(value, name[whole:])
    for left, right in ((3, 5), (4, 17), (25, 6)):
        value ^= value << left & _MASK
        value = value + (value >> right) & _MASK
    return value


def _half(name: bytes, at: int) -> int:
    return name[at] | name[at + 1] << 8


def _last_bytes(value: int, rest: bytes) -> int:
    """The one to three bytes behind the last whole word; they count as signed characters."""
    if len(rest) == 3:
        value = value + _half(rest, 0) & _MASK
        value ^= value << 16 & _MASK
        value ^= _signed(rest[2]) << 18 & _MASK
        return value + (value >> 11) & _MASK
    if len(rest) == 2:
        value = value + _half(rest, 0) & _MASK
        value ^= value << 11 & _MASK
        return value + (value >> 17) & _MASK
    if len(rest) == 1:
        value = value + _signed(rest[0]) & _MASK
        value ^= value << 10 & _MASK
        return value + (value >> 1) & _MASK
    return value


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte
