"""Columns of devices: every form that ``lookup_many`` and ``lookup_ids`` take, and all of ``Answers``."""

from __future__ import annotations

import ctypes
import errno
import gc
import mmap
import re
import subprocess
import sys
from array import array
from typing import TYPE_CHECKING, Any

import nanoarrow
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from support.tables import EXPECTED, GOLDEN, read_answers

from pyalias import AliasIndex, ColumnError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RELEASE = "6.12.117-amd64"
LINES = (("a*", "one"), ("ab?", "two"), ("c", "three-3"), ("é*", "four"))
DEVICES = ["abc", "c", "nothing", "", "é!", "abc", "a" * 300, "c]", "ab-", "-"]
ANSWERS = [
    ("one", "two"),
    ("three_3",),
    (),
    (),
    ("four",),
    ("one", "two"),
    ("one",),
    (),
    ("one", "two"),
    (),
]
INVALID = (7,)


@pytest.fixture(scope="module")
def index() -> AliasIndex:
    return AliasIndex.compile(LINES)


def encoded(devices: list[str | None]) -> list[bytes | None]:
    return [None if device is None else device.encode() for device in devices]


# ---- Python's own forms ----

LINES_OF_BYTES = b"".join(device.encode() + b"\n" for device in DEVICES)

FORMS: dict[str, Callable[[], Any]] = {
    "list of str": lambda: list(DEVICES),
    "list of bytes": lambda: encoded(DEVICES),
    "str and bytes": lambda: [d.encode() if i % 2 else d for i, d in enumerate(DEVICES)],
    "tuple": lambda: tuple(DEVICES),
    "generator": lambda: (device for device in DEVICES),
    "dict": lambda: {f"{device}": 0 for device in DEVICES},
    "numpy array of str": lambda: np.array(DEVICES, dtype=object),
    "lines in bytes": lambda: LINES_OF_BYTES,
    "last line without newline": lambda: LINES_OF_BYTES[:-1],
    "lines in a bytearray": lambda: bytearray(LINES_OF_BYTES),
    "lines in a memoryview": lambda: memoryview(b"x" + LINES_OF_BYTES)[1:],
    "lines in a numpy array": lambda: memoryview(np.frombuffer(LINES_OF_BYTES, dtype=np.uint8)),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(index: AliasIndex, form: str):
    answers = index.lookup_many(FORMS[form]())
    expected, invalid = ANSWERS, INVALID
    if form == "dict":  # its keys are distinct
        expected, invalid = ANSWERS[:5] + ANSWERS[6:], (6,)
    assert list(answers) == expected
    assert answers.invalid == invalid


def test_lines_in_a_mapping(index: AliasIndex):
    with mmap.mmap(-1, len(LINES_OF_BYTES)) as mapping:
        mapping.write(LINES_OF_BYTES)
        answers = index.lookup_many(mapping)
        assert list(answers) == ANSWERS
        gc.collect()  # the mapping can only be closed when nothing borrows it any more
    assert list(answers) == ANSWERS


def test_no_devices(index: AliasIndex):
    for nothing in (
        [],
        (),
        b"",
        iter(()),
        bytearray(),
        pa.array([], pa.utf8()),
        pa.chunked_array([], pa.utf8()),
    ):
        answers = index.lookup_many(nothing)
        assert (len(answers), list(answers), answers.invalid, bytes(answers.ids)) == (0, [], (), b"")
    assert list(index.lookup_many(b"\n")) == [()]
    for one in ([""], [b""], ("",), iter([""])):
        assert list(index.lookup_many(one)) == [()]


def test_only_a_newline_ends_a_line(index: AliasIndex):
    assert list(index.lookup_many(b"c\r\nc\x0b\nc\xe2\x80\xa8\n")) == [(), (), ()]


def test_a_nul_is_refused_and_ends_no_row(index: AliasIndex):
    """Lists of text are joined with NULs on the way: a device that holds some must not become two."""
    for devices in (["c", "c\0c", "c"], ["c", "\0", "c"], ["\0c", "c\0"], [b"c\0c", "c"], ["c\0"], ["\0"]):
        answers = index.lookup_many(devices)
        assert len(answers) == len(devices)
        assert answers.invalid == tuple(
            row for row, device in enumerate(devices) if device not in ("c", b"c")
        )
    assert index.lookup_many(b"c\0c\nc\n").invalid == (0,)
    assert index.lookup_many(pa.array(["c\0c", "c"])).invalid == (0,)


def test_a_lone_surrogate_is_a_refused_row(index: AliasIndex):
    answers = index.lookup_many(["c", "c\ud800", "a"])
    assert (list(answers), answers.invalid) == ([("three_3",), (), ("one",)], (1,))


def test_any_byte_in_a_list(index: AliasIndex):
    assert list(index.lookup_many(["a\udcff", b"a\xff", "\udcc3\udca9x"])) == [("one",), ("one",), ("four",)]


def test_rows_as_long_as_kmod_takes_and_longer(index: AliasIndex):
    devices = ["a" * length for length in (4089, 4090, 4091, 4092, 4095, 9000)]
    answers = index.lookup_many(devices)
    assert list(answers)[:3] == [("one",)] * 3
    assert answers.invalid == (3, 4, 5)
    for device in devices[3:]:
        with pytest.raises(ValueError, match="too long") as refusal:
            index.lookup(device)
        assert refusal.value.errno == errno.ENAMETOOLONG


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("abc", "one str"),
        (None, "found NoneType"),
        (5, "found int"),
        (["a", None], "row 1: expected str or bytes, found NoneType"),
        (["a", "b", 5], "row 2: expected str or bytes, found int"),
        (np.array([1, 2]), "row 0: expected str or bytes"),
        (memoryview(b"abcdef")[::2], "contiguous"),
        (pa.array([1, 2]), "column of strings"),
        (pa.array([["a"]]), "column of strings"),
        (pa.table({"modalias": ["a"]}), "a table: pass one of its columns"),
        (pl.DataFrame({"modalias": ["a"]}), "a table: pass one of its columns"),
        (pa.array([1, 1]).dictionary_encode(), "column of strings"),
        (pa.array([1, None]).cast(pa.float64()), "column of strings"),
    ],
)
def test_what_is_no_column_of_strings(index: AliasIndex, column: object, message: str):
    with pytest.raises(ColumnError, match=re.escape(message)):
        index.lookup_many(column)


