"""Inventories through ``pyalias scan``: columns, partial devices, rejects."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from support.inventories import BY_FILE, INVENTORIES, SAMPLES, Sample, read

from pyalias.cli import main
from pyalias.inventory import RECORD_COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

    import pyalias

RELEASE = "6.12.117-amd64"


@pytest.fixture(scope="module")
def modules(kernel_dirs: dict[str, Path]) -> str:
    return str(kernel_dirs[RELEASE])


def scan(modules: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, str]]:
    assert main(["scan", "--modules", modules, "--quiet", "--output-format", "csv", *arguments]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.file)
def test_every_shape(
    sample: Sample, modules: str, capsys: pytest.CaptureFixture[str], indexes: dict[str, pyalias.AliasIndex]
):
    """Each row's modules are the index's own answers, three-valued for partial devices."""
    rows = scan(modules, capsys, str(INVENTORIES / sample.file))
    records = read(sample.data).records
    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        if record.partial:
            partial = indexes[RELEASE].lookup_partial(record.text)
            found = (row["error"], row["state"], row["modules"].split(), row["possible"].split())
            assert found == ("PARTIAL", partial.state, [*partial.certain], [*partial.possible])
            assert "*" in row["device"]
        else:
            answer = indexes[RELEASE].lookup(record.text)
            assert (row["device"], row["modules"]) == (record.modalias, " ".join(answer))
            assert (row["state"], row["possible"]) == ("certain" if answer else "none", "")


def test_columns(modules: str, capsys: pytest.CaptureFixture[str]):
    rows = scan(modules, capsys, str(INVENTORIES / "lspci-vmmkn.txt"), "--host", "h1")
    assert tuple(rows[0]) == (*RECORD_COLUMNS, "device", "modules", "error", "state", "possible")
    assert rows[1] == {
        "host": "h1",
        "bus": "pci",
        "slot": "00:1f.6",
        "vendor_id": "8086",
        "device_id": "15b7",
        "subvendor_id": "103c",
        "subdevice_id": "8347",
        "class": "020000",
        "revision": "31",
        "driver": "e1000e",
        "kernel_modules": "e1000e",
        "device": "pci:v00008086d000015B7sv0000103Csd00008347bc02sc00i00",
        "modules": "e1000e",
        "error": "",
        "state": "certain",
        "possible": "",
    }
    assert [row["class"] for row in scan(modules, capsys, str(INVENTORIES / "nfd.json"))][:2] == [
        "0604",
        "0200",
    ]


def test_partial_devices_are_neither_matched_nor_unmatched(
    modules: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    numbers = tmp_path / "numbers.json"
    for file, partial in (
        ("lspci-vmmkn.txt", (1, 0, 0, 1)),
        ("nfd.json", (5, 2, 2, 1)),
        ("maas.json", (5, 1, 4, 0)),
        ("udev.txt", (0, 0, 0, 0)),
    ):
        scan(modules, capsys, str(INVENTORIES / file), "--summary-json", str(numbers))
        summary = json.loads(numbers.read_text())
        parts = [summary[name] for name in ("matched", "unmatched", "invalid", "partial")]
        states = [summary[name] for name in ("partial", "certain", "possible", "none")]
        assert states == list(partial)
        assert sum(parts) == summary["devices"] == len(read(BY_FILE[file].data).records)


def test_rejects(modules: str, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    bad = BY_FILE["lspci-vmmkn.txt"].data.replace(b"15b7", b"15\xff7")
    (tmp_path / "devices").write_bytes(bad)
    arguments = ["scan", "--modules", modules, str(tmp_path / "devices")]
    assert main([*arguments, "-o", str(tmp_path / "out.csv")]) == 3
    assert "record 2: Device: expected an id of four hexadecimal digits" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()
    rejects = tmp_path / "rejects.jsonl"
    assert main([*arguments, "-o", str(tmp_path / "out.csv"), "--rejects", str(rejects)]) == 0
    assert "rejected     1 rows" in capsys.readouterr().err
    (line,) = map(json.loads, rejects.read_text("ascii").splitlines())
    assert (line["record"], line["field"]) == (2, "Device")
    assert line["entry"].encode("utf-8", "surrogateescape") == bad.split(b"\n\n")[1]
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("name", "data", "kept"),
    [
        (
            "x.csv",
            b'host,modalias\nh1,pci:a\nh2\nh3,"pci:b\nh4,"x"y\n\nh5,pci:c\nh6,"pci:d\n',
            ["h2\n", 'h3,"pci:b\nh4,"x"y\n', 'h6,"pci:d\n'],
        ),
        (
            "x.jsonl",
            b'{"modalias": "pci:a"}\n{"modalias": 3}\n{"modalias"\n\n{"modalias": "pci:c"}\n',
            ['{"modalias": 3}', '{"modalias"'],
        ),
    ],
)
def test_rejects_of_lists(
    name: str,
    data: bytes,
    kept: list[str],
    modules: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
):
    (tmp_path / name).write_bytes(data)
    rejects = tmp_path / "rejects.jsonl"
    rows = scan(modules, capsys, str(tmp_path / name), "--rejects", str(rejects))
    assert [json.loads(line)["entry"] for line in rejects.read_text().splitlines()] == kept
    assert [row["device"] for row in rows] == ["pci:a", "pci:c"]


def test_names(
    modules: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "pci.ids").write_text("8086  Intel Corporation\n\t15b7  I219-LM\n")
    monkeypatch.setattr("pyalias.inventory.names.DeviceNames.__init__.__defaults__", ((str(tmp_path),),))
    rows = scan(modules, capsys, str(INVENTORIES / "lspci-vmmkn.txt"), "--names")
    assert [row["name"] for row in rows] == ["Intel Corporation", "Intel Corporation I219-LM", "", ""]
