"""The scan pipeline: rows, counts, and libkmod's recorded answers through all of it."""

from __future__ import annotations

import csv
import io
import json
import resource
import stat
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from support.partial_cases import brute_force, partial_cases
from support.tables import EXPECTED, GOLDEN, Table, read_answers

import pyalias
from pyalias.atomic_file import AtomicFile
from pyalias.errors import FileAccessError, InventoryError
from pyalias.inventory import Inventory
from pyalias.scan import Summary, scan
from pyalias.scan_rows import make_row_writer

if TYPE_CHECKING:
    from pathlib import Path

INDEX = pyalias.AliasIndex.compile(
    [
        ("pci:v1d*", "one"),
        ("pci:v1d2*", "two"),
        ("pci:v1*", "one"),
        ("of:N*T*Ca,b", "three"),
        ("*\udcff", "odd"),
    ]
)
ONE_TWO = "one one two"  # all lines of a module stand where its first one does


def run(
    data: bytes, output_format: str = "csv", index: pyalias.AliasIndex = INDEX, **options: Any
) -> tuple[str, Summary]:
    found = Inventory(io.BytesIO(data), "devices", **options)
    output = io.BytesIO()
    rows = make_row_writer(output_format, found.columns, partial=found.partial)
    summary = scan(index, found, rows, output.write)
    return output.getvalue().decode("utf-8", "surrogateescape"), summary


# ---- rows ----


def test_list_to_csv():
    text, _ = run(b"pci:v1d2\nof:NnT(null)Ca,b\nnone\npci:v1d2\n")
    assert text == (
        f'device,modules,error\npci:v1d2,{ONE_TWO},\n"of:NnT(null)Ca,b",three,\nnone,,\npci:v1d2,{ONE_TWO},\n'
    )


def test_list_to_json_lines():
    text, _ = run(b'pci:v1d2\nsay "x"\na]\n', "jsonl")
    assert [json.loads(line) for line in text.splitlines()] == [
        {"device": "pci:v1d2", "modules": ["one", "one", "two"]},
        {"device": 'say "x"', "modules": []},
        {"device": "a]", "modules": [], "error": "EINVAL"},
    ]


def test_refused_rows_in_csv():
    text, summary = run(b"a]\npci:v1d2\na[\n")
    assert text == f"device,modules,error\na],,EINVAL\npci:v1d2,{ONE_TWO},\na[,,EINVAL\n"
    assert (summary.invalid, summary.matched, summary.unmatched) == (2, 1, 0)


def test_name_too_long_is_told_from_stray_brackets():
    text, summary = run(b"pci:v1" + b"x" * 5000 + b"\n")
    assert text.endswith(",,ENAMETOOLONG\n")
    assert summary.invalid == 1


CSV_INPUT = b'host,modalias,n\n"h,1",pci:v1d2,01\nh2,none,\n'
JSON_INPUT = (
    b'{"host": "h,1", "modalias": "pci:v1d2", "n": [1, 2.50]}\n'
    b'{"n": null, "host": "h2", "modalias": "none"}\n'
    b'{"modalias": "x"}\n'
)


def test_other_columns_of_csv_stand_in_front():
    text, _ = run(CSV_INPUT)
    assert list(csv.reader(io.StringIO(text))) == [
        ["host", "n", "device", "modules", "error"],
        ["h,1", "01", "pci:v1d2", ONE_TWO, ""],
        ["h2", "", "none", "", ""],
    ]


def test_csv_to_json_lines():
    text, _ = run(CSV_INPUT, "jsonl")
    first, second = map(json.loads, text.splitlines())
    assert list(first) == ["host", "n", "device", "modules"]
    assert first == {"host": "h,1", "n": "01", "device": "pci:v1d2", "modules": ["one", "one", "two"]}
    assert second == {"host": "h2", "n": "", "device": "none", "modules": []}


def test_other_keys_of_json_lines_stand_in_front():
    text, _ = run(JSON_INPUT, "jsonl")
    rows = [json.loads(line) for line in text.splitlines()]
    assert list(rows[0]) == ["host", "n", "device", "modules"]
    assert rows[0]["n"] == [1, 2.5]
    assert rows[1] == {"n": None, "host": "h2", "device": "none", "modules": []}
    assert rows[2] == {"device": "x", "modules": []}


def test_json_lines_to_csv_by_name_of_the_key():
    text, _ = run(JSON_INPUT, "csv")
    assert list(csv.reader(io.StringIO(text))) == [
        ["host", "n", "device", "modules", "error"],
        ["h,1", "[1, 2.5]", "pci:v1d2", ONE_TWO, ""],
        ["h2", "", "none", "", ""],
        ["", "", "x", "", ""],
    ]


@pytest.mark.parametrize("first", [b'{"modalias": "a", "host": 1}', b'"a"'])
def test_csv_never_drops_a_key_that_the_first_record_lacks(first: bytes):
    with pytest.raises(InventoryError, match="'b' has the key new"):
        run(first + b'\n{"modalias": "b", "new": 1}\n', "csv", format="jsonl")


