"""depmod's binary indexes are read as libkmod reads them, and damaged ones are refused, never believed."""

from __future__ import annotations

from random import Random
from struct import pack
from typing import TYPE_CHECKING

import pytest
from support.kmod_bin import HAS_CHILDREN, HAS_PREFIX, HAS_VALUES, MAGIC, VERSION, Index
from support.module_tree import read_aliases, read_module_names, read_symbols
from support.normalise import normalise_alias, normalise_module
from support.tables import DATA, RELEASES, read_lines

from pyalias.errors import FileAccessError, ImageError, InvalidModaliasError, LimitError
from pyalias.kmod.binindex import BinEntry, BinIndex, is_bin_index
from pyalias.kmod.binwriter import write_index

if TYPE_CHECKING:
    from pathlib import Path

    from support.random_trees import RandomTree

    import pyalias

NAMES = tuple(f"modules.{name}.bin" for name in ("dep", "alias", "symbols", "builtin", "builtin.alias"))


def header(root: int) -> bytes:
    return pack(">III", MAGIC, VERSION, root)


def index_of(entries: list[tuple[bytes, int, bytes]], *, parent_first: bool = False) -> BinIndex:
    index = Index()
    for key, priority, value in entries:
        index.insert(key, value, priority)
    return BinIndex.from_bytes(index.to_bytes_parent_first() if parent_first else index.to_bytes())


# ---- right files ----


def test_random_trees_answer_as_the_oracle(random_trees: list[RandomTree]):
    """The order and the repeats of libkmod, over 100,000 lookups that aim at the seams of its search."""
    asked = 0
    for tree in random_trees:
        aliases = BinIndex.open(tree.directory / "modules.alias.bin")
        builtin = BinIndex.open(tree.directory / "modules.builtin.alias.bin")
        for key, answer in tree.rows:
            if isinstance(answer, int):  # refused before or after the search, which knows no refusals
                continue
            normal = normalise_alias(key)
            found = tuple(aliases.lookup_wild(normal) or builtin.lookup_wild(normal))
            assert found == answer, (tree.case, key)
            asked += 1
    assert asked > 60_000


@pytest.mark.parametrize("release", RELEASES)
def test_devices_of_the_bundled_kernels(
    kernel_dirs: dict[str, Path], indexes: dict[str, pyalias.AliasIndex], release: str
):
    aliases = BinIndex.open(kernel_dirs[release] / "modules.alias.bin")
    builtin = BinIndex.open(kernel_dirs[release] / "modules.builtin.alias.bin")
    found = 0
    for line in read_lines(DATA / "devices" / "devicetrees_modaliases.txt.xz"):
        normal = normalise_alias(line.split(b"\t")[0])
        if normal is None:
            continue
        answer = tuple(aliases.lookup_wild(normal) or builtin.lookup_wild(normal))
        assert answer == indexes[release].lookup(normal)
        found += bool(answer)
    assert found


@pytest.mark.parametrize("release", RELEASES)
def test_exact_search(kernel_dirs: dict[str, Path], release: str):
    directory = kernel_dirs[release]
    dependencies = BinIndex.open(directory / "modules.dep.bin")
    lines = (directory / "modules.dep").read_text("ascii").splitlines()
    for line in lines:
        name = normalise_module(line.split(":")[0].rsplit("/", 1)[-1])
        assert dependencies.search(name) == line
        assert dependencies.search(name + "x") != line
        assert dependencies.search(name[:-1]) != line
    assert dependencies.search("") is None
    builtin = BinIndex.open(directory / "modules.builtin.bin")
    assert all(builtin.search(name) == "" for name in read_module_names(directory / "modules.builtin"))
    assert builtin.search("no_such_module") is None


@pytest.mark.parametrize("release", RELEASES)
def test_items_are_all_entries_in_the_order_of_their_keys(kernel_dirs: dict[str, Path], release: str):
    directory = kernel_dirs[release]
    entries = list(BinIndex.open(directory / "modules.alias.bin").items())
    assert sorted((entry.key.encode(), entry.value) for entry in entries) == sorted(
        (normalise_alias(pattern), module) for pattern, module in read_aliases(directory / "modules.alias")
    )
    assert [entry.key for entry in entries] == sorted(entry.key for entry in entries)
    symbols = {entry.key.encode() for entry in BinIndex.open(directory / "modules.symbols.bin").items()}
    assert symbols == read_symbols(directory / "modules.symbols")


@pytest.mark.parametrize("parent_first", [False, True])
def test_values_of_one_key_are_in_file_order_and_found_in_the_order_they_were_added(parent_first: bool):
    index = index_of(
        [(b"a*", 0, b"one"), (b"a*", 0, b"two"), (b"a*", 7, b"low"), (b"a*", 0, b"three")],
        parent_first=parent_first,
    )
    assert list(index.items()) == [
        BinEntry("a*", 0, "three"),
        BinEntry("a*", 0, "two"),
        BinEntry("a*", 0, "one"),
        BinEntry("a*", 7, "low"),
    ]
    assert index.lookup_wild("abc") == ["one", "two", "three", "low"]
    assert index.search("a*") == "three"
    assert index.search("abc") is None


