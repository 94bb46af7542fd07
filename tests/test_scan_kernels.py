"""Scans of devices on several kernels: the kernel by a column, on every path that a scan can take."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pyalias
from pyalias import AliasIndex, AliasIndexSet, ColumnError, KernelCounts, LimitError, UnknownKernelError
from pyalias.cli import main
from pyalias.engines import match_batches
from pyalias.engines.files import open_files
from pyalias.engines.job import Job, in_processes, in_this_process

ONE = AliasIndex.compile([("a*", "one"), ("b*", "two"), ("x*", "x" * 3000)])
OTHER = AliasIndex.compile([("a*", "two"), ("c*", "one"), ("a?", "three")])
KERNELS = AliasIndexSet.from_kernels({"6.1": ONE, "6.12": OTHER})
LONG = "x" + "y" * 4000
ROWS = [
    ("h1", "6.1", "ax", ["one"], None),
    ("h1", "6.1", "zz", [], None),
    ("h2", "6.12", "ax", ["two", "three"], None),
    ("h2", "6.12", "bx", [], None),
    ("h3", "5.10", "ax", None, "UNKNOWN_KERNEL"),
    ("h3", "5.10", "zz", None, "UNKNOWN_KERNEL"),
    ("h4", "", "ax", None, "UNKNOWN_KERNEL"),
    ("h2", "6.12", "a]", [], "EINVAL"),
    ("h1", "6.1", "a]", [], "EINVAL"),
    ("h1", "6.1", LONG, [], "ENAMETOOLONG"),
    ("h2", "6.12", LONG, [], None),
    ("h1", "6.1", "ax", ["one"], None),
]
COUNTS = {
    "6.1": KernelCounts(5, 2, 1, 2),
    "6.12": KernelCounts(4, 1, 2, 1),
    "5.10": KernelCounts(2, unknown=2),
    "": KernelCounts(1, unknown=1),
}

pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a set and a fleet, to work in."""
    monkeypatch.chdir(tmp_path)
    KERNELS.save("set.pyalias")
    with Path("d.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [("host", "kernel", "modalias"), *(row[:3] for row in ROWS)]
        )
    lines = [
        json.dumps({"host": host, "kernel": kernel, "modalias": device}) for host, kernel, device, *_ in ROWS
    ]
    Path("d.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    pq.write_table(table(), "d.parquet", row_group_size=5)
    return tmp_path


def table() -> pa.Table:
    hosts, kernels, devices, *_ = zip(*ROWS, strict=True)
    return pa.table({"host": hosts, "kernel": kernels, "modalias": devices})


def scan(*arguments: str) -> int:
    return main(["scan", *arguments, "--index", "set.pyalias"])


def by_kernel(*arguments: str) -> int:
    return scan(*arguments, "--kernel-column", "kernel", "-q", "--summary-json", "summary.json")


def check_summary() -> dict[str, Any]:
    summary = json.loads(Path("summary.json").read_text("utf-8"))
    assert summary["kernels"] == {name: counts._asdict() for name, counts in COUNTS.items()}
    numbers = [summary[name] for name in ("devices", "matched", "unmatched", "invalid", "unknown")]
    assert numbers == [12, 3, 3, 3, 3]
    assert {entry["module"]: entry["devices"] for entry in summary["top_modules"]} == {
        "one": 2,
        "two": 1,
        "three": 1,
    }
    return summary


WANTED = [
    {"host": host, "kernel": kernel, "device": device, "modules": modules, "error": error}
    for host, kernel, device, modules, error in ROWS
]


def rows_of(path: str) -> list[dict[str, Any]]:
    if path.endswith("parquet"):
        return pq.read_table(path).to_pylist()
    return [{"error": None} | json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]


# ---- one file ----


@pytest.mark.parametrize("engine", ["plain", "duckdb"])
@pytest.mark.parametrize("source", ["d.csv", "d.jsonl"])
def test_each_device_on_its_kernel(source: str, engine: str):
    assert by_kernel(source, "-o", "out.jsonl", "--engine", engine) == 0
    assert rows_of("out.jsonl") == WANTED
    check_summary()


def test_csv_of_both_engines():
    for engine in ("plain", "duckdb"):
        assert by_kernel("d.csv", "-o", f"{engine}.csv", "--engine", engine) == 0
        check_summary()
    assert Path("plain.csv").read_bytes() == Path("duckdb.csv").read_bytes()
    with Path("plain.csv").open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert [row["modules"].split() for row in found] == [modules or [] for *_, modules, _ in ROWS]
    assert [row["error"] or None for row in found] == [row[4] for row in ROWS]


def test_parquet():
    assert by_kernel("d.parquet", "-o", "out.parquet") == 0
    assert rows_of("out.parquet") == WANTED
    check_summary()


def test_records_of_other_kinds():
    """A number is the text that it was in the file; a record without the key names no kernel."""
    lines = ['{"kernel": 6.1, "modalias": "ax"}', '{"kernel": null, "modalias": "ax"}', '{"modalias": "ax"}', '"ax"']  # noqa: E501 # fmt: skip
    Path("odd.jsonl").write_text("\n".join(lines[:3]) + "\n")
    for engine in ("plain", "duckdb"):
        assert by_kernel("odd.jsonl", "-o", "out.jsonl", "--engine", engine) == 0
        found = rows_of("out.jsonl")
        assert [row["modules"] for row in found] == [["one"], None, None]
        assert [row.get("kernel") for row in found] == [6.1, None, None]
        assert json.loads(Path("summary.json").read_text())["kernels"][""]["unknown"] == 2
    Path("odd.jsonl").write_text("\n".join(lines) + "\n")
    assert by_kernel("odd.jsonl", "-o", "out.jsonl") == 0
    assert [row["error"] for row in rows_of("out.jsonl")] == [None, *["UNKNOWN_KERNEL"] * 3]


def test_partial_devices_on_their_kernels():
    device = "pci:v00008086d*sv*sd*bc02sc00i00"
    kernels = {"1": [("pci:v00008086d*", "one")], "2": [("pci:v00008086d00000001sv*", "two")]}
    AliasIndexSet.from_kernels({name: AliasIndex.compile(some) for name, some in kernels.items()}).save(
        "set.pyalias"
    )
    Path("p.csv").write_text("kernel,modalias\n" + "".join(f"{name},{device}\n" for name in "123"))
    assert by_kernel("p.csv", "--partial", "-o", "out.jsonl") == 0
    found = rows_of("out.jsonl")
    assert [(row["error"], row.get("state")) for row in found] == [
        ("PARTIAL", "certain"), ("PARTIAL", "possible"), ("UNKNOWN_KERNEL", None)]  # fmt: skip
    summary = json.loads(Path("summary.json").read_text())
    assert [summary["kernels"][name]["partial"] for name in "123"] == [1, 1, 0]
    assert [summary[name] for name in ("devices", "partial", "unknown", "unmatched")] == [3, 2, 1, 0]


@pytest.mark.parametrize("engine", ["plain", "duckdb"])
def test_one_kernel_of_a_set(engine: str):
    assert scan("d.csv", "--kernel", "6.12", "-q", "-o", "set.csv", "--engine", engine) == 0
    OTHER.save("one.pyalias")
    assert main(["scan", "d.csv", "--index", "one.pyalias", "-q", "-o", "one.csv", "--engine", engine]) == 0
    assert Path("set.csv").read_bytes() == Path("one.csv").read_bytes()


def test_what_the_summary_prints(capsys: pytest.CaptureFixture[str]):
    for engine in ("plain", "duckdb"):
        assert scan("d.csv", "--kernel-column", "kernel", "-o", "out.csv", "--engine", engine) == 0
        printed = capsys.readouterr().err
        assert "kernel       6.1: 5 devices, 40.0% matched\n" in printed
        assert "not in set   5.10 2, (none named) 1\n" in printed
        assert "unmatched    3 (25.0%)\n" in printed


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert scan(*arguments, "-q", "-o", "out.csv") == 3
    message = capsys.readouterr().err
    assert message.startswith("pyalias: ")
    assert message.count("\n") == 1
    assert not Path("out.csv").exists()
    return message


def test_what_is_refused(capsys: pytest.CaptureFixture[str]):
    assert "name one with --kernel, of 6.1, 6.12" in refused(capsys, "d.csv")
    assert "no kernel '7.0' in set.pyalias; there are: 6.1, 6.12" in refused(
        capsys, "d.csv", "--kernel", "7.0"
    )
    assert "and no --kernel" in refused(capsys, "d.csv", "--kernel-column", "kernel", "--kernel", "6.1")
    for engine in ("plain", "duckdb"):
        assert "no column named 'k'" in refused(capsys, "d.csv", "--kernel-column", "k", "--engine", engine)
    ONE.save("set.pyalias")
    assert "found an index of one kernel" in refused(capsys, "d.csv", "--kernel-column", "kernel")
    assert "found an index of one kernel" in refused(capsys, "d.csv", "--kernel", "6.1")
    assert main(["scan", "d.csv", "--kernel-column", "kernel"]) == 3
    assert "wants a set of kernels as --index" in capsys.readouterr().err


@pytest.mark.parametrize("engine", ["plain", "duckdb"])
def test_a_damaged_kernel(engine: str, capsys: pytest.CaptureFixture[str]):
    damaged = bytearray(Path("set.pyalias").read_bytes())
    damaged[-5] ^= 1
    Path("set.pyalias").write_bytes(damaged)
    message = refused(capsys, "d.csv", "--kernel-column", "kernel", "--engine", engine)
    assert "set.pyalias, kernel 6.12: " in message


def test_a_set_cut_short(capsys: pytest.CaptureFixture[str]):
    Path("set.pyalias").write_bytes(Path("set.pyalias").read_bytes()[:-100])
    assert "cut short or damaged" in refused(capsys, "d.csv", "--kernel-column", "kernel")


def test_sql_sees_the_columns_of_the_input():
    for source in ("d.jsonl", "d.parquet"):
        assert by_kernel(source, "--sql", "SELECT * FROM devices", "-o", "out.parquet") == 0
        assert pq.read_schema("out.parquet").names == ["host", "kernel", "modalias", "modules", "error"]


# ---- in parts ----


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_in_parts(form: str):
    """Whoever writes the parts, and when: the rows and the counts of one file."""
    for name, workers in (("one/", "1"), ("two/", "2")):
        assert by_kernel("d.parquet", "-o", name, "--workers", workers, "--output-format", form) == 0
        check_summary()
    names = sorted(path.name for path in Path("one").glob("part-*"))
    assert names == [f"part-00000.{form}"]
    assert [Path("one", name).read_bytes() for name in names] == [
        Path("two", name).read_bytes() for name in names
    ]
    assert rows_of(f"one/{names[0]}") == WANTED
    Path("one", names[0]).unlink()
    assert by_kernel("d.parquet", "-o", "one/", "--resume", "--output-format", form) == 0
    check_summary()
    assert Path("one", names[0]).read_bytes() == Path("two", names[0]).read_bytes()


def test_a_job_is_of_its_kernel_column():
    devices = open_files(["d.parquet"], kernel_column="kernel")
    job = Job(KERNELS, devices, "out", "jsonl", resume=False)
    assert job.run(in_processes(2)).kernels == COUNTS
    assert Job(KERNELS, devices, "out", "jsonl", resume=True).run(in_this_process).kernels == COUNTS
    other = open_files(["d.parquet"], kernel_column="host")
    with pytest.raises(pyalias.EngineError, match="differs in: kernel_column"):
        Job(KERNELS, other, "out", "jsonl", resume=True)
    with pytest.raises(pyalias.EngineError, match="differs in: index"):
        Job(AliasIndexSet.from_kernels({"6.1": ONE}), devices, "out", "jsonl", resume=True)


# ---- batches ----


@pytest.mark.parametrize("text", [pa.string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())])
def test_batches(text: pa.DataType):
    kernels = [row[1] or None for row in ROWS]
    given = table().set_column(1, "kernel", pa.array(kernels).cast(text))
    kinds = {"t": "text", "l": "list", "i": "id", "e": "error"}
    matched = match_batches(KERNELS, given, kernel_column="kernel", add=kinds)
    found = pa.table(matched)
    assert found["l"].to_pylist() == [modules for *_, modules, _ in ROWS]
    assert found["t"].to_pylist() == [
        None if modules is None else " ".join(modules) for *_, modules, _ in ROWS
    ]
    assert found["e"].to_pylist() == [error for *_, error in ROWS]
    ids = matched.answers.table()
    assert [None if i is None else list(ids[i]) for i in found["i"].to_pylist()] == [row[3] for row in ROWS]
    assert matched.answers.kernels == COUNTS
    assert (matched.answers.unknown, matched.answers.nulls, matched.answers.invalid) == (3, 3, 3)
    assert matched.answers.totals() == {("one",): 2, ("two", "three"): 1, (): 3}


