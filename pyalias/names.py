"""kmod's two normalisations (``shared/util.c``): of aliases and of module names."""

from __future__ import annotations

_LONGEST = 4095  # PATH_MAX - 1


def normalise_alias(alias: bytes) -> bytes | None:
    """``alias_normalize``: ``-`` becomes ``_`` outside brackets; ``None`` for stray brackets (-EINVAL)."""
    alias = alias[:_LONGEST]
    if b"[" not in alias:
        return None if b"]" in alias else alias.replace(b"-", b"_")
    normal = []
    while alias:
        before, bracket, rest = alias.partition(b"[")
        inside, closed, alias = rest.partition(b"]")
        if b"]" in before or (bracket and not closed):
            return None
        normal.append(before.replace(b"-", b"_") + bracket + inside + closed)
    return b"".join(normal)


def module_name(path: bytes) -> bytes:
    """``path_to_modname``: the last part, cut at its first dot, with ``_`` for ``-``."""
    return path.rpartition(b"/")[2].partition(b".")[0].replace(b"-", b"_")
