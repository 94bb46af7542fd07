"""pyalias scan through DuckDB: files, formats, and long jobs that break off and go on."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.fleet import fleet_rows, write_parquet

import pyalias
from pyalias.cli import main
from pyalias.engines import files
from pyalias.engines.job import Job, in_processes, in_this_process
from pyalias.errors import EngineError

INDEX = pyalias.AliasIndex.compile(
    [("pci:v1d*", "one"), ("pci:v1d2*", "two"), ("of:N*T*Ca,b", "three"), ("é*", "odd")]
)
ROWS = [
    ("h,1", "01", "pci:v1d2"),
    ('say "x"', "", "of:NnT(null)Ca,b"),
    ("h3", "2.50", "a]"),
    ("h4", "x\ny", ""),
    ("h5", " z ", "éa"),
    ("h6", "1", "none"),
]


pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a compiled index, to work in."""
    monkeypatch.chdir(tmp_path)
    INDEX.save("i.pyalias")
    return tmp_path


def scan(*arguments: str) -> int:
    return main(["scan", *arguments, "--index", "i.pyalias", "-q"])


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert scan(*arguments) == 3
    message = capsys.readouterr().err
    assert message.startswith("pyalias: ")
    assert message.count("\n") == 1
    return message


def write_csv(path: str, rows: list[tuple[str, ...]] = ROWS) -> None:
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([("host", "n", "modalias"), *rows])


def answered(rows: list[tuple[str, ...]]) -> list[dict[str, Any]]:
    """What a scan must say, from single lookups."""
    found = []
    for host, n, device in rows:
        error = "EINVAL" if device == "a]" else None
        names = [] if error else list(INDEX.lookup(device))
        found.append({"host": host, "n": n, "device": device, "modules": names, "error": error})
    return found


# ---- files and formats ----


def test_csv_gives_the_bytes_of_the_plain_scan():
    write_csv("d.csv")
    assert scan("d.csv", "-o", "plain.csv", "--engine", "plain") == 0
    assert scan("d.csv", "-o", "duckdb.csv", "--engine", "duckdb") == 0
    assert Path("duckdb.csv").read_bytes() == Path("plain.csv").read_bytes()


@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet", "csv.gz", "jsonl.zst"])
@pytest.mark.parametrize("target", ["parquet", "jsonl", "csv"])
def test_every_format_to_every_format(source: str, target: str):
    if source.startswith("csv"):
        write_csv("d.csv")
        if source.endswith("gz"):
            Path("d.csv.gz").write_bytes(gzip.compress(Path("d.csv").read_bytes()))
    else:
        table = pa.table({name: list(column) for name, column in zip(
            ("host", "n", "modalias"), zip(*ROWS, strict=True), strict=True)})  # fmt: skip
        kind = "FORMAT parquet" if source == "parquet" else "FORMAT json"
        connection = duckdb.connect()
        connection.register("t", table)
        connection.execute(f"COPY (SELECT * FROM t) TO 'd.{source}' ({kind})")  # noqa: S608
    assert scan(f"d.{source}", "--engine", "duckdb", "-o", f"out.{target}") == 0
    if target == "parquet":
        found = pq.read_table("out.parquet").to_pylist()
    elif target == "jsonl":
        found = [json.loads(line) for line in Path("out.jsonl").read_text("utf-8").splitlines()]
    else:
        with Path("out.csv").open(newline="", encoding="utf-8") as file:
            found = [
                row | {"modules": row["modules"].split(), "error": row["error"] or None}
                for row in csv.DictReader(file)
            ]
    assert found == answered(ROWS)


