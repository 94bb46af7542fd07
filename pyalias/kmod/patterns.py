"""Lines of modprobe.d by the name or pattern on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from pyalias._binding import glob_matches

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

_SPECIAL = frozenset(b"*?[\\")


class PatternLines(Generic[T]):
    """What stands on lines, found by names that their patterns match, in the order of lines.

    libkmod asks fnmatch of every line. Most patterns are plain names, and are found as such: a
    configuration may be long.
    """

    def __init__(self, lines: Iterable[tuple[bytes, T]]) -> None:
        self._named: dict[bytes, list[tuple[int, T]]] = {}
        self._wild: list[tuple[int, bytes, T]] = []
        for number, (pattern, line) in enumerate(lines):
            if _SPECIAL.isdisjoint(pattern):
                self._named.setdefault(pattern, []).append((number, line))
            else:
                self._wild.append((number, pattern, line))

    def all(self, name: bytes) -> list[T]:
        """The lines whose patterns match."""
        found = list(self._named.get(name, ()))
        found += [(number, line) for number, pattern, line in self._wild if glob_matches(pattern, name)]
        found.sort(key=lambda numbered: numbered[0])
        return [line for _, line in found]

    def first(self, name: bytes) -> T | None:
        """The first of them."""
        found = self.all(name)
        return found[0] if found else None
