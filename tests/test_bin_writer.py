"""Binary indexes are written with depmod's bytes, in both of its layouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.kmod_bin import Index
from support.tables import RELEASES

from pyalias.errors import AliasFileError, FileAccessError, LimitError
from pyalias.kmod.binindex import BinIndex
from pyalias.kmod.binwriter import LAYOUTS, write_index
from pyalias.kmod.treeindexes import build_indexes, read_texts, write_indexes

if TYPE_CHECKING:
    from pathlib import Path

    from support.random_trees import RandomTree

INDEXES = {f"modules.{name}.bin" for name in ("dep", "alias", "symbols", "builtin", "builtin.alias")}


@pytest.mark.parametrize("release", RELEASES)
def test_all_five_from_the_text_files_have_the_bytes_of_depmod(kernel_dirs: dict[str, Path], release: str):
    directory = kernel_dirs[release]
    built = build_indexes(read_texts(directory))  # depmod 30 wrote the bundled ones: children first
    assert built.keys() == INDEXES
    for name, data in built.items():
        assert data == (directory / name).read_bytes(), name


@pytest.mark.parametrize("release", RELEASES)
def test_the_layouts_hold_the_same_in_as_many_bytes(kernel_dirs: dict[str, Path], release: str):
    texts = read_texts(kernel_dirs[release])
    for name, data in build_indexes(texts, "pre").items():
        old = (kernel_dirs[release] / name).read_bytes()
        assert len(data) == len(old)
        assert list(BinIndex.from_bytes(data).items()) == list(BinIndex.from_bytes(old).items())


def test_random_trees_have_the_bytes_of_the_plain_writer(random_trees: list[RandomTree]):
    for tree in random_trees[:300]:
        plain, entries = Index(), []
        for number, (pattern, module) in enumerate(tree.case.aliases):
            if pattern.isascii():
                entries.append((pattern, number % 3, module.encode()))
                plain.insert(pattern, module.encode(), number % 3)
        assert write_index(entries) == plain.to_bytes()
        assert write_index(entries, "pre") == plain.to_bytes_parent_first()


WORDS = st.text("ab*?_", max_size=6).map(str.encode)
ENTRIES = st.lists(st.tuples(WORDS, st.integers(0, 3) | st.just(2**32 - 1), WORDS), max_size=30)


@given(ENTRIES)
def test_any_entries_have_the_bytes_of_the_plain_writer_and_are_read_back(entries):
    plain = Index()
    for key, priority, value in entries:
        plain.insert(key, value, priority)
    assert write_index(entries) == plain.to_bytes()
    assert write_index(entries, "pre") == plain.to_bytes_parent_first()
    for layout in LAYOUTS:
        read = BinIndex.from_bytes(write_index(entries, layout)).items()
        assert sorted((key.encode(), priority, value.encode()) for key, priority, value in read) == sorted(
            entries
        )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_entries_make_twelve_bytes(layout):
    assert write_index([], layout) == bytes.fromhex("b007f457 00020001 0000000c")


@pytest.mark.parametrize(
    "entry", [(b"a\xc3\xa9", 0, b"m"), (b"a", 0, b"m\xff"), (b"a\0b", 0, b"m"), (b"a", 0, b"\0")]
)
def test_text_that_no_index_holds_is_refused(entry):
    """kmod: depmod's index__checkstring ends the program at such bytes."""
    with pytest.raises(AliasFileError, match="ASCII"):
        write_index([(b"fine", 0, b"m"), entry])


def test_the_reach_of_the_format():
    with pytest.raises(LimitError, match="reaches"):
        write_index([(b"key", 0, b"v" * (1 << 28))])


def test_an_unknown_layout():
    with pytest.raises(ValueError, match="pre, post"):
        write_index([], "breadth")


# ---- directories ----


def small_tree(directory: Path) -> Path:
    (directory / "modules.dep").write_text("kernel/b-one.ko.xz:\nkernel/a.ko: kernel/b-one.ko.xz\n")
    (directory / "modules.alias").write_text(
        "# comment\nalias pci:v*-x b_one\nalias two words a\nalias st]ay a\n"
    )
    (directory / "modules.symbols").write_text("alias symbol:go b_one\n")
    return directory


def test_a_directory_is_written_beside_its_texts(tmp_path: Path):
    small_tree(tmp_path)
    assert {path.name for path in write_indexes(tmp_path, "pre")} == INDEXES
    aliases = BinIndex.open(tmp_path / "modules.alias.bin")
    assert list(aliases.items()) == [("pci:v*_x", 0, "b_one"), ("two words", 1, "a")]
    dependencies = BinIndex.open(tmp_path / "modules.dep.bin")
    assert dependencies.search("a") == "kernel/a.ko: kernel/b-one.ko.xz"
    assert BinIndex.open(tmp_path / "modules.symbols.bin").search("symbol:go") == "b_one"
    assert list(BinIndex.open(tmp_path / "modules.builtin.bin").items()) == []


def test_the_builtin_names_are_depmods(tmp_path: Path):
    small_tree(tmp_path)
    (tmp_path / "modules.builtin").write_text("kernel/net/un-ix.ko\n9p/bad.ko\nkernel/net/un-ix.ko\n")
    (tmp_path / "modules.builtin.modinfo").write_bytes(
        b"un_ix.alias=net-pf-1\0un_ix.license=GPL\0x.alias=s]\0"
    )
    write_indexes(tmp_path)
    builtin = BinIndex.open(tmp_path / "modules.builtin.bin")
    assert list(builtin.items()) == [("un_ix", 0, ""), ("un_ix", 0, "")]
    assert list(BinIndex.open(tmp_path / "modules.builtin.alias.bin").items()) == [("net_pf_1", 0, "un_ix")]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("modules.dep", "kernel/a.ko\n", r"modules\.dep:1: .*PATH: DEP"),
        ("modules.alias", "alias x y\n", r"modules\.alias:1: .*module of modules\.dep"),
        ("modules.alias", "\nalias x\n", r"modules\.alias:2: "),
        ("modules.symbols", "alias symbol:x y\n", r"modules\.symbols:1: "),
        ("modules.builtin.modinfo", "garbage\0", r"modules\.builtin\.modinfo:1: "),
    ],
)
def test_texts_that_depmod_would_not_write(tmp_path: Path, name: str, text: str, expected: str):
    small_tree(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(AliasFileError, match=expected):
        write_indexes(tmp_path)
    assert not list(tmp_path.glob("*.bin"))


def test_a_directory_that_is_none(tmp_path: Path):
    with pytest.raises(FileAccessError, match="modules directory"):
        write_indexes(tmp_path)