def test_json_values_stay_as_they_are_and_late_keys_are_kept():
    lines = [
        {"modalias": "pci:v1d2", "day": "2026-01-02", "n": [1, {"a": None}], "big": 12345678901234567890}
    ]
    lines += [{"modalias": "none"}] * 30_000 + [{"modalias": "x", "late": 0.10}]
    Path("d.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    assert scan("d.jsonl", "--engine", "duckdb", "-o", "out.jsonl") == 0
    found = Path("out.jsonl").read_text("utf-8").splitlines()
    first, last = json.loads(found[0]), json.loads(found[-1])
    assert {name: first[name] for name in ("day", "n", "big")} == {
        name: lines[0][name] for name in ("day", "n", "big")
    }
    assert last["late"] == 0.10
    assert len(found) == len(lines)


def test_many_files_by_glob_in_order():
    for number in (2, 0, 1):
        write_csv(f"d{number}.csv", [(f"h{number}", "", "pci:v1d2")])
    assert scan("d*.csv", "-o", "out.csv") == 0
    hosts = [row["host"] for row in csv.DictReader(io.StringIO(Path("out.csv").read_text("utf-8")))]
    assert hosts == ["h0", "h1", "h2"]
    assert scan("d2.csv", "d0.csv", "-o", "out.csv") == 0
    assert "h2" in Path("out.csv").read_text("utf-8").splitlines()[1]


def test_sql_on_the_result():
    write_csv("d.csv")
    query = "SELECT a.error, count(*) AS n FROM devices a JOIN devices b USING (host) GROUP BY 1 ORDER BY 2;"
    assert scan("d.csv", "--sql", query, "-o", "out.csv") == 0
    assert Path("out.csv").read_text("utf-8") == "error,n\nEINVAL,1\n,5\n"


def test_a_table_in_a_database_file():
    write_csv("d.csv")
    assert scan("d.csv", "-o", "out.duckdb") == 0
    with duckdb.connect("out.duckdb", read_only=True) as connection:
        rows = connection.execute("SELECT host, modules, error FROM devices").fetchall()
    assert rows == [(row["host"], row["modules"], row["error"]) for row in answered(ROWS)]


def test_standard_output_is_appended_to():
    write_csv("d.csv")
    Path("out").write_bytes(b"before\n")
    with Path("out").open("ab") as out:
        command = [
            sys.executable,
            "-m",
            "pyalias",
            "scan",
            "d.csv",
            "--index",
            "i.pyalias",
            "--engine",
            "duckdb",
        ]
        subprocess.run(command, stdout=out, stderr=subprocess.DEVNULL, check=True)
    assert Path("out").read_bytes().startswith(b"before\nhost,n,device,modules,error\n")
    assert Path("out").read_bytes().count(b"\n") == len(ROWS) + 3
    assert Path("/dev/stdout").is_symlink()


def test_the_reader_of_the_output_goes_away():
    write_parquet("d.parquet", fleet_rows(200_000))
    command = [sys.executable, "-m", "pyalias", "scan", "d.parquet", "--index", "i.pyalias"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as scanning:
        assert scanning.stdout is not None
        scanning.stdout.readline()
        scanning.stdout.close()
        assert scanning.wait(60) == 141


def test_summary(capsys: pytest.CaptureFixture[str]):
    write_csv("d.csv")
    arguments = ["scan", "d.csv", "--index", "i.pyalias", "--engine", "duckdb"]
    assert main([*arguments, "-o", "out.csv", "--summary-json", "s.json"]) == 0
    numbers = json.loads(Path("s.json").read_text("utf-8"))
    assert {name: numbers[name] for name in ("devices", "matched", "unmatched", "invalid", "null")} == {
        "devices": 6, "matched": 3, "unmatched": 2, "invalid": 1, "null": 0}  # fmt: skip
    assert numbers["top_modules"] == [
        {"module": name, "devices": 1} for name in ("odd", "one", "three", "two")
    ]
    assert "matched      3 (50.0%)" in capsys.readouterr().err


# ---- what cannot be read ----


def test_no_such_file(capsys: pytest.CaptureFixture[str]):
    assert "none.parquet: no such file" in refused(capsys, "none.parquet")
    assert "*.parquet: no file has such a name" in refused(capsys, "*.parquet")


def test_no_such_column(capsys: pytest.CaptureFixture[str]):
    write_csv("d.csv")
    message = refused(capsys, "d.csv", "--engine", "duckdb", "--column", "alias")
    assert "no column named 'alias'; its columns are: host, n, modalias" in message


def test_files_of_other_columns(capsys: pytest.CaptureFixture[str]):
    """DuckDB would have read the second file's columns under the first one's names."""
    write_csv("a.csv")
    Path("b.csv").write_bytes(b"modalias,n,host\npci:v1d2,1,h\n")
    assert "b.csv: its columns are modalias, n, host" in refused(capsys, "a.csv", "b.csv", "-o", "out.csv")
    assert not Path("out.csv").exists()


def test_bad_row_in_the_middle(capsys: pytest.CaptureFixture[str]):
    write_csv("d.csv", [("h", "1", "pci:v1d2")] * 50_000)
    with Path("d.csv").open("ab") as file:
        file.write(b"h,only two\n" + b"h,1,pci:v1d2\n" * 50_000)
    Path("out.csv").write_bytes(b"old")
    message = refused(capsys, "d.csv", "--engine", "duckdb", "-o", "out.csv")
    assert "d.csv: DuckDB: " in message
    assert "Line: 50002" in message
    assert Path("out.csv").read_bytes() == b"old"
    assert sorted(path.name for path in Path().iterdir()) == ["d.csv", "i.pyalias", "out.csv"]


def test_bad_rows_are_kept_aside():
    write_csv("d.csv", [("h", "1", "pci:v1d2")] * 3000)
    with Path("d.csv").open("ab") as file:
        file.write(b"h,only two\n" + b"h,1,pci:v1d2\n" * 3000 + b"a,b,c,d\n")
    arguments = ["--engine", "duckdb", "--rejects", "bad.jsonl", "--summary-json", "s.json", "-o", "out.csv"]
    assert scan("d.csv", *arguments) == 0
    counts = json.loads(Path("s.json").read_text("utf-8"))
    assert (counts["devices"], counts["rejected"]) == (6000, 2)
    bad = [json.loads(line) for line in Path("bad.jsonl").read_text("utf-8").splitlines()]
    assert [(row["record"], row["entry"]) for row in bad] == [(3002, "h,only two"), (6003, "a,b,c,d")]
    assert len(Path("out.csv").read_text("utf-8").splitlines()) == 6001


def test_bad_json_line(capsys: pytest.CaptureFixture[str]):
    Path("d.jsonl").write_bytes(b'{"modalias": "a"}\n' * 3 + b'{"modalias": \n' + b'{"modalias": "b"}\n')
    message = refused(capsys, "d.jsonl", "--engine", "duckdb", "-o", "out.jsonl")
    assert "d.jsonl" in message
    assert not Path("out.jsonl").exists()


@pytest.mark.parametrize("kept", [100, 0.5, 0.999])
def test_truncated_parquet(capsys: pytest.CaptureFixture[str], kept: float):
    write_parquet("d.parquet", fleet_rows(5000))
    data = Path("d.parquet").read_bytes()
    Path("d.parquet").write_bytes(data[: int(kept if kept > 1 else kept * len(data))])
    Path("out.csv").write_bytes(b"old")
    assert "d.parquet" in refused(capsys, "d.parquet", "-o", "out.csv")
    assert Path("out.csv").read_bytes() == b"old"


def test_damaged_parquet_pages(capsys: pytest.CaptureFixture[str]):
    write_parquet("d.parquet", fleet_rows(5000))
    data = bytearray(Path("d.parquet").read_bytes())
    data[4:2000] = os.urandom(1996)
    Path("d.parquet").write_bytes(data)
    assert "d.parquet" in refused(capsys, "d.parquet", "-o", "out.csv")
    assert not Path("out.csv").exists()


def test_full_disk():
    """A limit on file size stands in for it: the write fails half way."""
    write_parquet("d.parquet", fleet_rows(100_000))
    Path("out.csv").write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-m", "pyalias", "scan", "d.parquet", "--index", "i.pyalias", "-o", "out.csv"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "nothing was written" in done.stderr
    assert Path("out.csv").read_bytes() == b"old"
    assert sorted(path.name for path in Path().iterdir()) == ["d.parquet", "i.pyalias", "out.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "--engine", "duckdb"], "standard input is for the plain engine"),
        (["d.parquet", "--engine", "plain"], "the plain engine does not do Parquet"),
        (["d.csv", "--workers", "2"], "writes a directory"),
        (["d.parquet", "--partial"], "--partial is for the plain engine"),
        (["d.parquet", "--host", "h"], "--host is for the plain engine"),
        (["d.parquet", "--names"], "--names is for the plain engine"),
        (["d.parquet", "--output-format", "parquet"], "no format for standard output"),
        (["d.txt", "--engine", "duckdb", "--format", "list"], "is for the plain engine"),
        (["d.csv", "d.parquet", "-o", "x.csv"], "files of one format are wanted, found csv, parquet"),
    ],
)
def test_refused_command_lines(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str):
    write_csv("d.csv")
    write_parquet("d.parquet", fleet_rows(10))
    assert message in refused(capsys, *arguments)


# ---- jobs in parts ----


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ROWS_A_PART", 5000)


def digests(directory: str) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in Path(directory).glob("part-*")
    }


