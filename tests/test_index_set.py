"""Several kernels in one file: the answers of each, ids that mean the same for all, and damaged files."""

from __future__ import annotations

import pickle
import random
import struct
import subprocess
import sys
import threading
import zlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from support.tables import EXPECTED, RELEASES, read_answers

import pyalias
from pyalias import (
    AliasIndex,
    AliasIndexSet,
    ColumnError,
    FileAccessError,
    ImageError,
    KernelCounts,
    LimitError,
    PyaliasError,
    UnknownKernelError,
)
from pyalias.index_set import answers as set_answers
from pyalias.index_set import open_aliases

if TYPE_CHECKING:
    from pathlib import Path

    from pyalias import SetAnswers

ONE = AliasIndex.compile([("a*", "one"), ("b*", "two"), ("ab*", "two")])
OTHER = AliasIndex.compile([("a*", "two"), ("c*", "one")])
SMALL = AliasIndexSet.from_kernels({"1": ONE, "2": OTHER, "1-again": ONE})

DEVICES = ["ax", "abx", "bx", "cx", "none", "a]", "ax", None, "ax", "ax"]
KERNELS = ["1", "1", "2", "2", "1", "2", "2", "1", "3", None]
ANSWERS = [("one",), ("one", "two"), (), ("one",), (), (), ("two",), None, None, None]
COUNTS = {
    "1": KernelCounts(3, 2, 1, 0, 0),
    "2": KernelCounts(4, 2, 1, 1, 0),
    "3": KernelCounts(1, unknown=1),
    "": KernelCounts(1, unknown=1),
}


@pytest.fixture(scope="module")
def kernels(indexes: dict[str, AliasIndex], tmp_path_factory: pytest.TempPathFactory) -> AliasIndexSet:
    """The bundled kernels, saved and opened."""
    path = tmp_path_factory.mktemp("set") / "fleet.pyalias"
    AliasIndexSet.from_kernels(indexes).save(path)
    return AliasIndexSet.open(path)


# ---- answers ----


def check_small(answers: SetAnswers) -> None:
    assert list(answers) == ANSWERS
    assert (answers.invalid, answers.unknown, answers.null_count) == ((5,), (8, 9), 3)
    assert answers.kernels == COUNTS


TEXT_TYPES = {
    "utf8": pa.string(),
    "large": pa.large_string(),
    "view": pa.string_view(),
    "dictionary": pa.dictionary(pa.int8(), pa.string()),
}


@pytest.mark.parametrize("kernel_type", TEXT_TYPES)
@pytest.mark.parametrize("device_type", TEXT_TYPES)
def test_a_kernel_for_each_row(device_type: str, kernel_type: str):
    devices, kernels = pa.array(DEVICES).cast(TEXT_TYPES[device_type]), pa.array(KERNELS)
    kernels = kernels.cast(TEXT_TYPES[kernel_type])
    check_small(SMALL.lookup_many(devices, kernels))
    check_small(SMALL.lookup_many(devices, kernels, threads=2))
    cut = pa.chunked_array([kernels.slice(0, 3), kernels.slice(3)])
    check_small(SMALL.lookup_many(pa.chunked_array([devices.slice(0, 7), devices.slice(7)]), cut))
    assert list(SMALL.lookup_many(devices.slice(2, 5), kernels.slice(2, 5))) == ANSWERS[2:7]


def test_lists_texts_and_mixtures():
    some = [row for row in range(len(DEVICES)) if DEVICES[row] is not None]
    devices, kernels = [DEVICES[row] for row in some], [KERNELS[row] for row in some]
    wanted = [ANSWERS[row] for row in some]
    text = "".join(f"{device}\n" for device in devices).encode()
    for given in (devices, tuple(devices), [device.encode() for device in devices], text, pa.array(devices)):
        answers = SMALL.lookup_many(given, kernels)
        assert (list(answers), answers.invalid, answers.unknown) == (wanted, (5,), (7, 8))
    assert list(SMALL.lookup_many([], [])) == []
    assert SMALL.lookup_many([], []).kernels == {}


def test_one_kernel_for_all_rows():
    answers = SMALL.lookup_many(["ax", "zz", "a]", "ax"], "2")
    assert (list(answers), answers.invalid, answers.unknown) == ([("two",), (), (), ("two",)], (2,), ())
    assert answers.kernels == {"2": KernelCounts(4, 2, 1, 1)}
    answers = SMALL.lookup_many(pa.array(["ax", None]), "1")
    assert (list(answers), answers.kernels) == ([("one",), None], {"1": KernelCounts(1, 1)})
    assert SMALL.lookup_many([], "1").kernels == {}
    assert SMALL.lookup("1", "abx") == ("one", "two")