def test_wildcard_bytes_of_the_key_match_twice_as_in_libkmod():
    """kmod: index_mm_searchwild_node goes on behind a * of the key; python-kmod users fed patterns."""
    assert index_of([(b"a*", 0, b"m")]).lookup_wild("a*") == ["m"]
    assert index_of([(b"a*", 0, b"m"), (b"ab", 1, b"k")]).lookup_wild("a*") == ["m", "m"]
    assert index_of([(b"*x", 0, b"m")]).lookup_wild("*x") == ["m", "m"]
    assert index_of([(b"d0[0-2]", 0, b"m")]).lookup_wild("d0[0-2]") == []
    assert index_of([(b"d0[0-2]", 0, b"m"), (b"d0x", 1, b"k")]).lookup_wild("d0[0-2]") == ["m"]


def test_a_value_on_the_wildcard_node_itself_is_found():
    """Kmod issue 207: a shortcut lost the modules behind char-major-116-1, and no test of kmod's saw it."""
    index = index_of(
        [
            (b"char_major_116_*", 0, b"snd"),
            (b"char_major_116_1", 1, b"snd_seq"),
            (b"char_major_116_33", 2, b"snd_timer"),
        ]
    )
    assert index.lookup_wild("char_major_116_1") == ["snd", "snd_seq"]


def test_keys_made_of_wildcards_stay_within_the_budget():
    """Each * of a key may lead the search into the same subtree once more: no cycle, and no error."""
    entries = [(b"*" * stars + tail, stars, b"m") for stars in range(1, 30) for tail in (b"", b"a", b"?x")]
    index = index_of(entries)
    assert len(index.lookup_wild(b"*" * 29)) > 400
    assert index.lookup_wild(b"*" * 4000)


def test_empty_index():
    index = BinIndex.from_bytes(header(12))
    assert index.search("a") is None
    assert index.lookup_wild("a") == []
    assert list(index.items()) == []


def test_bytes_beyond_ascii_find_nothing_and_survive():
    index = index_of([(b"a*", 0, b"m")])
    assert index.lookup_wild(b"a\xff\x80") == ["m"]
    assert index.lookup_wild("a\udcff") == ["m"]
    assert index.search(b"\xff") is None
    with pytest.raises(InvalidModaliasError):
        index.search("\ud800")


def test_is_bin_index(tmp_path: Path):
    (tmp_path / "yes").write_bytes(header(12))
    (tmp_path / "no").write_bytes(b"# Aliases")
    assert is_bin_index(tmp_path / "yes")
    assert not is_bin_index(tmp_path / "no")
    assert not is_bin_index(tmp_path / "missing")


# ---- files that crash one libkmod or another ----


def ask_everything(data: bytes) -> None:
    """Whatever may be asked of an index: each call answers or raises."""
    index = BinIndex.from_bytes(data)
    index.search("ab")
    index.lookup_wild("ab")
    for _ in index.items():
        pass


def child_cycle() -> bytes:
    """The root's child behind ``*`` is the root: libkmod up to the newest recurses until it dies."""
    root = HAS_CHILDREN | 12
    return header(root) + b"**" + pack(">I", root)


def huge_value_count() -> bytes:
    """Libkmod v34 multiplies the count and reads where nothing is mapped."""
    return header(HAS_VALUES | 12) + pack(">I", 0x7FFFFFFF) + pack(">I", 0) + b"m\0"


def prefix_without_end() -> bytes:
    """Every libkmod reads on behind the map."""
    return header(HAS_PREFIX | 12) + b"ab"


def value_without_end() -> bytes:
    return header(HAS_VALUES | 12) + pack(">II", 1, 0) + b"mod"


def root_outside() -> bytes:
    """Libkmod v30 follows any offset."""
    return header(HAS_VALUES | 0x0FFFFFFF)


def root_inside_the_header() -> bytes:
    return header(HAS_VALUES | 4)


def first_beyond_last() -> bytes:
    """Kmod pull request 126: the number of children came out negative."""
    return header(HAS_CHILDREN | 12) + b"b*" + pack(">I", 0) * 8


def first_beyond_ascii() -> bytes:
    """Kmod pull request 167: a char of 0x80 and more is negative."""
    return header(HAS_CHILDREN | 12) + b"\x80\xff" + pack(">I", 12) * 0x80


def children_cut_short() -> bytes:
    return header(HAS_CHILDREN | 12) + b"*a" + pack(">I", 12) * 3


def eleven_bytes() -> bytes:
    """Libkmod v30 takes a file of any size but 0."""
    return header(12)[:11]


def other_magic() -> bytes:
    return pack(">III", 0xB007F458, VERSION, 12)


