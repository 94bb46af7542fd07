"""Hypothesis looks for pattern sets and keys on which pyalias and the slow oracle disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from support.agreement import disagreements
from support.oracle import Oracle
from support.random_cases import BRACKETS

import pyalias

if TYPE_CHECKING:
    from collections.abc import Sequence

MODULES = ("zeta", "alpha", "mid", "b")

literals = st.text("ab-_:.", max_size=3)
wildcards = st.sampled_from(["*", "?", "**", "*?", "!", "^", "\\", "]", "["])
brackets = st.sampled_from([bracket.decode("ascii") for bracket in BRACKETS])
patterns = st.lists(st.one_of(literals, literals, wildcards, brackets), max_size=6).map("".join)
lines = st.lists(st.tuples(patterns, st.sampled_from(MODULES)), min_size=1, max_size=12)
soup = st.binary(max_size=8).map(lambda key: key.replace(b"\0", b"*").replace(b"\n", b"["))
bytes_of_patterns = st.text("ab-_:.*?[]!^\\", max_size=6).map(str.encode)


@st.composite
def keys_near(draw: st.DrawFn, aliases: Sequence[tuple[str, str]]) -> bytes:
    """A pattern of the set with a few bytes put in place of some of its own, or bytes from nowhere."""
    pattern = draw(st.sampled_from([pattern for pattern, _ in aliases])).encode()
    start = draw(st.integers(0, len(pattern)))
    end = draw(st.integers(start, len(pattern)))
    middle = draw(st.one_of(st.just(b""), bytes_of_patterns, soup))
    return pattern[:start] + middle + pattern[end:]


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[tuple[str, str]], list[bytes]]:
    """A pattern set and keys for it."""
    aliases = draw(lines)
    return aliases, draw(st.lists(keys_near(aliases), min_size=1, max_size=10))


def oracle_of(aliases: Sequence[tuple[str, str]]) -> Oracle:
    return Oracle([(pattern.encode("ascii"), module) for pattern, module in aliases])


@given(questions())
def test_answers_are_those_of_the_oracle(question: tuple[list[tuple[str, str]], list[bytes]]):
    aliases, keys = question
    oracle = oracle_of(aliases)
    rows = [(key, oracle.lookup(key)) for key in keys]
    assert disagreements(pyalias.AliasIndex.compile(aliases), rows) == []


@given(questions())
def test_match_names_the_lines_of_the_answer(question: tuple[list[tuple[str, str]], list[bytes]]):
    """``match`` tells of the same modules, and only of lines that are in the set."""
    aliases, keys = question
    oracle = oracle_of(aliases)
    index = pyalias.AliasIndex.compile(aliases)
    for key in keys:
        expected = oracle.lookup(key)
        if isinstance(expected, tuple):
            matched = index.match(key)
            assert tuple(alias.module for alias in matched) == expected
            assert {(alias.pattern, alias.module) for alias in matched} <= set(aliases)


@given(lines, st.lists(patterns.map(str.encode), max_size=6))
def test_order_of_lines_of_other_modules_is_no_matter(aliases: list[tuple[str, str]], keys: list[bytes]):
    """Lines grouped by module, as depmod writes them, answer as the same lines scattered do."""
    order = list(dict.fromkeys(module for _, module in aliases))
    grouped = sorted(aliases, key=lambda alias: order.index(alias[1]))
    oracle = oracle_of(aliases)
    rows = [(key, oracle.lookup(key)) for key in keys]
    assert disagreements(pyalias.AliasIndex.compile(grouped), rows) == []
