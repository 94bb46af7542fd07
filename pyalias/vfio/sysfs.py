"""What sysfs says about a PCI device: a plan is made from it, and compared with it again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyalias.errors import SwitchError

if TYPE_CHECKING:
    from pyalias.vfio.operations import Operations

DEVICES = "/sys/bus/pci/devices"
DRIVERS = "/sys/bus/pci/drivers"
PROBE = "/sys/bus/pci/drivers_probe"
MODULES = "/sys/module"
GROUPS = "/sys/kernel/iommu_groups"
VFIO_CLASS = "/sys/class/vfio-dev"

_ADDRESS = re.compile(r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])", re.IGNORECASE)
_HEADER_TYPE = 0x0E
_MULTIFUNCTION = 0x80
_IDS = slice(len("pci:v"), len("pci:vVVVVVVVVdDDDDDDDD"))
_PCI_TO_PCI = (0x0604, 0x0607, 0x0609)


@dataclass(frozen=True, slots=True)
class DeviceState:
    """One device as sysfs shows it.

    ``override`` is ``None`` where none is set; ``group`` is ``None`` without an IOMMU (or with one that
    does not cover the device); ``class_code`` has 24 bits; ``vfio`` says that a VFIO driver is bound,
    whatever its name; ``physfn`` is the physical function of a virtual one.
    """

    address: str
    modalias: str
    driver: str | None
    override: str | None
    group: int | None
    class_code: int
    bridge: bool
    vfio: bool
    physfn: str | None = None

    @property
    def path(self) -> str:
        """Its directory, by its name on the bus."""
        return f"{DEVICES}/{self.address}"

    @property
    def ids(self) -> tuple[int, int]:
        """Vendor and device, as the modalias has them."""
        vendor, _, number = self.modalias[_IDS].partition("d")
        return int(vendor, 16), int(number, 16)


def parse_address(text: str) -> str:
    """``0000:01:00.0`` in full and in lower case; the domain may be left out.

    Raises:
        SwitchError: it is no address.
    """
    found = _ADDRESS.fullmatch(text)
    if not found:
        raise SwitchError(
            f"expected a PCI address such as 0000:01:00.0, found {text!r}; lspci -D lists them", step="find"
        )
    domain, bus, slot, function = found.groups()
    return f"{domain or '0000'}:{bus}:{slot}.{function}".lower()


def read_device(operations: Operations, address: str) -> DeviceState:
    """Read one device.

    Raises:
        SwitchError: there is none at that address.
        OSError: sysfs cannot be read.
    """
    path = f"{DEVICES}/{address}"
    try:
        if not operations.exists(path):
            raise SwitchError(
                f"{address}: no such PCI device; lspci -D lists them", step="find", device=address
            )
        class_code = int(operations.read(f"{path}/class"), 16)
        return DeviceState(
            address=address,
            modalias=_text(operations.read(f"{path}/modalias")),
            driver=operations.link(f"{path}/driver"),
            override=read_override(operations, address),
            group=_number(operations.link(f"{path}/iommu_group")),
            class_code=class_code,
            bridge=_is_bridge(operations, path, class_code),
            vfio=is_on_vfio(operations, address),
            physfn=operations.link(f"{path}/physfn"),
        )
    except ValueError as error:
        raise SwitchError(f"{path}: not as sysfs has it: {error}", step="read", device=address) from error


def is_on_vfio(operations: Operations, address: str) -> bool:
    """Whether the driver that has a device is a VFIO driver: VFIO gives each of its devices a ``vfio-dev``.

    Kernels before 6.1 do not; there the driver's name must do. The class is missing also where VFIO is not
    loaded: then no driver of that name is there either.
    """
    path = f"{DEVICES}/{address}"
    if operations.exists(VFIO_CLASS):
        return bool(operations.names(f"{path}/vfio-dev"))
    return "vfio" in (operations.link(f"{path}/driver") or "")


def read_override(operations: Operations, address: str) -> str | None:
    """The name in ``driver_override``. Unset reads ``(null)`` on the PCI bus, and empty on some others."""
    text = _text(operations.read(f"{DEVICES}/{address}/driver_override"))
    return None if text in ("", "(null)") else text


def group_members(operations: Operations, group: int) -> list[str]:
    """The addresses of a group's devices."""
    return operations.names(f"{GROUPS}/{group}/devices")


def driver_of_module(operations: Operations, module: str) -> str | None:
    """The PCI driver that a loaded module registered: its name is the module's choice, not to be guessed.

    Of several the one with vfio in its name; ``None`` where the module is not loaded or that leaves a doubt.
    """
    links = operations.names(f"{MODULES}/{module.replace('-', '_')}/drivers")
    drivers = [name.removeprefix("pci:") for name in links if name.startswith("pci:")]
    if len(drivers) > 1:
        drivers = [name for name in drivers if "vfio" in name]
    return drivers[0] if len(drivers) == 1 else None


def _is_bridge(operations: Operations, path: str, class_code: int) -> bool:
    """Whether the header is of another type than a device's: vfio_pci_core refuses those."""
    try:
        header = operations.read(f"{path}/config")[_HEADER_TYPE : _HEADER_TYPE + 1]
    except FileNotFoundError:
        header = b""
    if header:
        return bool(header[0] & ~_MULTIFUNCTION)
    return class_code >> 8 in _PCI_TO_PCI


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape").rstrip("\n")


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
