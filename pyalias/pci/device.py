"""One PCI device: its numbers, and every form in which Linux shows them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyalias.errors import FileAccessError, PciIdError

if TYPE_CHECKING:
    import os

_W = "([0-9A-F]{8})"
_B = "([0-9A-F]{2})"
_MODALIAS = re.compile(f"(?:vfio_)?pci:v{_W}d{_W}sv{_W}sd{_W}bc{_B}sc{_B}i{_B}")
_FILES = ("vendor", "device", "subsystem_vendor", "subsystem_device", "class")
_BRIDGES = {0x0604, 0x0607, 0x0609}
_LIMITS = {"vendor": 32, "device": 32, "subvendor": 32, "subdevice": 32, "class_code": 24}


@dataclass(frozen=True)
class PciDevice:
    """What the kernel's match looks at. The class has 24 bits: base class, subclass, interface.

    Raises:
        PciIdError: a number that is too large.
    """

    vendor: int
    device: int
    subvendor: int = 0
    subdevice: int = 0
    class_code: int = 0

    def __post_init__(self) -> None:
        for name, bits in _LIMITS.items():
            value = getattr(self, name)
            if not 0 <= value < 1 << bits:
                raise PciIdError(f"{name}: expected a number of {bits} bits, found {value:#x}")

    @property
    def bridge(self) -> bool:
        """Whether the class is one of bridges with a bus behind them (header type 1 or 2)."""
        return self.class_code >> 8 in _BRIDGES

    def modalias(self, prefix: str = "pci") -> str:
        """The device string as ``modalias_show`` in ``drivers/pci/pci-sysfs.c`` prints it.

        ``prefix`` may be ``vfio_pci``: what asks for VFIO drivers.
        """
        base, subclass, interface = self.class_code.to_bytes(3, "big")
        return (
            f"{prefix}:v{self.vendor:08X}d{self.device:08X}sv{self.subvendor:08X}sd{self.subdevice:08X}"
            f"bc{base:02X}sc{subclass:02X}i{interface:02X}"
        )

    @classmethod
    def from_modalias(cls, text: str) -> PciDevice:
        """Read a ``pci:`` (or ``vfio_pci:``) device string; the file in sysfs ends in a newline.

        Raises:
            PciIdError: the kernel prints no such text.
        """
        found = _MODALIAS.fullmatch(text.removesuffix("\n"))
        if not found:
            raise PciIdError(f"expected a pci: modalias as the kernel prints it, found {text!r}")
        vendor, device, subvendor, subdevice, *code = found.groups()
        return cls.from_hex(vendor, device, subvendor, subdevice, "".join(code))

    @classmethod
    def from_hex(
        cls, vendor: str, device: str, subvendor: str = "0", subdevice: str = "0", class_code: str = "0"
    ) -> PciDevice:
        """Read hexadecimal fields, with ``0x`` before them or not.

        Raises:
            PciIdError: a field is no hexadecimal number, or too large.
        """
        return cls(*(_number(text) for text in (vendor, device, subvendor, subdevice, class_code)))

    @classmethod
    def from_uevent(cls, text: str) -> PciDevice:
        """Read the ``uevent`` file of a device: its ``MODALIAS``, else ``PCI_CLASS``, ``PCI_ID``, ....

        The kernel prints ``PCI_CLASS`` without leading zeros: ``20000`` is an Ethernet controller.

        Raises:
            PciIdError: there is neither.
        """
        values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        if "MODALIAS" in values:
            return cls.from_modalias(values["MODALIAS"])
        try:
            vendor, device = values["PCI_ID"].split(":")
            subvendor, subdevice = values["PCI_SUBSYS_ID"].split(":")
            return cls.from_hex(vendor, device, subvendor, subdevice, values["PCI_CLASS"])
        except (KeyError, ValueError) as error:
            raise PciIdError(
                "expected MODALIAS, or PCI_ID, PCI_SUBSYS_ID and PCI_CLASS in a PCI device's uevent"
            ) from error

    @classmethod
    def from_sysfs(cls, directory: str | os.PathLike[str]) -> PciDevice:
        """Read a device's directory, such as ``/sys/bus/pci/devices/0000:00:1f.2``.

        Raises:
            FileAccessError: a file cannot be read.
            PciIdError: one holds no number.
        """
        values = []
        for name in _FILES:
            path = Path(directory) / name
            try:
                values.append(path.read_text("ascii", "replace").strip())
            except OSError as error:
                raise FileAccessError.from_oserror(
                    error, path, "expected the sysfs directory of a PCI device"
                ) from error
        return cls.from_hex(*values)

    @classmethod
    def from_lspci(cls, line: str) -> PciDevice:
        """Read a line of ``lspci -n -mm`` or ``lspci -nn -mm``, with or without ``-D``.

        Plain ``lspci -n`` tells neither subsystem nor interface, so it is refused. A subsystem that lspci
        leaves empty is 0, and so is an interface (``-p``) that it leaves out.

        Raises:
            PciIdError: another form.
        """
        try:
            _slot, *words = shlex.split(line)
        except ValueError:
            words = []
        options = [word for word in words if re.fullmatch(r"-[rp][0-9a-f]{2}", word)]
        fields = [word for word in words if word not in options]
        if '"' not in line or len(fields) != 5:
            raise PciIdError(f"expected a line of lspci -n -mm or lspci -nn -mm, found {line!r}")
        interface = next((word[2:] for word in options if word.startswith("-p")), "00")
        code, vendor, device, subvendor, subdevice = (_bracketed(field) for field in fields)
        return cls.from_hex(vendor, device, subvendor or "0", subdevice or "0", code + interface)


def _bracketed(field: str) -> str:
    """``0106`` of ``SATA controller [0106]``, and of ``0106``."""
    found = re.search(r"\[([0-9a-fA-F]{4})\]$", field)
    return found[1] if found else field


def _number(text: str) -> int:
    if not re.fullmatch("(0[xX])?[0-9a-fA-F]+", text):
        raise PciIdError(f"expected a hexadecimal number, found {text!r}")
    return int(text, 16)
