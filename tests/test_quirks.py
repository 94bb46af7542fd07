"""kmod's corner cases, each a small tree with libkmod's answers (identical on v30 and on kmod's master)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.agreement import disagreements
from support.module_tree import write_module_directory
from support.oracle import Oracle
from support.quirks import QuirkCase, alias_index_quirks

import pyalias

if TYPE_CHECKING:
    from pathlib import Path

    from support.libkmod import Libkmod

CASES = alias_index_quirks()
EACH_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)


def test_no_case_is_lost():
    """25 of the file's 46 cases ask nothing but indexes of aliases: 87 of its 137 lookups."""
    assert len(CASES) == 25
    assert sum(len(case.rows) for case in CASES) == 87


@EACH_CASE
def test_from_modules(case: QuirkCase, tmp_path: Path):
    directory = write_module_directory(tmp_path / "modules", case.aliases, case.builtin_aliases)
    assert disagreements(pyalias.AliasIndex.from_modules(directory), case.rows) == []


@pytest.mark.parametrize(
    "case", [case for case in CASES if not case.builtin_aliases], ids=lambda case: case.what
)
def test_compile(case: QuirkCase):
    index = pyalias.AliasIndex.compile([(pattern.decode(), module) for pattern, module in case.aliases])
    assert disagreements(index, case.rows) == []


@EACH_CASE
def test_oracle(case: QuirkCase):
    oracle = Oracle(case.aliases, case.builtin_aliases)
    assert [(key, oracle.lookup(key)) for key, _ in case.rows] == case.rows


@EACH_CASE
def test_libkmod(case: QuirkCase, tmp_path: Path, libkmod: Libkmod):
    directory = write_module_directory(tmp_path / "modules", case.aliases, case.builtin_aliases)
    keys = [key for key, _ in case.rows]
    assert list(zip(keys, libkmod.lookup_all(directory, keys), strict=True)) == case.rows
