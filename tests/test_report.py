"""What a report counts, beside counting it slowly; and that it contradicts neither itself nor the scan."""

from __future__ import annotations

import doctest
import random
import re
import shlex
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.inventories import INVENTORIES, SAMPLES, Sample
from support.reports import DEVICES, HOSTILE, report_of, small_index, write_csv

import pyalias
from pyalias.cli import main
from pyalias.errors import InventoryError, MissingLibraryError
from pyalias.inventory import DeviceNames, open_inventory
from pyalias.report import build_report, render_page
from pyalias.report.describe import describe
from pyalias.report.model import LONGEST_TABLE, STATES
from pyalias.report.text import plain_text
from pyalias.scan import scan
from pyalias.scan_rows import make_row_writer

if TYPE_CHECKING:
    from pyalias.report import Report

PAGE = Path(__file__).resolve().parent.parent / "docs" / "report.md"
RELEASE = "6.12.117-amd64"
Row = tuple[str, str]


# ---- beside counting slowly ----


class Slow(NamedTuple):
    """Hosts of each question, as sets of names."""

    hosts: dict[object, set[str]]
    devices: dict[object, int]


def count_slowly(index: pyalias.AliasIndex, rows: list[Row]) -> Slow:
    hosts: dict[object, set[str]] = defaultdict(set)
    devices: dict[object, int] = defaultdict(int)
    for host, device in rows:
        modules = index.lookup(device)
        kind = describe(device, DeviceNames([])).device_class
        state = "matched" if modules else "unmatched"
        for key in (("device", device), ("class", kind), ("all",), ("class", kind, state), ("all", state),
                    *(("module", module) for module in set(modules))):  # fmt: skip
            devices[key] += 1
            if host:
                hosts[key].add(host)
    return Slow(hosts, devices)


def check_against(slow: Slow, report: Report) -> None:
    hosts, devices = slow.hosts, slow.devices
    totals = report.totals
    assert (totals.hosts, totals.devices) == (len(hosts["all",]), devices["all",])
    assert totals.hosts_unmatched == len(hosts["all", "unmatched"])
    assert (totals.matched, totals.unmatched) == (devices["all", "matched"], devices["all", "unmatched"])
    for name, counts in report.classes.rows:
        assert counts.devices == devices["class", name]
        assert counts.hosts == len(hosts["class", name])
        assert counts.unmatched == devices["class", name, "unmatched"]
        assert counts.hosts_unmatched == len(hosts["class", name, "unmatched"])
    for device in report.unmatched.rows:
        key = ("device", device.modalias)
        assert (device.hosts, device.devices) == (len(hosts[key]), devices[key])
    for module in report.modules.rows:
        key = ("module", module.module)
        assert (module.hosts, module.devices) == (len(hosts[key]), devices[key])
    assert len(report.modules.rows) == len([key for key in devices if key[0] == "module"])


def random_rows(seed: int) -> list[Row]:
    chance = random.Random(seed)  # noqa: S311 a fleet, no secret
    hosts = [f"h{number}" for number in range(chance.choice([1, 7, 200]))] + [""]
    rows = [(chance.choice(hosts), chance.choice(DEVICES)) for _ in range(chance.choice([1, 50, 3000]))]
    if chance.random() < 0.5:
        rows.sort()
    return rows


@pytest.mark.parametrize("seed", range(12))
def test_counts_are_those_of_counting_slowly(seed: int, tmp_path: Path):
    """Hosts whose rows stand together and hosts whose rows do not, rows without a host, repeats."""
    rows = random_rows(seed)
    report = report_of(tmp_path, write_csv(tmp_path / "fleet.csv", rows))
    check_against(count_slowly(small_index(), rows), report)
    sets = defaultdict(set)
    for host, device in rows:
        sets[host].add(device)
    sets.pop("", None)
    assert report.configurations == len(set(map(frozenset, sets.values())))