def test_an_exception_of_the_iterable_comes_through(index: AliasIndex):
    def devices():
        yield "a"
        raise LookupError("the inventory broke")

    with pytest.raises(LookupError, match="the inventory broke"):
        index.lookup_many(devices())
    assert index.lookup_many(["a"])[0] == ("one",)


# ---- Arrow in ----

WITH_NULLS = [None, *DEVICES[:5], None, *DEVICES[5:], None]
ANSWERS_WITH_NULLS = [None, *ANSWERS[:5], None, *ANSWERS[5:], None]
INVALID_WITH_NULLS = (9,)


class ArrayOnly:
    """Hands out capsules of an array and is otherwise nothing."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __arrow_c_array__(self, requested_schema: object = None) -> Any:
        return self._array.__arrow_c_array__(requested_schema)


def chunked(kind: Any) -> Any:
    return pa.chunked_array(
        [pa.array(WITH_NULLS[:4], kind), pa.array([], kind), pa.array(WITH_NULLS[4:], kind)], kind
    )


def dictionary(index_type: Any, kind: Any = None) -> Any:
    return (
        pa.array(WITH_NULLS, kind or pa.utf8())
        .dictionary_encode()
        .cast(pa.dictionary(index_type, kind or pa.utf8()))
    )


ARROW: dict[str, Callable[[], Any]] = {
    **{
        f"pyarrow {kind}": lambda kind=kind: pa.array(WITH_NULLS, kind)
        for kind in (pa.utf8(), pa.large_utf8(), pa.string_view())
    },
    **{
        f"pyarrow {kind}": lambda kind=kind: pa.array(encoded(WITH_NULLS), kind)
        for kind in (pa.binary(), pa.large_binary(), pa.binary_view())
    },
    **{
        f"pyarrow chunked {kind}": lambda kind=kind: chunked(kind)
        for kind in (pa.utf8(), pa.large_utf8(), pa.string_view())
    },
    **{
        f"pyarrow sliced {kind}": lambda kind=kind: pa.array(["x", None, *WITH_NULLS, None], kind)[2:-1]
        for kind in (pa.utf8(), pa.large_utf8(), pa.string_view())
    },
    **{
        f"pyarrow dictionary of {kind}": lambda kind=kind: dictionary(kind)
        for kind in (
            pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64(),
        )
    },
    "pyarrow dictionary of large_utf8": lambda: dictionary(pa.int32(), pa.large_utf8()),
    "pyarrow dictionary sliced": lambda: pa.array(["y", *WITH_NULLS]).dictionary_encode()[1:],
    "pyarrow dictionary with a null value": lambda: pa.DictionaryArray.from_arrays(
        pa.array([i or None for i in range(len(WITH_NULLS))]), pa.array(WITH_NULLS)
    ),
    "polars": lambda: pl.Series(WITH_NULLS),
    "polars chunked": lambda: pl.Series(WITH_NULLS[:3]).append(pl.Series(WITH_NULLS[3:])),
    "polars sliced": lambda: pl.Series(["x", *WITH_NULLS, "y"])[1:-1],
    "polars categorical": lambda: pl.Series(WITH_NULLS, dtype=pl.Categorical),
    "polars binary": lambda: pl.Series(encoded(WITH_NULLS)),
    "nanoarrow": lambda: nanoarrow.c_array(WITH_NULLS, nanoarrow.string()),
    "nanoarrow chunks": lambda: nanoarrow.Array(chunked(pa.utf8())),
    "nothing but an array": lambda: ArrayOnly(pa.array(WITH_NULLS)),
}  # fmt: skip


@pytest.mark.parametrize("form", ARROW)
def test_arrow(index: AliasIndex, form: str):
    answers = index.lookup_many(ARROW[form]())
    assert list(answers) == ANSWERS_WITH_NULLS
    assert answers.invalid == INVALID_WITH_NULLS
    assert answers.null_count == 3
    assert [answers.table[i] for i in answers.ids] == [answer or () for answer in ANSWERS_WITH_NULLS]


def test_arrow_of_nothing_but_nulls(index: AliasIndex):
    for column in (
        pa.nulls(3),
        pa.nulls(3, pa.utf8()),
        pl.Series([None, None, None]),
        pa.chunked_array([pa.nulls(3)]),
    ):
        answers = index.lookup_many(column)
        assert (list(answers), answers.null_count, bytes(answers.ids)) == ([None] * 3, 3, bytes(12))


def test_arrow_without_nulls_has_no_validity(index: AliasIndex):
    answers = index.lookup_many(pa.array(DEVICES))
    assert (list(answers), answers.null_count) == (ANSWERS, 0)
    assert pa.array(answers).buffers()[0] is None


def test_arrow_bitmap_at_every_offset(index: AliasIndex):
    """Slices start inside a byte of the validity bitmap, and end in one."""
    devices = [None if row % 3 == 1 else "c" if row % 2 else "ab-" for row in range(70)]
    column = pa.array(devices)
    expected = list(index.lookup_many(column))
    for start in range(20):
        for length in (1, 7, 8, 9, 33, 50):
            assert list(index.lookup_many(column[start : start + length])) == expected[start : start + length]


class BrokenStream:
    """An ArrowArrayStream by hand, whose schema is utf8 and whose first chunk fails with a reason."""

    class _Struct(ctypes.Structure):
        pass

    _GIVE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Struct), ctypes.c_void_p)
    _SAY = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.POINTER(_Struct))
    _RELEASE = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Struct))
    _Struct._fields_ = (
        ("get_schema", _GIVE),
        ("get_next", _GIVE),
        ("get_last_error", _SAY),
        ("release", _RELEASE),
        ("private_data", ctypes.c_void_p),
    )

    def __init__(self, reason: bytes | None) -> None:
        self._reason = ctypes.create_string_buffer(reason) if reason is not None else None
        self._stream = self._Struct(
            self._GIVE(self._get_schema),
            self._GIVE(lambda *_: errno.EIO),
            self._SAY(lambda _: ctypes.addressof(self._reason) if self._reason else None),
            self._RELEASE(lambda _: None),
        )

    @staticmethod
    def _get_schema(_: object, schema: int) -> int:
        pa.utf8()._export_to_c(schema)
        return 0

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        return new(ctypes.addressof(self._stream), b"arrow_array_stream", None)


def test_arrow_stream_that_fails_says_why(index: AliasIndex):
    with pytest.raises(ColumnError, match="the Arrow stream failed: the disk is gone"):
        index.lookup_many(BrokenStream(b"the disk is gone"))
    with pytest.raises(ColumnError, match=f"the Arrow stream failed: error {errno.EIO}"):
        index.lookup_many(BrokenStream(None))


# ---- answers ----


def test_answers_are_a_sequence(index: AliasIndex):
    answers = index.lookup_many(DEVICES)
    assert (answers[0], answers[-1], answers[-10]) == (ANSWERS[0], ANSWERS[-1], ANSWERS[0])
    assert answers[2:6] == ANSWERS[2:6]
    assert answers[::-1] == ANSWERS[::-1]
    assert (len(answers), ("four",) in answers, answers.index(("four",))) == (10, True, 4)
    for row in (10, -11):
        with pytest.raises(IndexError):
            answers[row]
    assert repr(answers) == "<Answers of 10 devices>"


def test_ids_and_table(index: AliasIndex):
    answers = index.lookup_many(DEVICES)
    assert answers.table[0] == ()
    assert len(set(answers.table)) == len(answers.table)
    assert answers.ids.format == "I"
    assert np.asarray(answers.ids).dtype == np.uint32
    assert [i == 0 for i in answers.ids] == [answer == () for answer in ANSWERS]
    assert answers.ids[0] == answers.ids[5] == answers.ids[8]


def test_ids_of_one_index_agree_between_batches_and_forms(index: AliasIndex):
    one = index.lookup_many(DEVICES)
    other = index.lookup_many(pa.array(DEVICES[::-1]))
    assert one.ids.tolist() == other.ids.tolist()[::-1]


def test_table_of_an_older_batch_does_not_grow():
    index = AliasIndex.compile([("a*", "one"), ("*b", "two"), ("*c*", "three")])
    older = index.lookup_many(["ab"])
    table = older.table
    newer = index.lookup_many(["acb", "ac"])
    assert older.table == table
    assert newer.table[: len(table)] == table
    assert (list(older), list(newer)) == ([("one", "two")], [("one", "two", "three"), ("one", "three")])


def test_table_starts_anew_where_keys_form_answers_without_end(monkeypatch: pytest.MonkeyPatch):
    """Twenty patterns can form a million answers; what was given out stays what it was."""
    monkeypatch.setattr("pyalias._memo._ANSWER_ROOM", 50)
    letters = "abcdefgh"
    index = AliasIndex.compile([(f"*{letter}*", f"m{letter}") for letter in letters])
    keys = ["".join(x for bit, x in enumerate(letters) if row >> bit & 1) for row in range(256)]
    batches = [(key, index.lookup_many([key])) for key in keys]
    for key, answers in batches:
        assert answers[0] == answers.table[answers.ids[0]] == tuple(f"m{letter}" for letter in key)
        assert len(answers.table) < 150
        assert index.lookup(key) == answers[0]


def test_answers_outlive_index_and_column():
    own = AliasIndex.compile(LINES)
    answers = own.lookup_many(pa.array(WITH_NULLS))
    exported = pa.array(answers)
    own.close()
    del own
    gc.collect()
    assert list(answers) == ANSWERS_WITH_NULLS
    del answers
    gc.collect()
    assert exported.to_pylist() == [None if row is None else list(row) for row in ANSWERS_WITH_NULLS]


# ---- Arrow out ----

LISTS = [None if row is None else list(row) for row in ANSWERS_WITH_NULLS]


def test_out_to_pyarrow(index: AliasIndex):
    column = pa.array(index.lookup_many(pa.array(WITH_NULLS)))
    assert column.type == pa.dictionary(pa.uint32(), pa.list_(pa.utf8()))
    column.validate(full=True)
    assert column.to_pylist() == LISTS


def test_out_to_polars(index: AliasIndex):
    column = pl.Series(index.lookup_many(pl.Series(WITH_NULLS)))
    assert column.dtype == pl.List(pl.String)
    assert column.to_list() == LISTS


def test_polars_in_and_out_without_pyarrow():
    program = """
