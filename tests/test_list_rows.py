"""Lists of str and bytes: read in C, whatever they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyalias
from pyalias import AliasIndex

INDEX = AliasIndex.compile(
    [("caf\xe9*", "coffee"), (b"raw\xff*", "raw"), ("pci:*", "pci"), ("-", "dash"), ("\U0001f600*", "smile")]
)

ROWS = st.lists(st.one_of(st.text(max_size=30), st.binary(max_size=30)), max_size=40)


def one_by_one(rows):
    """Answers and refused rows by ``lookup``, which encodes in Python."""
    answers, invalid = [], []
    for number, row in enumerate(rows):
        try:
            answers.append(INDEX.lookup(row))
        except pyalias.InvalidModaliasError:
            answers.append(())
            invalid.append(number)
    return answers, tuple(invalid)


@given(ROWS)
def test_as_single_lookups(rows):
    answers = INDEX.lookup_many(rows)
    assert (list(answers), answers.invalid) == one_by_one(rows)


def test_odd_strings():
    rows = [
        "caf\xe9 noir",
        "raw\udcff!",  # surrogateescape: the byte ff
        b"raw\xff!",
        "\ud800",  # no byte at all
        "pci:\0",
        "\0",
        "",
        "\U0001f600",
        b"",
        "pci:x\n",
        "-",
    ]
    answers = INDEX.lookup_many(rows)
    assert list(answers) == [
        ("coffee",),
        ("raw",),
        ("raw",),
        (),
        (),
        (),
        (),
        ("smile",),
        (),
        ("pci",),
        ("dash",),
    ]
    assert answers.invalid == (3, 4, 5)


@pytest.mark.parametrize("length", [100, 250_000, 262_144, 262_145, 1_000_000])
def test_long_rows(length):
    """A row longer than all the room that C has for text, as first, in the middle and as last row."""
    long = "pci:" + "x" * length
    rows = [long, *["pci:a"] * 5000, long, "-", long]
    expected = [INDEX.lookup_many([row])[0] for row in (long, "pci:a", "-")]
    found = list(INDEX.lookup_many(rows))
    assert found == [expected[0], *[expected[1]] * 5000, expected[0], expected[2], expected[0]]


class Text(str):
    """What enum.StrEnum and numpy.str_ are too."""

    __slots__ = ()


class Rows(list):
    """A list with a mind of its own."""

    def __getitem__(self, place):
        raise AssertionError("a list's own iteration says what it holds")


def test_subclasses():
    assert list(INDEX.lookup_many(Rows([Text("pci:a"), b"-"]))) == [("pci",), ("dash",)]


def test_iterables():
    for rows in ({"pci:a": 1}, iter(["pci:a"]), ("pci:a",), (row for row in ["pci:a"])):
        assert list(INDEX.lookup_many(rows)) == [("pci",)]


@pytest.mark.parametrize("row", [None, 7, ["pci:a"], bytearray(b"pci:a")])
def test_rows_of_other_types(row):
    with pytest.raises(pyalias.ColumnError, match="row 5000: expected str or bytes"):
        INDEX.lookup_many([*["pci:a"] * 5000, row, *["pci:a"] * 5000])
    assert list(INDEX.lookup_many(["pci:a"])) == [("pci",)]
