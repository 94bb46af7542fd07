"""pyalias, the oracle and the real libkmod side by side: recorded rows asked again, and random cases."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from support.agreement import disagreements
from support.module_tree import read_aliases, write_other_indexes_empty
from support.normalise import overflows_old_libkmod
from support.tables import EXPECTED, GOLDEN, Table, read_answers

import pyalias

if TYPE_CHECKING:
    from pathlib import Path

    from support.libkmod import Libkmod
    from support.other_sources import OtherSources
    from support.random_trees import RandomTree

AT_LEAST = 100_000


@pytest.fixture(scope="module")
def aliases_only_dirs(
    kernel_dirs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The kernels' own indexes of aliases beside empty indexes of everything else."""
    base = tmp_path_factory.mktemp("aliases_only")
    for release, directory in kernel_dirs.items():
        (base / release).mkdir()
        for name in ("modules.alias.bin", "modules.builtin.alias.bin"):
            shutil.copy(directory / name, base / release)
        write_other_indexes_empty(base / release)
    return {release: base / release for release in kernel_dirs}


@pytest.mark.parametrize("table", GOLDEN + EXPECTED, ids=lambda table: table.name)
def test_recorded_rows_live(table: Table, kernel_dirs: dict[str, Path], libkmod: Libkmod):
    """The installed libkmod still gives the recorded answers, which pyalias is held to."""
    rows = read_answers(table.path)
    keys = [key for key, _ in rows]
    answers = libkmod.lookup_all(kernel_dirs[table.release], keys)
    assert [row for row, answer in zip(rows, answers, strict=True) if row[1] != answer] == []


@pytest.mark.parametrize("table", GOLDEN, ids=lambda table: table.name)
def test_names_of_modules_live(
    table: Table,
    aliases_only_dirs: dict[str, Path],
    indexes: dict[str, pyalias.AliasIndex],
    other_sources: dict[str, OtherSources],
    libkmod: Libkmod,
):
    """The rows that the tables cannot judge, from a libkmod that knows aliases alone."""
    others = other_sources[table.release]
    keys = [key for key, _ in read_answers(table.path) if others.file_that_answers(key)]
    answers = libkmod.lookup_all(aliases_only_dirs[table.release], keys)
    assert len(keys) > 50
    assert disagreements(indexes[table.release], list(zip(keys, answers, strict=True))) == []


@pytest.mark.parametrize("release", ["6.12.117-amd64", "6.12.117-cloud-amd64"])
def test_patterns_as_keys_live(
    release: str,
    kernel_dirs: dict[str, Path],
    aliases_only_dirs: dict[str, Path],
    indexes: dict[str, pyalias.AliasIndex],
    libkmod: Libkmod,
):
    """Every pattern of a kernel fed as a key: thousands match themselves twice, or not at all."""
    keys = sorted({pattern for pattern, _ in read_aliases(kernel_dirs[release] / "modules.alias")})
    answers = libkmod.lookup_all(aliases_only_dirs[release], keys)
    assert disagreements(indexes[release], list(zip(keys, answers, strict=True))) == []


def test_random_cases_are_many_and_varied(random_trees: list[RandomTree]):
    answers = [answer for tree in random_trees for _, answer in tree.rows]
    assert len(answers) >= AT_LEAST
    matched = [answer for answer in answers if isinstance(answer, tuple) and answer]
    assert len(matched) > len(answers) / 3
    assert sum(len(answer) > len(set(answer)) for answer in matched) > 5_000


def test_oracle_equals_libkmod(random_trees: list[RandomTree], libkmod: Libkmod):
    differing = []
    for tree in random_trees:
        rows = [row for row in tree.rows if not overflows_old_libkmod(row[0])]
        answers = libkmod.lookup_all(tree.directory, [key for key, _ in rows])
        differing += [
            (tree.case.aliases, tree.case.builtin_aliases, row, answer)
            for row, answer in zip(rows, answers, strict=True)
            if row[1] != answer
        ]
    assert differing == []


def test_pyalias_from_modules(random_trees: list[RandomTree]):
    differing = []
    for tree in random_trees:
        found = disagreements(pyalias.AliasIndex.from_modules(tree.directory), tree.rows)
        if found:
            differing.append((tree.case.aliases, tree.case.builtin_aliases, found))
    assert differing == []


def test_pyalias_compile(random_trees: list[RandomTree]):
    """The same sets from memory; sets with builtin aliases have two sources and no place here."""
    differing = []
    for tree in random_trees:
        if tree.case.builtin_aliases:
            continue
        lines = [(pattern.decode(), module) for pattern, module in tree.case.aliases]
        index = pyalias.AliasIndex.compile(lines)
        found = disagreements(index, tree.rows)
        if found:
            differing.append((tree.case.aliases, found))
    assert differing == []
