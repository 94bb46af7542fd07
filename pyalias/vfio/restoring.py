"""Brings devices back to what they were before a switch, also after one that was killed half way."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pyalias.errors import SwitchError
from pyalias.vfio.applying import DEFAULT_TIMEOUT, locked
from pyalias.vfio.in_use import vfio_users
from pyalias.vfio.operations import Operations, reading
from pyalias.vfio.planning import opened
from pyalias.vfio.record import Record, read_record, recorded_addresses
from pyalias.vfio.steps import Mover, StepError, back_writes, override_bytes
from pyalias.vfio.sysfs import DEVICES, DeviceState, group_members, parse_address, read_device

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

_BY_GRAVITY = ("unchanged", "undone", "pending", "unfinished")

State = Literal["untouched", "switched", "interrupted", "waiting", "as before", "gone"]


@dataclass(frozen=True, slots=True)
class Status:
    """A device and its record.

    ``state``: ``untouched`` (no record), ``switched`` (on the driver that was wanted), ``interrupted``
    (neither that nor as before: restore it), ``waiting`` (a helper process waits for the kernel, and puts
    it back then), ``as before`` (nothing to restore but the record), ``gone`` (another device, or none, has
    the address now).
    """

    address: str
    state: State
    device: DeviceState | None
    record: Record | None

    def __str__(self) -> str:
        driver = "?" if self.device is None else self.device.driver or "no driver"
        override = f", override {self.device.override}" if self.device and self.device.override else ""
        before = f"; before: {self.record.driver or 'no driver'}" if self.record else ""
        return f"{self.address}  {self.state}: on {driver}{override}{before}"


def status(
    target: str | int | None = None,
    *,
    root: str | os.PathLike[str] = "/",
    operations: Operations | None = None,
) -> tuple[Status, ...]:
    """How a device, the devices of a group, or (``None``) all recorded devices stand. Only reads.

    Raises:
        SwitchError: no such device or group, or sysfs or a record cannot be read.
    """
    with opened(operations, str(root)) as system, reading():
        return tuple(_status(system, address) for address in _addresses(system, target))


def restore(
    target: str | int | None = None,
    *,
    write: bool = False,
    force: bool = False,
    timeout: float = DEFAULT_TIMEOUT,
    root: str | os.PathLike[str] = "/",
    operations: Callable[[], Operations] | None = None,
) -> tuple[Status, ...]:
    """Bring a device, the devices of a group, or all recorded devices back to what their records say.

    Each device gets its old driver and its old override, whatever state it is in. Where the driver will not
    let go, the device stays on it. Without ``write`` nothing is written.

    Args:
        target: an address, a group's number, or ``None`` for all that have a record.
        write: do it.
        force: also where a process has the device's group open. The unbind then waits for it.
        timeout: seconds for each answer of the kernel.
        root: of another tree, such as a host's that a container sees.
        operations: how the system is reached, one object a device; for tests.

    Returns:
        How the devices stood before.

    Raises:
        SwitchError: refused, or failed; the record is kept, and ``outcome`` says what stands.
    """
    start = operations or (lambda: Operations(str(root), timeout))
    if not write:
        with start() as system:
            return status(target, operations=system)
    with locked(start) as system:
        found = status(target, operations=system)
        failures = [failure for entry in found if (failure := _attempt(system, start, entry, force=force))]
    if failures:
        raise _joined(failures)
    return found


def _attempt(
    system: Operations, start: Callable[[], Operations], entry: Status, *, force: bool
) -> SwitchError | None:
    """Restore one device; a failure must not keep the others from being restored."""
    if entry.record is None:
        return None
    try:
        _refuse(system, entry, force=force)
        with start() as own:
            _restore(own, entry, entry.record)
    except SwitchError as error:
        return error
    return None


def _joined(failures: list[SwitchError]) -> SwitchError:
    """One error for all; its outcome is the one that leaves most to do."""
    worst = max(failures, key=lambda failure: _BY_GRAVITY.index(failure.outcome))
    if len(failures) == 1:
        return worst
    text = "; ".join(map(str, failures))
    return SwitchError(text, step=worst.step, device=worst.device, outcome=worst.outcome)


def _addresses(system: Operations, target: str | int | None) -> list[str]:
    if target is None:
        return recorded_addresses(system)
    if isinstance(target, str):
        return [parse_address(target)]
    members = group_members(system, target)
    if not members:
        raise SwitchError(f"there is no IOMMU group {target}; ls /sys/kernel/iommu_groups", step="find")
    return members


def _status(system: Operations, address: str) -> Status:
    record = read_record(system, address)
    if record is None:
        return Status(address, "untouched", read_device(system, address), None)
    if record.pending is not None and system.is_helper(record.pending):
        # The kernel holds the device meanwhile, and reading its override may wait for that.
        return Status(address, "waiting", None, record)
    if not system.exists(f"{DEVICES}/{address}"):
        return Status(address, "gone", None, record)
    device = read_device(system, address)
    return Status(address, _state(device, record), device, record)


def _state(device: DeviceState, record: Record) -> State:
    if device.modalias != record.modalias:
        return "gone"
    if record.is_as_before(device):
        return "as before"
    return "switched" if device.driver == device.override == record.wanted else "interrupted"


def _refuse(system: Operations, entry: Status, *, force: bool) -> None:
    if entry.state == "waiting" and entry.record is not None:
        raise SwitchError(
            f"{entry.address}: process {entry.record.pending} still waits for the kernel "
            "to unbind or bind it, and puts it back then; end the device's user",
            step="preflight",
            device=entry.address,
            outcome="pending",
        )
    if force or entry.device is None:
        return
    with reading(so="it was left as it is"):
        users = vfio_users(system, entry.device)
    if users:
        raise SwitchError(
            f"{entry.address}: process {', '.join(users)} has it open through VFIO: end it first; "
            "force overrides this; it was left as it is",
            step="preflight",
            device=entry.address,
        )


def _restore(own: Operations, entry: Status, record: Record) -> None:
    helper = None
    try:
        if entry.device is not None and entry.state != "gone":
            helper = own.undo_if_abandoned(_stay_writes(entry.device, record))
            Mover(own, entry.address).put_back(record)
            # From here on nothing may switch it again: there will be no record of that.
            own.undo_if_abandoned([])
        own.remove(record.path)
    except OSError as error:
        raise _failure(own, entry, record, helper, StepError("record", entry.address, error)) from error
    except StepError as error:
        raise _failure(own, entry, record, helper, error) from error


def _stay_writes(device: DeviceState, record: Record) -> list[tuple[str, bytes]]:
    """What leaves a switched device to its user, when the kernel's answer comes too late."""
    if device.driver != record.wanted:
        return []
    return back_writes(device.address, leave=record.driver, driver=device.driver, override=device.override)


def _failure(
    own: Operations, entry: Status, record: Record, helper: int | None, error: StepError
) -> SwitchError:
    outcome = "unfinished"
    said = "the record is kept: mend the cause and restore again"
    if helper is not None and own.is_abandoned():
        outcome = "pending"
        said = f"process {helper} waits for the kernel's answer; the device stays on {record.wanted}"
        with suppress(OSError):
            own.save(record.path, replace(record, pending=helper).to_bytes())
    elif entry.device is not None and _is_untouched(own, entry.device):
        outcome, said = "undone", f"it is still on {entry.device.driver}, as before"
    return SwitchError(f"{error}; {said}", step=error.step, device=entry.address, outcome=outcome)


def _is_untouched(own: Operations, device: DeviceState) -> bool:
    """Puts the override back where the driver would not let go; whether all is as it was."""
    with suppress(OSError, SwitchError):
        if own.link(f"{device.path}/driver") == device.driver:
            own.write(f"{device.path}/driver_override", override_bytes(device.override))
            return read_device(own, device.address) == device
    return False
