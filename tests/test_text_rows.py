"""Rows of a text whose ends nobody has counted: runs of rows of one length, and what breaks them.

Rows of one length are matched where they lie (csrc/text.c); each row must still be answered as a lookup of
its own answers it, whatever stands before it and behind it, and wherever the text begins and ends.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tables import GOLDEN, read_answers
from support.variants import EACH_VARIANT, VARIANTS, GuardedPages, opened

import pyalias

if TYPE_CHECKING:
    from collections.abc import Sequence

RELEASE = "6.12.117-amd64"
BLOCK = 64
PCI, USB = 53, 49
PAGE = 4096


@pytest.fixture(scope="module")
def image(indexes: dict[str, pyalias.AliasIndex]) -> bytes:
    return indexes[RELEASE].to_bytes()


@pytest.fixture(scope="module")
def by_variant(image: bytes) -> dict[str, pyalias.AliasIndex]:
    return {variant: opened(image, variant) for variant in VARIANTS}


@pytest.fixture(scope="module")
def keys() -> list[bytes]:
    found = [key for key, _ in read_answers(GOLDEN[0].path)]
    return Random(7).sample(found, len(found))  # noqa: S311 - repeatable, not secret


@pytest.fixture(scope="module")
def pci(keys: list[bytes]) -> list[bytes]:
    return [key for key in keys if len(key) == PCI and key.startswith(b"pci:")][:3000]


@pytest.fixture(scope="module")
def usb(keys: list[bytes]) -> list[bytes]:
    return [key for key in keys if len(key) == USB and key.startswith(b"usb:")][:1000]


def alone(index: pyalias.AliasIndex, row: bytes) -> tuple[str, ...] | None:
    """A lookup's answer; None: refused."""
    try:
        return index.lookup(row)
    except pyalias.InvalidModaliasError:
        return None


def check_text(index: pyalias.AliasIndex, text: bytes | memoryview) -> None:
    """Every row of a text, split by Python, against lookups one by one."""
    rows = bytes(text).split(b"\n")
    if rows[-1] == b"":
        rows.pop()
    known = {row: alone(index, row) for row in set(rows)}
    answers = index.lookup_many(text)
    assert list(answers) == [known[row] or () for row in rows]
    assert list(answers.invalid) == [number for number, row in enumerate(rows) if known[row] is None]


def odd_lines(row: bytes) -> list[bytes]:
    """Lines that a run of rows like this one is broken by, or nearly."""
    return [
        b"",
        b"\r",
        row + b"\r",
        row[:-1],
        row + b"0",
        row.lower(),
        row.replace(b"v0000", b"v0001"),
        row[:20] + b"\n" + row[21:],
        row[:-1] + b"\n",
        b"\n" * PCI,
        b"stray]",
        b"vfio_" + row,
        b"acpi:PNP0C0A:" * 30,
        b"x" * 70_000,
    ]


@EACH_VARIANT
def test_one_odd_line_at_every_place_of_a_block(
    variant: str, by_variant: dict[str, pyalias.AliasIndex], pci: list[bytes]
):
    index = by_variant[variant]
    for place in range(BLOCK + 2):
        odd = odd_lines(pci[place])[place % 8]
        check_text(index, b"\n".join([*pci[:place], odd, *pci[place : 3 * BLOCK + 5]]))


@EACH_VARIANT
def test_each_odd_line_in_a_long_run(
    variant: str, by_variant: dict[str, pyalias.AliasIndex], pci: list[bytes], usb: list[bytes]
):
    index = by_variant[variant]
    for rows in (pci, usb):
        for odd in odd_lines(rows[0]):
            check_text(index, b"\n".join([*rows[:700], odd, *rows[300:1000], odd, odd, *rows[:90]]) + b"\n")


@EACH_VARIANT
def test_runs_of_several_lengths_one_behind_the_other(
    variant: str,
    by_variant: dict[str, pyalias.AliasIndex],
    pci: list[bytes],
    usb: list[bytes],
    keys: list[bytes],
):
    """Runs and other rows in turn, the blocks between them growing and falling back."""
    random = Random(11)  # noqa: S311 - repeatable, not secret
    rows: list[bytes] = []
    for _ in range(40):
        source = random.choice([pci, usb, keys])
        rows += random.choices(source, k=random.choice([1, 3, 63, 64, 65, 130, 400]))
    check_text(by_variant[variant], b"\n".join(rows))


@EACH_VARIANT
def test_lines_that_end_as_on_windows(
    variant: str, by_variant: dict[str, pyalias.AliasIndex], pci: list[bytes]
):
    """A carriage return is a byte of its row like any other, as to libkmod."""
    check_text(by_variant[variant], b"".join(row + b"\r\n" for row in pci[:500]))


@EACH_VARIANT
def test_ids_above_16_bits_and_digits_that_are_none(
    variant: str, by_variant: dict[str, pyalias.AliasIndex], pci: list[bytes]
):
    """Rows of the right length that the table does not know, several in a block and a block of them."""
    rows = pci[:1000]
    for place in (3, 4, 9, 127, 128, *range(256, 256 + BLOCK), 900):
        rows[place] = rows[place].replace(b"d0000", b"dG00A")
    check_text(by_variant[variant], b"\n".join(rows))