def test_ids_mean_the_same_for_all_kernels():
    fresh = AliasIndexSet.from_kernels({"1": ONE, "2": OTHER})
    first = fresh.lookup_many(["ax", "bx", "zz"], "1")
    second = fresh.lookup_many(["cx", "ax", "zz"], "2")
    both = fresh.lookup_many(["ax", "ax", "abx", "abx"], ["1", "2", "1", "1"])
    assert first.ids.tolist() == second.ids.tolist()
    assert both.ids.tolist()[:2] == first.ids.tolist()[:2]
    assert all(answers.table[i] == names for answers in (first, second, both)
               for i, names in zip(answers.ids, answers, strict=True))  # fmt: skip
    assert pa.array(both).to_pylist() == [["one"], ["two"], ["one", "two"], ["one", "two"]]


def test_a_row_without_an_answer_is_null_in_arrow():
    """Never an empty list, which would be a device that nothing claims."""
    answers = SMALL.lookup_many(["ax", "ax", "zz"], ["1", "3", "1"])
    assert pa.array(answers).to_pylist() == [["one"], None, []]


def test_real_devices_on_the_bundled_kernels(kernels: AliasIndexSet):
    """In any mixture each row has what libkmod answered on its kernel."""
    chance = random.Random(20261124)  # noqa: S311 repeatable, not secret
    rows = [
        (device, table.release, answer)
        for table in EXPECTED
        for device, answer in read_answers(table.path)
        if not isinstance(answer, int)
    ]
    chance.shuffle(rows)
    devices, on, wanted = (list(column) for column in zip(*rows, strict=True))
    answers = kernels.lookup_many(devices, on)
    assert list(answers) == wanted
    assert (answers.invalid, answers.unknown) == ((), ())
    for kernel in RELEASES:
        some = [row for row in rows if row[1] == kernel]
        alone = kernels.lookup_many([device for device, _, _ in some], kernel)
        assert list(alone) == [answer for _, _, answer in some]
        assert alone.kernels[kernel] == answers.kernels[kernel]


def test_odd_texts():
    """Any byte is looked up; what is no byte is refused, or a kernel that there is not."""
    odd = AliasIndexSet.from_kernels({"é\udcff": AliasIndex.compile([("a\udcff*", "one")])})
    answers = odd.lookup_many(["a\udcff", b"a\xff", "a\ud800", "a\0"], ["é\udcff", "é\udcff".encode("utf-8", "surrogateescape"), "é\udcff", "é\udcff"])  # noqa: E501 # fmt: skip
    assert (list(answers), answers.invalid) == ([("one",), ("one",), (), ()], (2, 3))
    assert odd.lookup_many(["a"], ["\ud800"]).unknown == (0,)
    assert odd.lookup_many(["a"], [""]).kernels == {"": KernelCounts(1, unknown=1)}


@pytest.mark.parametrize(
    ("devices", "kernels", "message"),
    [
        (["a"], ["1", "1"], "1 devices and 2 kernels"),
        (["a", 3], ["1", "1"], "row 1: expected str or bytes, found int"),
        (["a", None], ["1", "1"], "row 1: expected str or bytes, found NoneType"),
        (["a"], [1], "row 0: expected str or bytes, found int"),
        (["a"], 3, "found int"),
        (5, ["a"], "found int"),
        (pa.array([1]), ["1"], "column of strings"),
        (["a"], pa.array([1]), "column of strings"),
    ],
)
def test_columns_that_are_none(devices: object, kernels: object, message: str):
    with pytest.raises(ColumnError, match=message):
        SMALL.lookup_many(devices, kernels)
    check_small(SMALL.lookup_many(pa.array(DEVICES), pa.array(KERNELS)))


def test_many_answers_and_many_pairs_are_forgotten(monkeypatch: pytest.MonkeyPatch):
    """Hostile input must not make memory grow for ever; what was given before stays."""
    fresh = AliasIndexSet.from_kernels({"1": ONE, "2": OTHER})
    monkeypatch.setattr(pyalias.index_set, "_ANSWER_ROOM", 2)
    monkeypatch.setattr(pyalias.index_set.pairs, "_ROOM", 4)
    before = fresh.lookup_many(["ax", "bx", "abx"], ["1", "1", "1"])
    for round_ in range(5):
        devices = [f"a{round_}{i}" for i in range(7)] + ["bx", "abx"]
        assert list(fresh.lookup_many(devices, ["1"] * 9)) == [("one",)] * 7 + [("two",), ("one", "two")]
        assert list(fresh.lookup_many(devices, "1")) == [("one",)] * 7 + [("two",), ("one", "two")]
        assert len(fresh._answers) <= 4
    assert list(before) == [("one",), ("two",), ("one", "two")]