def other_version() -> bytes:
    return pack(">III", MAGIC, 0x00030001, 12)


def shared_subtrees() -> bytes:
    """Sixty nodes that refer to the next one twice: 2**60 ways, which no tree has."""
    nodes, size = bytearray(), 2 + 2 * 4
    for level in range(60):
        below = HAS_CHILDREN | (12 + (level + 1) * size)
        nodes += b"*+" + pack(">II", below, below)
    return header(HAS_CHILDREN | 12) + bytes(nodes) + b"*+" + pack(">II", 0, 0)


def endless_key() -> bytes:
    """One node that is its own child behind a long prefix."""
    root = HAS_PREFIX | HAS_CHILDREN | 12
    return header(root) + b"*" + b"a" * 3000 + b"\0" + b"**" + pack(">I", root)


DAMAGED = (
    child_cycle,
    huge_value_count,
    prefix_without_end,
    value_without_end,
    root_outside,
    root_inside_the_header,
    first_beyond_last,
    first_beyond_ascii,
    children_cut_short,
    eleven_bytes,
    other_magic,
    other_version,
    shared_subtrees,
    endless_key,
)


@pytest.mark.parametrize("damage", DAMAGED, ids=lambda damage: damage.__name__)
def test_damaged_files_give_an_error_with_a_place(damage):
    with pytest.raises(ImageError, match=r"\(byte \d+\)"):
        ask_everything(damage())


@pytest.mark.parametrize(
    "damage", [child_cycle, huge_value_count, shared_subtrees, endless_key], ids=lambda d: d.__name__
)
def test_damage_in_the_way_of_a_search_is_found_by_it(damage):
    with pytest.raises(ImageError):
        BinIndex.from_bytes(damage()).lookup_wild("" if damage is huge_value_count else "abc")


def test_patterns_made_to_take_long_end_in_an_error():
    """Thousands of patterns behind one long bracket, tried at every byte of a long key: minutes, once."""
    stem = b"*[" + b"b" * 2000 + b"a]"
    tails = [
        bytes((one, two, three)) for one in range(97, 123) for two in range(97, 123) for three in b"abcdefgh"
    ]
    index = BinIndex.from_bytes(write_index([(stem + tail, 0, b"m") for tail in tails]))
    assert index.lookup_wild("a" * 10) == ["m"] * len([tail for tail in tails if tail == b"aaa"])
    with pytest.raises(LimitError, match="too long"):
        index.lookup_wild("a" * 4000)


def test_damage_elsewhere_does_not_hinder_an_answer():
    data = Index()
    data.insert(b"alpha", b"one", 0)
    data.insert(b"beta", b"two", 1)
    good = data.to_bytes()
    broken = good.replace(pack(">II", 1, 1) + b"two", pack(">II", 99, 1) + b"two")
    assert broken != good
    index = BinIndex.from_bytes(broken)
    assert index.search("alpha") == "one"
    with pytest.raises(ImageError, match="byte"):
        list(index.items())


def test_holes_among_children_are_no_children():
    data = header(HAS_CHILDREN | 12) + b"ac" + pack(">III", HAS_VALUES | 26, 0, HAS_VALUES | 26)
    data += pack(">II", 1, 0) + b"m\0"
    index = BinIndex.from_bytes(data)
    assert [index.search(key) for key in "abc"] == ["m", None, "m"]


def test_files_that_are_none(tmp_path: Path):
    with pytest.raises(FileAccessError):
        BinIndex.open(tmp_path / "missing")
    with pytest.raises(FileAccessError):
        BinIndex.open(tmp_path)
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(ImageError, match="empty"):
        BinIndex.open(tmp_path / "empty")
    (tmp_path / "text").write_bytes(b"# Aliases extracted from modules themselves.\n")
    with pytest.raises(ImageError, match="text: expected an index"):
        BinIndex.open(tmp_path / "text")


def test_random_damage_gives_answers_or_errors():
    """The quick share of ``make fuzz-bin``, whose million runs are under the sanitizers."""
    data = Index()
    for number, key in enumerate([b"pci:v*d*", b"pci:v0001d*", b"usb:v[0-9]*", b"a?c", b"abc", b"abd", b"*"]):
        data.insert(key, b"module_%d" % number, number)
    random = Random(50)  # noqa: S311 - repeatable, not secret
    outcomes = {"answer": 0, "error": 0}
    for good in (data.to_bytes(), data.to_bytes_parent_first()):
        for _ in range(2000):
            bad = bytearray(good)
            for _ in range(random.randint(1, 4)):
                bad[random.randrange(len(bad))] = random.choice(
                    (0, 1, 12, 0x2A, 0x7F, 0x80, 0xFF, random.randrange(256))
                )
            try:
                ask_everything(bytes(bad[: random.randint(1, len(bad))] if random.random() < 0.1 else bad))
                outcomes["answer"] += 1
            except ImageError:
                outcomes["error"] += 1
    assert min(outcomes.values()) > 100
