"""``AliasIndex.lookup``: the function of C that answers short strings, and what it leaves to Python."""

from __future__ import annotations

import gc
import sys
import threading
import weakref

import pytest
from support.tables import GOLDEN, read_answers

import pyalias
from pyalias import AliasIndex, _memo

MANY = [(f"many{'*' * number}", f"module-{number}") for number in range(1, 40)]
LINES = [("a-b*", "one"), ("a_bc", "two-2"), ("odd\udcff*", "odd\udcfe"), ("é*", "accent"), *MANY]


@pytest.fixture
def small() -> AliasIndex:
    return AliasIndex.compile(LINES)


def test_agrees_with_whole_columns(indexes: dict[str, AliasIndex]):
    """On every seventh recorded row, in an index that has answered nothing yet; asked twice."""
    index = AliasIndex.from_bytes(indexes[GOLDEN[0].release].to_bytes())
    keys = [key.decode("utf-8", "surrogateescape") for key, _ in read_answers(GOLDEN[0].path)[::7]]
    columns = indexes[GOLDEN[0].release].lookup_many(keys)
    refused = set(columns.invalid)
    keys = [key for row, key in enumerate(keys) if row not in refused]
    expected = [answer for row, answer in enumerate(columns) if row not in refused]
    for _ in range(2):
        assert [index.lookup(key) for key in keys] == expected


def test_names_beyond_ascii(small: AliasIndex):
    assert small.lookup("odd\udcff") == small.lookup(b"odd\xff") == ("odd\udcfe",)
    assert small.lookup("é") == small.lookup("é".encode()) == ("accent",)


def test_answers_of_many_names(small: AliasIndex):
    """More than C has room for, in an answer that no single pattern has."""
    expected = tuple(f"module_{number}" for number in range(1, 40))
    for key in ("many", "many-more", b"many"):
        assert small.lookup(key) == expected


def test_strings_of_a_class_of_their_own(small: AliasIndex):
    class Device(str):
        __slots__ = ()

    assert small.lookup(Device("a-bc")) == ("one", "two_2")
    assert small.lookup(Device("a-bx")) == small.lookup("a-bx") == ("one",)


@pytest.mark.parametrize("wrong", [None, 5, ["a-b"], bytearray(b"a-b"), {}])
def test_other_types(small: AliasIndex, wrong: object):
    for _ in range(2):
        with pytest.raises(pyalias.ColumnError, match=type(wrong).__name__):
            small.lookup(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [250, 255, 256, 257, 300])
def test_around_the_longest_that_is_remembered(small: AliasIndex, length: int):
    key = "a-b" + "x" * (length - 3)
    assert small.lookup(key) == ("one",)
    assert (key in small._memo.remembered) == (length <= 256)


def test_a_subclass_may_ask_first():
    class Loud(AliasIndex):
        def lookup(self, modalias):
            return ("loud", *super().lookup(modalias))

    assert Loud.compile(LINES).lookup("a-bx") == ("loud", "one")


def test_nothing_is_held_too_often(small: AliasIndex):
    """References: of the answer, of its name, and of what is asked."""
    key = "a-b" + "longer"
    (name,) = names = small.lookup(key)
    before = [sys.getrefcount(thing) for thing in (names, name, key, None, small._memo.remembered)]
    for number in range(1000):
        small.lookup(key)
        small.lookup(f"a-b{number}")
    small._memo.remembered.clear()
    small.lookup(key)
    after = [sys.getrefcount(thing) for thing in (names, name, key, None, small._memo.remembered)]
    assert [abs(one - other) < 50 for one, other in zip(before, after, strict=True)] == [True] * 5


def test_an_index_goes_with_its_last_user_and_close_lets_go(small: AliasIndex):
    """Without the garbage collector: an image is megabytes."""
    gc.collect()
    gc.disable()
    try:
        image, lookup = weakref.ref(small._image), small.lookup
        assert lookup("a-b") == ("one",)
        small.close()
        assert image() is None
        with pytest.raises(pyalias.PyaliasError, match="closed"):
            lookup("a-b")
        other = AliasIndex.compile(LINES)
        image = weakref.ref(other._image)
        other.lookup("a-b")
        del other
        assert image() is None
    finally:
        gc.enable()


def test_many_threads_while_memory_is_forgotten(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_memo, "ROOM", 64)
    monkeypatch.setattr(_memo, "_ANSWER_ROOM", 0)
    index = AliasIndex.compile([*LINES, *((f"*{letter}*", letter) for letter in "ghijkl")])
    keys = [f"a-b{number:03}{'ghijkl'[: number % 7]}" for number in range(400)]
    expected = [AliasIndex.compile([*LINES, *((f"*{c}*", c) for c in "ghijkl")]).lookup(key) for key in keys]
    wrong = []

    def ask(turn: int) -> None:
        for _ in range(10):
            places = range(turn, len(keys), 3)
            wrong.extend(keys[place] for place in places if index.lookup(keys[place]) != expected[place])

    threads = [threading.Thread(target=ask, args=(turn,)) for turn in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
