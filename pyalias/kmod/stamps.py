"""When a file was last changed, as far as the file system tells."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

Stamp = tuple[int, int, int] | None
"""Modification time in nanoseconds, size and inode; ``None``: no such file, or none that may be looked at."""


def stamp_of(status: os.stat_result) -> Stamp:
    """The stamp of a file that was looked at already."""
    return status.st_mtime_ns, status.st_size, status.st_ino


def stamp(path: str) -> Stamp:
    """The stamp of a file or directory."""
    try:
        return stamp_of(os.stat(path))
    except OSError:
        return None


def stamps(paths: Iterable[str]) -> dict[str, Stamp]:
    """The stamp of each."""
    return {path: stamp(path) for path in paths}