@pytest.mark.parametrize("name", ["device", "modules", "error"])
def test_no_column_is_written_twice(name: str):
    with pytest.raises(InventoryError, match=f"rename them: {name}"):
        run(f"modalias,{name}\n".encode())
    with pytest.raises(InventoryError, match=f"rename them: {name}"):
        run(b'{"modalias": "x"}\n{"modalias": "x", "%s": 1}\n' % name.encode(), "jsonl")


def test_output_can_be_scanned_again():
    text, summary = run(b"pci:v1d2\na,b\n", "csv")
    with pytest.raises(InventoryError, match="rename them: error, modules"):
        run(text.encode(), column="device")
    assert summary.devices == 2


def test_odd_bytes_are_written_as_they_were_read():
    line = b"x\x80\xfe\xc3\xa9\xff"
    for output_format in ("csv", "jsonl"):
        text, summary = run(line + b"\n", output_format)
        assert line in text.encode("utf-8", "surrogateescape")
        assert summary.modules == {"odd": 1}


@pytest.mark.parametrize(("output_format", "header"), [("csv", "device,modules,error\n"), ("jsonl", "")])
@pytest.mark.parametrize("form", ["list", "jsonl"])
def test_empty_input(output_format: str, header: str, form: str):
    text, summary = run(b"", output_format, format=form)
    assert text == header
    assert summary[:6] == (0, 0, 0, 0, 0, 0)


# ---- numbers ----


def test_summary():
    _, summary = run(b"pci:v1d2\npci:v1d2\n\npci:v1\nof:NT*Ca,b\nnone\na]\na]\n")
    assert summary[:6] == (7, 5, 4, 1, 2, 1)
    # A device counts once for a module, however often its answer repeats the name; ties stand by name.
    assert list(summary.modules.items()) == [("one", 3), ("two", 2), ("three", 1)]
    assert summary.rate > 0


def test_batches_do_not_change_anything(monkeypatch: pytest.MonkeyPatch):
    lines = [f"pci:v1d{number % 7}" for number in range(500)]
    data = ("modalias,n\n" + "".join(f"{line},x\n" for line in lines)).encode()
    whole, total = run(data)
    monkeypatch.setattr("pyalias.inventory.lists.BATCH_ROWS", 3)
    parts, again = run(data)
    assert parts == whole
    assert total[:7] == again[:7]


