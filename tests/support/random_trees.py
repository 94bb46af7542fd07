"""The random cases as module directories on disk, with the oracle's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from support.module_tree import write_module_directory
from support.oracle import Oracle
from support.random_cases import Case, long_case, random_cases

if TYPE_CHECKING:
    from pathlib import Path

    from support.tables import Answer

SETS = 1300
KEYS_EACH = 80


class RandomTree(NamedTuple):
    """A case, a directory that libkmod and pyalias can read it from, and what both must answer."""

    case: Case
    directory: Path
    rows: list[tuple[bytes, Answer]]


def write_random_trees(base: Path) -> list[RandomTree]:
    """Over 100,000 (pattern set, key) pairs, and one set of lengths around kmod's buffer."""
    trees = []
    for number, case in enumerate([*random_cases(SETS, KEYS_EACH), long_case()]):
        directory = write_module_directory(base / str(number), case.aliases, case.builtin_aliases)
        oracle = Oracle(case.aliases, case.builtin_aliases)
        trees.append(RandomTree(case, directory, [(key, oracle.lookup(key)) for key in case.keys]))
    return trees
