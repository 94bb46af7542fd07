"""AliasIndex one device at a time, and its life: made, saved, opened, pickled, closed, shared by threads."""

from __future__ import annotations

import gc
import mmap
import pickle
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from support.tables import EXPECTED, GOLDEN, read_answers

import pyalias
from pyalias import Alias, AliasIndex

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RELEASE = "6.12.117-amd64"
E1000E = "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"
LINES = (("a-b*", "one"), ("a_bc", "two-2"), ("a?bc", "one"), ("with blank*", "three"))


@pytest.fixture
def small() -> AliasIndex:
    return AliasIndex.compile(LINES)


# ---- one device ----


def test_lookup_takes_text_and_bytes(small: AliasIndex):
    assert small.lookup("a_bc") == small.lookup(b"a_bc") == ("one", "one", "two_2")
    assert small.lookup("a-bc") == ("one", "one", "two_2")
    assert small.lookup("nothing") == small.lookup("") == ()


def test_lookup_twice_and_by_another_type_is_the_same(small: AliasIndex):
    """Recent answers are remembered: str and bytes must not be mixed up, nor a refusal turned into a miss."""
    for _ in range(3):
        assert small.lookup("a_bx") == small.lookup(b"a_bx") == ("one",)
        with pytest.raises(pyalias.InvalidModaliasError):
            small.lookup("a]")


