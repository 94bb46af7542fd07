"""Patterns come back from an image as they were written, whatever they share with their neighbours.

The image keeps what a pattern does not share with the first of its sixteen lines (csrc/patterns.h).
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

import pyalias
from pyalias._binding import Image

if TYPE_CHECKING:
    from pathlib import Path

texts = st.text("ab-_*?[]", min_size=1, max_size=8)
long_texts = st.sampled_from(
    ["a" * 254, "a" * 255, "a" * 256, "a" * 300 + "-" + "b" * 300, "-" * 4095, "a" * 5000]
)
starts = st.sampled_from(["", "a" * 260])
patterns = st.lists(st.tuples(starts, st.one_of(texts, texts, long_texts)).map("".join))


def written(lines: list[str]) -> list[bytes]:
    """The patterns of an image of these, in order: one module, so the order is that of the lines."""
    index = pyalias.AliasIndex.compile([(pattern, "m") for pattern in lines])
    image = Image(index.to_bytes())
    return [image.line(line).pattern for line in range(image.counts.aliases)]


@given(patterns)
def test_patterns_come_back_as_written(lines: list[str]):
    assert written(lines) == [pattern.encode() for pattern in lines]


def test_every_pattern_of_a_kernel_comes_back(kernel_dirs: dict[str, Path]):
    path = kernel_dirs["6.12.117-amd64"] / "modules.alias"
    image = Image(pyalias.AliasIndex.from_alias_file(path).to_bytes())
    found = sorted((line.number, line.pattern) for line in map(image.line, range(image.counts.aliases)))
    lines = (line.split(b" ") for line in path.read_bytes().splitlines())
    assert found == [(number, line[1]) for number, line in enumerate(lines, 1) if line[0] == b"alias"]


def test_keys_with_wildcards_find_patterns_that_share_much():
    """These walk the sorted patterns byte by byte, across the pieces in which they are kept."""
    draw = random.Random(7)  # noqa: S311 - to be repeated, not to be secret
    lines = [f"usb:v{draw.randrange(99):04}p{draw.randrange(99):04}d*dc*" for _ in range(200)]
    index = pyalias.AliasIndex.compile([(pattern, f"m{i}") for i, pattern in enumerate(lines)])
    for pattern in lines:
        assert index.lookup(pattern) == tuple(f"m{i}" for i, line in enumerate(lines) if line == pattern)