def job(directory: str, *, resume: bool = False) -> Job:
    return Job(INDEX, files.open_files(["d.parquet"]), directory, "parquet", resume=resume)


@pytest.mark.usefixtures("small_parts")
def test_parts_hold_all_rows_once_in_order():
    rows = fleet_rows(23_000)
    write_parquet("d.parquet", rows, row_group=1000)
    counts = job("out").run(in_this_process)
    assert sorted(digests("out")) == [f"part-{number:05}.parquet" for number in range(5)]
    found = [row for path in sorted(Path("out").glob("part-*")) for row in pq.read_table(path).to_pylist()]
    assert [(row["host"], row["device"]) for row in found] == rows
    assert [tuple(row["modules"]) for row in found] == [INDEX.lookup(device) for _, device in rows]
    assert (counts.devices, counts.matched) == (len(rows), sum(bool(row["modules"]) for row in found))


@pytest.mark.usefixtures("small_parts")
def test_what_is_finished_is_never_written_again():
    write_parquet("d.parquet", fleet_rows(23_000), row_group=1000)
    whole = job("whole").run(in_this_process)
    broken = job("out")
    written = []

    def breaks_off(work: Any, tasks: Any):
        for place in in_this_process(work, tasks[:2]):
            written.append(place)
            yield place
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken.run(breaks_off)
    before = {path.name: path.stat().st_mtime_ns for path in Path("out").glob("part-*")}
    Path("out/.pyalias-0123456789abcdef.tmp").write_bytes(b"what a killed writer left")
    resumed = job("out", resume=True)
    assert [place for place, _, _ in resumed.missing()] == [2, 3, 4]
    counts = resumed.run(in_this_process)
    after = {path.name: path.stat().st_mtime_ns for path in Path("out").glob("part-*")}
    assert {name: after[name] for name in before} == before
    assert digests("out") == digests("whole")
    assert counts[:6] == whole[:6]
    assert not list(Path("out").glob(".pyalias-*"))
    assert job("out", resume=True).run(in_this_process)[:6] == whole[:6]


