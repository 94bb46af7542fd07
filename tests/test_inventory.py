"""Readers of device lists: forms, odd bytes, compression, and what they refuse."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyalias.errors import FileAccessError, InventoryError
from pyalias.inventory import Inventory, lists, open_inventory, reading

if TYPE_CHECKING:
    from pathlib import Path


def read(data: bytes, **options: str) -> Inventory:
    return Inventory(io.BytesIO(data), "devices", **options)


def devices(data: bytes, **options: str) -> list[str]:
    return [device for batch in read(data, **options) for device in batch.devices]


def blank(data: bytes, **options: str) -> int:
    return sum(batch.blank for batch in read(data, **options))


# ---- plain lists ----


def test_list_takes_lines_literally():
    assert devices(b" pci:a \n# usb:b\n\xef\xbb\xbfx\nlast") == [" pci:a ", "# usb:b", "\ufeffx", "last"]


def test_list_skips_blank_lines_and_counts_them():
    data = b"\na\n\n\r\nb\n \n"
    assert devices(data) == ["a", "b", " "]
    assert blank(data) == 3


def test_list_strips_one_carriage_return():
    assert devices(b"a\r\nb\r\r\n\rc\n") == ["a", "b\r", "\rc"]


def test_byte_order_mark_is_no_part_of_the_first_device():
    assert devices(b"\xef\xbb\xbfpci:a\n") == ["pci:a"]


@pytest.mark.parametrize("data", [b"", b"\n", b"\xef\xbb\xbf"])
def test_empty_list(data: bytes):
    assert devices(data) == []


@given(st.lists(st.binary().filter(lambda line: b"\n" not in line and b"\r" not in line and line)))
def test_any_bytes_survive(lines: list[bytes]):
    found = devices(b"".join(line + b"\n" for line in lines), format="list")
    if lines and lines[0].startswith(b"\xef\xbb\xbf"):
        lines[0] = lines[0][3:]
    assert [device.encode("utf-8", "surrogateescape") for device in found] == [line for line in lines if line]


def test_blocks_end_at_lines(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "BLOCK_SIZE", 7)
    lines = [f"usb:v{number}é" for number in range(100)]
    assert devices("\n".join(lines).encode()) == lines


def test_endless_line_is_refused_before_memory_is_full():
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int) -> bytes:
            self.given += size
            return b"x" * size

    stream = Endless()
    with pytest.raises(InventoryError, match="longer than"):
        Inventory(stream, "devices")
    assert stream.given <= 2 * reading.LONGEST_RECORD


# ---- CSV ----


def test_csv_keeps_other_columns():
    data = b'host,modalias,note\nh1,"of:Ca,b","say ""hi""\ntwice"\nh2,pci:a,\n'
    found = read(data)
    assert (found.format, found.columns) == ("csv", ("host", "note"))
    (batch,) = found
    assert batch.devices == ["of:Ca,b", "pci:a"]
    assert batch.cells == [["h1", 'say "hi"\ntwice'], ["h2", ""]]


def test_csv_with_one_column_has_no_cells():
    (batch,) = read(b"\xef\xbb\xbfmodalias\r\npci:a\r\n\r\npci:b\r\n")
    assert (batch.devices, batch.cells, batch.blank) == (["pci:a", "pci:b"], None, 1)


def test_csv_batches(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lists, "BATCH_ROWS", 3)
    data = b"modalias,n\n" + b"".join(b"pci:%d,%d\n" % (n, n) for n in range(8))
    batches = list(read(data))
    assert [len(batch.devices) for batch in batches] == [3, 3, 2]
    assert [cell for batch in batches for cell in batch.cells] == [[str(n)] for n in range(8)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"host,device\nh,pci:a\n", "no column named 'modalias'.*its columns are: host, device"),
        (b"", "no column named 'modalias'.*none"),
        (b"modalias,modalias\n", "several columns named"),
        (b"modalias,host,host\n", "the header names a column twice"),
        (b"host,modalias\nh,pci:a\nh2\n", "record 2 has 1 fields, the header has 2"),
        (b"host,modalias\nh,pci:a,x\n", "record 1 has 3 fields"),
        (b'host,modalias\nh,"pci:a"x\n', "line 2: "),
        (b'host,modalias\nh,"pci:a\n', "line 2: "),
    ],
)
def test_bad_csv(data: bytes, message: str):
    with pytest.raises(InventoryError, match=f"^devices: {message}"):
        devices(data, format="csv")


def test_ragged_record_is_counted_from_the_first(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lists, "BATCH_ROWS", 2)
    with pytest.raises(InventoryError, match="record 6 "):
        devices(b"modalias,n\n" + b"a,1\n" * 5 + b"a\n")


# ---- JSON Lines ----


def test_json_lines():
    data = b'{"host": "h", "modalias": "pci:a", "n": 1}\n\n"usb:b"\n{"modalias": "x\\u00e9", "o": [null]}\r\n'
    found = read(data)
    assert (found.format, found.columns) == ("jsonl", ("host", "n"))
    (batch,) = found
    assert batch.devices == ["pci:a", "usb:b", "xé"]
    assert batch.records == [{"host": "h", "n": 1}, {}, {"o": [None]}]
    assert batch.blank == 1


def test_json_odd_bytes_raw_or_as_python_escapes_them():
    assert devices(b'"a\xff"\n"a\\udcff"\n', format="jsonl") == ["a\udcff", "a\udcff"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"modalias": ', "Expecting value"),
        (b'{"modalias": "a"} x', "Extra data"),
        (b'{"device": "a", "host": 1}', "no key 'modalias'; its keys are: device, host"),
        (b'{"modalias": null}', "the value of 'modalias' is not a string, but null"),
        (b'{"modalias": 3}', "not a string, but a number"),
        (b'["pci:a"]', "neither an object nor a string, but an array"),
        (b"true", "neither an object nor a string, but a truth value"),
        (b'{"modalias": "a", "x": NaN}', "NaN is not JSON"),
        (b'{"modalias": "a", "x": 1e999}', "1e999 is beyond"),
        (b'{"modalias": "a\\ud800"}', "half a character"),
        (b'{"modalias": "a", "x": {"\\ud800": 1}}', "half a character"),
        (b"[" * 100_000, "recursion"),
        (b'{"modalias": "a", "x": ' + b"1" * 5000 + b"}", "digits"),
    ],
)
def test_bad_json_names_the_line(line: bytes, message: str):
    with pytest.raises(InventoryError, match=f"^devices: line 3: .*{message}"):
        devices(b'"pci:a"\n\n' + line + b"\n", format="jsonl")


def test_json_batches(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lists, "BATCH_ROWS", 2)
    data = b"".join(json.dumps({"modalias": str(n), "n": n}).encode() + b"\n" for n in range(5))
    batches = list(read(data))
    assert [len(batch.devices) for batch in batches] == [2, 2, 1]
    assert [record["n"] for batch in batches for record in batch.records] == [0, 1, 2, 3, 4]


# ---- which form it is ----


@pytest.mark.parametrize(
    ("name", "data", "form"),
    [
        ("a.csv", b"modalias\n", "csv"),
        ("a.csv.gz", b"modalias\n", "csv"),
        ("a.jsonl", b"", "jsonl"),
        ("a.ndjson.xz", b"", "jsonl"),
        ("a.json", b"", "jsonl"),
        ("a.txt", b"pci:a,modaliases\n", "list"),
        ("a", b"of:NaT(null)Ca,b\n", "list"),
        ("a", b"host,modalias\n", "csv"),
        ("a", b'"modalias","host"\n', "csv"),
        ("a", b'{"modalias": "a"}\n', "jsonl"),
        ("a", b'"pci:a"\n', "jsonl"),
        ("a", b"", "list"),
    ],
)
def test_form_by_name_then_by_first_line(name: str, data: bytes, form: str):
    assert Inventory(io.BytesIO(data), name).format == form


def test_column_of_choice():
    assert read(b"host,id\nh,pci:a\n", column="id").format == "csv"
    assert devices(b'{"id": "pci:a"}\n', column="id") == ["pci:a"]


# ---- files ----


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress)],
)
def test_files(tmp_path: Path, suffix: str, compress):
    path = tmp_path / f"devices.txt{suffix}"
    path.write_bytes(compress(b"pci:a\npci:b\n"))
    with open_inventory(path) as found:
        assert [batch.devices for batch in found] == [["pci:a", "pci:b"]]
        assert found.fraction() == 1.0


def test_no_fraction_without_a_size():
    assert read(b"pci:a\n").fraction() is None


@pytest.mark.parametrize(
    ("suffix", "compress"), [(".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress)]
)
@pytest.mark.parametrize("damage", ["cut", "other", "flip"])
def test_damaged_compression(tmp_path: Path, suffix: str, compress, damage: str):
    whole = compress(b"pci:v00008086\n" * 1000)
    data = {
        "cut": whole[:-9],
        "other": b"pci:a\n",
        "flip": whole[:40] + bytes([whole[40] ^ 0xFF]) + whole[41:],
    }
    path = tmp_path / f"devices{suffix}"
    path.write_bytes(data[damage])
    with pytest.raises(InventoryError, match="compressed data are damaged"), open_inventory(path) as found:
        list(found)


def test_missing_file(tmp_path: Path):
    with pytest.raises(FileAccessError, match="check the name"), open_inventory(tmp_path / "none"):
        pass


def test_directory_that_is_no_sysfs(tmp_path: Path):
    with pytest.raises(InventoryError, match="expected /sys or a root"), open_inventory(tmp_path):
        pass