def test_threads():
    fresh = AliasIndexSet.from_kernels({str(number): (ONE, OTHER)[number % 2] for number in range(20)})
    failures: list[object] = []

    def ask(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311
        for _ in range(30):
            rows = [(chance.choice("abcz") + str(chance.randrange(9)), str(chance.randrange(22))) for _ in range(200)]  # noqa: E501 # fmt: skip
            devices, kernels = (list(column) for column in zip(*rows, strict=True))
            for kernel in {*kernels} - {"20", "21"}:
                wanted = [fresh.lookup(kernel, row) for row in devices]
                failures.extend({kernel} if list(fresh.lookup_many(devices, kernel)) != wanted else ())
            found = list(fresh.lookup_many(devices, kernels))
            wanted = [fresh.lookup(kernel, row) if kernel in fresh else None for row, kernel in rows]
            failures.extend({"column"} if found != wanted else ())

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# ---- kernels ----


def test_it_is_a_mapping(kernels: AliasIndexSet, indexes: dict[str, AliasIndex]):
    assert (list(kernels), len(kernels)) == (list(indexes), 3)
    assert all(kernels[name].to_bytes() == index.to_bytes() for name, index in indexes.items())
    assert kernels[RELEASES[0]] is kernels[RELEASES[0]]
    assert [name in kernels for name in ("nope", RELEASES[0], 3)] == [False, True, False]
    assert kernels.get("nope") is None
    assert "3 kernels" in repr(kernels)


def test_a_kernel_that_is_not_there(kernels: AliasIndexSet):
    for ask in (
        lambda: kernels["6.1"],
        lambda: kernels.lookup("6.1", "a"),
        lambda: kernels.lookup_many([], "6.1"),
    ):
        with pytest.raises(
            UnknownKernelError, match=r"no kernel '6\.1' in .*fleet.*; there are: 6\.12\.117-amd64, "
        ) as error:
            ask()
        assert isinstance(error.value, KeyError)


def test_made_of_directories(kernel_dirs: dict[str, Path], kernels: AliasIndexSet):
    small = RELEASES[1]
    made = AliasIndexSet.from_kernels({"a": kernel_dirs[small], "b": str(kernel_dirs[small])})
    assert made["a"].to_bytes() == kernels[small].to_bytes()
    assert made["a"] is made["b"]
    with pytest.raises(FileAccessError):
        AliasIndexSet.from_kernels({"a": "/missing"})


@pytest.mark.parametrize("name", ["", "a\0", "x" * 256, "\ud800", 3])
def test_names_that_are_none(name: str):
    with pytest.raises(LimitError, match="name of a kernel"):
        AliasIndexSet.from_kernels({name: ONE})


def test_no_kernels():
    with pytest.raises(LimitError, match="found 0"):
        AliasIndexSet.from_kernels({})


# ---- files ----


def test_saved_opened_pickled_closed(tmp_path: Path):
    path = tmp_path / "small.pyalias"
    SMALL.save(path)
    assert path.read_bytes() == SMALL.to_bytes()
    for opened in (
        AliasIndexSet.open(path),
        AliasIndexSet.from_bytes(path.read_bytes()),
        pickle.loads(pickle.dumps(SMALL)),  # noqa: S301
        pickle.loads(pickle.dumps(AliasIndexSet.open(path))),  # noqa: S301
        open_aliases(path),
    ):
        assert list(opened) == ["1", "2", "1-again"]
        assert opened["1"] is opened["1-again"]
        check_small(opened.lookup_many(pa.array(DEVICES), pa.array(KERNELS)))
        answers = opened.lookup_many(["ax"], "1")
        opened.close()
        opened.close()
        assert list(answers) == [("one",)]
        for ask in (lambda: opened["1"], lambda: opened.lookup_many([], []), opened.to_bytes, lambda: "1" in opened):  # noqa: B023, E501 # fmt: skip
            with pytest.raises(PyaliasError, match="closed"):
                ask()
        assert repr(opened) == "<AliasIndexSet, closed>"
    assert len(pickle.dumps(AliasIndexSet.open(path))) < 500, "mapped again by path, and not copied"


def test_a_relative_path_is_kept_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    SMALL.save("small.pyalias")
    packed = pickle.dumps(AliasIndexSet.open("small.pyalias"))
    monkeypatch.chdir("/")
    assert list(pickle.loads(packed)) == list(SMALL)  # noqa: S301


def test_equal_kernels_are_stored_once():
    alone = len(AliasIndexSet.from_kernels({"1": ONE}).to_bytes())
    twice = len(AliasIndexSet.from_kernels({"1": ONE, "2": ONE}).to_bytes())
    assert twice - alone < 4096


def test_other_files(tmp_path: Path):
    path = tmp_path / "file"
    for data, message in (
        (b"", "empty"),
        (b"alias a b\n", "expected a set of indexes"),
        (ONE.to_bytes(), "found an index of one kernel"),
    ):
        path.write_bytes(data)
        with pytest.raises(ImageError, match=message) as error:
            AliasIndexSet.open(path)
        assert error.value.file == str(path)
    with pytest.raises(FileAccessError, match="No such file"):
        AliasIndexSet.open(tmp_path / "missing")
    with pytest.raises(FileAccessError, match="No such file"):
        open_aliases(tmp_path / "missing")
    with pytest.raises(FileAccessError):
        AliasIndexSet.open(tmp_path)
    SMALL.save(path)
    with pytest.raises(ImageError):
        AliasIndex.open(path)
    ONE.save(path)
    assert isinstance(open_aliases(path), AliasIndex)


def use(data: bytes) -> list[object]:
    opened = AliasIndexSet.from_bytes(data)
    return [(name, list(index.lookup_many(["ax", "abx", "cx"]))) for name, index in opened.items()]


def test_every_byte_changed_and_every_length():
    """An error, or the same answers (of the zeros between images, which nobody reads)."""
    whole = SMALL.to_bytes()
    wanted, same = use(whole), 0
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        try:
            found = use(bytes(damaged))
        except ImageError:
            continue
        assert found == wanted
        assert whole[at] == 0
        same += 1
    assert same < 2 * 4096
    for length in range(len(whole)):
        with pytest.raises(ImageError):
            AliasIndexSet.from_bytes(whole[:length])
    for more in (b"\0", whole):
        with pytest.raises(ImageError):
            AliasIndexSet.from_bytes(whole + more)


def with_checksum(data: bytearray) -> bytes:
    """The set with the checksum that its table asks for, whatever that says."""
    count, names = struct.unpack_from("<I", data, 12)[0], struct.unpack_from("<I", data, 28)[0]
    data[24:28] = bytes(4)
    struct.pack_into("<I", data, 24, zlib.crc32(data[: 32 + 24 * count + names]))
    return bytes(data)


def test_forged_tables():
    """Damage behind a right checksum: refused, or an image that is an image."""
    whole = SMALL.to_bytes()
    assert with_checksum(bytearray(whole)) == whole
    wanted = dict(use(whole))
    chance = random.Random(20261124)  # noqa: S311
    extremes = (0, 1, 4096, 8192, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(whole), len(whole) - 1)
    refused = 0
    for _ in range(4000):
        forged = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2))):
            at = chance.randrange(8, 32 + 24 * 3 + len("121-again")) & ~3
            value = struct.unpack_from("<I", forged, at)[0]
            value = chance.choice((value + 1, value - 1, value ^ 1 << chance.randrange(32), *extremes))
            struct.pack_into("<I", forged, at, value & 0xFFFFFFFF)
        try:
            found = use(with_checksum(forged))
        except ImageError:
            refused += 1
            continue
        except struct.error:  # a count beyond the file: the test itself cannot make its checksum
            continue
        assert all(names in wanted.values() for _, names in found)
    assert refused > 1000


