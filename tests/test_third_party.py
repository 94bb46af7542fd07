"""Real files of other people's kernels and devices, used where they lie beside the project, never copied."""

from __future__ import annotations

import lzma
from random import Random
from typing import TYPE_CHECKING

import pytest
from support.agreement import disagreements
from support.module_tree import read_aliases, write_module_directory, write_other_indexes_empty
from support.oracle import Oracle
from support.random_cases import SEED
from support.tables import RELEASES, THIRD_PARTY, THIRD_PARTY_EXPECTED, Table, read_answers, read_lines

import pyalias

if TYPE_CHECKING:
    from pathlib import Path

    from support.libkmod import Libkmod
    from support.other_sources import OtherSources

pytestmark = pytest.mark.skipif(
    not THIRD_PARTY.is_dir(), reason="no ../shared/data/third-party beside the project"
)

ALIAS_FILES = sorted(THIRD_PARTY.glob("*.alias.xz"))
SAMPLE = 250


def unpacked(source: Path, target: Path) -> Path:
    target.write_bytes(lzma.decompress(source.read_bytes()))
    return target


def keys_from(patterns: list[bytes], count: int) -> list[bytes]:
    """Devices for some of the patterns: wildcards filled, and the patterns as they are."""
    random = Random(SEED)  # noqa: S311 - repeatable, not secret
    some = random.sample(patterns, min(count, len(patterns)))
    filled = [pattern.replace(b"*", b"00").replace(b"?", b"A") for pattern in some]
    filled += [pattern.replace(b"*", b"").replace(b"?", b"*") for pattern in some]
    return sorted({*some, *filled})


def device_strings() -> list[bytes]:
    return [line.split(b"\t", 1)[0] for line in read_lines(THIRD_PARTY / "modaliases.tsv.xz")]


def odd_strings() -> list[bytes]:
    """What real inventories hold besides well-formed modaliases; ``#`` lines name the kind of oddity."""
    return [line for line in read_lines(THIRD_PARTY / "oddities.txt.xz") if not line.startswith(b"# ")]


def hard_patterns() -> list[tuple[bytes, str]]:
    """Pattern lines of kernels and of systemd's hwdb; the latter name no module, so they get one.

    Patterns with bytes beyond ASCII are left out: kmod's indexes are 7-bit.
    """
    lines = []
    for line in read_lines(THIRD_PARTY / "HARD_PATTERNS.txt.xz"):
        if not line.startswith(b"# ") and line.isascii():
            pattern, modules, _ = line.split(b"\t", 1)[1].rsplit(b"\t", 2)
            lines += [(pattern, module or "hwdb") for module in modules.decode("ascii").split(",")]
    return lines


def test_tables_are_there():
    assert [table.release for table in THIRD_PARTY_EXPECTED] == list(RELEASES)
    assert len(ALIAS_FILES) == 6


@pytest.mark.parametrize("table", THIRD_PARTY_EXPECTED, ids=lambda table: table.release)
def test_devices_of_the_tables(
    table: Table,
    indexes: dict[str, pyalias.AliasIndex],
    other_sources: dict[str, OtherSources],
):
    rows = read_answers(table.path)
    assert [key for key, _ in rows] == device_strings()
    others = other_sources[table.release]
    assert [key for key, _ in rows if others.file_that_answers(key)] == []
    assert disagreements(indexes[table.release], rows) == []


@pytest.mark.parametrize("release", RELEASES)
def test_odd_strings(release: str, indexes: dict[str, pyalias.AliasIndex], oracles: dict[str, Oracle]):
    rows = [(key, oracles[release].lookup(key)) for key in odd_strings()]
    assert len(rows) > 50
    assert disagreements(indexes[release], rows) == []


@pytest.mark.parametrize("source", ALIAS_FILES, ids=lambda path: path.name)
def test_alias_files(source: Path, tmp_path: Path):
    path = unpacked(source, tmp_path / "modules.alias")
    aliases = read_aliases(path)
    keys = keys_from([pattern for pattern, _ in aliases], SAMPLE) + device_strings()[::40]
    oracle = Oracle(aliases)
    rows = [(key, oracle.lookup(key)) for key in keys]
    assert disagreements(pyalias.AliasIndex.from_alias_file(path), rows) == []


@pytest.mark.parametrize("source", ALIAS_FILES, ids=lambda path: path.name)
def test_alias_files_live(source: Path, tmp_path: Path, libkmod: Libkmod):
    path = unpacked(source, tmp_path / "modules.alias")
    aliases = read_aliases(path)
    keys = sorted({pattern for pattern, _ in aliases}) + device_strings()[::10]
    answers = libkmod.lookup_all(write_module_directory(tmp_path / "modules", aliases), keys)
    rows = list(zip(keys, answers, strict=True))
    assert disagreements(pyalias.AliasIndex.from_alias_file(path), rows) == []


def test_index_of_an_old_depmod(tmp_path: Path, libkmod: Libkmod):
    """A modules.alias.bin of a 3.4 kernel as it was shipped, against its text file."""
    path = unpacked(THIRD_PARTY / "sunxi-3.4.113.alias.xz", tmp_path / "modules.alias")
    write_other_indexes_empty(tmp_path)
    unpacked(THIRD_PARTY / "sunxi-3.4.113" / "modules.alias.bin.xz", tmp_path / "modules.alias.bin")
    patterns = [pattern for pattern, _ in read_aliases(path)]
    keys = keys_from(patterns, len(patterns)) + device_strings()
    rows = list(zip(keys, libkmod.lookup_all(tmp_path, keys), strict=True))
    assert disagreements(pyalias.AliasIndex.from_alias_file(path), rows) == []


def test_hard_patterns(tmp_path: Path, libkmod: Libkmod):
    """All of them in one index, each as a key and filled."""
    aliases = hard_patterns()
    assert len(aliases) > 1_000
    keys = keys_from([pattern for pattern, _ in aliases], len(aliases)) + odd_strings()
    directory = write_module_directory(tmp_path / "modules", aliases)
    rows = list(zip(keys, libkmod.lookup_all(directory, keys), strict=True))
    oracle = Oracle(aliases)
    assert [row for row in rows[::5] if oracle.lookup(row[0]) != row[1]] == []
    assert disagreements(pyalias.AliasIndex.from_modules(directory), rows) == []