def test_a_fleet_of_many_batches(tmp_path: Path):
    """Longer than a batch, so that hosts are cut by its end; and the order of rows makes no difference."""
    chance = random.Random(5)  # noqa: S311
    rows = [(f"h{row // 37}", chance.choice(DEVICES)) for row in range(30_000)]
    report = report_of(tmp_path, write_csv(tmp_path / "a.csv", rows))
    check_against(count_slowly(small_index(), rows), report)
    chance.shuffle(rows)
    shuffled = report_of(tmp_path, write_csv(tmp_path / "b.csv", rows))
    same = {"source": "", "created": "", "summary": report.summary._replace(seconds=0)}
    assert shuffled.summary._replace(seconds=0) == report.summary._replace(seconds=0)
    assert shuffled._replace(**same) == report._replace(**same)


# ---- the scan's numbers ----


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.file)
def test_the_summary_is_the_scans_and_the_tables_add_up_to_it(
    sample: Sample, indexes: dict[str, pyalias.AliasIndex]
):
    index, path = indexes[RELEASE], INVENTORIES / sample.file
    with open_inventory(path) as inventory:
        rows = make_row_writer("jsonl", inventory.columns)
        scanned = scan(index, inventory, rows, lambda _: None)
    with open_inventory(path) as inventory:
        report = build_report(index, inventory, index_name=RELEASE)
    summary = report.summary
    assert summary._replace(seconds=0) == scanned._replace(seconds=0)
    for table in (report.classes, report.kernels):
        for field in ("devices", "partial", *STATES):
            assert sum(getattr(row.counts, field) for row in table.rows) == getattr(summary, field)
            assert getattr(report.totals, field) == getattr(summary, field)
    assert {row.module: row.devices for row in report.modules.rows} == summary.modules
    for state in ("unmatched", "partial", "invalid"):
        assert sum(row.devices for row in getattr(report, state).rows) == getattr(summary, state)
    render_page(report)


