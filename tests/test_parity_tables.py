"""pyalias against libkmod's recorded answers: golden tables and device lists, every row of every table.

The tables hold whole lookups. A few keys are names of modules, which libkmod answers before it asks the
aliases; an alias index does not know them. Which rows these are follows from libkmod's order of sources; they
are counted, and compared with the oracle here and with a libkmod that has aliases alone in the live tests.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from support.agreement import disagreements
from support.normalise import normalise_alias
from support.tables import EXPECTED, GOLDEN, Table, read_answers

if TYPE_CHECKING:
    from support.oracle import Oracle
    from support.other_sources import OtherSources

    import pyalias

TABLES = pytest.mark.parametrize("table", GOLDEN + EXPECTED, ids=lambda table: table.name)
# Rows that modules.dep answers; no row of any table is answered by symbols or by builtin names.
ANSWERED_BY_MODULE_NAMES = {
    "golden-6.12.117-amd64.tsv.xz": 64,
    "golden-6.12.117-cloud-amd64.tsv.xz": 58,
}
ROWS = {
    "golden-6.12.117-amd64.tsv.xz": 38_382,
    "golden-6.12.117-cloud-amd64.tsv.xz": 3_896,
    "expected-6.12.117-amd64.tsv.xz": 4_816,
    "expected-6.12.117-cloud-amd64.tsv.xz": 4_816,
    "expected-7.2.13-amd64.tsv.xz": 4_816,
    "expected-pciids-6.12.117-amd64.tsv.xz": 15_691,
    "expected-pciids-7.2.13-amd64.tsv.xz": 15_691,
    "expected-usbids-6.12.117-amd64.tsv.xz": 8_262,
    "expected-usbids-7.2.13-amd64.tsv.xz": 8_262,
}


def test_every_table_is_there():
    assert {table.name: len(read_answers(table.path)) for table in GOLDEN + EXPECTED} == ROWS


@TABLES
def test_rows_of_the_aliases(
    table: Table,
    indexes: dict[str, pyalias.AliasIndex],
    other_sources: dict[str, OtherSources],
):
    others = other_sources[table.release]
    rows = [row for row in read_answers(table.path) if others.file_that_answers(row[0]) is None]
    assert len(rows) == ROWS[table.name] - ANSWERED_BY_MODULE_NAMES.get(table.name, 0)
    assert disagreements(indexes[table.release], rows) == []


@TABLES
def test_rows_of_other_sources(
    table: Table,
    indexes: dict[str, pyalias.AliasIndex],
    oracles: dict[str, Oracle],
    other_sources: dict[str, OtherSources],
):
    oracle = oracles[table.release]
    others = other_sources[table.release]
    rows = [row for row in read_answers(table.path) if others.file_that_answers(row[0])]
    files = Counter(others.file_that_answers(key) for key, _ in rows)
    assert files == Counter({"modules.dep": ANSWERED_BY_MODULE_NAMES.get(table.name, 0)})
    assert [answer for _, answer in rows] == [(normalise_alias(key).decode(),) for key, _ in rows]
    assert disagreements(indexes[table.release], [(key, oracle.lookup(key)) for key, _ in rows]) == []


@TABLES
def test_oracle_on_a_sample(table: Table, oracles: dict[str, Oracle], other_sources: dict[str, OtherSources]):
    """Every 60th row: the oracle takes milliseconds for a device tree's string."""
    oracle = oracles[table.release]
    others = other_sources[table.release]
    rows = [row for row in read_answers(table.path)[::60] if others.file_that_answers(row[0]) is None]
    assert [(key, oracle.lookup(key)) for key, _ in rows] == rows