def test_progress_is_told_the_devices_so_far(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pyalias.inventory.lists.BATCH_ROWS", 2)
    found = Inventory(io.BytesIO(b"modalias\na\nb\nc\n"), "devices")
    seen: list[int] = []
    scan(INDEX, found, make_row_writer("csv", found.columns), lambda _: None, seen.append)
    assert seen == [2, 3]


# ---- devices of which not all ids are known ----


def test_partial_devices_answer_as_asking_for_every_device():
    """Rows and summary, beside the answers for all devices that each may be."""
    for case in partial_cases(12, 20, seed=7):
        index = case.index()
        data = "".join(f"{device}\n" for device in case.devices).encode()
        text, summary = run(data, "jsonl", index, format="list", partial=True)
        states: Counter[str] = Counter()
        for line, device in zip(text.splitlines(), case.devices, strict=True):
            row, truth = json.loads(line), brute_force(index, device)
            partial = "*" in device or "?" in device
            assert row.get("error") == ("PARTIAL" if partial else None)
            assert (row["device"], row["state"], set(row["modules"])) == (device, truth.state, truth.certain)
            assert set(row.get("possible", ())) == truth.possible
            states[truth.state if partial else f"known {truth.state}"] += 1
        numbers = summary.matched, summary.unmatched, summary.certain, summary.possible, summary.none
        kinds = "known certain", "known none", "certain", "possible", "none"
        assert numbers == tuple(states[kind] for kind in kinds)
        assert summary.partial == sum(numbers[2:])


NIC = "pci:v00008086d000015B7sv*sd*bc02sc00i*"
SPLIT = pyalias.AliasIndex.compile(
    [
        ("pci:v00008086d*sv*sd*bc*sc*i*", "always"),
        ("pci:v*d*sv*sd*bc02sc00i[0-7]*", "low"),
        ("pci:v*d*sv*sd*bc02sc00i[89A-F]*", "high"),
    ]
)


def test_rows_of_partial_devices():
    others = [
        "pci:v*d*sv*sd*bc02sc00i*",
        "pci:v*d*sv*sd*bc02sc*i*",
        "pci:v*d*sv*sd*bc03sc*i*",
        "pci:v*oops",
        "a",
    ]
    data = "".join(f"{text}\n" for text in [NIC, *others]).encode()
    text, summary = run(data, index=SPLIT, partial=True)
    assert text.splitlines() == [
        "device,modules,error,state,possible",
        f"{NIC},always,PARTIAL,certain,low high",
        f"{others[0]},,PARTIAL,certain,always low high",  # some module for each, and not one for all
        f"{others[1]},,PARTIAL,possible,always low high",
        f"{others[2]},,PARTIAL,possible,always",
        f"{others[3]},,EINVAL,,",
        "a,,,none,",
    ]
    assert (summary.certain, summary.possible, summary.none, summary.partial) == (2, 2, 0, 4)
    assert (summary.matched, summary.unmatched, summary.invalid) == (0, 1, 1)
    assert summary.modules == {"always": 1}
    as_json, _ = run(data, "jsonl", SPLIT, partial=True)
    assert json.loads(as_json.splitlines()[0]) == {
        "device": NIC,
        "modules": ["always"],
        "error": "PARTIAL",
        "state": "certain",
        "possible": ["low", "high"],
    }


def test_without_the_option_a_star_in_a_list_is_a_byte_as_for_libkmod():
    text, summary = run(f"{NIC}\n".encode(), index=SPLIT)
    assert text.splitlines() == ["device,modules,error", f"{NIC},{' '.join(SPLIT.lookup(NIC))},"]
    assert summary.partial == 0


def test_a_column_named_as_one_of_partial_devices_is_refused_where_there_are_any():
    data = b"state,modalias\nx,a\n"
    assert run(data)[0] == "state,device,modules,error\nx,a,,\n"
    with pytest.raises(InventoryError, match="rename them: state"):
        run(data, partial=True)
    with pytest.raises(InventoryError, match="rename them: possible"):
        run(b'{"modalias": "a"}\n{"modalias": "a", "possible": 1}\n', "jsonl", partial=True)


# ---- libkmod's answers through the whole pipeline ----


@pytest.mark.parametrize("output_format", ["csv", "jsonl"])
@pytest.mark.parametrize("table", [GOLDEN[1], *EXPECTED[:3]], ids=lambda table: table.name)
def test_recorded_answers(table: Table, output_format: str, indexes: dict[str, pyalias.AliasIndex]):
    # Without a colon it may be the name of a module, which libkmod answers before it asks the aliases.
    rows = [(key, answer) for key, answer in read_answers(table.path) if b":" in key and b"\r" not in key]
    data = b"".join(key + b"\n" for key, _ in rows)
    found = Inventory(io.BytesIO(data), "devices", format="list")
    output = io.BytesIO()
    scan(indexes[table.release], found, make_row_writer(output_format, ()), output.write)
    text = output.getvalue().decode("utf-8", "surrogateescape")
    assert len(rows) > 2500
    assert list(_answers(text, output_format)) == [
        (key.decode("utf-8", "surrogateescape"), a) for key, a in rows
    ]


def _answers(text: str, output_format: str):
    if output_format == "csv":
        for row in csv.DictReader(io.StringIO(text, newline="")):
            yield row["device"], 22 if row["error"] == "EINVAL" else tuple(row["modules"].split())
    else:
        for line in text.removesuffix("\n").split("\n"):
            record = json.loads(line)
            yield record["device"], 22 if record.get("error") == "EINVAL" else tuple(record["modules"])


# ---- files that are complete or not there ----


def test_atomic_file_appears_complete(tmp_path: Path):
    path = tmp_path / "out"
    with AtomicFile(path) as file:
        file.write(b"all")
        assert not path.exists()
    assert path.read_bytes() == b"all"
    assert list(tmp_path.iterdir()) == [path]


def _write_half(path: Path, error: type[BaseException]):
    with AtomicFile(path) as file:
        file.write(b"half")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_atomic_file_leaves_nothing_after_an_exception(tmp_path: Path, error: type[BaseException]):
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises(error):
        _write_half(path, error)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_file_has_the_permissions_of_any_new_file(tmp_path: Path):
    (tmp_path / "plain").write_bytes(b"")
    with AtomicFile(tmp_path / "atomic"):
        pass
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "atomic")}
    assert len(modes) == 1


def test_atomic_file_keeps_a_link_and_a_device(tmp_path: Path):
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    with AtomicFile(link) as file:
        file.write(b"x")
    assert link.is_symlink()
    assert target.read_bytes() == b"x"
    null = tmp_path / "null"
    null.symlink_to("/dev/null")
    with AtomicFile(null) as file:
        file.write(b"x")
    assert null.is_char_device()


def test_atomic_file_in_a_directory_that_is_missing(tmp_path: Path):
    with pytest.raises(FileAccessError, match="nothing was written"), AtomicFile(tmp_path / "none" / "out"):
        pass


def test_atomic_file_over_a_directory(tmp_path: Path):
    (tmp_path / "out").mkdir()
    with pytest.raises(FileAccessError, match="nothing was written"), AtomicFile(tmp_path / "out") as file:
        file.write(b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_full_disk_leaves_the_old_file(tmp_path: Path):
    """A limit on file size stands in for a full disk: the write fails half way."""
    out, devices = tmp_path / "out.csv", tmp_path / "devices.txt"
    out.write_bytes(b"old")
    devices.write_bytes(b"pci:v00008086d000010D3\n" * 20_000)
    index = tmp_path / "index"
    INDEX.save(index)
    done = subprocess.run(
        [sys.executable, "-m", "pyalias", "scan", devices, "--index", index, "-o", out],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.startswith("pyalias: ")
    assert done.stderr.count("\n") == 1
    assert out.read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"out.csv", "devices.txt", "index"}
