"""Every single read and write of a switch fails, hangs, or is the last thing before kill -9.

Afterwards each device is as before or as planned, and ``restore`` mends the rest.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.simulated_kernel import (
    E1000E,
    EDU,
    NVME,
    SHARED_E1000,
    SHARED_EDU,
    SHARED_GROUP,
    Faults,
    SimulatedKernel,
    SimulatedOperations,
    directory,
    unpack,
)

from pyalias import vfio
from pyalias.errors import SwitchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CODES = (errno.EACCES, errno.EBUSY, errno.ENODEV, errno.EINVAL, errno.ENOSPC)
# A host driver's device, one without a driver, and a whole group of which one is on VFIO already.
TARGETS = (E1000E, EDU, SHARED_GROUP)
WRITES = ("write", "load", "save", "remove")
# What this process does itself, on its own small files: no kernel to wait for.
OWN = ("save", "remove", "lock")


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on the disk after a power cut is not the question here, and to ask takes most of the time."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with directory() as place:
        yield _prepared(unpack("6.12-final", place))


def _prepared(root: Path) -> Path:
    kernel = SimulatedKernel(root)
    # So that the module must be loaded first, and the group has two devices to switch.
    kernel.unload_module("vfio_pci")
    for address, (driver, override) in kernel.state().items():
        if override is not None and driver is None:
            (kernel.device(address) / "driver_override").write_text("(null)\n")
    return root


class Machine:
    """A simulated kernel that is set back to its start between runs."""

    def __init__(self, kernel: SimulatedKernel) -> None:
        self.kernel = kernel
        self.before = kernel.state()
        self.devices: set[str] = set()
        self.opened: list[SimulatedOperations] = []

    def start(self, faults: Faults | None = None) -> Callable[[], SimulatedOperations]:
        """How the switch gets its operations."""

        def operations() -> SimulatedOperations:
            self.opened.append(SimulatedOperations(self.kernel, faults))
            return self.opened[-1]

        return operations

    def plan(self, target: str | int) -> vfio.Plan:
        """Plan a switch to vfio-pci."""
        plan = vfio.plan(target, driver="vfio-pci", operations=self.start()())
        self.devices = {assignment.device.address for assignment in plan.assignments}
        return plan

    def is_before(self) -> bool:
        """Whether all devices are as at the start."""
        return self.kernel.state() == self.before

    def is_planned(self) -> bool:
        """Whether the planned devices are on vfio-pci, and the others as at the start."""
        return self.kernel.state() == self.before | dict.fromkeys(self.devices, ("vfio-pci", "vfio-pci"))

    def records(self) -> list[str]:
        """The names of the records."""
        return [path.name for path in (self.kernel.root / "run/pyalias/vfio").glob("*.json")]

    def mend(self) -> None:
        """Restore everything; that must always be possible."""
        vfio.restore(write=True, operations=self.start())
        assert self.is_before(), self.kernel.state()
        assert not self.records()

    def reset(self) -> None:
        """Bring the machine back to its start."""
        for operations in self.opened:
            operations.release()
        self.opened.clear()
        self.mend()
        if (self.kernel.pci / "drivers" / "vfio-pci").exists():
            self.kernel.unload_module("vfio_pci")
        assert self.is_before()


@pytest.fixture
def machine(root: Path) -> Iterator[Machine]:
    """All tests use one tree, and each leaves it as it was."""
    machine = Machine(SimulatedKernel(root))
    yield machine
    machine.kernel.refusing.clear()
    machine.reset()


def calls_of(act: Callable[[Faults], object]) -> list[tuple[str, str]]:
    faults = Faults()
    act(faults)
    return faults.calls


def codes_for(kind: str, number: int) -> tuple[int, ...]:
    """Each write fails in every way, and each read in one: nothing asks why a read failed."""
    return CODES if kind in WRITES else (CODES[number % len(CODES)],)


def applied(machine: Machine, target: str | int) -> Callable[[Faults], object]:
    plan = machine.plan(target)
    return lambda faults: vfio.apply(plan, write=True, operations=machine.start(faults))


@pytest.mark.parametrize("target", TARGETS)
def test_without_faults(machine: Machine, target: str | int):
    applied(machine, target)(Faults())
    assert machine.is_planned()
    assert len(machine.records()) == len(machine.devices)
    machine.mend()


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("target", TARGETS)
def test_every_call_of_apply_fails(machine: Machine, target: str | int, *, lasting: bool):
    act = applied(machine, target)
    calls = calls_of(act)
    assert machine.is_planned()
    machine.reset()
    outcomes = set()
    for number, (kind, _) in enumerate(calls):
        for late in (False, True) if kind in WRITES else (False,):
            for code in codes_for(kind, number):
                with pytest.raises(SwitchError) as caught:
                    act(Faults(number, code, late=late, lasting=lasting))
                outcomes.add(caught.value.outcome)
                if caught.value.outcome in ("unchanged", "undone"):
                    assert machine.is_before(), (number, calls[number], code, caught.value)
                else:
                    assert caught.value.outcome == "unfinished"
                    assert lasting, (number, calls[number], code, caught.value)
                    assert machine.records(), "what undoing left must be known to restore"
                machine.reset()
    assert {"unchanged", "undone"} <= outcomes
    # A fault that stays can stand in the way of undoing too; restore has mended each (in reset).
    assert ("unfinished" in outcomes) == lasting


@pytest.mark.parametrize("target", TARGETS)
def test_every_call_of_apply_hangs(machine: Machine, target: str | int):
    act = applied(machine, target)
    calls = calls_of(act)
    machine.reset()
    outcomes = set()
    for number, (kind, _) in enumerate(calls):
        if kind in OWN:
            continue
        with pytest.raises(SwitchError, match="no answer from the kernel") as caught:
            act(Faults(number, "hang"))
        outcome = caught.value.outcome
        outcomes.add(outcome)
        if outcome == "pending":
            assert machine.records(), calls[number]
            states = {entry.state for entry in vfio.status(operations=machine.start()())}
            assert "waiting" in states
            with pytest.raises(SwitchError, match="still waits for the kernel"):
                vfio.restore(write=True, operations=machine.start())
        else:
            assert outcome in ("unchanged", "undone")
        for operations in machine.opened:
            operations.release()
        assert machine.is_before(), (number, calls[number], caught.value)
        machine.reset()
    assert {"unchanged", "pending"} <= outcomes


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("late", [False, True])
def test_every_call_of_restore_fails(machine: Machine, target: str | int, *, late: bool):
    switch = applied(machine, target)

    def act(faults: Faults) -> object:
        return vfio.restore(write=True, operations=machine.start(faults))

    switch(Faults())
    calls = calls_of(act)
    assert machine.is_before()
    for number, (kind, _) in enumerate(calls):
        if late and kind not in WRITES:
            continue
        for code in codes_for(kind, number):
            switch(Faults())
            with pytest.raises(SwitchError) as caught:
                act(Faults(number, code, late=late))
            # Of a group the others are restored all the same.
            if caught.value.outcome == "unchanged" and isinstance(target, str):
                assert machine.is_planned(), (number, calls[number], caught.value)
            # Whatever is left: restoring again mends it.
            machine.mend()


@pytest.mark.parametrize("target", [E1000E, EDU])
def test_every_call_of_restore_hangs(machine: Machine, target: str | int):
    """The device stays with its user: it is again as the switch left it when the kernel answers."""
    switch = applied(machine, target)

    def act(faults: Faults) -> object:
        return vfio.restore(write=True, operations=machine.start(faults))

    switch(Faults())
    calls = calls_of(act)
    for number, (kind, _) in enumerate(calls):
        if kind in OWN:
            continue
        switch(Faults())
        with pytest.raises(SwitchError, match="no answer from the kernel") as caught:
            act(Faults(number, "hang"))
        for operations in machine.opened:
            operations.release()
        assert caught.value.outcome in ("pending", "unchanged")
        assert machine.is_planned(), (calls[number], caught.value)
        machine.reset()


@pytest.mark.parametrize("target", TARGETS)
def test_interrupt_at_every_call(machine: Machine, target: str | int):
    act = applied(machine, target)
    calls = calls_of(act)
    machine.reset()
    for number in range(len(calls)):
        with pytest.raises(KeyboardInterrupt):
            act(Faults(number, "interrupt"))
        assert machine.is_before(), calls[number]
        assert not machine.records()
        machine.reset()


_KILL_RUNS = Path(__file__).with_name("support") / "kill_runs.py"


@pytest.mark.parametrize("action", ["apply", "restore"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.usefixtures("machine")
def test_kill_9_before_every_call(root: Path, target: str | int, action: str):
    """In a real process that is really killed; the worst case, in which no helper process is left to undo."""
    done = subprocess.run(
        [sys.executable, _KILL_RUNS, root, action, json.dumps(target)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(_KILL_RUNS.parent.parent)},
    )
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    assert runs[-1]["ended"] == "done"
    assert len(runs) > 20
    for run in runs[:-1]:
        assert run["ended"] == "killed"
        assert run["mended"], run
        assert run["others"], run
    # The runs went through all that can be left behind.
    left = {state for run in runs for state in run["states"]}
    assert left >= {"switched", "interrupted"}


def test_a_fault_at_a_device_undoes_those_before_it(machine: Machine):
    plan = machine.plan(SHARED_GROUP)
    assert machine.devices == {SHARED_EDU, SHARED_E1000}
    machine.kernel.refusing[SHARED_E1000, "vfio-pci"] = errno.EIO
    with pytest.raises(SwitchError, match="expected driver vfio-pci, found none") as caught:
        vfio.apply(plan, write=True, operations=machine.start())
    assert (caught.value.device, caught.value.step, caught.value.outcome) == (
        SHARED_E1000,
        "verify",
        "undone",
    )
    assert machine.is_before()


def test_a_device_that_hangs_does_not_keep_the_others(machine: Machine):
    """The second device's unbind hangs: the first is put back at once, the second when the kernel answers."""
    plan = machine.plan(SHARED_GROUP)
    unbind = f"/sys/bus/pci/devices/{SHARED_E1000}/driver/unbind"
    faults = Faults(0, "hang", only=lambda kind, path: (kind, path) == ("write", unbind))
    with pytest.raises(SwitchError) as caught:
        vfio.apply(plan, write=True, operations=machine.start(faults))
    assert caught.value.outcome == "pending"
    state = machine.kernel.state()
    assert state[SHARED_EDU] == machine.before[SHARED_EDU]
    assert machine.records() == [f"{SHARED_E1000}.json"]
    for operations in machine.opened:
        operations.release()
    assert machine.is_before()


def test_nvme_and_its_functions(machine: Machine):
    """The first fault of a device that the host's driver refuses to take back is told, and mended later."""
    plan = machine.plan(NVME)
    machine.kernel.refusing[NVME, "vfio-pci"] = errno.EINVAL
    machine.kernel.refusing[NVME, "nvme"] = errno.EIO
    with pytest.raises(SwitchError, match=r"undoing failed too.*run restore") as caught:
        vfio.apply(plan, write=True, force=True, operations=machine.start())
    assert caught.value.outcome == "unfinished"
    assert machine.kernel.driver(NVME) is None
    machine.kernel.refusing.clear()
    machine.mend()