def test_the_terminal_says_the_same(
    kernel_dirs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    shared = [str(INVENTORIES / "nfd.json"), "--modules", str(kernel_dirs[RELEASE])]
    printed = []
    for command in ("scan", "report"):
        assert main([command, *shared, "-o", str(tmp_path / command)]) == 0
        printed.append([line for line in capsys.readouterr().err.splitlines() if not line.startswith("rate")])
    assert printed[0] == printed[1]
    assert len(printed[0]) > 5


def test_tables_say_what_they_leave_out(tmp_path: Path):
    rows = [("h", f"none:{number}") for number in range(LONGEST_TABLE + 7)]
    report = report_of(tmp_path, write_csv(tmp_path / "fleet.csv", rows))
    assert (report.unmatched.total, report.unmatched.left_out) == (LONGEST_TABLE + 7, 7)
    assert len(report.unmatched.rows) == LONGEST_TABLE
    assert b"7 rows are not on this page: it has 1,000 of 1,007." in render_page(report)


def test_system_devices_do_not_crowd_out_others(tmp_path: Path):
    """There are more of them than a table has rows, all on more hosts than the others."""
    system = [f"pci:v00001234d{number:08X}sv*sd*bc06sc00i00" for number in range(LONGEST_TABLE + 50)]
    others = [f"pci:v00004321d{number:08X}sv*sd*bc02sc00i00" for number in range(30)]
    rows = [(host, device) for host in "ab" for device in system] + [("a", device) for device in others]
    report = report_of(tmp_path, write_csv(tmp_path / "fleet.csv", rows))
    shown = [row.modalias for row in report.unmatched.rows]
    assert shown == [*system[: LONGEST_TABLE - len(others)], *others]
    assert report.unmatched.left_out == 50 + len(others)
    many = [(host, f"none:{number:04}") for number in range(LONGEST_TABLE) for host in "ab"]
    report = report_of(tmp_path, write_csv(tmp_path / "fleet.csv", rows + many))
    assert [row.system for row in report.unmatched.rows].count(True) == LONGEST_TABLE // 2
    assert len(report.unmatched.rows) == LONGEST_TABLE


def test_a_page_with_full_tables_is_not_large(tmp_path: Path):
    """2 MB with 1,000 rows of the usual lengths in each table, however many rows there are."""
    rows = []
    for number in range(LONGEST_TABLE + 100):
        ids = f"v{number:08X}d000010D3sv00008086sd0000A01F"
        rows += [("h", text) for text in (f"pci:{ids}bc02sc00i00", f"pci:{ids}bc02sc00i*", f"pci:{ids}[")]
        rows.append(("h", f"claimed{number:044}"))
    index = pyalias.AliasIndex.compile([(f"claimed{n:044}", f"module_{n}") for n in range(len(rows) // 4)])
    with open_inventory(write_csv(tmp_path / "fleet.csv", rows), partial=True) as inventory:
        report = build_report(index, inventory, index_name="small")
    tables = (report.unmatched, report.partial, report.invalid, report.modules)
    assert [table.left_out for table in tables] == [100] * 4
    assert len(render_page(report)) < 2_000_000


def test_bad_rows_are_counted_and_shown(
    kernel_dirs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "fleet.csv"
    path.write_text('host,modalias\nh,pci:v1[\nh\nh,"x"y\nh,none\n\n')
    arguments = ["report", str(path), "--modules", str(kernel_dirs[RELEASE]), "-o", str(tmp_path / "page")]
    assert main(arguments) == 3
    assert "line 4: ',' expected" in capsys.readouterr().err
    assert not (tmp_path / "page").exists()
    assert main([*arguments, "--rejects", str(tmp_path / "rejects")]) == 0
    page = (tmp_path / "page").read_text()
    assert "<strong>Rows that could not be read: 2.</strong>" in page
    assert "<td>1 fields, the header has 2</td>" in page
    assert "<strong>Invalid devices: 1 (50.0%).</strong>" in page
    assert len((tmp_path / "rejects").read_text().splitlines()) == 2


# ---- hosts ----


def test_hosts_by_another_column_of_json_lines_and_by_option(tmp_path: Path):
    path = tmp_path / "fleet.jsonl"
    path.write_text('{"node": "a", "modalias": "x"}\n{"node": 7, "modalias": "x"}\n{"modalias": "x"}\n')
    with open_inventory(path) as inventory:
        report = build_report(small_index(), inventory, index_name="i", host_column="node")
    assert (report.totals.hosts, report.totals.devices, report.unmatched.rows[0].hosts) == (2, 3, 2)
    with open_inventory(path) as inventory:
        report = build_report(small_index(), inventory, index_name="i")
    assert (report.totals.hosts, report.totals.devices) == (0, 3)
    assert b"No row names a host" in render_page(report)
    with open_inventory(path) as inventory, pytest.raises(InventoryError, match="no column named 'nope'"):
        build_report(small_index(), inventory, index_name="i", host_column="nope")
    with open_inventory(INVENTORIES / "lspci-vmmkn.txt", host="desk12") as inventory:
        report = build_report(small_index(), inventory, index_name="i")
    assert report.totals.hosts == 1


# ---- the documentation ----


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_documented_session(
    kernel_dirs: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    (tmp_path / "build" / "demo").mkdir(parents=True)
    (tmp_path / "build" / "demo" / RELEASE).symlink_to(kernel_dirs[RELEASE])
    monkeypatch.chdir(tmp_path)
    (fleet,) = blocks("csv")
    Path("fleet.csv").write_text(fleet)
    (command,) = blocks("console")
    main(shlex.split(command)[2:])
    assert capsys.readouterr().err == ""
    assert Path("fleet.html").read_bytes().startswith(b"<!DOCTYPE html>")
    test = doctest.DocTestParser().get_doctest("".join(blocks("pycon")), {}, "report.md", "report.md", 0)
    said: list[str] = []
    doctest.DocTestRunner().run(test, out=said.append)
    assert not said, "".join(said)


# ---- VFIO ----


def test_devices_with_a_vfio_driver_of_their_own(variant_tree: Path, tmp_path: Path):
    index = pyalias.AliasIndex.from_modules(variant_tree / "lib/modules/9.9.9")
    own = "pci:v000015B3d0000101Esv000015B3sd00000000bc02sc00i00"
    other = "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"
    path = write_csv(tmp_path / "fleet.csv", [("a", own), ("a", own), ("b", own), ("b", other)])
    with open_inventory(path) as inventory:
        report = build_report(index, inventory, index_name="9.9.9")
    expected = pyalias.vfio.choose(index, own)
    assert expected is not None
    assert pyalias.vfio.choose(index, other).generic
    (row,) = report.variants.rows
    assert (row.module, row.pattern) == (expected.module, expected.alias.pattern)
    assert (row.modalias, row.hosts, row.devices, row.kernels) == (own, 2, 3, ("9.9.9",))


# ---- words ----


@pytest.mark.parametrize(
    ("modalias", "expected"),
    [
        ("pci:v00008086d000015B7sv*sd*bc02sc00i*", ("Intel I219-LM", "Ethernet controller", False)),
        ("pci:v00008086d00000001sv*sd*bc06sc77i00", ("Intel 8086:0001", "Bridge", True)),
        ("pci:v00001234d00000001sv*sd*bc77sc01i00", ("pci 1234:0001", "pci class 7701", False)),
        ("pci:v00008086d*sv*sd*bc*sc*i*", ("Intel", "pci, class unknown", False)),
        ("usb:v8087p0A2Bd0010dcE0dsc01dp01icE0isc01ip01in00", ("usb 8087:0a2b", "usb", False)),
        ("acpi:PNP0C14:", ("", "acpi", False)),
        ("none", ("", "no bus", False)),
        ("", ("no text at all", "no bus", False)),
    ],
)
def test_descriptions(modalias: str, expected: tuple[str, str, bool], tmp_path: Path):
    lines = ["8086  Intel", "\t15b7  I219-LM", "C 02  Network", "\t00  Ethernet controller", "C 06  Bridge"]
    (tmp_path / "pci.ids").write_text("\n".join(lines) + "\n")
    assert describe(modalias, DeviceNames([tmp_path])) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pci:v1", "pci:v1"),
        (" a b ", r"\x20a b\x20"),
        ("  ", r"\x20\x20"),
        ("a\r\n\0", r"a\r\n\x00"),
        ("\udcff", r"\xff"),
        ("a\u202eb", r"a\u202eb"),
        ("Gerät 中", "Gerät 中"),
        ("x" * 300, "x" * 240 + "... (300 characters)"),
    ],
)
def test_plain_text(text: str, expected: str):
    assert plain_text(text) == expected


def test_bytes_that_are_no_text(tmp_path: Path):
    (tmp_path / "fleet.csv").write_bytes(b"host,modalias\nh\xff,none\xfe\x00\n")
    page = render_page(report_of(tmp_path, tmp_path / "fleet.csv")).decode("utf-8")
    assert r"<code>none\xfe\x00</code>" in page


# ---- the command ----


def test_page_to_standard_output_and_no_half_page(
    kernel_dirs: dict[str, Path], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
):
    arguments = ["report", str(INVENTORIES / "nfd.json"), "--modules", str(kernel_dirs[RELEASE]), "--quiet"]
    assert main([*arguments, "--output", "-"]) == 0
    done = capfdbinary.readouterr()
    assert done.out.startswith(b"<!DOCTYPE html>")
    assert done.out.rstrip().endswith(b"</html>")
    assert done.err == b""
    assert main([*arguments, "--output", str(tmp_path / "no" / "page.html")]) == 3
    (tmp_path / "page.html").write_text("what was there")
    assert main(["report", str(tmp_path / "missing"), *arguments[2:], "-o", str(tmp_path / "page.html")]) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert (tmp_path / "page.html").read_text() == "what was there"


@pytest.mark.parametrize("library", ["jinja2", "vl_convert"])
def test_a_library_that_is_missing_is_named(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(__import__("sys").modules, library, None)
    report = report_of(tmp_path, write_csv(tmp_path / "fleet.csv", [("h", "none")]))
    with pytest.raises(MissingLibraryError, match=r"pip install 'pyalias-kmod\[report\]'"):
        render_page(report)
    # Said before a long scan begins.
    assert main(["report", str(tmp_path / "missing"), "--output", str(tmp_path / "page.html")]) == 3
    assert f"{library}: pip install" in capsys.readouterr().err


def test_the_same_report_is_the_same_page(tmp_path: Path):
    path = write_csv(tmp_path / "fleet.csv", [(text, text) for text in HOSTILE])
    reports = [report_of(tmp_path, path, created=datetime(2026, 1, 2, tzinfo=UTC)) for _ in range(2)]
    pages = [render_page(report._replace(summary=report.summary._replace(seconds=1))) for report in reports]
    assert pages[0] == pages[1]
    assert b"2026-01-02 00:00 UTC" in pages[0]
