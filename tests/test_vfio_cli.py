"""``pyalias vfio``: output and exit codes, and what the page on the switch shows."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.simulated_kernel import (
    E1000E,
    NVME,
    SHARED_EDU,
    VIRTIO,
    Faults,
    SimulatedKernel,
    SimulatedOperations,
    directory,
    unpack,
)

from pyalias.cli import main
from pyalias.vfio import applying, planning, restoring

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedOperations]:
    """The machine of the page: `machine` in the working directory, on which the kernel reacts."""
    with directory() as place:
        root = unpack("6.12-final", place).rename(place / "machine")
        kernel = SimulatedKernel(root)
        kernel.unbind(SHARED_EDU)
        operations = SimulatedOperations(kernel)
        monkeypatch.chdir(place)
        for module in (applying, planning, restoring):
            monkeypatch.setattr(module, "Operations", lambda *_: operations)
        yield operations


def run(*arguments: str) -> int:
    return main(["vfio", *arguments])


def documented_runs() -> list[tuple[str, str]]:
    text = (DOCS / "vfio-switch.md").read_text("utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    runs = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in runs]


@pytest.mark.usefixtures("system")
def test_the_page_shows_what_happens(capsys: pytest.CaptureFixture[str]):
    """One story from top to bottom: each run sees what the ones before it did."""
    for line, expected in documented_runs():
        program, *arguments = shlex.split(line)
        assert program == "pyalias"
        main(arguments)
        output = capsys.readouterr()
        assert output.out + output.err == expected, line


@pytest.mark.usefixtures("system")
def test_exit_codes(capsys: pytest.CaptureFixture[str]):
    driver = ("--driver", "vfio-pci")
    assert run("plan", E1000E, *driver) == 0
    assert run("plan", SHARED_EDU, *driver) == 1
    assert run("plan", NVME, *driver) == 1
    assert run("plan", "99:00.0", *driver) == 3
    assert run("apply", SHARED_EDU, *driver, "--write", "--force") == 1
    assert run("apply", E1000E, *driver) == 0
    assert "nothing was written" in capsys.readouterr().err
    assert run("restore", "--all", "--write") == 1
    assert run("apply", E1000E, *driver, "--write") == 0
    assert run("status") == 0
    assert run("restore", "--all", "--write") == 0


def test_what_is_not_undone_is_exit_code_4(system: SimulatedOperations, capsys: pytest.CaptureFixture[str]):
    unbind = ("write", f"/sys/bus/pci/devices/{E1000E}/driver/unbind")
    system.faults = Faults(0, "hang", only=lambda *call: call == unbind)
    assert run("apply", E1000E, "--driver", "vfio-pci", "--write") == 4
    assert "waits for the kernel's answer" in capsys.readouterr().err
    assert run("status") == 4
    assert capsys.readouterr().out == f"{E1000E}  waiting: on ?; before: e1000e\n"
    system.release()
    assert run("status") == 0
    assert capsys.readouterr().out == f"{E1000E}  as before: on e1000e; before: e1000e\n"


def test_a_failure_that_was_undone_is_exit_code_3(system: SimulatedOperations):
    system.kernel.refusing[E1000E, "vfio-pci"] = 22
    assert run("apply", E1000E, "--driver", "vfio-pci", "--write") == 3


@pytest.mark.usefixtures("system")
def test_json(capsys: pytest.CaptureFixture[str]):
    assert run("plan", "group:9", "--driver", "vfio-pci", "--json") == 0
    assert json.loads(capsys.readouterr().out)["devices"][0]["address"] == VIRTIO
    assert run("apply", VIRTIO, "--driver", "vfio-pci", "--write", "--json") == 0
    assert json.loads(capsys.readouterr().out)["steps"]
    assert run("status", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["state"], entry["record"]["driver"]) == ("switched", "virtio-pci")


@pytest.mark.parametrize(
    "arguments",
    [[], ["plan"], ["restore"], ["restore", E1000E, "--all"], ["apply", E1000E, "--timeout", "-1"]],
)
def test_wrong_usage(arguments: list[str]):
    with pytest.raises(SystemExit) as end:
        run(*arguments)
    assert end.value.code == 2