def test_a_damaged_kernel_harms_no_other(tmp_path: Path):
    damaged = bytearray(SMALL.to_bytes())
    damaged[-5] ^= 1  # in the last image, which is the second kernel's
    path = tmp_path / "damaged.pyalias"
    path.write_bytes(damaged)
    opened = AliasIndexSet.open(path)
    assert opened.lookup("1", "ax") == ("one",)
    for ask in (lambda: opened["2"], lambda: opened.lookup_many(["a", "a"], ["1", "2"])):
        with pytest.raises(ImageError, match=r"damaged\.pyalias, kernel 2: ") as error:
            ask()
        assert error.value.file == f"{path}, kernel 2"
    assert list(opened.lookup_many(["ax"], ["1"])) == [("one",)]


def test_save_on_a_full_disk_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "set.pyalias"
    path.write_bytes(b"old")
    program = (
        "import resource, sys, signal, pyalias; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)); "
        "made = pyalias.AliasIndexSet.from_kernels({'a': pyalias.AliasIndex.compile([('a', 'b')])})\n"
        "try: made.save(sys.argv[1])\n"
        "except pyalias.FileAccessError as error: print(error.errno)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "27\n"
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["set.pyalias"]


def test_the_table_of_a_new_kernel_grows():
    """Ids of a kernel's own table beyond those that were known when it was first asked."""
    index = AliasIndex.compile([("a*", "one"), ("*b", "two"), ("*c", "three")])
    fresh = AliasIndexSet.from_kernels({"1": index})
    assert list(fresh.lookup_many(["a"], "1")) == [("one",)]
    wanted = [tuple(fresh["1"].lookup(device)) for device in ("ab", "ac", "b", "c")]
    assert list(fresh.lookup_many(["ab", "ac", "b", "c"], "1")) == wanted
    assert isinstance(fresh._answers, set_answers.SharedAnswers)