def test_memory_of_answers_is_bounded(small: AliasIndex, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pyalias.index._MEMO_ROOM", 10)
    assert [small.lookup(f"a_b{number}") for number in range(100)] == [("one",)] * 100
    assert len(small._memo) <= 10


def test_match_tells_pattern_file_and_line(indexes: dict[str, AliasIndex], kernel_dirs: dict[str, Path]):
    (alias,) = indexes[RELEASE].match(E1000E)
    assert alias == Alias("pci:v00008086d000010D3sv*sd*bc*sc*i*", "e1000e", "modules.alias", 7098)
    line = (kernel_dirs[RELEASE] / "modules.alias").read_text("utf-8").split("\n")[alias.line - 1]
    assert line == f"alias {alias.pattern} {alias.module}"


def test_match_in_builtin_names_the_record(indexes: dict[str, AliasIndex], kernel_dirs: dict[str, Path]):
    (alias,) = indexes[RELEASE].match("cxl:t3")
    records = (kernel_dirs[RELEASE] / "modules.builtin.modinfo").read_bytes().split(b"\0")
    assert alias.file == "modules.builtin.modinfo"
    assert records[alias.line - 1] == f"{alias.module}.alias={alias.pattern}".encode()


def test_match_is_lookup_with_more_said(indexes: dict[str, AliasIndex]):
    """On every fiftieth recorded row; the pattern is the text as it stands in the file, with its dashes."""
    index = indexes[RELEASE]
    for key, answer in read_answers(GOLDEN[0].path)[::50]:
        if isinstance(answer, tuple):
            assert tuple(alias.module for alias in index.match(key)) == index.lookup(key)


def test_match_of_aliases_from_memory(small: AliasIndex):
    assert small.match("a-bc") == (Alias("a-b*", "one"), Alias("a?bc", "one"), Alias("a_bc", "two_2"))
    with pytest.raises(pyalias.InvalidModaliasError):
        small.match("[")


def test_compile_takes_aliases_of_another_index(indexes: dict[str, AliasIndex]):
    """File is told by the first index only, the line stays."""
    found = indexes[RELEASE].match("auxiliary:i915.mei-gsc")
    again = AliasIndex.compile(found)
    assert again.lookup("auxiliary:i915.mei-gsc") == ("mei_gsc", "mei_gsc")
    assert [alias.line for alias in again.match("auxiliary:i915.mei-gsc")] == [alias.line for alias in found]


@pytest.mark.parametrize("key", ["a]", "[", "a[b", "[[:alpha:]]", "a\0b"])
def test_refusal_tells_what_and_why(small: AliasIndex, key: str):
    with pytest.raises(pyalias.InvalidModaliasError, match="libkmod refuses it") as refusal:
        small.lookup(key)
    assert refusal.value.errno == 22
    assert refusal.value.modalias == key.encode()
    assert isinstance(refusal.value, pyalias.PyaliasError)
    assert isinstance(refusal.value, ValueError)


def test_too_long_a_name_is_refused_only_where_it_matches():
    """kmod: name and module share a buffer of 4,096 bytes, which is filled only when something matches."""
    index = AliasIndex.compile([("x*", "mod")])
    assert index.lookup("y" * 5000) == ()
    assert index.lookup("x" * 4091) == ("mod",)
    with pytest.raises(pyalias.InvalidModaliasError, match="ENAMETOOLONG") as refusal:
        index.lookup("x" * 4092)
    assert refusal.value.errno == 36


def test_any_byte_survives():
    key = bytes(byte for byte in range(1, 256) if byte not in b"[]*?")
    index = AliasIndex.compile([(key.replace(b"\\", b"?"), "m"), (b"\xff\xc3\xa9*", "\udcff")])
    assert index.lookup(b"\xff\xc3\xa9") == index.lookup("\udcffé") == ("\udcff",)
    assert index.match("\udcffé")[0].pattern == "\udcffé*"
    assert index.lookup(key.replace(b"\\", b"x")) == ("m",)


def test_wildcard_takes_one_byte_not_one_character():
    index = AliasIndex.compile([("a?", "one_byte"), ("a??", "two_bytes")])
    assert index.lookup("aé") == ("two_bytes",)


@pytest.mark.parametrize("key", [None, 5, ["a"], memoryview(b"a")])
def test_lookup_of_no_text(small: AliasIndex, key: object):
    """A number was once taken for so many NULs."""
    with pytest.raises(TypeError):
        small.lookup(key)
    with pytest.raises(TypeError):
        small.match(key)


def test_lone_surrogate_is_no_byte(small: AliasIndex):
    with pytest.raises(pyalias.InvalidModaliasError, match="surrogate"):
        small.lookup("a\ud800")


# ---- made ----


def test_patterns_with_blanks_are_split_at_the_last(tmp_path: Path):
    path = tmp_path / "modules.alias"
    path.write_text("# comment\n\nalias two words x y mod-1\noptions mod_1 a=b\nalias last m")
    index = AliasIndex.from_alias_file(path)
    assert index.lookup("two words x y") == ("mod_1",)
    assert index.match("last") == (Alias("last", "m", "modules.alias", 5),)
    assert index.counts.aliases == 2


def test_modules_directory_under_another_root(kernel_dirs: dict[str, Path], tmp_path: Path):
    (tmp_path / "lib" / "modules").mkdir(parents=True)
    (tmp_path / "lib" / "modules" / "6.12").symlink_to(kernel_dirs["6.12.117-cloud-amd64"])
    index = AliasIndex.from_modules("/lib/modules/6.12", root=tmp_path)
    assert index.counts == AliasIndex.from_modules(kernel_dirs["6.12.117-cloud-amd64"]).counts


def test_running_kernel_is_the_default(kernel_dirs: dict[str, Path], tmp_path: Path):
    """In a tree that has that kernel: the machine of the tests need not."""
    release = subprocess.run(["uname", "-r"], check=True, capture_output=True, text=True).stdout.strip()
    (tmp_path / "lib" / "modules").mkdir(parents=True)
    (tmp_path / "lib" / "modules" / release).symlink_to(kernel_dirs["6.12.117-cloud-amd64"])
    assert AliasIndex.from_modules(root=tmp_path).counts.aliases > 1000


def test_builtin_aliases_answer_only_what_modules_alias_does_not(kernel_dirs: dict[str, Path]):
    """So it is for hundreds of the recorded devices on 7.2, where kernels tell builtin device tables."""
    release = "7.2.13-amd64"
    both = AliasIndex.from_modules(kernel_dirs[release])
    text_alone = AliasIndex.from_alias_file(kernel_dirs[release] / "modules.alias")
    rows = [row for table in EXPECTED if table.release == release for row in read_answers(table.path)]
    keys = [key for key, _ in rows]
    differing = 0
    for one, other in zip(both.lookup_many(keys), text_alone.lookup_many(keys), strict=True):
        assert other in (one, ())
        differing += one != other
    assert differing == 1_450


def test_counts_size_and_repr(small: AliasIndex):
    assert small.counts == (1, 4, 4, 3, small.counts.answers)
    assert small.size == len(small.to_bytes())
    assert repr(small) == "<AliasIndex of 4 aliases, 3 modules>"


def test_index_without_aliases():
    index = AliasIndex.compile([])
    assert index.lookup("anything") == ()
    assert list(index.lookup_many(["a", "b"])) == [(), ()]
    assert list(AliasIndex.from_bytes(index.to_bytes()).lookup_many(b"a\nb\n")) == [(), ()]


# ---- saved, opened, sent, closed ----


def test_save_and_open(small: AliasIndex, tmp_path: Path):
    path = tmp_path / "small.pyalias"
    small.save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["small.pyalias"]
    with AliasIndex.open(path) as opened:
        assert opened.to_bytes() == small.to_bytes() == path.read_bytes()
        assert opened.match("a-bc") == small.match("a-bc")


def test_saved_file_may_be_replaced_under_its_readers(small: AliasIndex, tmp_path: Path):
    path = tmp_path / "small.pyalias"
    small.save(path)
    opened = AliasIndex.open(path)
    AliasIndex.compile([("other", "m")]).save(path)
    assert opened.lookup("a-bx") == ("one",)
    assert AliasIndex.open(path).lookup("other") == ("m",)


HOLDERS: dict[str, Callable[[bytes], object]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": lambda data: memoryview(b"x" + data)[1:],
    "memoryview of a bytearray": lambda data: memoryview(bytearray(data)),
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_from_bytes_borrows(small: AliasIndex, holder: Callable[[bytes], object]):
    assert AliasIndex.from_bytes(holder(small.to_bytes())).lookup("a-bx") == ("one",)


def test_from_bytes_of_a_mapping(small: AliasIndex):
    data = small.to_bytes()
    with mmap.mmap(-1, len(data)) as mapping:
        mapping.write(data)
        with AliasIndex.from_bytes(mapping) as index:
            assert index.lookup("a-bx") == ("one",)
        del index


def test_pickled_by_path_or_by_bytes(small: AliasIndex, tmp_path: Path):
    path = tmp_path / "small.pyalias"
    small.save(path)
    by_path = pickle.dumps(AliasIndex.open(path))
    by_bytes = pickle.dumps(small)
    assert str(path).encode() in by_path
    assert len(by_path) < 300 < len(by_bytes)
    for pickled in (by_path, by_bytes):
        assert pickle.loads(pickled).lookup("a-bx") == ("one",)  # noqa: S301 its own bytes


def test_pickle_reaches_another_process(small: AliasIndex):
    program = "import pickle, sys; print(pickle.load(sys.stdin.buffer).lookup('a-bx'))"
    done = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(small), check=True, capture_output=True
    )
    assert done.stdout == b"('one',)\n"


def test_closed_index_says_so(small: AliasIndex):
    answers = small.lookup_many(["a-bx", "a-bc"])
    with small:
        pass
    small.close()
    for use in (
        lambda: small.lookup("a-bx"),
        lambda: small.match("a"),
        lambda: small.lookup_many(["a"]),
        lambda: small.counts,
        small.to_bytes,
    ):
        with pytest.raises(pyalias.PyaliasError, match="closed"):
            use()
    assert repr(small) == "<AliasIndex, closed>"
    assert list(answers) == [("one",), ("one", "one", "two_2")]


@pytest.mark.parametrize("kind", ["compiled", "opened", *HOLDERS])
def test_garbage_with_a_cycle_is_collected(small: AliasIndex, tmp_path: Path, kind: str):
    """An index in a reference cycle crashed the garbage collector.

    The compiled bytes were lent to cffi through a memoryview, and a collection clears memoryviews that are
    part of the garbage even while somebody uses them. A caller may lend one as well.
    """
    if kind == "opened":
        small.save(tmp_path / "x")
        index = AliasIndex.open(tmp_path / "x")
    else:
        index = small if kind == "compiled" else AliasIndex.from_bytes(HOLDERS[kind](small.to_bytes()))
    answers = index.lookup_many(["a-bc"])
    cycle: list[object] = [index, answers, answers.ids, answers.table]
    cycle.append(cycle)
    del index, answers, cycle
    gc.collect()
    assert AliasIndex.compile(LINES).lookup("a-bx") == ("one",)


# ---- threads ----


def test_threads_share_an_index(kernel_dirs: dict[str, Path]):
    """Eight threads, each in another order, one by one and in batches, on an index that knows nothing yet."""
    index = AliasIndex.from_modules(kernel_dirs["6.12.117-cloud-amd64"])
    expected = AliasIndex.from_modules(kernel_dirs["6.12.117-cloud-amd64"])
    keys = [key for key, answer in read_answers(GOLDEN[1].path) if isinstance(answer, tuple)]
    answers = dict(zip(keys, expected.lookup_many(keys), strict=True))
    start = threading.Barrier(8)

    def work(number: int) -> int:
        mine = keys[number * 400 :] + keys[: number * 400]
        start.wait()
        wrong = 0
        for at in range(0, len(mine), 500):
            part = mine[at : at + 500]
            batch = index.lookup_many(part)
            wrong += sum(batch.table[i] != answers[key] for i, key in zip(batch.ids, part, strict=True))
            wrong += sum(index.lookup(key) != answers[key] for key in part)
            wrong += sum(len(index.match(key)) != len(answers[key]) for key in part)
        return wrong

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [0] * 8


def test_threads_agree_on_ids(kernel_dirs: dict[str, Path]):
    """Ids that are numbered at run time are given once, whichever thread meets the answer first."""
    index = AliasIndex.from_modules(kernel_dirs["6.12.117-cloud-amd64"])
    keys = [key for key, _ in read_answers(GOLDEN[1].path)]
    with ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(lambda _: index.lookup_many(keys), range(8)))
    assert len({bytes(batch.ids) for batch in batches}) == 1
    table = batches[-1].table
    assert len(set(table)) == len(table)


@pytest.mark.parametrize("piece", ["?", "[a-z]", "[!x]"])
@pytest.mark.parametrize("field", ["v", "d", "sv", "sd", "bc", "sc"])
def test_a_wildcard_that_meets_a_separator(field: str, piece: str):
    """Such a pattern was taken for one with a digit too many, which never matches: lookups lost it."""
    key = "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"
    fields = re.split(f"(?<=[0-9A-F:]){field}(?=[0-9A-F])", key)
    pattern = (piece + field[1:]).join(fields)
    index = pyalias.AliasIndex.compile([(pattern, "here")])
    assert index.lookup(key) == tuple(alias.module for alias in index.match(key)) == ("here",)
    assert list(index.lookup_many([key] * 2)) == [("here",)] * 2
