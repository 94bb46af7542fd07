"""The slow, obvious answer: the C library's fnmatch over every line, in kmod's order.

Two things are not "fnmatch over every line", and libkmod's answer wins: wildcard bytes in the *key* may match
a pattern a second time, byte for byte, and a backslash before a pattern's first wildcard is an ordinary byte.
``_AliasLines.visits`` states both; the tests prove it equal to the real libkmod.
"""

from __future__ import annotations

import ctypes
import errno
from bisect import bisect_left
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from support.normalise import LONGEST, normalise_alias, normalise_module

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from support.tables import Answer

WILDCARDS = b"*?["

_libc = ctypes.CDLL(None)
_fnmatch = _libc.fnmatch
_fnmatch.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int)
_libc.newlocale.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
_libc.newlocale.restype = ctypes.c_void_p
_libc.uselocale.argtypes = (ctypes.c_void_p,)
_libc.uselocale.restype = ctypes.c_void_p
_LC_ALL_MASK = 0x1FBF  # of glibc's <locale.h>: every category
_C_LOCALE = _libc.newlocale(_LC_ALL_MASK, b"C", None)


@contextmanager
def _bytewise() -> Iterator[None]:
    """Run this thread in the C locale: there ``?`` is one byte, as in modprobe and udev, which set no locale.

    CPython sets LC_CTYPE to the environment's UTF-8, where glibc tries wide characters first.
    """
    previous = _libc.uselocale(_C_LOCALE)
    try:
        yield
    finally:
        _libc.uselocale(previous)


def first_wildcard(pattern: bytes, start: int = 0) -> int:
    """Where the first ``*``, ``?`` or ``[`` from ``start`` on stands, escaped or not; else the length."""
    return next((i for i in range(start, len(pattern)) if pattern[i] in WILDCARDS), len(pattern))


class Visit(NamedTuple):
    """One time that libkmod's walk comes by a pattern, so that visits sort in the order of that walk.

    The walk goes down the key. At each node it first tries the subtrees of the wildcards, depth first and
    children before the node itself, which is the byte order of the tails when an end sorts after any byte.
    """

    position: int
    tail: bytes


class _AliasLines:
    """The lines of one source, by pattern."""

    def __init__(self, lines: Iterable[tuple[bytes, str]]) -> None:
        self._modules: dict[bytes, list[str]] = defaultdict(list)
        self._rank: dict[str, int] = {}
        for raw, module in lines:
            self._rank.setdefault(module, len(self._rank))
            pattern = normalise_alias(raw)
            if pattern is not None:  # depmod leaves a pattern with stray brackets out of the index
                self._modules[pattern].append(module)
        self._sorted = sorted(self._modules)
        self._by_stem: dict[bytes, list[bytes]] = defaultdict(list)
        for pattern in self._sorted:
            self._by_stem[pattern[: first_wildcard(pattern)]].append(pattern)
        self._longest_stem = max(map(len, self._by_stem), default=0)

    def by_priority(self, key: bytes) -> tuple[str, ...]:
        """Modules in the order of their first line, once for each match of each of their lines."""
        found = [
            module
            for pattern in self._candidates(key)
            for module in self._modules[pattern] * len(self.visits(pattern, key))
        ]
        return tuple(sorted(found, key=self._rank.__getitem__))

    def without_priority(self, key: bytes) -> tuple[str, ...]:
        """Modules when all priorities are 0: the pattern visited last first, its lines in file order."""
        walk = sorted(
            (visit, pattern) for pattern in self._candidates(key) for visit in self.visits(pattern, key)
        )
        return tuple(module for _, pattern in reversed(walk) for module in self._modules[pattern])

    def visits(self, pattern: bytes, key: bytes, start: int = 0) -> list[Visit]:
        """How often, and when, libkmod's walk finds that ``pattern`` matches ``key``."""
        wildcard = first_wildcard(pattern, start)
        if wildcard == len(pattern):
            whole = pattern[start:] == key[start:]
            return [Visit(len(key), b"\xff")] if whole else []
        if pattern[start:wildcard] != key[start:wildcard]:
            return []
        found = []
        tail = pattern[wildcard:]
        if _fnmatch(tail, key[wildcard:], 0) == 0:
            found.append(Visit(wildcard, tail + b"\xff"))
        if key[wildcard : wildcard + 1] == tail[:1] and self._ends_a_node(pattern, wildcard):
            found += self.visits(pattern, key, wildcard + 1)
        return found

    def _ends_a_node(self, pattern: bytes, position: int) -> bool:
        """Whether a node of the trie ends here: at its start, or where another pattern leaves this one."""
        if position == 0:
            return True
        here = self._how_many_start_with(pattern[:position])
        return here > self._how_many_start_with(pattern[: position + 1])

    def _how_many_start_with(self, prefix: bytes) -> int:
        # Patterns are 7-bit, so 0xff sorts after all that start with the prefix.
        return bisect_left(self._sorted, prefix + b"\xff") - bisect_left(self._sorted, prefix)

    def _candidates(self, key: bytes) -> Iterator[bytes]:
        """The patterns whose bytes before their first wildcard are the key's: no other line can match."""
        for length in range(min(len(key), self._longest_stem) + 1):
            yield from self._by_stem.get(key[:length], ())


class Oracle:
    """What libkmod answers from ``modules.alias``, and when that has nothing, from the builtin aliases."""

    def __init__(
        self, aliases: Iterable[tuple[bytes, str]], builtin_aliases: Iterable[tuple[bytes, str]] = ()
    ) -> None:
        self._aliases = _AliasLines((pattern, normalise_module(module)) for pattern, module in aliases)
        self._builtin = _AliasLines(builtin_aliases)

    def lookup(self, modalias: bytes) -> Answer:
        """Module names in order, or the errno that libkmod answers with."""
        key = normalise_alias(modalias)
        if key is None:
            return errno.EINVAL
        with _bytewise():
            names = self._aliases.by_priority(key) or self._builtin.without_priority(key)
        # kmod_module_new_from_alias joins name and alias in one buffer of PATH_MAX.
        if any(len(name) + len(key) + 1 > LONGEST for name in names):
            return errno.ENAMETOOLONG
        return names

    def aliases_alone(self, modalias: bytes) -> tuple[str, ...]:
        """The answer of ``modules.alias`` for a key that libkmod takes."""
        key = normalise_alias(modalias)
        if key is None:
            raise ValueError(modalias)
        with _bytewise():
            return self._aliases.by_priority(key)
