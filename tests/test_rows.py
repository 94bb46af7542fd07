"""Long columns: rows that repeat are remembered (csrc/repeats.c), and no answer may ever show it.

``lookup`` remembers nothing; ``lookup_many`` does once a column is long enough: each checks the other.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from support.tables import GOLDEN, read_answers

import pyalias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# What the table is made of, from csrc/repeats.c; the columns here are made to go beyond each of them.
WAIT = 2_048
ENTRIES = 16_384
LONGEST = 1_024
TEXT_ROOM = 1 << 21


def one_by_one(index: pyalias.AliasIndex, rows: Iterable[bytes]) -> dict[bytes, tuple[str, ...] | None]:
    """Each row's answer from a lookup of its own; None: libkmod refuses it."""
    answers: dict[bytes, tuple[str, ...] | None] = {}
    for row in rows:
        if row not in answers:
            try:
                answers[row] = index.lookup(row)
            except pyalias.InvalidModaliasError:
                answers[row] = None
    return answers


def check_column(index: pyalias.AliasIndex, rows: Sequence[bytes]) -> None:
    """A column must answer what its rows answer alone, and name those that are refused."""
    expected = one_by_one(index, rows)
    answers = index.lookup_many(b"".join(row + b"\n" for row in rows))
    assert list(answers) == [expected[row] or () for row in rows]
    assert list(answers.invalid) == [i for i, row in enumerate(rows) if expected[row] is None]


@pytest.fixture
def index(indexes: dict[str, pyalias.AliasIndex]) -> pyalias.AliasIndex:
    """One that has been asked nothing yet, and so remembers nothing and is not at rest."""
    return pyalias.AliasIndex.from_bytes(indexes["6.12.117-amd64"].to_bytes())


def seeded(seed: int) -> random.Random:
    """Draws that are the same in every run."""
    return random.Random(seed)  # noqa: S311 - to be repeated, not to be secret


@pytest.fixture(scope="module")
def devices() -> list[bytes]:
    """Devices of every bus."""
    rows = [key for key, _ in read_answers(GOLDEN[0].path)]
    return seeded(3).sample(rows, 3_000)


HOSTILE = [
    b"",
    b"x",
    b"usb:v*",
    b"pci:v0000[8]086*",
    b"stray]",
    b"stray[",
    b"nul\0byte",
    b"\xff\xfe\xfd",
    b"usb:v1D6Bp0002d0612dc09dsc00dp01ic09isc00ip00in00",
    b"usb:v1d6bp0002d0612dc09dsc00dp01ic09isc00ip00in00",
    b"acpi:PNP0C0A:" * 70,
    b"of:N*T*C" + b"a" * 4_000,
    b"dmi:" + b"*" * 500,
    b"cpu:type:x86,ven0000fam0006mod0097:feature:,0000,0001,0002,0003",
]


def test_rows_of_every_bus_repeat(index: pyalias.AliasIndex, devices: list[bytes]):
    draw = seeded(4)
    check_column(index, draw.choices(devices + HOSTILE * 20, k=30_000))


def test_more_rows_than_are_remembered(index: pyalias.AliasIndex):
    """Buckets are full and give rows up while these are still asked for."""
    distinct = [
        b"usb:v%04Xp%04Xd0100dc09dsc00dp01ic09isc00ip00in00" % (0x1D00 + i % 400, i) for i in range(24_000)
    ]
    draw = seeded(5)
    check_column(index, [row for _ in range(60_000) for row in [distinct[int(24_000 * draw.random() ** 3)]]])


def test_more_text_than_is_remembered():
    """The room for texts is used up several times over."""
    index = pyalias.AliasIndex.compile([(f"*:{i % 50}:*", f"module{i % 50}") for i in range(50)])
    rows = [b"long" + b"o" * (LONGEST - 20 + i % 24) + b":%d:%d" % (i % 60, i) for i in range(4_000)]
    assert sum(map(len, rows)) > 1.5 * TEXT_ROOM
    check_column(index, rows * 2)


def test_nothing_repeats_and_then_all_does(index: pyalias.AliasIndex, devices: list[bytes]):
    """The table goes to rest, and wakes."""
    nothing = [b"acpi:PNP%04X:DEV%04X:" % (i % 0x1000, i) for i in range(20_000)]
    check_column(index, nothing + devices * 30)


def test_rows_that_differ_in_one_byte():
    """Wherever it stands, and whatever the row's length; the same bytes cut short are another row."""
    index = pyalias.AliasIndex.compile([("*x*", "crossed"), ("*y", "ends"), ("*", "all")])
    rows = []
    for length in range(1, 70):
        for place in range(length):
            rows += [b"a" * place + byte + b"a" * (length - place - 1) for byte in (b"x", b"y", b"a")]
    check_column(index, rows + rows + rows[::-1])


def test_rows_with_the_same_hash():
    """A word that makes the product zero hides the next one: all 64 bits are equal."""
    zero = 0xA0761D6478BD642F.to_bytes(8, "little")
    index = pyalias.AliasIndex.compile([(f"*:{i:06}:*", f"module{i}") for i in range(300)])
    rows = [zero + b":%06d:" % i + b"the same end of all" for i in range(320)]
    check_column(index, rows * 20)


def test_batches_do_not_share_combinations(index: pyalias.AliasIndex, devices: list[bytes]):
    """Combinations of lines are numbered anew in each batch; what is remembered must not outlive that."""
    combined = [row for row in devices if len(set(one_by_one(index, [row])[row] or ())) > 1]
    assert len(combined) > 100
    for seed in range(3):
        check_column(index, seeded(seed).choices(combined, k=3 * WAIT))


def test_null_rows_stay_null(index: pyalias.AliasIndex, devices: list[bytes]):
    rows = seeded(6).choices([None, "", *(row.decode() for row in devices[:200])], k=4 * WAIT)
    alone = one_by_one(index, [row.encode() for row in rows if row is not None])
    answers = index.lookup_many(pa.array(rows, pa.string()))
    found = pa.array(answers).to_pylist()
    assert found == [None if row is None else list(alone[row.encode()] or ()) for row in rows]
