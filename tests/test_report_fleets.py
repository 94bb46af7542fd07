"""Reports on several kernels, on files that DuckDB reads, and on moves from one kernel to another."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.reports import DEVICES, REAL_DEVICES, report_of, small_index, write_csv

import pyalias
from pyalias.cli import main
from pyalias.engines.batches import FileBatches
from pyalias.engines.files import open_files
from pyalias.errors import InventoryError
from pyalias.fleet import diff_fleet
from pyalias.inventory import open_inventory
from pyalias.report import build_report, render_page, report_diff
from pyalias.report.model import LONGEST_TABLE

# ---- several kernels ----


def test_several_kernels(indexes: dict[str, pyalias.AliasIndex], tmp_path: Path):
    """Beside a report for each kernel's rows; kernels that the set lacks count apart."""
    chance = random.Random(3)  # noqa: S311
    releases = [*indexes, "5.4-gone", ""]
    devices = [*DEVICES, *REAL_DEVICES]
    rows = [
        (f"h{host}", chance.choice(devices), releases[(host + (chance.random() < 0.1)) % len(releases)])
        for host in range(60)
        for _ in range(40)
    ]
    chance.shuffle(rows)
    path = write_csv(tmp_path / "fleet.csv", rows, ("host", "modalias", "running"))
    kernels = pyalias.AliasIndexSet.from_kernels(indexes)
    with open_inventory(path) as inventory:
        report = build_report(kernels, inventory, index_name="set", kernel_column="running")
    summary, found = report.summary, {row.name: row.counts for row in report.kernels.rows}
    assert summary.unknown == found["5.4-gone"].unknown + found["none named"].unknown > 0
    hosts_unmatched, unmatched, modules = set(), defaultdict(set), defaultdict(set)
    for release, index in indexes.items():
        some = [(host, device) for host, device, running in rows if running == release]
        one = report_of(tmp_path, write_csv(tmp_path / "one.csv", some), index=index)
        assert found[release] == one.totals
        assert summary.kernels is not None
        assert summary.kernels[release].matched == one.summary.matched
        for host, device in some:
            if not index.lookup(device):
                hosts_unmatched.add(host)
                unmatched[device].add((host, release))
            for module in index.lookup(device):
                modules[module].add(host)
    assert report.totals.hosts == 60
    assert report.totals.hosts_unmatched == len(hosts_unmatched)
    assert {row.modalias for row in report.unmatched.rows} == set(unmatched)
    for row in report.unmatched.rows:
        pairs = unmatched[row.modalias]
        assert row.hosts == len({host for host, _ in pairs})
        assert row.kernels == tuple(sorted({release for _, release in pairs}))
    assert {row.module: row.hosts for row in report.modules.rows} == {
        module: len(hosts) for module, hosts in modules.items()
    }
    page = render_page(report).decode()
    assert "Coverage by kernel" in page
    assert f"<strong>Devices on kernels that are not in the set: {summary.unknown:,}" in page


# ---- files through DuckDB ----


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_files_that_duckdb_reads_give_the_same_report(
    form: str, indexes: dict[str, pyalias.AliasIndex], tmp_path: Path
):
    chance = random.Random(8)  # noqa: S311
    devices = [*DEVICES, *REAL_DEVICES, "pci:v00008086d*sv*sd*bc02sc00i*"]
    releases = [*indexes, "gone", ""]
    rows = [
        (f"h{chance.randrange(50)}", chance.choice(devices), chance.choice(releases)) for _ in range(20_000)
    ]
    columns = ("node", "modalias", "running")
    plain = write_csv(tmp_path / "plain.csv", rows, columns)
    for number, part in enumerate((rows[:9000], rows[9000:])):
        table = pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in part])
        path = str(tmp_path / f"part{number}.{form}")
        if form == "parquet":
            pq.write_table(table, path)
        elif form == "csv":
            write_csv(Path(path), part, columns)
        else:
            lines = [json.dumps(row) + "\n" for row in table.to_pylist()]
            Path(path).write_text("".join(lines))
    kernels = pyalias.AliasIndexSet.from_kernels(indexes)
    options = {"index_name": "set", "kernel_column": "running", "host_column": "node"}
    files = open_files([str(tmp_path / f"part*.{form}")])
    read = build_report(kernels, FileBatches(files, ["node", "running"], partial=True), **options)
    with open_inventory(plain, partial=True) as inventory:
        expected = build_report(kernels, inventory, **options)
    assert read.summary.partial > 0
    assert read.summary.unknown > 0
    assert read.summary._replace(seconds=0) == expected.summary._replace(seconds=0)
    same = {"summary": expected.summary, "source": expected.source}
    assert read._replace(**same) == expected._replace(created=read.created)


