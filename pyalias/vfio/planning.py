"""The plan of a switch: which device gets which driver, by which writes, and what speaks against it.

A plan only reads. It is data: ``to_dict`` for programs, ``str()`` for people.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pyalias.errors import SwitchError
from pyalias.index import AliasIndex
from pyalias.vfio.choice import choose as best_choice
from pyalias.vfio.operations import Operations, reading
from pyalias.vfio.preflight import Finding, check
from pyalias.vfio.record import read_record
from pyalias.vfio.sysfs import (
    DRIVERS,
    PROBE,
    DeviceState,
    driver_of_module,
    group_members,
    parse_address,
    read_device,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator


class Chosen(Protocol):
    """What a chooser says: the answer of ``pyalias.vfio.choose`` is one."""

    @property
    def module(self) -> str:
        """The module to load."""

    @property
    def driver(self) -> str | None:
        """The driver's name, where it is known before the module is loaded."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know about the choice."""


class Step(NamedTuple):
    """One action on one device; ``path`` and ``value`` say what is written where, if anything."""

    action: str
    device: str
    path: str | None
    value: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """A device as it is now, and what it gets.

    ``module`` is loaded first, unless it is ``None``: the driver is there already. ``driver`` is ``None``
    while only the loaded module can tell its driver's name. ``done`` says that the device is there already.
    """

    device: DeviceState
    module: str | None
    driver: str | None

    @property
    def done(self) -> bool:
        """Whether there is nothing to do."""
        return self.driver is not None and self.device.driver == self.driver and self.device.vfio


@dataclass(frozen=True, slots=True)
class Plan:
    """What ``apply`` would do: made by ``plan``, and only as true as the moment it was made."""

    target: str
    assignments: tuple[Assignment, ...]
    findings: tuple[Finding, ...]
    root: str

    @property
    def refused(self) -> tuple[Finding, ...]:
        """What stands against it, ``force`` or not."""
        return tuple(finding for finding in self.findings if finding.severity == "refused")

    @property
    def in_use(self) -> tuple[Finding, ...]:
        """Signs of use, which only ``force`` overrides."""
        return tuple(finding for finding in self.findings if finding.severity == "in use")

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every action in order; none for devices that are there already."""
        todo = [assignment for assignment in self.assignments if not assignment.done]
        return tuple(step for assignment in todo for step in _steps(assignment))

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON has it."""
        return {
            "target": self.target,
            "root": self.root,
            "devices": [
                asdict(assignment.device)
                | {
                    "wanted_module": assignment.module,
                    "wanted_driver": assignment.driver,
                    "done": assignment.done,
                }
                for assignment in self.assignments
            ],
            "findings": [finding._asdict() for finding in self.findings],
            "refused": bool(self.refused),
            "in_use": bool(self.in_use),
            "steps": [step._asdict() for step in self.steps],
        }

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def plan(
    target: str | int,
    *,
    index: AliasIndex | None = None,
    choose: Callable[[str], Chosen | None] | None = None,
    driver: str | None = None,
    root: str | os.PathLike[str] = "/",
    operations: Operations | None = None,
) -> Plan:
    """Plan the switch of a device, or of all devices of an IOMMU group, to a VFIO driver. Only reads.

    Args:
        target: an address such as ``"0000:01:00.0"``, or the number of a group. Bridges in a group stay.
        index: the kernel's aliases, of which the best VFIO driver is chosen; by default those of the
            running kernel (below ``root``).
        choose: another way to choose, from a device's modalias.
        driver: the name of a driver, or of its module, for all devices, instead of choosing.
        root: of another tree, such as a host's that a container sees.
        operations: how the system is read; for tests.

    Raises:
        SwitchError: no such device or group, no driver for it, or sysfs cannot be read.
    """
    where = str(root)
    decide = _decision(driver, choose, index, where)
    with opened(operations, where) as system, reading():
        devices = [read_device(system, address) for address in _addresses(system, target)]
        decided = [decide(system, device) for device in devices]
        assignments = tuple(assignment for assignment, _ in decided)
        notes = tuple(
            Finding("note", "choice", assignment.device.address, text)
            for assignment, texts in decided
            for text in texts
        )
        wanted = {assignment.device.address: assignment.driver for assignment in assignments}
        todo = [assignment.device for assignment in assignments if not assignment.done]
        findings = (*recorded_findings(system, todo), *check(system, todo, wanted), *notes)
    return Plan(_name(target), assignments, findings, where)