def test_batches_of_one_kernel_and_of_frames():
    matched = match_batches(KERNELS, table(), kernel="6.1")
    assert pa.table(matched)["modules"][2].as_py() == "one"
    assert matched.answers.kernels == {"6.1": KernelCounts(12, 6, 2, 4)}
    frame = pl.DataFrame(match_batches(KERNELS, pl.DataFrame(table()), kernel_column="kernel"))
    assert frame["error"].to_list() == [error for *_, error in ROWS]


def test_batches_that_are_refused():
    for options in ({}, {"kernel": "6.1", "kernel_column": "kernel"}):
        with pytest.raises(LimitError, match="2 kernels"):
            match_batches(KERNELS, table(), **options)
    for options in ({"kernel": "6.1"}, {"kernel_column": "kernel"}):
        with pytest.raises(LimitError, match="of one kernel"):
            match_batches(ONE, table(), **options)
    with pytest.raises(UnknownKernelError):
        match_batches(KERNELS, table(), kernel="7")
    with pytest.raises(ColumnError, match="no column named 'k'"):
        match_batches(KERNELS, table(), kernel_column="k")
    with pytest.raises(ColumnError, match="column of strings"):
        match_batches(KERNELS, pa.table({"modalias": ["a"], "kernel": [1]}), kernel_column="kernel")


