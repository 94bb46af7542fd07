"""What a move from one kernel to another changes: for aliases, for devices, and for hosts."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.module_tree import read_aliases, read_builtin_aliases, write_module_directory
from support.normalise import normalise_alias, normalise_module
from support.tables import DATA, read_lines

from pyalias import AliasIndex, AliasIndexSet, InventoryError
from pyalias.cli import main
from pyalias.fleet import Cause, Count, FleetDiff, diff_aliases, diff_fleet, is_generic
from pyalias.fleet.diff import CHANGES, KINDS, Differ
from pyalias.fleet.hosts import HostSets
from pyalias.inventory import open_inventory

if TYPE_CHECKING:
    from collections.abc import Sequence

OLD, NEW = "6.12.117-amd64", "7.2.13-amd64"


def pci(vendor: int, device: int, base_class: int = 2) -> str:
    return f"pci:v{vendor:08X}d{device:08X}sv00000000sd00000000bc{base_class:02X}sc00i00"


def ids(vendor: int, device: int) -> bytes:
    return b"pci:v%08Xd%08Xsv*sd*bc*sc*i*" % (vendor, device)


def of_class(base_class: int) -> bytes:
    return b"pci:v*d*sv*sd*bc%02Xsc*i*" % base_class


OLD_ALIASES = [
    (ids(1, 1), "stays"),
    (ids(1, 2), "gone"),
    (ids(1, 3), "dropper"),
    (ids(1, 99), "dropper"),
    (ids(1, 4), "specific"),
    (of_class(4), "generic-class"),
    (ids(1, 5), "mover"),
    (ids(1, 98), "mover"),
    (ids(1, 97), "taker"),
    (ids(1, 6), "old-name"),
    (ids(1, 96), "old-name"),
    (ids(1, 7), "first"),
    (ids(1, 7), "second"),
    (ids(1, 94), "first"),
    (ids(1, 93), "late"),
]
OLD_BUILTIN = [(ids(1, 8), "core"), (ids(1, 9), "core")]
NEW_ALIASES = [
    (ids(1, 1), "stays"),
    (ids(1, 99), "dropper"),
    (ids(1, 95), "specific"),
    (of_class(4), "generic_class"),
    (ids(1, 98), "mover"),
    (ids(1, 5), "taker"),
    (ids(1, 97), "taker"),
    (ids(1, 6), "new-name"),
    (ids(1, 96), "new-name"),
    (ids(1, 7), "second"),
    (ids(1, 94), "first"),
    (ids(1, 8), "overlay"),
    (ids(1, 10), "late"),
    (ids(1, 11), "fresh"),
]
NEW_BUILTIN = [(ids(1, 8), "core"), (ids(1, 9), "core")]

# Device, kind, causes.
CASES = [
    (pci(1, 1), "unchanged", []),
    (pci(1, 9), "unchanged", []),
    (pci(9, 9), "unclaimed", []),
    ("pci:a]", "invalid", []),
    (pci(1, 2), "lost", [("module gone", "gone", "")]),
    (pci(1, 3), "lost", [("alias dropped", "dropper", "")]),
    (pci(1, 4, 4), "generic", [("alias dropped", "specific", "")]),
    (pci(1, 5), "changed", [("alias moved", "mover", "taker")]),
    (pci(1, 6), "changed", [("module renamed", "old_name", "new_name")]),
    (pci(1, 7), "changed", [("alias dropped", "first", "")]),
    (pci(1, 8), "changed", [("alias hidden", "core", ""), ("module new", "overlay", "")]),
    (pci(1, 10), "gained", [("alias added", "late", "")]),
    (pci(1, 11), "gained", [("module new", "fresh", "")]),
    (pci(7, 7, 4), "unchanged", []),
]
ROWS = [
    ("h1", pci(1, 1)), ("h1", pci(1, 2)), ("h1", pci(1, 2)), ("h2", pci(1, 2)), ("h2", pci(1, 3)),
    ("h3", pci(1, 1)), ("h1", pci(1, 11)), ("", pci(1, 2)), ("h4", "pci:a]"),
]  # fmt: skip


@pytest.fixture(scope="module")
def directories(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    base = tmp_path_factory.mktemp("kernels")
    return (
        write_module_directory(base / "old", OLD_ALIASES, OLD_BUILTIN),
        write_module_directory(base / "new", NEW_ALIASES, NEW_BUILTIN),
    )


@pytest.fixture(scope="module")
def kernels(directories: tuple[Path, Path]) -> tuple[AliasIndex, AliasIndex]:
    old, new = map(AliasIndex.from_modules, directories)
    return old, new


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernels: tuple[AliasIndex, AliasIndex]) -> Path:
    """A directory with both kernels, a set of them, and a fleet."""
    monkeypatch.chdir(tmp_path)
    for name, index in zip(("old", "new"), kernels, strict=True):
        index.save(f"{name}.pyalias")
    AliasIndexSet.from_kernels({"1": kernels[0], "2": kernels[1]}).save("set.pyalias")
    write_csv("fleet.csv", ROWS)
    return tmp_path


def write_csv(path: str, rows: Sequence[tuple[str, str]]) -> None:
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("host", "modalias"), *rows])


def differ(kernels: tuple[AliasIndex, AliasIndex], rows: Sequence[tuple[str, str]]) -> FleetDiff:
    made = Differ(*kernels)
    hosts, devices = zip(*rows, strict=True)
    made.add(list(devices), list(hosts))
    return made.result()


# ---- kinds and causes ----


@pytest.mark.parametrize(("device", "kind", "causes"), CASES, ids=[f"{case[1]}-{case[0]}" for case in CASES])
def test_kinds_and_causes(
    device: str, kind: str, causes: list[tuple[str, str, str]], kernels: tuple[AliasIndex, AliasIndex]
):
    found = differ(kernels, [("h", device)])
    assert {name: count for name, count in found.kinds.items() if count.devices} == {kind: Count(1, 1, 1)}
    assert [change.kind for change in found.changes] == [kind] * bool(causes)
    assert [cause for change in found.changes for cause in change.causes] == [
        Cause(*cause) for cause in causes
    ]
    assert {(some.kind, some.cause) for some in found.causes} == {(kind, Cause(*cause)) for cause in causes}


@pytest.mark.parametrize(("device", "kind", "causes"), CASES, ids=[f"{case[1]}-{case[0]}" for case in CASES])
def test_the_way_back(
    device: str, kind: str, causes: list[tuple[str, str, str]], kernels: tuple[AliasIndex, AliasIndex]
):
    """What was lost is gained, and whatever changed has a cause."""
    back = {"lost": "gained", "gained": "lost", "generic": "changed"}
    found = differ((kernels[1], kernels[0]), [("h", device)])
    assert found.kinds[back.get(kind, kind)] == Count(1, 1, 1)
    assert bool(causes) == bool(found.causes)


def test_alias_shown(kernels: tuple[AliasIndex, AliasIndex]):
    found = differ((kernels[1], kernels[0]), [("h", pci(1, 8))])
    assert found.changes[0].causes == (Cause("module gone", "overlay"), Cause("alias shown", "core"))


def test_counts_of_rows_devices_and_hosts(kernels: tuple[AliasIndex, AliasIndex]):
    found = differ(kernels, ROWS)
    assert found.kinds == {
        "lost": Count(2, 5, 2),
        "generic": Count(0, 0, 0),
        "changed": Count(0, 0, 0),
        "gained": Count(1, 1, 1),
        "unchanged": Count(1, 2, 2),
        "unclaimed": Count(0, 0, 0),
        "invalid": Count(1, 1, 1),
        "partial": Count(0, 0, 0),
    }
    assert (found.total, found.affected) == (Count(5, 9, 4), Count(3, 6, 2))
    assert [(change.device, change.devices, change.hosts) for change in found.changes] == [
        (pci(1, 2), 4, 2), (pci(1, 3), 1, 1), (pci(1, 11), 1, 1)]  # fmt: skip
    assert [(str(some.cause), some.distinct, some.devices, some.hosts) for some in found.causes] == [
        ("module gone: gone", 1, 4, 2),
        ("module new: fresh", 1, 1, 1),
        ("alias dropped: dropper", 1, 1, 1),
    ]


def test_a_modules_order_and_repeats_change_nothing():
    old = AliasIndex.compile([("a*", "one"), ("ab*", "one"), ("a*", "two")])
    new = AliasIndex.compile([("a*", "two"), ("a*", "one")])
    assert differ((old, new), [("h", "abc")]).kinds["unchanged"].devices == 1


@pytest.mark.parametrize(
    ("pattern", "generic"),
    [
        ("pci:v*d*sv*sd*bc01sc08i02*", True),
        ("vfio_pci:v*d*sv*sd*bc*sc*i*", True),
        ("usb:v*p*d*dc*dsc*dp*ic03isc*ip*in*", True),
        ("hid:b0003g*v*p*", True),
        ("input:b*v*p*e*-e*1,*k*r*a*m*l*s*f*w*", True),
        ("sdio:c07v*d*", True),
        ("*", True),
        ("pci:v00008086d*sv*sd*bc02sc00i00*", False),
        ("pci:v*d000010D3sv*sd*bc*sc*i*", False),
        ("pci:v*d*sv00008086sd*bc02sc00i00*", False),
        ("pci:v0000808?d*sv*sd*bc*sc*i*", False),
        ("usb:v046Dp*d*dc*dsc*dp*ic*isc*ip*in*", False),
        ("virtio:d00000001v*", False),
        ("acpi*:PNP0C14:*", False),
        ("of:N*T*Cfsl,imx6q", False),
        ("platform:*", False),
        ("", True),
    ],
)
def test_generic_patterns(pattern: str, generic: bool):
    assert is_generic(pattern) == generic


def test_unusual_hosts_and_rows(kernels: tuple[AliasIndex, AliasIndex], tmp_path: Path):
    """Without a host column devices are counted, without a host in a row its device."""
    (tmp_path / "list.txt").write_text("".join(f"{device}\n" for _, device in ROWS) + "\n")
    with open_inventory(tmp_path / "list.txt") as inventory:
        found = diff_fleet(*kernels, [inventory])
    assert (found.total, found.kinds["lost"], found.blank) == (Count(5, 9, 0), Count(2, 5, 0), 1)
    (tmp_path / "n.csv").write_text(f"n,modalias\na,{pci(1, 2)}\n")
    with (
        open_inventory(tmp_path / "n.csv") as inventory,
        pytest.raises(InventoryError, match="'node' for the host"),
    ):
        diff_fleet(*kernels, [inventory], "node")
    with open_inventory(tmp_path / "n.csv") as inventory:
        assert diff_fleet(*kernels, [inventory], "n").total == Count(1, 1, 1)


def test_partial_devices_are_counted_apart(kernels: tuple[AliasIndex, AliasIndex]):
    with open_inventory(DATA / "inventories" / "lspci-vmmkn.txt", host="h") as inventory:
        found = diff_fleet(*kernels, [inventory])
    assert found.kinds["partial"].devices > 0
    assert found.total.devices == sum(count.devices for count in found.kinds.values())


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sets(st.integers(0, 5), min_size=1)), max_size=30))
def test_host_sets(added: list[tuple[str, set[int]]]):
    """However the numbers of a host come: what counting pairs one by one would say."""
    sets, wanted = HostSets(), {}
    for host, numbers in added:
        sets.add(host, set(numbers))
        wanted.setdefault(host, set()).update(numbers)
    assert len(sets) == len(wanted)
    groups = [["x"], ["x", 1], [], ["y"], [2, "y"], ["z"]]
    assert sets.count(groups.__getitem__) == Counter(
        group for numbers in wanted.values() for group in {group for n in numbers for group in groups[n]}
    )


# ---- aliases ----


def test_aliases_of_the_bundled_kernels(kernel_dirs: dict[str, Path], indexes: dict[str, AliasIndex]):
    """From depmod's texts, by sets."""
    lines = {}
    for release in (OLD, NEW):
        directory = kernel_dirs[release]
        both = read_aliases(directory / "modules.alias") + read_builtin_aliases(
            directory / "modules.builtin.modinfo"
        )
        lines[release] = {
            ((normalise_alias(pattern) or pattern).decode(), normalise_module(name)) for pattern, name in both
        }
    old, new = lines[OLD], lines[NEW]
    found = diff_aliases(indexes[OLD], indexes[NEW])
    assert (found.old_aliases, found.new_aliases) == (len(old), len(new))
    assert {(p, some.module) for some in found.modules for p in some.added} == new - old
    assert {(p, some.module) for some in found.modules for p in some.dropped} == old - new
    assert sum(len(some.added) + len(some.dropped) for some in found.modules) == len(old ^ new)
    had, have = {name for _, name in old}, {name for _, name in new}
    assert (set(found.added), set(found.gone)) == (have - had, had - have)
    moved = {p: (o, n) for p, o, n in found.moved}
    for side, place in ((old, 0), (new, 1)):
        owners: dict[str, set[str]] = {}
        for pattern, name in side:
            owners.setdefault(pattern, set()).add(name)
        assert all(set(pair[place]) == owners[pattern] for pattern, pair in moved.items())
    lost, got = ({p for p, _ in some} for some in (old - new, new - old))
    assert set(moved) == lost & got
    for renamed in found.renamed:
        patterns = {p for p, name in old if name == renamed.old}
        assert (renamed.patterns, renamed.of) == (
            len(patterns & {p for p, n in new if n == renamed.new}),
            len(patterns),
        )
        assert 2 * renamed.patterns > renamed.of
        assert renamed.old not in have
        assert renamed.new not in had
    assert ("ath12k", "ath12k_wifi7") in {(some.old, some.new) for some in found.renamed}


