"""Rows of all buses and lengths in any order, by every variant: where they end, and what each is answered.

csrc/row_ends.c and csrc/mixed_rows.c are what is tested.
"""

from __future__ import annotations

from random import Random

import pyarrow as pa
import pytest
from support.tables import EXPECTED, GOLDEN, read_answers
from test_variants import EACH_VARIANT, RELEASE, GuardedPages, check, expected, found, opened

import pyalias

CHUNK = 64  # bytes that are compared with the separator at once


@pytest.fixture(scope="module")
def index(indexes: dict[str, pyalias.AliasIndex]) -> pyalias.AliasIndex:
    return indexes[RELEASE]


@pytest.fixture(scope="module")
def image(index: pyalias.AliasIndex) -> bytes:
    return index.to_bytes()


@pytest.fixture(scope="module")
def buses() -> dict[str, list[bytes]]:
    """Distinct devices of all tables by bus, in no order."""
    rows = sorted({key for table in GOLDEN + EXPECTED for key, _ in read_answers(table.path)})
    Random(1).shuffle(rows)  # noqa: S311 - repeatable, not secret
    sorted_rows: dict[str, list[bytes]] = {}
    for row in rows:
        sorted_rows.setdefault(row.split(b":")[0].decode(errors="replace"), []).append(row)
    # No table of devices has vfio_pci rows: the prefix is that of an override.
    sorted_rows["vfio_pci"] = [b"vfio_" + row for row in sorted_rows["pci"]]
    return sorted_rows


def shuffled(buses: dict[str, list[bytes]], seed: int, count: int) -> list[bytes]:
    """As many rows of each large bus as of all small ones together."""
    large = ("pci", "usb", "vfio_pci", "of", "hid")
    small = [row for bus, rows in buses.items() if bus not in large for row in rows]
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    rows = [row for bus in large for row in random.sample(buses[bus], min(count, len(buses[bus])))]
    rows += random.sample(small, count)
    random.shuffle(rows)
    return rows


def ends_in(rows: list[bytes]) -> bytes:
    return b"".join(row + b"\n" for row in rows)


@EACH_VARIANT
def test_buses_in_any_order(
    variant: str, image: bytes, index: pyalias.AliasIndex, buses: dict[str, list[bytes]]
):
    rows = shuffled(buses, 2, 900)
    check(opened(image, variant), rows, [expected(index, row) for row in rows])


@EACH_VARIANT
def test_short_columns(variant: str, image: bytes, index: pyalias.AliasIndex, buses: dict[str, list[bytes]]):
    """Rows wait for a block of their bus, and the last never comes together."""
    rows = shuffled(buses, 3, 40)
    wanted = [expected(index, row) for row in rows]
    opened_index = opened(image, variant)
    for count in (*range(1, 70), 127, 128, 129, 200):
        assert found(opened_index.lookup_many(ends_in(rows[:count]))) == wanted[:count]
        assert found(opened_index.lookup_many(pa.array(rows[:count], pa.binary()))) == wanted[:count]


@EACH_VARIANT
def test_usb_rows_without_the_last_number(
    variant: str, image: bytes, index: pyalias.AliasIndex, buses: dict[str, list[bytes]]
):
    """No pattern matches them; rows that only look like them are others."""
    good = [row for row in buses["usb"] if len(row) == 45][:300]
    assert len(good) == 300
    odd = [
        row[:place] + bytes((byte,)) + row[place + 1 :]
        for place in range(45)
        for byte, row in zip(b"gn@:/aF0[]*?\0\xff", good[place:], strict=False)
    ]
    rows = good + odd
    Random(4).shuffle(rows)  # noqa: S311 - repeatable, not secret
    check(opened(image, variant), rows, [expected(index, row) for row in rows])


@EACH_VARIANT
def test_null_rows_and_mixed_rows(
    variant: str, image: bytes, index: pyalias.AliasIndex, buses: dict[str, list[bytes]]
):
    random = Random(5)  # noqa: S311 - repeatable, not secret
    rows = [row if random.random() < 0.9 else None for row in shuffled(buses, 5, 300)]
    opened_index = opened(image, variant)
    wanted = [None if row is None else expected(index, row) for row in rows]
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view()):
        answers = opened_index.lookup_many(pa.array(rows, kind))
        assert found(answers) == wanted
        assert answers.null_count == rows.count(None)


@EACH_VARIANT
def test_rows_of_any_length(variant: str):
    """Runs of empty rows, rows as long as a chunk, and a long one, at every place of a chunk."""
    index = opened(pyalias.AliasIndex.compile([("*y", "ends"), ("a*", "starts")]).to_bytes(), variant)
    random = Random(6)  # noqa: S311 - repeatable, not secret
    lengths = [0] * 200 + [1] * 100 + [62, 63, 64, 65, 127, 128, 129, 3000] + random.choices(range(90), k=700)
    for shift in range(0, CHUNK, 7):
        rows = [b"x" * shift, *(bytes(random.choices(b"axy", k=length)) for length in lengths)]
        wanted = [("starts",) * row.startswith(b"a") + ("ends",) * row.endswith(b"y") for row in rows]
        got = [tuple(sorted(names, reverse=True)) for names in index.lookup_many(ends_in(rows))]
        assert got == wanted


@EACH_VARIANT
def test_nothing_is_read_behind_mixed_rows(
    variant: str, image: bytes, index: pyalias.AliasIndex, buses: dict[str, list[bytes]]
):
    pages = GuardedPages()
    opened_index = opened(image, variant)
    for last in ("pci", "usb", "vfio_pci", "of"):
        rows = [*shuffled(buses, 7, 8), *buses[last][:3]]
        wanted = [expected(index, row) for row in rows]
        for end in (b"", b"\n"):
            text, _ = pages.ending_with(b"\n".join(rows) + end)
            assert found(opened_index.lookup_many(text)) == wanted


@EACH_VARIANT
def test_each_row_once(variant: str, image: bytes, buses: dict[str, list[bytes]]):
    """Ids of a column of rows in any order are those of each row alone, whatever waited for what."""
    opened_index = opened(image, variant)
    rows = shuffled(buses, 8, 200)
    alone = {row: opened_index.lookup_many([row])[0] for row in set(rows)}
    assert list(opened_index.lookup_many(ends_in(rows * 3))) == [alone[row] for row in rows * 3]