@EACH_VARIANT
def test_texts_that_begin_anywhere(variant: str, by_variant: dict[str, pyalias.AliasIndex], pci: list[bytes]):
    """The first row cut short, byte by byte: every alignment of what follows."""
    text = memoryview(b"\n".join(pci[:200]))
    for start in range(0, 2 * PCI + 4, 3):
        check_text(by_variant[variant], text[start:])


@EACH_VARIANT
def test_nothing_is_read_behind_the_text(
    variant: str, by_variant: dict[str, pyalias.AliasIndex], pci: list[bytes], usb: list[bytes]
):
    """Texts up to the last byte before a page that may not be read, cut at every byte of the last row."""
    pages = GuardedPages(6)
    for rows, length in ((pci, PCI), (usb, USB)):
        whole = b"\n".join(rows[:320]) + b"\n"
        for cut in range(0, length + 3, 2):
            text, _ = pages.ending_with(whole[: len(whole) - cut])
            check_text(by_variant[variant], text)
        for count in (1, 2, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + 2, 4 * BLOCK, 4 * BLOCK + 1):
            text, _ = pages.ending_with(whole[: count * (length + 1)])
            check_text(by_variant[variant], text)


@EACH_VARIANT
def test_arrow_rows_with_nulls_and_gaps(
    variant: str, by_variant: dict[str, pyalias.AliasIndex], pci: list[bytes]
):
    """Runs by offsets, from any bit of the bitmap on; a null row and an odd one now and then."""
    index = by_variant[variant]
    rows: list[bytes | None] = list(pci[:700])
    for place in (0, 63, 64, 200, 401):
        rows[place] = None
    rows[300] = b"x" * PCI
    rows[500] = b""
    known = {row: row and alone(index, row) for row in rows}
    wanted = [row if row is None else known[row] or () for row in rows]
    for kind in (pa.binary(), pa.large_binary()):
        column = pa.array(rows, kind)
        for start in (*range(10), 63, 64, 65, 201, 202):
            assert list(index.lookup_many(column[start:])) == wanted[start:]
    # A null row may hold text: here the row that it hides is like its neighbours.
    whole = pa.array(pci[:200], pa.binary())
    _, offsets, data = whole.buffers()
    valid = pa.py_buffer(bytes(0xFF if place != 12 else 0xFB for place in range(25)))
    hidden = pa.Array.from_buffers(pa.binary(), 200, [valid, offsets, data])
    assert list(index.lookup_many(hidden)) == [
        None if place == 98 else alone(index, row) or () for place, row in enumerate(pci[:200])
    ]


def test_threads_take_runs_that_begin_anywhere(
    by_variant: dict[str, pyalias.AliasIndex], pci: list[bytes], keys: list[bytes]
):
    index = by_variant[VARIANTS[-1]]
    alike = pci * 16
    texts = {
        "other rows": b"\n".join((pci + keys[:500]) * 8),
        "rows as foreseen": b"\n".join(alike) + b"\n",
        "rows as foreseen, without an end": b"\n".join(alike),
        "fewer rows than foreseen": b"\n".join([*alike, b"x" * (15 * (PCI + 1) - 1)] * 2),
        "more rows than foreseen": b"\n".join([*alike, b"\n" * (PCI - 1), *alike, b"", *alike]),
        "as many in all, but not in each run": b"\n".join([b"x" * (PCI + PCI + 1), *alike, b"\n" * PCI]),
    }
    for name, text in texts.items():
        one = index.lookup_many(text)
        assert len(one) == len(text.removesuffix(b"\n").split(b"\n")), name
        for threads in (2, 3, 5):
            many = index.lookup_many(text, threads=threads)
            assert list(many.ids) == list(one.ids), name
            assert many.invalid == one.invalid, name


def test_short_rows_first_then_none(by_variant: dict[str, pyalias.AliasIndex], pci: list[bytes]):
    """Room for ids is guessed from the first rows: here there are far fewer, there far more."""
    index = by_variant[VARIANTS[-1]]
    check_text(index, b"\n" * 5000 + b"\n".join(pci))
    check_text(index, b"\n".join(pci) + b"\n" * 200_000 + b"\n".join(pci))


pieces = st.sampled_from(range(12))


@given(st.lists(st.tuples(pieces, st.integers(0, 2 * BLOCK + 3)), max_size=6), st.booleans(), st.data())
def test_texts_that_nobody_thought_of(
    by_variant: dict[str, pyalias.AliasIndex],
    pci: list[bytes],
    usb: list[bytes],
    runs: Sequence[tuple[int, int]],
    ends: bool,
    data: st.DataObject,
):
    odd = odd_lines(pci[0])[:-1]
    rows: list[bytes] = []
    for piece, count in runs:
        source = pci if piece < 5 else usb if piece < 8 else odd
        first = data.draw(st.integers(0, len(source) - 1))
        rows += [source[(first + number) % len(source)] for number in range(count)]
    text = bytearray(b"\n".join(rows) + b"\n" * ends)
    for _ in range(data.draw(st.integers(0, 3)) if text else 0):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place] = data.draw(st.sampled_from(b"\n\r0Fg[ \x00\xff"))
    for index in by_variant.values():
        check_text(index, bytes(text))
