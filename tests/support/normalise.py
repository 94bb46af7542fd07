"""kmod's two normalisations, byte by byte as ``shared/util.c`` does them."""

from __future__ import annotations

LONGEST = 4095  # PATH_MAX - 1: what fits kmod's buffer beside the final NUL


def normalise_alias(alias: bytes) -> bytes | None:
    """``alias_normalize``: None where kmod answers -EINVAL.

    A bracket whose ``]`` lies beyond the buffer is refused by kmod master (pull request 431); every release
    up to v34.2 writes past its stack buffer there, so no test may send such a key to a real libkmod.
    """
    normal = bytearray()
    position = 0
    while position < min(len(alias), LONGEST):
        byte = alias[position : position + 1]
        if byte == b"]":
            return None
        if byte == b"[":
            end = alias.find(b"]", position)
            if not position < end < LONGEST:
                return None
            normal += alias[position : end + 1]
            position = end + 1
            continue
        normal += b"_" if byte == b"-" else byte
        position += 1
    return bytes(normal)


def overflows_old_libkmod(alias: bytes) -> bool:
    """Whether a bracket of ``alias`` runs over the end of the buffer of a libkmod without the fix."""
    return len(alias) > LONGEST and normalise_alias(alias) is None and b"[" in alias[:LONGEST]


def normalise_module(name: str) -> str:
    """``modname_normalize``: ``-`` becomes ``_``, the first ``.`` ends the name."""
    return name.split(".", 1)[0].replace("-", "_")
