"""Carries a plan out, all of it or nothing."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pyalias.errors import SwitchError
from pyalias.vfio.operations import Operations, reading, reason
from pyalias.vfio.planning import recorded_findings
from pyalias.vfio.preflight import check
from pyalias.vfio.record import LOCK, Record
from pyalias.vfio.steps import Mover, StepError, back_writes
from pyalias.vfio.sysfs import DRIVERS, driver_of_module, read_device

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pyalias.vfio.planning import Assignment, Plan
    from pyalias.vfio.preflight import Finding

DEFAULT_TIMEOUT = 15.0


def apply(
    plan: Plan,
    *,
    write: bool = False,
    force: bool = False,
    timeout: float = DEFAULT_TIMEOUT,
    operations: Callable[[], Operations] | None = None,
) -> tuple[str, ...]:
    """Carry out a plan: all its devices change their driver, or none does.

    What each device was is recorded before the first write; a failure at any step undoes all. If this
    process is killed, its helper processes undo; if they are killed too, ``restore`` does.

    Args:
        plan: what ``plan`` returned. Devices that have changed since are refused.
        write: without it nothing is written: the plan is only checked.
        force: go on in spite of signs of use.
        timeout: seconds for each answer of the kernel. An unbind waits for a VFIO user that has the device
            open; nvgrace_gpu_vfio_pci may take minutes to probe.
        operations: how the system is reached, one object a device; for tests.

    Returns:
        The addresses of the devices that the plan switches.

    Raises:
        SwitchError: refused, or failed; ``outcome`` says what stands.
    """
    refuse(plan.findings, force=force)
    todo = [assignment for assignment in plan.assignments if not assignment.done]
    addresses = tuple(assignment.device.address for assignment in todo)
    if not write or not todo:
        return addresses
    start = operations or (lambda: Operations(plan.root, timeout))
    with ExitStack() as stack:
        system = stack.enter_context(locked(start))
        _check_again(system, plan, todo, force=force)
        # One helper process a device: when one is left alone with its device the others are still there.
        switches = [_Switch(stack.enter_context(start()), assignment) for assignment in todo]
        _carry_out(switches)
    return addresses


def refuse(findings: Iterable[Finding], *, force: bool) -> None:
    """Raise the first finding that stands.

    Raises:
        SwitchError: there is one.
    """
    for finding in findings:
        if finding.severity == "refused" or (finding.severity == "in use" and not force):
            advice = "; force overrides this" if finding.severity == "in use" else ""
            raise SwitchError(
                f"{finding.device}: {finding.message}{advice}; nothing was changed",
                step="preflight",
                device=finding.device,
            )


@contextmanager
def locked(start: Callable[[], Operations]) -> Iterator[Operations]:
    """Operations on a running kernel, for the only process that switches."""
    with start() as system, ExitStack() as stack:
        if not system.is_live():
            raise SwitchError(
                "/sys there is not that of a running kernel: nothing was written", step="preflight"
            )
        try:
            stack.enter_context(system.lock(LOCK))
        except BlockingIOError as error:
            raise SwitchError(
                "another process is switching: try again when it is done", step="lock"
            ) from error
        except OSError as error:
            raise SwitchError(
                f"{LOCK}: {reason(error)}; only root may switch; nothing was changed", step="lock"
            ) from error
        yield system


def _check_again(system: Operations, plan: Plan, todo: list[Assignment], *, force: bool) -> None:
    """The plan was true when it was made: is it still?"""
    wanted = {assignment.device.address: assignment.driver for assignment in todo}
    devices = [assignment.device for assignment in todo]
    with reading():
        for assignment in plan.assignments:
            address = assignment.device.address
            if read_device(system, address) != assignment.device:
                raise SwitchError(
                    f"{address}: changed since it was planned: plan again; nothing was changed",
                    step="preflight",
                    device=address,
                )
        refuse((*recorded_findings(system, devices), *check(system, devices, wanted)), force=force)


def _carry_out(switches: list[_Switch]) -> None:
    try:
        # Modules and records of all come before the first write to any.
        for action in (_Switch.load, _Switch.record, _Switch.move):
            for switch in switches:
                action(switch)
    except StepError as error:
        failed = [problem for switch in reversed(switches) for problem in switch.undo()]
        raise _failure(error, switches, failed) from error
    except BaseException:
        for switch in reversed(switches):
            switch.undo()
        raise


def _failure(error: StepError, switches: list[_Switch], failed: list[StepError]) -> SwitchError:
    pending = [switch for switch in switches if switch.pending is not None]
    if failed:
        outcome = "unfinished"
        said = f"undoing failed too ({'; '.join(map(str, failed))}): run restore"
    elif pending:
        outcome = "pending"
        said = (
            f"process {pending[0].pending} waits for the kernel's answer and puts the device back then; "
            "restore tells and mends"
        )
    else:
        outcome, said = "undone", "all is as before"
    return SwitchError(f"{error}; {said}", step=error.step, device=error.device, outcome=outcome)


def _undo_writes(record: Record) -> list[tuple[str, bytes]]:
    return back_writes(record.address, leave=record.wanted, driver=record.driver, override=record.override)


class _Switch:
    """One device on its way, and back."""

    def __init__(self, operations: Operations, assignment: Assignment) -> None:
        self.pending: int | None = None
        self._operations = operations
        self._assignment = assignment
        self._address = assignment.device.address
        self._record: Record | None = None
        self._driver = assignment.driver
        self._helper: int | None = None

    def load(self) -> None:
        """Load the module, and learn its driver's name."""
        with self._step("load"):
            if self._assignment.module is not None:
                self._operations.load_module(self._assignment.module)
                self._driver = driver_of_module(self._operations, self._assignment.module) or self._driver
            if self._driver is None or not self._operations.exists(f"{DRIVERS}/{self._driver}"):
                name = self._driver or f"of module {self._assignment.module}"
                raise StepError("load", self._address, f"the module is loaded, but there is no driver {name}")

    def record(self) -> None:
        """Keep what the device is now."""
        device = self._assignment.device
        with self._step("record"):
            record = Record(
                device.address, device.modalias, device.driver, device.override, self._driver or ""
            )
            self._record = record
            self._operations.save(record.path, record.to_bytes())

    def move(self) -> None:
        """The writes."""
        if self._record is None:
            raise AssertionError
        with self._step("override"):
            self._helper = self._operations.undo_if_abandoned(_undo_writes(self._record))
        Mover(self._operations, self._address).move(self._record.wanted, vfio=True)

    def undo(self) -> list[StepError]:
        """Put the device back as it was; what went wrong with that."""
        if self._record is None:
            return []
        if self._helper is not None and self._operations.is_abandoned():
            return self._leave_to_helper(self._record, self._helper)
        try:
            Mover(self._operations, self._address).put_back(self._record)
            with self._step("record"):
                self._operations.remove(self._record.path)
        except StepError as error:
            return [error]
        return []

    def _leave_to_helper(self, record: Record, helper: int) -> list[StepError]:
        """Two that undo would be in each other's way: the helper process does, as soon as it can."""
        self.pending = helper
        try:
            with self._step("record"):
                self._operations.save(record.path, replace(record, pending=helper).to_bytes())
        except StepError as error:
            return [error]
        return []

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StepError(name, self._address, error) from error
