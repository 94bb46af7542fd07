"""Columns of usb ids, some unknown, and three-valued answers as Arrow data."""

from __future__ import annotations

import re
import subprocess
import sys
from array import array
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from support.partial_cases import SEED, brute_force
from support.tables import EXPECTED, read_answers

import pyalias
from pyalias.partial import PartialAnswer, PartialDevice
from pyalias.partial.forms import USB

RELEASE = "6.12.117-amd64"
NIC = "pci:v00008086d000015B7sv*sd*bc02sc00i*"
E1000E = "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"
FIELDS = [field.name for field in USB.fields]


@pytest.fixture(scope="module")
def index(indexes: dict[str, pyalias.AliasIndex]) -> pyalias.AliasIndex:
    return indexes[RELEASE]


# ---- columns of usb ids ----


def real_usb_devices(count: int) -> list[tuple[int, ...]]:
    """The fields of real devices, some of them with one or two bytes that will be made unknown."""
    texts = {
        key.decode()
        for table in EXPECTED
        if table.release == RELEASE
        for key, answer in read_answers(table.path)
        if key.startswith(b"usb:") and answer
    }
    pattern = re.compile(
        "usb:" + "".join(f"{field.separator}([0-9A-F]{{{field.digits}}})" for field in USB.fields)
    )
    found = [match for match in map(pattern.fullmatch, sorted(texts)) if match]
    chosen = Random(SEED).sample(found, count)  # noqa: S311 - repeatable, not secret
    return [tuple(int(digits, 16) for digits in match.groups()) for match in chosen]


def test_usb_columns_answer_as_asking_for_every_device(index: pyalias.AliasIndex):
    random = Random(SEED)  # noqa: S311
    rows: list[list[int | None]] = []
    for fields in real_usb_devices(40):
        row: list[int | None] = list(fields)
        for place in random.choice([(), (2,), (6,), (7, 8), (3, 9), (1,), (0,)]):
            row[place] = None
        rows.append(row)
    columns: dict[str, Any] = dict(zip(FIELDS, map(list, zip(*rows, strict=True)), strict=True))
    answers = index.lookup_usb_ids(**columns)
    states = set()
    for row, answer in zip(rows, answers, strict=True):
        device = PartialDevice.usb(**dict(zip(FIELDS, row, strict=True)))
        assert answer == index.lookup_partial(device)
        if None in row:
            truth = brute_force(index, device.text)
            assert (answer.state, set(answer.certain), set(answer.possible)) == truth[:3]
        else:
            assert answer == PartialAnswer("certain", index.lookup(device.text), (), partial=False)
        states.add((answer.state, answer.partial))
    assert states >= {("certain", True), ("possible", True), ("certain", False)}


def test_usb_columns_of_every_form(index: pyalias.AliasIndex):
    hub = index.lookup_partial(PartialDevice.usb(vendor=0x1D6B, product=2, interface_class=9))
    assert hub.certain == ("usbcore",)
    vendors, known = array("H", [0x1D6B, 0]), [True, False]
    for column in ([0x1D6B, None], pa.array([0x1D6B, None], pa.uint16()), pa.array([0x1D6B, None])):
        found = index.lookup_usb_ids(vendor=column, product=[2, 2], interface_class=array("B", [9, 9]))
        assert list(found) == list(
            index.lookup_usb_ids(
                vendor=vendors, product=[2, 2], interface_class=[9, 9], known={"vendor": known}
            )
        )
        assert found[0] == hub


def test_wrong_usb_columns(index: pyalias.AliasIndex):
    for columns, reason in (
        ({"device": [1]}, "a usb device has no field 'device': expected some of vendor, product"),
        ({"vendor": [1 << 16]}, "expected a number of 16 bits"),
        ({"interface_class": [256]}, "expected a number of 8 bits"),
        ({"vendor": [1], "product": [1, 2]}, "one length"),
        ({}, "at least one column"),
    ):
        with pytest.raises(pyalias.ColumnError, match=reason):
            index.lookup_usb_ids(**columns)


# ---- answers as Arrow data ----


def expected_row(answer: PartialAnswer | None) -> dict[str, Any]:
    if answer is None:
        return dict.fromkeys(("state", "certain", "possible", "partial"))
    return answer._asdict() | {"certain": " ".join(answer.certain), "possible": " ".join(answer.possible)}


ANY_USB = "usb:v*p*d*dc*dsc*dp*ic*isc*ip*in*"
ROWS = [NIC, None, E1000E, "pci:v*oops", ANY_USB, "none", NIC, E1000E, None, "x]"]


@pytest.mark.parametrize("rows", [ROWS, ROWS * 7, [NIC], [], ["pci:v*oops"], [None], [NIC] * 8])
def test_a_record_batch_of_answers(index: pyalias.AliasIndex, rows: list[str | None]):
    answers = index.lookup_many(pa.array(rows, pa.string()), partial=True)
    batch, table = pa.record_batch(answers), pa.table(answers)
    for data in (batch, table):
        data.validate(full=True)
        assert data.schema.names == ["state", "certain", "possible", "partial"]
        assert data.to_pylist() == [expected_row(answer) for answer in answers]
    assert batch["state"].null_count == rows.count(None) + len(answers.invalid)


def test_lists_have_no_nulls_but_the_refused(index: pyalias.AliasIndex):
    answers = index.lookup_many([NIC, "pci:v*oops", E1000E], partial=True)
    assert pa.record_batch(answers)["partial"].to_pylist() == [True, None, False]
    assert pa.record_batch(answers)["partial"].to_pylist() == [True, None, False]  # and again


def test_a_stream_is_read_once_and_outlives_what_made_it(indexes: dict[str, pyalias.AliasIndex]):
    answers = indexes[RELEASE].lookup_many([NIC, ANY_USB], partial=True)
    wanted = [expected_row(answer) for answer in answers]
    reader = pa.RecordBatchReader.from_stream(answers)
    del answers
    assert reader.read_all().to_pylist() == wanted
    with pytest.raises(StopIteration):
        reader.read_next_batch()


def test_engines_take_the_answers(index: pyalias.AliasIndex):
    polars, duckdb = pytest.importorskip("polars"), pytest.importorskip("duckdb")
    answers = index.lookup_many([NIC, ANY_USB, E1000E], partial=True)
    assert polars.from_arrow(answers).struct.unnest()["state"].to_list() == ["certain", "possible", "certain"]
    query = "SELECT state, count(*) FROM answers WHERE partial GROUP BY 1 ORDER BY 1"
    with duckdb.connect() as connection:
        connection.register("answers", answers)
        assert connection.sql(query).fetchall() == [("certain", 1), ("possible", 1)]


def test_no_arrow_library_is_needed():
    """Both capsules are made, and let go unused, in a process without one."""
    program = """
import sys, pyalias
index = pyalias.AliasIndex.compile([("pci:v*d*sv*sd*bc02sc*i*", "m")])
answers = index.lookup_many(["pci:v*d*sv*sd*bc*sc*i*"], partial=True)
capsules = answers.__arrow_c_array__(), answers.__arrow_c_stream__()
del capsules
print("pyarrow" in sys.modules, "numpy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