@pytest.mark.usefixtures("small_parts")
def test_a_directory_of_another_scan_is_left_alone():
    write_parquet("d.parquet", fleet_rows(6000), row_group=1000)
    job("out").run(in_this_process)
    before = digests("out")
    with pytest.raises(EngineError, match="holds a scan already: go on with it by --resume"):
        job("out")
    os.utime("d.parquet", (1, 1))
    with pytest.raises(EngineError, match="holds another scan, which differs in: inputs"):
        job("out", resume=True)
    Path("other").mkdir()
    Path("other/file").write_bytes(b"")
    with pytest.raises(EngineError, match=r"other is not empty \(file\)"):
        job("other")
    Path("out/manifest.json").write_bytes(b"{")
    with pytest.raises(EngineError, match=r"manifest.json is damaged"):
        job("out", resume=True)
    assert digests("out") == before


def test_one_part_that_cannot_be_read_leaves_the_others(capsys: pytest.CaptureFixture[str]):
    for number in range(3):
        write_parquet(f"d{number}.parquet", fleet_rows(2000))
    good = Path("d1.parquet").read_bytes()
    bad = bytearray(good)
    bad[4:1000] = os.urandom(996)
    Path("d1.parquet").write_bytes(bad)
    status = Path("d1.parquet").stat()
    assert "d1.parquet" in refused(capsys, "d*.parquet", "-o", "out/")
    assert sorted(digests("out")) == ["part-00000.parquet"]
    Path("d1.parquet").write_bytes(good)
    os.utime("d1.parquet", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert scan("d*.parquet", "-o", "out/", "--resume") == 0
    assert sorted(digests("out")) == [f"part-{number:05}.parquet" for number in range(3)]


@pytest.mark.usefixtures("small_parts")
def test_a_worker_process_that_is_killed():
    write_parquet("d.parquet", fleet_rows(23_000), row_group=1000)
    whole = job("whole").run(in_this_process)

    def kills(work: Any, tasks: Any):
        for place in in_processes(2)(work, tasks):
            yield place
            for child in _children(os.getpid()):
                os.kill(child, signal.SIGKILL)

    with pytest.raises(EngineError, match="a worker process was killed"):
        job("out").run(kills)
    counts = job("out", resume=True).run(in_processes(2))
    assert digests("out") == digests("whole")
    assert counts[:6] == whole[:6]


def _children(parent: int) -> list[int]:
    """The spawned workers of this process, and not the tracker of their resources."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            status = entry.read_text().rpartition(")")[2].split()
            command = (entry.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(status[1]) == parent and b"spawn_main" in command:
            found.append(int(entry.parent.name))
    return found


def test_interrupt_and_go_on():
    write_parquet("d.parquet", fleet_rows(400_000), row_group=10_000)
    program = (
        "import sys; from pyalias.engines import files; files.ROWS_A_PART = 20_000; "
        "from pyalias.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, "scan", "d.parquet", "--index", "i.pyalias", "-o", "out/", "-q"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as scanning:
        limit = time.monotonic() + 60
        while not list(Path("out").glob("part-*")) and time.monotonic() < limit:
            time.sleep(0.01)
        scanning.send_signal(signal.SIGINT)
        _, message = scanning.communicate(timeout=60)
    assert (scanning.returncode, message) == (130, "pyalias: interrupted\n")
    finished = digests("out")
    assert 0 < len(finished) < 20
    subprocess.run([*command, "--resume"], check=True)
    assert len(digests("out")) == 20
    assert {name: digests("out")[name] for name in finished} == finished
    rows = duckdb.sql("SELECT count(*) FROM 'out/part-*.parquet'").fetchall()
    assert rows == [(400_000,)]


def test_workers_on_the_command_line():
    for number in range(2):
        write_csv(f"d{number}.csv", ROWS * 10)
    assert scan("d*.csv", "--workers", "2", "-o", "out", "--output-format", "jsonl") == 0
    found = [json.loads(line) for path in sorted(Path("out").glob("part-*")) for line in
             path.read_text("utf-8").splitlines()]  # fmt: skip
    assert found == answered(ROWS * 20)