def test_files_without_a_device_or_a_column(tmp_path: Path):
    path = str(tmp_path / "fleet.parquet")
    pq.write_table(pa.table({"host": ["a", None, "b"], "modalias": ["none", "none", None]}), path)
    report = build_report(small_index(), FileBatches(open_files([path]), ["host"]), index_name="i")
    assert (report.totals.devices, report.totals.hosts, report.summary.blank) == (2, 1, 1)
    with pytest.raises(InventoryError, match="no column named 'kernel'; the others are: host"):
        FileBatches(open_files([path]), ["kernel"])
    arguments = ["report", path, "--output", str(tmp_path / "page")]
    assert main([*arguments, "--rejects", str(tmp_path / "rejects")]) == 3


# ---- moves from one kernel to another ----

OLD, NEW = "6.12.117-amd64", "6.12.117-cloud-amd64"


def test_a_report_on_a_move_has_the_numbers_of_the_diff(
    indexes: dict[str, pyalias.AliasIndex], tmp_path: Path
):
    chance = random.Random(9)  # noqa: S311
    rows = [(f"h{chance.randrange(50)}", chance.choice([*DEVICES, *REAL_DEVICES])) for _ in range(2000)]
    path = write_csv(tmp_path / "fleet.csv", rows)
    with open_inventory(path) as inventory:
        found = diff_fleet(indexes[OLD], indexes[NEW], [inventory])
    report = report_diff(found, old=OLD, new=NEW, source="fleet.csv")
    assert report.fleet is not None
    assert found.changes
    assert report.fleet.kinds == found.kinds
    assert (report.fleet.total, report.fleet.affected) == (found.total, found.affected)
    for row, change in zip(report.fleet.changes.rows, found.changes, strict=True):
        assert (row.modalias, row.kind, row.hosts, row.devices) == (
            change.device, change.kind, change.hosts, change.devices)  # fmt: skip
        assert set(row.old_modules) == set(change.old_modules)
        assert row.causes == tuple(map(str, change.causes))
    assert report.fleet.causes.rows == found.causes
    assert report.modules.total == len(found.aliases.modules) > LONGEST_TABLE
    page = render_page(report).decode()
    assert f"<strong>{found.affected.hosts:,}</strong>" in page
    aliases = report_diff(found.aliases, old=OLD, new=NEW)
    assert aliases._replace(created="") == report._replace(created="", fleet=None)
    assert "Hosts" not in render_page(aliases).decode()


def test_the_terminal_says_the_same_of_a_move(
    kernel_dirs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    kernels = [str(kernel_dirs[OLD]), str(kernel_dirs[NEW])]
    path = str(write_csv(tmp_path / "fleet.csv", [("h", device) for device in REAL_DEVICES]))
    for files in ([], [path]):
        inventory = ["--inventory", *files] if files else []
        assert main(["diff", *kernels, *inventory]) == 1
        expected = capsys.readouterr().out
        assert main(["report", *files, "--diff", *kernels, "-o", str(tmp_path / "page.html")]) == 0
        assert capsys.readouterr().err == expected
    kernels[0] = str(tmp_path / "set")
    pyalias.AliasIndexSet.from_kernels({"a": kernel_dirs[OLD], "b": kernel_dirs[NEW]}).save(kernels[0])
    move = ["report", path, "--diff", "a", "b", "--index", kernels[0], "-o", str(tmp_path / "page.html")]
    assert main(move) == 0
    assert main(["report", "-o", str(tmp_path / "page.html")]) == 3
    assert main([*move[:-4], "--modules", "x", "-o", str(tmp_path / "page.html")]) == 3
