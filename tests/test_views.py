"""String views: a row whose view was answered before in a column is not read again (csrc/views.c).

Columns are put together by hand, so that views repeat as those of a dictionary do; each must answer as the
same rows do in a column of offsets, whose texts are read one and all.
"""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from support.tables import GOLDEN, read_answers

import pyalias

if TYPE_CHECKING:
    from collections.abc import Sequence

# From csrc/views.c: shorter columns have no table, and one that misses half of a look is given up.
SLOTS = 16_384
ROWS = 3 * SLOTS + 77


def view(text: bytes, place: tuple[int, int]) -> bytes:
    """A view of a text that stands at an offset in a buffer."""
    if len(text) <= 12:
        return struct.pack("<i12s", len(text), text)
    return struct.pack("<i4sii", len(text), text[:4], *place)


def column(rows: Sequence[tuple[bytes, tuple[int, int]] | None], buffers: Sequence[bytes]) -> pa.Array:
    """A column of views as they are given; ``None`` is a null row, with a view that lies nowhere."""
    views = b"".join(struct.pack("<iiii", 50, 0, 7, -1) if row is None else view(*row) for row in rows)
    valid = bytearray((len(rows) + 7) // 8)
    for i, row in enumerate(rows):
        valid[i // 8] |= (row is not None) << i % 8
    parts = [bytes(valid), views, *buffers]
    return pa.Array.from_buffers(pa.binary_view(), len(rows), [pa.py_buffer(part) for part in parts])


def dictionary_of(texts: Sequence[bytes], copies: int) -> tuple[list[bytes], list[tuple[int, int]]]:
    """Each text some times, in as many buffers: views that differ may be of one text."""
    buffers, places = [], []
    for copy in range(copies):
        start = 0
        for text in texts:
            places.append((copy, start))
            start += len(text)
        buffers.append(b"".join(texts))
    return buffers, places


def check(index: pyalias.AliasIndex, given: pa.Array, texts: Sequence[bytes | None]) -> None:
    """A column of views answers as one of offsets does."""
    answers, expected = index.lookup_many(given), index.lookup_many(pa.array(texts, pa.binary()))
    assert list(answers) == list(expected)
    assert answers.invalid == expected.invalid
    assert answers.null_count == expected.null_count


@pytest.fixture
def index(indexes: dict[str, pyalias.AliasIndex]) -> pyalias.AliasIndex:
    return pyalias.AliasIndex.from_bytes(indexes["6.12.117-amd64"].to_bytes())


@pytest.fixture(scope="module")
def devices() -> list[bytes]:
    """Devices of every bus, names that are refused, and names that stand in the view itself."""
    found = sorted({device for table in GOLDEN for device, _ in read_answers(table.path)})
    return [*found[:20_000], b"stray]bracket-of-some-length", b"stray]", b"", b"cpu:type:x86"]


@pytest.mark.parametrize("distinct", [1, 700, 20_004])
def test_views_that_repeat(index: pyalias.AliasIndex, devices: list[bytes], distinct: int):
    texts = devices[-distinct:]
    buffers, places = dictionary_of(texts, 2)
    draw = random.Random(distinct)  # noqa: S311 - to be repeated, not to be secret
    chosen = [draw.randrange(2 * len(texts)) for _ in range(ROWS)]
    rows = [None if i % 11 == 0 else (texts[c % len(texts)], places[c]) for i, c in enumerate(chosen)]
    check(index, column(rows, buffers), [row and row[0] for row in rows])


def test_a_part_of_a_column(index: pyalias.AliasIndex, devices: list[bytes]):
    texts = devices[-50:]
    buffers, places = dictionary_of(texts, 1)
    rows = [(texts[i % 50], places[i % 50]) for i in range(ROWS)]
    check(index, column(rows, buffers)[13:], [text for text, _ in rows[13:]])


def test_views_that_never_repeat_and_then_do(index: pyalias.AliasIndex, devices: list[bytes]):
    texts = devices[:SLOTS]
    buffers, places = dictionary_of(texts, 3)
    rows = [(texts[i % SLOTS], places[i]) for i in range(3 * SLOTS)]
    rows += [(texts[7], places[7])] * SLOTS
    check(index, column(rows, buffers), [text for text, _ in rows])


def test_one_place_with_many_lengths(index: pyalias.AliasIndex):
    """The views differ in nothing but their length."""
    text = b"pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"
    rows = [(text[: 20 + i % (len(text) - 19)], (0, 0)) for i in range(ROWS)]
    check(index, column(rows, [text]), [row[0] for row in rows])


@pytest.mark.parametrize("place", [(0, 4), (1, 0), (-1, 0), (0, -1)])
@pytest.mark.parametrize("row", [0, SLOTS + 5, ROWS - 1])
def test_a_view_outside_its_buffers(index: pyalias.AliasIndex, place: tuple[int, int], row: int):
    """Also one that has the place of a row that was answered, but is longer."""
    text = b"pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"
    rows: list[tuple[bytes, tuple[int, int]]] = [(text, (0, 0))] * ROWS
    for wrong in ((text, place), (text + b"!", (0, 0))):
        rows[row] = wrong
        with pytest.raises(pyalias.errors.ColumnError, match="outside the column's data"):
            index.lookup_many(column(rows, [text]))