def test_the_same_kernel(indexes: dict[str, AliasIndex]):
    found = diff_aliases(indexes[OLD], indexes[OLD])
    assert (found.modules, found.moved, found.renamed) == ((), (), ())


# ---- a fleet ----


def fleet(hosts: int) -> list[tuple[str, str]]:
    """Hosts of 30 models with parts of their own, of real ids; some rows stand apart from their host's."""
    chance = random.Random(20261124)  # noqa: S311 repeatable, not secret
    known = [line.decode("utf-8", "surrogateescape") for name in ("pciids", "usbids", "devicetrees")
             for line in read_lines(DATA / "devices" / f"{name}_modaliases.txt.xz")]  # fmt: skip
    known = [device for device in known if device.isprintable()]
    models = [[chance.choice(known) for _ in range(chance.randrange(20, 60))] for _ in range(30)]
    rows = []
    for number in range(hosts):
        parts = list(chance.choice(models))
        if chance.random() < 0.2:
            parts.append(chance.choice(known))
        rows += [(f"host{number:05}", part) for part in parts]
    apart = chance.sample(range(len(rows)), len(rows) // 50)
    rows += [rows[place] for place in apart]
    return [*rows, ("host00000", "pci:a]"), ("host99999", "stray]")]


# The answers of two scans as sets of modules; a pattern is generic by its text.
SQL = r"""
WITH pairs AS (
    SELECT a.host, a.device, coalesce(a.error, b.error) AS error,
        list_sort(list_distinct(string_split(coalesce(a.modules, ''), ' '))) AS o,
        list_sort(list_distinct(string_split(coalesce(b.modules, ''), ' '))) AS n
    FROM a POSITIONAL JOIN b WHERE a.device = b.device AND a.host = b.host
)
SELECT *, CASE
    WHEN error IS NOT NULL THEN 'invalid' WHEN o = [''] AND n = [''] THEN 'unclaimed'
    WHEN n = [''] THEN 'lost' WHEN o = [''] THEN 'gained' WHEN o = n THEN 'unchanged'
    WHEN list_contains($generic, device) THEN 'generic' ELSE 'changed' END AS kind
FROM pairs
"""


def generic_by_text(devices: Sequence[str], old: AliasIndex, new: AliasIndex) -> list[str]:
    """Devices of which ``explain`` shows class patterns on the new kernel alone."""
    starts = ("pci:v*d*sv*sd*bc", "usb:v*p*d", "hid:b*g*v*p*")

    def all_generic(index: AliasIndex, device: str) -> bool:
        return all(alias.pattern.startswith(starts) for alias in index.match(device))

    return [device for device in devices if all_generic(new, device) and not all_generic(old, device)]


def test_a_fleet_equals_sql_on_two_scans(
    kernel_dirs: dict[str, Path],
    indexes: dict[str, AliasIndex],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """Devices and hosts of every kind, and of every changing device, from two scans' own output."""
    monkeypatch.chdir(tmp_path)
    rows = fleet(1500)
    write_csv("fleet.csv", rows)
    for name, release in (("a", OLD), ("b", NEW)):
        assert (
            main(["scan", "fleet.csv", "--modules", str(kernel_dirs[release]), "-o", f"{name}.csv", "-q"])
            == 0
        )
    arguments = ["--inventory", "fleet.csv", "--json", "diff.json", "-q", "-o", "diff.jsonl"]
    assert main(["diff", str(kernel_dirs[OLD]), str(kernel_dirs[NEW]), *arguments]) == 1
    found = json.loads(Path("diff.json").read_text())["fleet"]
    con = duckdb.connect()
    for name in "ab":
        con.execute(f"CREATE TABLE {name} AS SELECT * FROM read_csv('{name}.csv', all_varchar = true)")  # noqa: S608
    devices = sorted({device for _, device in rows if "]" not in device})
    generic = generic_by_text(devices, indexes[OLD], indexes[NEW])
    con.execute(f"CREATE TABLE d AS {SQL}", {"generic": generic})
    assert con.execute("SELECT count(*) FROM d").fetchall() == [(len(rows),)]
    kinds = con.execute(
        "SELECT kind, count(DISTINCT device), count(*), count(DISTINCT host) FROM d GROUP BY 1"
    ).fetchall()
    wanted = {
        kind: dict(zip(("distinct", "devices", "hosts"), counts, strict=True)) for kind, *counts in kinds
    }
    assert {kind: count for kind, count in found["kinds"].items() if count["devices"]} == wanted
    assert {"lost", "gained", "changed", "unchanged", "unclaimed", "invalid", "generic"} == set(wanted)
    changes = con.execute(
        "SELECT device, kind, count(*), count(DISTINCT host) FROM d WHERE kind IN "
        "('lost', 'gained', 'changed', 'generic') GROUP BY ALL"
    ).fetchall()
    assert {(c["device"], c["kind"], c["devices"], c["hosts"]) for c in found["changes"]} == set(changes)
    affected = con.execute(
        "SELECT count(DISTINCT device), count(*), count(DISTINCT host) FROM d "
        "WHERE kind IN ('lost', 'gained', 'changed', 'generic')"
    ).fetchall()
    assert tuple(found["affected"].values()) == affected[0]
    con.execute("CREATE TABLE c AS SELECT device, kind, unnest(causes) AS cause FROM read_json('diff.jsonl')")
    causes = con.execute(
        "SELECT c.kind, cause, count(DISTINCT device), count(*), count(DISTINCT host) "
        "FROM d JOIN c USING (device) GROUP BY ALL"
    ).fetchall()
    assert {
        (c["kind"], str(Cause(**c["cause"])), c["distinct"], c["devices"], c["hosts"])
        for c in found["causes"]
    } == set(causes)
    ranks = [(-c["hosts"], -c["devices"]) for c in found["causes"]]
    assert ranks == sorted(ranks)


# ---- the command ----


def diff(*arguments: str) -> int:
    return main(["diff", *arguments])


@pytest.mark.usefixtures("place")
def test_all_forms_of_a_fleet(capsys: pytest.CaptureFixture[str]):
    """CSV, JSON Lines and Parquet, in one file or two, from files or standard input: one result."""
    hosts, devices = zip(*ROWS, strict=True)
    table = pa.table({"host": hosts, "modalias": devices})
    pq.write_table(table, "fleet.parquet")
    lines = [json.dumps({"host": host, "modalias": device}) + "\n" for host, device in ROWS]
    Path("fleet.jsonl").write_text("".join(lines))
    Path("half1.jsonl").write_text("".join(lines[:4]))
    pq.write_table(table.slice(4), "half2.parquet")
    con = duckdb.connect()
    con.register("t", table)
    con.execute("COPY (SELECT * FROM t) TO 'fleet.jsonl.zst' (FORMAT json)")
    results = []
    forms = (
        ["fleet.csv"],
        ["fleet.jsonl"],
        ["fleet.parquet"],
        ["fleet.jsonl.zst"],
        ["half1.jsonl", "half2.parquet"],
    )
    for files in forms:
        assert diff("old.pyalias", "new.pyalias", "--inventory", *files, "--json", "d.json") == 1
        results.append((json.loads(Path("d.json").read_text()), capsys.readouterr().out))
    assert all(result == results[0] for result in results[1:])
    printed = results[0][1]
    assert printed.startswith("old.pyalias -> new.pyalias\ndevices    9 (5 distinct) on 4 hosts\n")
    assert "\nlost       5 (2 distinct) on 2 hosts\n" in printed
    assert "    2        4    lost  module gone: gone\n" in printed
    assert f"    2        4    lost  {pci(1, 2)}  gone -> nothing\n" in printed
    assert diff("1", "2", "--index", "set.pyalias", "--inventory", "fleet.csv", "--top", "1") == 1
    assert "\nand 2 more\n" in capsys.readouterr().out


@pytest.mark.usefixtures("place")
def test_rows():
    for form in ("csv", "jsonl"):
        assert diff("old.pyalias", "new.pyalias", "--inventory", "fleet.csv", "-o", f"rows.{form}", "-q") == 1
    lines = [json.loads(line) for line in Path("rows.jsonl").read_text().splitlines()]
    assert lines[0] == {
        "device": pci(1, 2), "kind": "lost", "old_modules": ["gone"], "new_modules": [],
        "causes": ["module gone: gone"], "devices": 4, "hosts": 2}  # fmt: skip
    with Path("rows.csv").open(newline="") as file:
        assert [row["causes"] for row in csv.DictReader(file)] == [
            "; ".join(line["causes"]) for line in lines
        ]
    assert diff("old.pyalias", "new.pyalias", "-o", "aliases.csv", "-q") == 1
    with Path("aliases.csv").open(newline="") as file:
        found = {(row["module"], row["change"], row["pattern"]) for row in csv.DictReader(file)}
    assert ("gone", "dropped", ids(1, 2).decode()) in found


@pytest.mark.usefixtures("place")
def test_kernels_of_every_kind(directories: tuple[Path, Path], capsys: pytest.CaptureFixture[str]):
    """Directories, texts and indexes; nothing that differs is exit code 0."""
    old, new = directories
    assert diff(str(old), "old.pyalias") == 0
    assert capsys.readouterr().out.splitlines()[1].endswith(": 0 added, 0 dropped")
    assert diff(str(new / "modules.alias"), str(new / "modules.alias.bin")) == 0
    assert diff("1", "1", "--index", "set.pyalias", "--inventory", "fleet.csv") == 0
    assert diff("1", "2", "--index", "set.pyalias") == 1


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert diff(*arguments, "--json", "out.json") == 3
    message = capsys.readouterr().err
    assert message.startswith("pyalias: ")
    assert message.count("\n") == 1
    assert not Path("out.json").exists()
    return message


@pytest.mark.usefixtures("place")
def test_what_is_refused(capsys: pytest.CaptureFixture[str]):
    both = ("old.pyalias", "new.pyalias", "--inventory")
    assert "no kernel '3' in set.pyalias; there are: 1, 2" in refused(
        capsys, "1", "3", "--index", "set.pyalias"
    )
    assert "missing" in refused(capsys, "missing", "new.pyalias")
    assert "missing.csv" in refused(capsys, *both, "missing.csv")
    Path("cut.pyalias").write_bytes(Path("set.pyalias").read_bytes()[:-1])
    assert "cut short or damaged" in refused(capsys, "1", "2", "--index", "cut.pyalias")
    Path("cut.pyalias").write_bytes(Path("old.pyalias").read_bytes()[:-1])
    assert "cut.pyalias" in refused(capsys, "cut.pyalias", "new.pyalias")
    pq.write_table(pa.table({"host": ["a"], "modalias": ["b"]}), "cut.parquet")
    Path("cut.parquet").write_bytes(Path("cut.parquet").read_bytes()[:-20])
    assert "cut.parquet: DuckDB: " in refused(capsys, *both, "cut.parquet")
    assert "'node' for the host" in refused(capsys, *both, "fleet.csv", "--host-column", "node")
    pq.write_table(pa.table({"host": ["a"], "modalias": ["b"]}), "fleet.parquet")
    assert "'node' for the host" in refused(capsys, *both, "fleet.parquet", "--host-column", "node")
    for option in (["--partial"], ["--host", "h"]):
        message = refused(capsys, *both, "fleet.parquet", *option)
        assert f"{option[0]} is for what is read without DuckDB, fleet.parquet" in message
    with pytest.raises(SystemExit):
        diff("old.pyalias", "new.pyalias", "--top", "-1")


@pytest.mark.usefixtures("place")
def test_a_bad_row_in_the_middle(capsys: pytest.CaptureFixture[str]):
    lines = Path("fleet.csv").read_text().splitlines(keepends=True)
    Path("bad.csv").write_text("".join([*lines[:4], "h1,x,y\n", *lines[4:]]))
    both = ("old.pyalias", "new.pyalias", "--inventory")
    assert "record 4 has 3 fields" in refused(capsys, *both, "bad.csv")
    assert diff(*both, "bad.csv", "--rejects", "bad.jsonl", "--json", "bad.json") == 1
    assert "rejected   1 rows" in capsys.readouterr().out
    assert json.loads(Path("bad.jsonl").read_text())["record"] == 4
    assert diff(*both, "fleet.csv", "--json", "good.json", "-q") == 1
    bad, good = (json.loads(Path(name).read_text())["fleet"] for name in ("bad.json", "good.json"))
    assert (bad.pop("rejected"), good.pop("rejected")) == (1, 0)
    assert bad == good


@pytest.mark.usefixtures("place")
def test_a_full_disk():
    """The error of the system, exit code 3, and what stood there before still does."""
    Path("out.json").write_text("old")
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500)); from pyalias.cli import main; "
        "files = ['old.pyalias', 'new.pyalias', '--inventory', 'fleet.csv', '--json', 'out.json']; "
        "sys.exit(main(['diff', *files]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "out.json" in done.stderr
    assert "nothing was written" in done.stderr
    assert Path("out.json").read_text() == "old"
    assert [name for name in os.listdir() if name.startswith(".pyalias")] == []  # noqa: PTH208


