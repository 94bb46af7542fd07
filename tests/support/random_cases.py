"""Seeded pattern sets and keys, aimed at the seams of kmod's search.

Where answers could go wrong: wildcard bytes in keys, patterns that branch at a wildcard, brackets that pass
``alias_normalize`` but mean something odd to fnmatch (``[[:alpha:]x[y]``, ``[]x[y]``), backslashes, keys made
from patterns, repeated patterns and modules, modules whose lines are not adjacent, lengths around the buffer.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SEED = 20261122
LITERALS = b"aabb-_:.x"
SPECIALS = b"*?[]!^\\-"
BYTES_BEYOND_ASCII = bytes(range(0x80, 0x100))
BRACKETS = (
    b"[ab]", b"[!a]", b"[^b]", b"[a-b]", b"[b-a]", b"[!a-x]", b"[x-]", b"[-x]", b"[a-b-x]", b"[]", b"[!]",
    b"[^]", b"[[]", b"[*]", b"[?]", b"[[b]", b"[a[]", b"[\\]", b"[\\a]", b"[a\\-b]", b"[.-:]", b"[+--]",
    b"[]x[y]", b"[!]x[y]", b"[^]a[b]", b"[[:alpha:]x[y]", b"[![:alpha:]x[y]", b"[[:digit:]a[b]",
    b"[[:nonsense:]a[b]", b"[[:alpha]", b"[[.a.]x[y]", b"[[.hyphen.]a[b]", b"[[=a=]x[b]", b"[a-[.x.]b[:]",
    b"[[:a]b[:]", b"[a-]b[x]", b"[\\]a[b]", b"[[\\]a]",
)  # fmt: skip
BRACKET_PARTS = (
    b"[:",
    b"[.",
    b"[=",
    b":",
    b".",
    b"=",
    b"alpha",
    b"xdigit",
    b"a",
    b"b",
    b"-",
    b"!",
    b"^",
    b"[",
)
MODULES = ("zeta", "alpha", "mid_one", "b", "mid-two", "x8250")
BUILTIN_MODULES = ("core", "zeta", "tty_io", "a")


class Case(NamedTuple):
    """One pattern set and what to ask it."""

    aliases: Sequence[tuple[bytes, str]]
    builtin_aliases: Sequence[tuple[bytes, str]]
    keys: Sequence[bytes]


def random_cases(count: int, keys_each: int) -> Iterator[Case]:
    """The same cases on every run."""
    random = Random(SEED)  # noqa: S311 - repeatable, not secret
    for number in range(count):
        maker = _CaseMaker(random, with_backslashes=number % 3 == 0)
        yield maker.case(keys_each, with_builtin=number % 3 == 1)


class _CaseMaker:
    """The choices of one case."""

    def __init__(self, random: Random, *, with_backslashes: bool) -> None:
        self._random = random
        self._specials = SPECIALS if with_backslashes else SPECIALS.replace(b"\\", b"")
        self._brackets = [b for b in BRACKETS if with_backslashes or b"\\" not in b]
        # Few stems, so that patterns share prefixes and branch inside them.
        self._stems = [self._bytes_from(LITERALS, 4) for _ in range(random.randint(1, 3))]

    def case(self, keys: int, *, with_builtin: bool) -> Case:
        """A pattern set of up to some twenty lines, in one source or in both."""
        patterns = self._patterns(self._random.choice((1, 2, 3, 5, 8, 13, 21)))
        aliases = [(pattern, self._random.choice(MODULES)) for pattern in patterns]
        builtin_aliases = []
        if with_builtin:
            patterns = self._patterns(self._random.choice((2, 5, 8)))
            builtin_aliases = [(pattern, self._random.choice(BUILTIN_MODULES)) for pattern in patterns]
            aliases = aliases[: self._random.choice((0, 1, 8))]
        sources = [pattern for pattern, _ in [*aliases, *builtin_aliases]]
        return Case(aliases, builtin_aliases, [self._key(sources) for _ in range(keys)])

    def _patterns(self, count: int) -> list[bytes]:
        patterns: list[bytes] = []
        while len(patterns) < count:
            related = patterns and self._chance(0.45)
            pattern = self._relative_of(patterns) if related else self._fresh_pattern()
            if pattern:  # depmod passes over an alias with nothing in it
                patterns.append(pattern)
        return patterns

    def _fresh_pattern(self) -> bytes:
        if self._chance(0.1):
            return self._bytes_from(LITERALS + self._specials, 8)
        pieces = [self._piece() for _ in range(self._random.randint(0, 5))]
        return self._random.choice(self._stems) + b"".join(pieces)

    def _piece(self) -> bytes:
        if self._chance(0.45):
            return self._bytes_from(LITERALS, 2)
        if self._chance(0.35):
            return self._random.choice(self._brackets) if self._chance(0.6) else self._bracket_soup()
        return self._byte_from(self._specials.translate(None, b"[]") + b"**??")

    def _bracket_soup(self) -> bytes:
        """Two brackets to ``alias_normalize``; to fnmatch one, two, or one that only the second closes."""
        inside = self._random.choices(BRACKET_PARTS, k=self._random.randint(1, 5))
        second = self._random.choice((b"", b"[x]", b"x[a]", b"[-b]"))
        return b"[" + b"".join(inside) + b"]" + second

    def _relative_of(self, patterns: list[bytes]) -> bytes:
        """A pattern that repeats another or leaves it somewhere on the way."""
        other = self._random.choice(patterns)
        if self._chance(0.25):
            return other
        return other[: self._random.randint(0, len(other))] + self._piece()

    def _key(self, patterns: Sequence[bytes]) -> bytes:
        kind = self._random.random()
        pattern = self._random.choice(patterns)
        if kind < 0.45:
            return self._matching(pattern)
        if kind < 0.65:
            return pattern
        if kind < 0.85:
            return self._changed(pattern if self._chance(0.6) else self._matching(pattern))
        return self._random.choice(self._stems) + self._bytes_from(LITERALS + self._specials, 5)

    def _matching(self, pattern: bytes) -> bytes:
        """A key that likely matches: wildcards are replaced by bytes, some of them wildcards again."""
        key = b""
        position = 0
        while position < len(pattern):
            byte = pattern[position : position + 1]
            end = pattern.find(b"]", position)
            if self._chance(0.12):
                key += byte
            elif byte == b"*":
                key += self._bytes_from(self._filling(), 3)
            elif byte == b"?":
                key += self._byte_from(self._filling())
            elif byte == b"[" and end > 0:
                key += self._byte_from(pattern[position + 1 : end] + b"a")
                position = end
            elif byte != b"\\" or self._chance(0.5):
                key += byte
            position += 1
        return key

    def _filling(self) -> bytes:
        return self._random.choice((LITERALS, LITERALS, self._specials, BYTES_BEYOND_ASCII))

    def _changed(self, key: bytes) -> bytes:
        position = self._random.randint(0, len(key))
        replacement = b"" if self._chance(0.3) else self._byte_from(self._filling())
        return key[:position] + replacement + key[position + self._random.randint(0, 1) :]

    def _bytes_from(self, alphabet: bytes, longest: int) -> bytes:
        return bytes(self._random.choices(alphabet, k=self._random.randint(0, longest)))

    def _byte_from(self, alphabet: bytes) -> bytes:
        return bytes((self._random.choice(alphabet),))

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability


def long_case() -> Case:
    """Patterns and keys about as long as kmod's buffer of PATH_MAX."""
    aliases = [
        (b"x*", "mod"),
        (b"y*", "m"),
        (b"z-*[ab]", "mod"),
        (b"x" * 4095, "exact"),
        (b"q" * 4094 + b"*", "cut_before_star"),
        (b"q" * 4095 + b"*", "cut_at_star"),
        (b"w" * 4093 + b"[]", "bracket_at_the_end"),
        (b"w" * 4080 + b"*", "bracket_shorter"),
    ]
    builtin_aliases = [(b"b*", "core"), (b"b" * 4080 + b"?*", "core"), (b"b" * 4090, "tty_io")]
    lengths = range(4086, 4101)
    keys = [letter * length for letter in (b"x", b"y", b"q", b"b", b"n") for length in lengths]
    keys += [b"z-" + b"-" * length + end for length in lengths for end in (b"a", b"-", b"[b]", b"[b]]")]
    keys += [b"w" * length + end for length in lengths for end in (b"[]", b"[", b"]", b"[]x")]
    return Case(aliases, builtin_aliases, keys)
