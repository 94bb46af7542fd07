"""The order of writes that moves a device from driver to driver, the same for there and back.

The override goes first: from then on the kernel gives the device to the wanted driver alone, so that
nothing else takes it in the moment without a driver (pci_match_device; docs/decisions/0070). Then unbind,
probe, and look: ``drivers_probe`` reports success also when no driver took the device. ``new_id`` is never
written: it takes every device of the same id.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from pyalias.vfio.operations import reason
from pyalias.vfio.sysfs import DEVICES, DRIVERS, PROBE, is_on_vfio, read_override

if TYPE_CHECKING:
    from pyalias.vfio.operations import Operations
    from pyalias.vfio.record import Record

_POLLS = 100
_PAUSE = 0.05
# An empty write is none, and clears nothing.
_NO_OVERRIDE = b"\n"

_ADVICE = {
    ("override", errno.EACCES): "only root may write it",
    ("unbind", errno.ENODEV): "another program moved the device",
    ("unbind", errno.ETIMEDOUT): "its user must let go first, such as a virtual machine that has it open",
    ("probe", errno.EINVAL): "the driver refused it, or a VFIO user owns its IOMMU group: see dmesg",
    ("load", errno.ENOEXEC): "does this kernel have the module?",
}


class StepError(Exception):
    """A step that failed, and what to do about it where that is known."""

    def __init__(self, step: str, device: str, error: OSError | str) -> None:
        code = error.errno if isinstance(error, OSError) else None
        advice = _ADVICE.get((step, code or 0))
        text = reason(error) if isinstance(error, OSError) else error
        super().__init__(f"{device}: {step}: {text}{f'; {advice}' if advice else ''}")
        self.step = step
        self.device = device


class Mover:
    """Moves one device; every failure is a ``StepError`` that names the step."""

    def __init__(self, operations: Operations, address: str) -> None:
        self._operations = operations
        self._address = address
        self._path = f"{DEVICES}/{address}"
        self._step = "read"

    def move(self, driver: str, *, vfio: bool) -> None:
        """Bring the device to a driver, and leave the override on it.

        ``vfio`` asks for a VFIO driver: it must give the device a ``vfio-dev``.
        """
        try:
            self._write_override(driver)
            if self._release(unless=driver):
                self._step = "probe"
                self._operations.write(PROBE, self._address.encode())
            self._verify(driver, vfio=vfio)
        except OSError as error:
            raise StepError(self._step, self._address, error) from error

    def put_back(self, record: Record) -> None:
        """Bring the device, in whatever state it is, to what its record says; writes only what differs."""
        try:
            self._step = "read"
            if self._driver() != record.driver:
                if record.driver is None:
                    self._release(unless=None)
                else:
                    self.move(record.driver, vfio=False)
            self._step = "read"
            if read_override(self._operations, self._address) != record.override:
                self._write_override(record.override)
        except OSError as error:
            raise StepError(self._step, self._address, error) from error

    def _write_override(self, driver: str | None) -> None:
        self._step = "override"
        self._operations.write(f"{self._path}/driver_override", override_bytes(driver))
        if read_override(self._operations, self._address) != driver:
            raise StepError(self._step, self._address, f"{driver or 'no override'} was written and not kept")

    def _release(self, *, unless: str | None) -> bool:
        """Unbind, unless the device is on that driver; whether it is without a driver now."""
        self._step = "unbind"
        driver = self._driver()
        if driver is not None and driver == unless:
            return False
        if driver is not None:
            self._operations.write(f"{self._path}/driver/unbind", self._address.encode())
        return True

    def _verify(self, driver: str, *, vfio: bool) -> None:
        self._step = "verify"
        for _ in range(_POLLS):
            found = self._driver()
            if found == driver and (not vfio or is_on_vfio(self._operations, self._address)):
                return
            self._operations.pause(_PAUSE)
        if found == driver:
            raise StepError(
                self._step, self._address, f"{driver} took it, but is no VFIO driver: no vfio-dev"
            )
        raise StepError(
            self._step,
            self._address,
            f"expected driver {driver}, found {found or 'none'}: see dmesg for its reason",
        )

    def _driver(self) -> str | None:
        return self._operations.link(f"{self._path}/driver")


def override_bytes(driver: str | None) -> bytes:
    """What to write to ``driver_override``."""
    return _NO_OVERRIDE if driver is None else driver.encode() + b"\n"


def back_writes(
    address: str, *, leave: str | None, driver: str | None, override: str | None
) -> list[tuple[str, bytes]]:
    """The writes that bring a device back to a driver and an override, from wherever a move left it.

    Each is harmless where there is nothing to undo: the unbind is that of the driver to ``leave``, which
    refuses a device that is not its own.
    """
    path = f"{DEVICES}/{address}/driver_override"
    release = [] if leave is None else [(f"{DRIVERS}/{leave}/unbind", address.encode())]
    last = (path, override_bytes(override))
    if driver is None:
        return [*release, last]
    return [(path, override_bytes(driver)), *release, (PROBE, address.encode()), last]