@contextmanager
def opened(operations: Operations | None, root: str) -> Iterator[Operations]:
    """The operations given, or new ones for the block."""
    if operations is not None:
        yield operations
        return
    with Operations(root) as system:
        yield system


def _addresses(operations: Operations, target: str | int) -> list[str]:
    if isinstance(target, str):
        return [parse_address(target)]
    members = group_members(operations, target)
    if not members:
        raise SwitchError(f"there is no IOMMU group {target}; ls /sys/kernel/iommu_groups", step="find")
    return [address for address in members if not read_device(operations, address).bridge]


def _name(target: str | int) -> str:
    return parse_address(target) if isinstance(target, str) else f"group {target}"


def _decision(
    driver: str | None,
    choose: Callable[[str], Chosen | None] | None,
    index: AliasIndex | None,
    root: str,
) -> Callable[[Operations, DeviceState], tuple[Assignment, tuple[str, ...]]]:
    """A function that assigns a driver to a device, with what to know about the choice."""
    if driver is not None:
        return lambda operations, device: (_named(operations, device, driver), ())
    chooser = _best(index, root) if choose is None else lambda device: choose(device.modalias)

    def decide(operations: Operations, device: DeviceState) -> tuple[Assignment, tuple[str, ...]]:
        choice = chooser(device)
        if choice is None:
            raise SwitchError(
                f"{device.address}: no vfio_pci: alias matches {device.modalias}; "
                "does this kernel have vfio_pci? A driver can be named instead",
                step="choose",
                device=device.address,
            )
        name = driver_of_module(operations, choice.module) or choice.driver
        return Assignment(device, choice.module, name), choice.warnings

    return decide


def _named(operations: Operations, device: DeviceState, name: str) -> Assignment:
    """A driver that is there needs no module; another name is a module's (modprobe takes ``-`` for ``_``)."""
    if "/" in name or name in ("", ".", ".."):
        raise SwitchError(f"expected the name of a driver or a module, found {name!r}", step="choose")
    if operations.exists(f"{DRIVERS}/{name}"):
        return Assignment(device, None, name)
    return Assignment(device, name, driver_of_module(operations, name))


def _best(index: AliasIndex | None, root: str) -> Callable[[DeviceState], Chosen | None]:
    """The most specific ``vfio_pci:`` alias, of the kernel that is given or runs."""
    aliases = index or AliasIndex.from_modules(root=root)
    return lambda device: best_choice(
        aliases, device.modalias, virtual_function=device.physfn is not None, root=root
    )


def recorded_findings(operations: Operations, devices: list[DeviceState]) -> Iterator[Finding]:
    """A record of an earlier switch holds what the device was before: it must not be written over."""
    for device in devices:
        record = read_record(operations, device.address)
        if record is not None and not record.is_as_before(device):
            text = f"an earlier switch from {record.driver or 'no driver'} is recorded: restore it first"
            yield Finding("refused", "recorded", device.address, text)


def _steps(assignment: Assignment) -> Iterator[Step]:
    device, path = assignment.device.address, assignment.device.path
    driver = assignment.driver or f"the driver of {assignment.module}"
    if assignment.module is not None:
        yield Step("load", device, None, assignment.module, f"modprobe -- {assignment.module}")
    yield Step("record", device, None, None, "keep what restore needs")
    yield Step("override", device, f"{path}/driver_override", assignment.driver, f"only {driver} may bind it")
    if assignment.device.driver is not None:
        unbind = f"{path}/driver/unbind"
        yield Step("unbind", device, unbind, device, f"take it from {assignment.device.driver}")
    yield Step("probe", device, PROBE, device, "let the kernel bind it")
    yield Step("verify", device, None, None, f"wait until it is on {driver} and has a vfio-dev")


def _lines(plan: Plan) -> Iterator[str]:
    for assignment in plan.assignments:
        device = assignment.device
        group = "no IOMMU group" if device.group is None else f"IOMMU group {device.group}"
        wanted = assignment.driver or f"the driver of {assignment.module}"
        change = f"stays on {wanted}" if assignment.done else f"{device.driver or 'no driver'} -> {wanted}"
        yield f"{device.address}  {device.modalias}  {group}: {change}"
    for finding in plan.findings:
        yield f"{finding.severity}: {finding.device}: {finding.message}"
    for number, step in enumerate(plan.steps, 1):
        write = f"  write {step.value or '(its name)'} to {step.path}" if step.path else ""
        yield f"{number:>3}. {step.device}  {step.action:<8}  {step.text}{write}"