def sleeps(process: subprocess.Popen[str]) -> bool:
    """Whether a process waits for something (proc(5))."""
    return Path(f"/proc/{process.pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "S"


@pytest.mark.usefixtures("place")
def test_interrupted():
    """Ctrl-C while it waits for more of the fleet: exit code 130, and no file half written."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        command = [sys.executable, "-m", "pyalias", "diff", "old.pyalias", "new.pyalias", "--inventory", "-",
                   "--rejects", "r.jsonl", "--json", "out.json"]  # fmt: skip
        running = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    assert running.stdin
    assert running.stderr
    running.stdin.write("host,modalias\n" + "h1,pci:v1\n" * 1000)
    running.stdin.flush()
    # The rejects' file is there: it reads; and it sleeps: it waits for more. A signal between the two, just
    # before the system call, would be looked at when that has ended (as of any program in Python).
    while not (list(Path().glob(".pyalias-*")) and sleeps(running)):
        assert running.poll() is None, running.stderr.read()
    running.send_signal(signal.SIGINT)
    with running.stdin, running.stderr:
        ended = running.wait(timeout=60)
        assert (ended, running.stderr.read()) == (130, "pyalias: interrupted\n")
    assert sorted(path.name for path in Path().iterdir() if path.suffix in {".json", ".jsonl", ".tmp"}) == []


def test_the_kinds_are_what_the_documents_say():
    assert KINDS[:4] == CHANGES == ("lost", "generic", "changed", "gained")
    assert set(KINDS[4:]) == {"unchanged", "unclaimed", "invalid", "partial"}
