"""Answers and their ids are the same whatever the number of threads."""

from __future__ import annotations

import gc
import random
from array import array

import pyarrow as pa
import pytest

import pyalias
from pyalias import AliasIndex, _batch

# Two patterns that match together, in many ways: most answers are combinations that no line alone gives.
ALIASES = [(f"*{letter}*", f"module_{letter}") for letter in "abcdefgh"] + [
    ("pci:v00008086d*sv*sd*bc*sc*i*", "any_intel"),
    ("pci:v*d*sv*sd*bc02sc*i*", "any_network"),
    ("pci:v00008086d000010D3sv*sd*bc*sc*i*", "e1000e"),
]
THREADS = [2, 3, 7]


@pytest.fixture(autouse=True)
def tiny_runs(monkeypatch):
    monkeypatch.setattr(_batch, "ROWS_A_THREAD", 64)
    monkeypatch.setattr(_batch, "_RUN_UNIT", 8)


def rows(count: int) -> list[str]:
    """Rows of many combinations, with misses, refused ones and empty ones among them."""
    draw = random.Random(count)  # noqa: S311 to be repeated, not to be secret
    kinds = ["", "x", "a]", "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"]
    letters = ["".join(draw.sample("abcdefgh", draw.randrange(1, 8))) for _ in range(40)]
    return draw.choices(kinds + letters, k=count)


def fresh_index() -> AliasIndex:
    """An index that has numbered no combination yet: its ids depend on nothing but the batch."""
    return AliasIndex.compile(ALIASES)


def facts(answers) -> tuple[object, ...]:
    return list(answers.ids), answers.invalid, answers.table, list(answers), answers.null_count


def forms(devices: list[str]) -> dict[str, object]:
    nullable = [device if number % 5 else None for number, device in enumerate(devices)]
    return {
        "list": devices,
        "tuple": tuple(devices),
        "text": "\n".join(devices).encode(),
        "utf8": pa.array(nullable, pa.string()),
        "large_utf8": pa.array(nullable, pa.large_string()),
        "view": pa.array(nullable, pa.string_view()),
        "slice": pa.array(nullable, pa.string())[3:],
        "dictionary": pa.array(nullable).dictionary_encode(),
        "chunks": pa.chunked_array([nullable[:11], nullable[11:500], nullable[500:]], pa.string()),
    }


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("form", list(forms(["x"])))
@pytest.mark.parametrize("count", [0, 1, 63, 130, 3000])
def test_columns(form, threads, count):
    column = forms(rows(count))[form]
    expected = facts(fresh_index().lookup_many(column))
    assert facts(fresh_index().lookup_many(column, threads=threads)) == expected


@pytest.mark.parametrize("threads", THREADS)
def test_numbers(threads):
    draw = random.Random(1)  # noqa: S311 to be repeated, not to be secret
    values = {
        "vendor": [0x8086, 0x10DE],
        "device": [0x10D3, 0xFFFFFFFF],
        "subvendor": [0],
        "subdevice": [1],
        "class_code": [0x020000, 0x030000],
    }
    columns = {name: array("I", draw.choices(choice, k=1000)) for name, choice in values.items()}
    expected = facts(fresh_index().lookup_ids(**columns))
    assert len(set(expected[0])) > 3
    assert facts(fresh_index().lookup_ids(**columns, threads=threads)) == expected


def test_a_text_is_cut_between_rows():
    """A cut that falls on the last byte of a row, on its newline, or behind it, loses nothing."""
    for length in range(60, 70):
        text = b"".join(b"a" * length + b"\n" for _ in range(400))
        text += b"bc"
        answers = fresh_index().lookup_many(text, threads=3)
        assert list(answers) == [("module_a",)] * 400 + [("module_b", "module_c")]


def test_rows_longer_than_a_run():
    text = b"\n".join([b"a" * 20_000, b"b", b"c" * 100_000])
    answers = fresh_index().lookup_many(text, threads=7)
    assert list(answers)[1] == ("module_b",)
    assert len(answers) == 3
    assert len(fresh_index().lookup_many(b"a" * 300_000, threads=3)) == 1


def test_only_empty_rows():
    assert len(fresh_index().lookup_many(b"\n" * 500_000, threads=3)) == 500_000


def test_the_first_error_is_the_one_raised():
    columns = {name: array("I", [0] * 1000) for name in ("vendor", "device", "subvendor", "subdevice")}
    classes = array("I", [0] * 1000)
    classes[700] = classes[900] = 1 << 24
    with pytest.raises(pyalias.ColumnError, match="row 700"):
        fresh_index().lookup_ids(**columns, class_code=classes, threads=3)
    devices: list[object] = ["a"] * 1000
    devices[600] = devices[999] = 7
    with pytest.raises(pyalias.ColumnError, match="row 600"):
        fresh_index().lookup_many(devices, threads=3)


@pytest.mark.parametrize("threads", [0, -1, "2", 1.5])
def test_no_such_number_of_threads(threads):
    with pytest.raises(pyalias.LimitError, match="threads"):
        fresh_index().lookup_many([], threads=threads)


def test_all_cores():
    assert list(fresh_index().lookup_many(rows(500), threads=None)) == list(
        fresh_index().lookup_many(rows(500))
    )


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_an_index_that_dies_in_a_cycle(kind):
    """A memoryview that had lent its buffer to cffi took the process along when the collector cleared it."""
    for index in (fresh_index(), AliasIndex.from_bytes(kind(fresh_index().to_bytes()))):
        cycle = [index]
        cycle.append(cycle)
    del cycle, index
    gc.collect()
