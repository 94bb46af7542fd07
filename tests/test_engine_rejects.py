"""Rows that DuckDB cannot read: kept aside as they were, of every format, in one file and in parts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from support.fleet import fleet_rows, write_parquet

import pyalias
from pyalias.cli import main
from pyalias.engines.files import Part, connect, open_files
from pyalias.engines.rejects import rejects_of

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.usefixtures("place")

INDEX = pyalias.AliasIndex.compile([("pci:v1d*", "one"), ("pci:v1d2*", "two"), ("é*", "odd")])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a compiled index, to work in."""
    monkeypatch.chdir(tmp_path)
    INDEX.save("i.pyalias")
    return tmp_path


def scan(*arguments: str) -> int:
    return main(["scan", *arguments, "--index", "i.pyalias", "-q"])


def rejects(path: str = "bad.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text("ascii").splitlines()]


def as_bytes(found: Sequence[dict[str, Any]]) -> list[tuple[int, bytes]]:
    return [(row["record"], row["entry"].encode("utf-8", "surrogateescape")) for row in found]


GOOD = b'{"modalias": "pci:v1d2", "n": [1,  2.50], "s": "a\\u00e9\\n", "a/b~": null, "k": {"b" : true}}\n'
BAD: list[bytes] = [
    b'{"modalias": ',
    b'["pci:v1d2"]',
    b'"pci:v1d2"',
    b'{"modalias": "pci:v1\xff"}',
    b'{"modalias": "\x02\x03"}',
    b'{"modalias": "\x02"}',
    b"\xe9",
    b"x" * 200,
]


def write_json(path: str) -> list[tuple[int, bytes]]:
    """Good rows by the thousand, bad ones and blank lines among them; the numbers of the bad ones."""
    lines: list[bytes] = []
    wanted = []
    for bad in BAD * 3:
        lines += [GOOD] * 1500 + [b"\n", b" \t \n", bad + b"\n"]
        wanted.append((len(lines), bad))
    data = b"".join(lines) + b'{"modalias": "\xc3\xa9", "late": 1}\r\n' + b'{"late": 2}'
    Path(path).write_bytes(gzip.compress(data, 1) if path.endswith(".gz") else data)
    return wanted


@pytest.mark.parametrize("path", ["d.jsonl", "d.jsonl.gz"])
def test_json_lines(path: str):
    wanted = write_json(path)
    arguments = [
        "--engine",
        "duckdb",
        "--rejects",
        "bad.jsonl",
        "--summary-json",
        "s.json",
        "-o",
        "out.jsonl",
    ]
    assert scan(path, *arguments) == 0
    assert as_bytes(rejects()) == wanted
    counts = json.loads(Path("s.json").read_text("utf-8"))
    names = ("devices", "matched", "null", "rejected")
    assert tuple(counts[name] for name in names) == (1500 * 24 + 2, 1500 * 24 + 1, 1, 24)
    rows = [json.loads(line) for line in Path("out.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == 36002
    assert rows[0] == rows[35_999] == {
        "n": [1, 2.5], "s": "aé\n", "a/b~": None, "k": {"b": True}, "late": None,
        "device": "pci:v1d2", "modules": ["one", "two"], "error": None,
    }  # fmt: skip
    assert (rows[36_000]["late"], rows[36_000]["modules"]) == (1, ["odd"])
    assert rows[36_001] == dict.fromkeys(rows[36_001]) | {"late": 2, "modules": rows[36_001]["modules"]}


def test_reasons():
    write_json("d.jsonl")
    scan("d.jsonl", "--engine", "duckdb", "--rejects", "bad.jsonl", "-o", "out.csv")
    reasons = [row["reason"] for row in rejects()]
    assert reasons[0].startswith("not JSON: Expecting value")
    assert reasons[1:4] == ["not an object", "not an object", "not UTF-8: invalid start byte at byte 20"]
    assert {row["source"] for row in rejects()} == {"d.jsonl"}


@pytest.mark.parametrize("target", ["jsonl", "csv", "parquet"])
def test_without_bad_rows_the_output_is_the_same(target: str):
    lines = (
        GOOD
        + b'{"n": 3, "modalias": "pci:v1d7", "x": "null"}\n{"x": null}\n\n{"modalias": 5, "q\\"k": "v"}\n'
    )
    Path("d.jsonl").write_bytes(lines * 3000)
    assert scan("d.jsonl", "--engine", "duckdb", "-o", f"a.{target}") == 0
    assert scan("d.jsonl", "--engine", "duckdb", "-o", f"b.{target}", "--rejects", "bad.jsonl") == 0
    assert rejects() == []
    if target == "parquet":
        assert pq.read_table("a.parquet").equals(pq.read_table("b.parquet"))
    else:
        assert Path(f"a.{target}").read_bytes() == Path(f"b.{target}").read_bytes()


CSV_BAD = [
    (b"h,only\xff\n", b"h,only\xff"),  # of two columns, and no UTF-8
    (b"h,1,pci:v1\xe9\xff\n", b"h,1,pci:v1\xe9\xff"),
    (b"a,b,c,d\n", b"a,b,c,d"),
    (b"h,1\n", b"h,1"),
    (b'h,"un\nended"x,\xc3\xa9\n', b'h,"un\nended"x,\xc3\xa9'),
    (b"h," + b"x" * 30_000 + b"\n", b"h," + b"x" * 30_000),  # longer than DuckDB would keep
]


@pytest.mark.parametrize("path", ["d.csv", "d.csv.gz"])
def test_csv_rows_are_kept_byte_for_byte(path: str):
    good = b"h,1,pci:v1d2\n" * 400
    data = b"host,n,modalias\n" + b"".join(good + raw for raw, _ in CSV_BAD * 2) + good
    Path(path).write_bytes(gzip.compress(data, 1) if path.endswith(".gz") else data)
    arguments = ["--engine", "duckdb", "--rejects", "bad.jsonl", "--summary-json", "s.json", "-o", "out.csv"]
    assert scan(path, *arguments) == 0
    assert [raw for _, raw in as_bytes(rejects())] == [raw for _, raw in CSV_BAD] * 2
    assert rejects()[0]["record"] == 402
    counts = json.loads(Path("s.json").read_text("utf-8"))
    assert (counts["devices"], counts["rejected"]) == (400 * 13, 12)


def test_a_header_that_is_no_text(capsys: pytest.CaptureFixture[str]):
    Path("d.csv").write_bytes(b"modalias,h\xe9\na,1\n")
    assert scan("d.csv", "--engine", "duckdb", "--rejects", "bad.jsonl", "-o", "out.csv") == 3
    assert "d.csv: the header is not UTF-8" in capsys.readouterr().err


def test_a_parquet_file_has_no_rejects():
    write_parquet("d.parquet", fleet_rows(10))
    assert scan("d.parquet", "--rejects", "bad.jsonl", "-o", "out.csv") == 0
    assert rejects() == []
    assert len(Path("out.csv").read_text("utf-8").splitlines()) == 11


def test_a_file_that_changed_meanwhile_is_an_error():
    """Nothing is put into the wrong row's place."""
    write_json("d.jsonl")
    devices = open_files(["d.jsonl"], keep_rejects=True)
    with connect() as connection:
        connection.sql(devices.query(Part(devices.files))).fetchall()
        Path("d.jsonl").write_bytes(GOOD)
        with pytest.raises(pyalias.EngineError, match="6 rows that cannot be read are not found"):
            rejects_of(connection, devices, Part(devices.files))
        Path("d.csv").write_bytes(b"host,n,modalias\nh,1\xff\n")
        csv_file = open_files(["d.csv"], keep_rejects=True)
        connection.sql(csv_file.query(Part(csv_file.files))).fetchall()
        Path("d.csv").write_bytes(b"host,n,modalias\n")
        with pytest.raises(pyalias.PyaliasError, match="has changed while it was read"):
            rejects_of(connection, csv_file, Part(csv_file.files))


# ---- in parts ----


@pytest.mark.parametrize("workers", ["1", "2"])
def test_parts_have_their_rejects_in_one_file(workers: str):
    wanted = [("a.jsonl", *row) for row in write_json("a.jsonl")] + [("b.jsonl", 2, b"{")]
    Path("b.jsonl").write_bytes(GOOD + b"{\n")
    arguments = ["--workers", workers, "-o", "out/", "--summary-json", "s.json", "--rejects", "bad.jsonl"]
    assert scan("a.jsonl", "b.jsonl", *arguments) == 0
    found = [
        (Path(row["source"]).name, *rest) for row, rest in zip(rejects(), as_bytes(rejects()), strict=True)
    ]
    assert found == wanted
    assert json.loads(Path("s.json").read_text("utf-8"))["rejected"] == 25


def test_resuming_keeps_the_rejects_of_finished_parts(capsys: pytest.CaptureFixture[str]):
    for name in ("a.jsonl", "b.jsonl"):
        Path(name).write_bytes(GOOD + b"{\n")
    arguments = ["a.jsonl", "b.jsonl", "-o", "out/", "--rejects", "bad.jsonl"]
    assert scan(*arguments) == 0
    whole = Path("bad.jsonl").read_bytes()
    Path("bad.jsonl").unlink()
    Path("out/part-00001.parquet").unlink()
    assert scan(*arguments, "--resume") == 0
    assert Path("bad.jsonl").read_bytes() == whole
    assert scan("a.jsonl", "b.jsonl", "-o", "out/", "--resume") == 3  # without --rejects it is another scan
    capsys.readouterr()
    Path("out/.part-00000.rejects.jsonl").unlink()
    assert scan(*arguments, "--resume") == 3
    assert "remove part-00000.parquet and go on with --resume" in capsys.readouterr().err