import sys
sys.modules["pyarrow"] = None
import polars, pyalias
index = pyalias.AliasIndex.compile([("a*", "one")])
print(polars.Series(index.lookup_many(polars.Series(["ab", None, "x"]))).to_list())
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "[['one'], None, []]\n"


def test_out_to_nanoarrow(index: AliasIndex):
    array = nanoarrow.c_array(index.lookup_many(WITH_NULLS[1:6]))
    view = array.view()
    assert (array.length, view.storage_type, array.dictionary.schema.format) == (5, "uint32", "+l")


def test_out_again_and_again(index: AliasIndex):
    """Each capsule owns its structs; what nobody consumes is freed all the same."""
    answers = index.lookup_many(pa.array(WITH_NULLS))
    for _ in range(100):
        answers.__arrow_c_array__()
    first, second = pa.array(answers), pa.array(answers)
    del first, answers
    gc.collect()
    assert second.to_pylist() == LISTS


def test_in_and_out_without_an_arrow_library():
    """A process in which importing any of them fails passes a column through by capsules alone."""
    program = """
import sys
for name in ("pyarrow", "polars", "nanoarrow", "numpy", "pandas"):
    sys.modules[name] = None
import pyalias
index = pyalias.AliasIndex.compile([("a*", "one")])
class Column:
    def __init__(self, answers): self.answers = answers
    def __arrow_c_array__(self, requested_schema=None): return self.answers.__arrow_c_array__()
answers = index.lookup_many(["abc", "x"])
schema, array = answers.__arrow_c_array__()
assert "arrow_schema" in repr(schema) and "arrow_array" in repr(array)
try:
    index.lookup_many(Column(answers))
except pyalias.ColumnError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("expected a column of strings")
    assert "+l" in done.stdout


# ---- columns of numbers ----

PCI = re.compile(
    rb"pci:v([0-9A-F]{8})d([0-9A-F]{8})sv([0-9A-F]{8})sd([0-9A-F]{8})bc([0-9A-F]{2})sc([0-9A-F]{2})i([0-9A-F]{2})"
)


def pci_devices() -> list[tuple[bytes, list[int]]]:
    """Every PCI device of the tables, as string and as five numbers."""
    keys = {key for table in (*GOLDEN, *EXPECTED) for key, _ in read_answers(table.path)}
    found = []
    for key in sorted(keys):
        if match := PCI.fullmatch(key):
            vendor, device, subvendor, subdevice, base, sub, interface = (int(g, 16) for g in match.groups())
            found.append((key, [vendor, device, subvendor, subdevice, base << 16 | sub << 8 | interface]))
    return found


NAMES = ("vendor", "device", "subvendor", "subdevice", "class_code")


def columns(rows: list[list[int]]) -> dict[str, Any]:
    return {name: array("I", column) for name, column in zip(NAMES, zip(*rows, strict=True), strict=True)}


def test_numbers_answer_as_the_strings(indexes: dict[str, AliasIndex]):
    devices = pci_devices()
    assert len(devices) > 20_000
    for index in indexes.values():
        by_number = index.lookup_ids(**columns([numbers for _, numbers in devices]))
        by_string = index.lookup_many([key for key, _ in devices])
        assert bytes(by_number.ids) == bytes(by_string.ids)
        assert by_number.invalid == ()


NUMBER_COLUMNS: dict[str, Callable[[list[int]], Any]] = {
    "list": list,
    "tuple": tuple,
    "array": lambda column: array("I", column),
    "numpy": lambda column: np.array(column, dtype=np.uint32),
    "memoryview": lambda column: memoryview(array("I", column)),
}


@pytest.mark.parametrize("make", NUMBER_COLUMNS.values(), ids=NUMBER_COLUMNS)
def test_numbers_in_every_form(indexes: dict[str, AliasIndex], make: Callable[[list[int]], Any]):
    rows = [[0x8086, 0x10D3, 0x8086, 0xA01F, 0x020000], [0, 0, 0, 0, 0], [2**32 - 1, 0, 0, 0, 0xFFFFFF]]
    given = {name: make(list(column)) for name, column in zip(NAMES, zip(*rows, strict=True), strict=True)}
    assert list(indexes[RELEASE].lookup_ids(**given)) == [("e1000e",), (), ()]


def test_numbers_of_no_devices(index: AliasIndex):
    answers = index.lookup_ids(**{name: array("I") for name in NAMES})
    assert (len(answers), list(answers)) == (0, [])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (array("H", [1]), "device: expected a contiguous column of uint32"),
        (array("i", [1]), "device: expected a contiguous column of uint32"),
        (np.array([1], dtype=np.uint64), "device: expected a contiguous column of uint32"),
        (np.array([1, 2, 3], dtype=np.uint32)[::2], "device: expected a contiguous column of uint32"),
        (np.array([[1]], dtype=np.uint32), "device: expected a contiguous column of uint32"),
        (np.array([1], dtype=">u4"), "device: expected a contiguous column of uint32"),
        ([-1], "device: expected a column of uint32"),
        ([2**32], "device: expected a column of uint32"),
        (["8086"], "device: expected a column of uint32"),
        (None, "device: expected a column of uint32"),
        (array("I", [1, 2]), "one length, found lengths"),
    ],
)
def test_columns_that_are_not_uint32(index: AliasIndex, column: object, message: str):
    given = {name: array("I", [1]) for name in NAMES} | {"device": column}
    with pytest.raises(ColumnError, match=re.escape(message)):
        index.lookup_ids(**given)


def test_class_beyond_24_bits_names_the_row(index: AliasIndex):
    given = columns([[1, 1, 1, 1, 0xFFFFFF], [1, 1, 1, 1, 0x1000000]])
    with pytest.raises(ColumnError, match="1"):
        index.lookup_ids(**given)


def test_all_forms_on_a_kernel(indexes: dict[str, AliasIndex], tmp_path: Path):
    """One real list in every layout gives one column of ids."""
    index = indexes[RELEASE]
    keys = [key for key, _ in read_answers(EXPECTED[0].path)]
    path = tmp_path / "devices.txt"
    path.write_bytes(b"\n".join(keys) + b"\n")
    expected = bytes(index.lookup_many(keys).ids)
    forms = [path.read_bytes(), [key.decode() for key in keys]]
    forms += [pa.array(keys, kind) for kind in (pa.binary(), pa.large_binary(), pa.binary_view())]
    forms += [pl.Series(keys), pa.array(keys).dictionary_encode()]
    assert [bytes(index.lookup_many(form).ids) == expected for form in forms] == [True] * len(forms)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapping:
        assert bytes(index.lookup_many(mapping).ids) == expected
        gc.collect()