# ---- compile and lookup ----


def test_compile_a_set(kernel_dirs: dict[str, Path], capsys: pytest.CaptureFixture[str]):
    small = "6.12.117-cloud-amd64"
    directory = str(kernel_dirs[small])
    assert main(["compile", directory, f"twin={directory}", "-o", "made.pyalias"]) == 0
    assert "made.pyalias: 2 kernels, " in capsys.readouterr().err
    made = AliasIndexSet.open("made.pyalias")
    assert list(made) == [small, "twin"]
    assert made["twin"] is made[small]
    assert main(["compile", "made.pyalias", "old=one.pyalias", "-o", "made.pyalias"]) == 3
    ONE.save("one.pyalias")
    Path("k=v.alias").write_text("alias q* m\n")
    sources = ["made.pyalias", "old=one.pyalias", "one.pyalias", "k=v.alias"]
    assert main(["compile", *sources, "-o", "made.pyalias", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["kernels"]) == [small, "twin", "old", "one", "k=v.alias"]
    assert AliasIndexSet.open("made.pyalias").lookup("old", "ax") == ("one",)
    assert main(["compile", "one.pyalias", "x/../one.pyalias", "-o", "made.pyalias"]) == 3
    assert main(["compile", "one.pyalias", "./one.pyalias", "-o", "made.pyalias"]) == 3
    assert "a kernel 'one' already: name it, as in other=./one.pyalias" in capsys.readouterr().err
    assert main(["compile", "--set", directory, "-o", "made.pyalias"]) == 0
    assert list(AliasIndexSet.open("made.pyalias")) == [small]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("linux-image-6.1.deb", "linux-image-6.1"),
        ("a/modules-6.1.tar.xz", "modules-6.1"),
        ("6.12.0-amd64", "6.12.0-amd64"),
    ],
)
def test_names_of_sources(source: str, name: str):
    from pyalias.cli.compile import _name_of

    assert _name_of(source) == name


def test_lookup_in_a_set(capsys: pytest.CaptureFixture[str]):
    for command in (["lookup"], ["explain"], ["lookup", "--json"]):
        assert main([*command, "--index", "set.pyalias", "--kernel", "6.12", "ax"]) == 0
        assert "two" in capsys.readouterr().out
    assert main(["lookup", "--index", "set.pyalias", "--kernel", "6.12", "nope"]) == 1
    assert "not found in index set.pyalias, kernel 6.12" in capsys.readouterr().err
    assert main(["lookup", "--index", "set.pyalias", "ax"]) == 3
    assert "holds several kernels: name one with --kernel, of 6.1, 6.12" in capsys.readouterr().err
    assert main(["lookup", "--index", "set.pyalias", "--kernel", "7", "ax"]) == 3
    assert "no kernel '7'" in capsys.readouterr().err
