"""Id tables of PCI drivers, and the aliases that the kernel's build makes of them.

``struct pci_device_id`` is that of ``include/linux/mod_devicetable.h``, its constructors are the macros
of ``include/linux/pci.h``, and an entry becomes an alias by ``scripts/mod/file2alias.c``,
``do_pci_entry`` (Linux 5.16 and later).
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, overload

from pyalias.errors import PciIdError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PCI_ANY_ID: Final = 0xFFFFFFFF
VFIO_DRIVER_OVERRIDE: Final = 1
"""``PCI_ID_F_VFIO_DRIVER_OVERRIDE``: only a device whose driver_override names the driver is matched."""

_PREFIXES = {0: "pci:", VFIO_DRIVER_OVERRIDE: "vfio_pci:"}
_WORD = r"(\*|[0-9A-F]{8})"
_BYTE = r"(\*|[0-9A-F]{2})"
_ALIAS = re.compile(
    rf"(pci|vfio_pci):v{_WORD}d{_WORD}sv{_WORD}sd{_WORD}bc{_BYTE}sc{_BYTE}i(?:(\*)|([0-9A-F]{{2}})\*)"
)


class PciIdWarning(UserWarning):
    """An entry of an id table that file2alias warns about, and writes no alias for."""


class _Device:
    """On the class the constructor ``device``; an entry's own number of that name hides it."""

    @overload
    def __get__(self, entry: None, kind: type[PciDeviceId]) -> Callable[[int, int], PciDeviceId]: ...
    @overload
    def __get__(self, entry: PciDeviceId, kind: type[PciDeviceId]) -> int: ...
    def __get__(self, entry: Any, kind: type[PciDeviceId]) -> Any:
        return kind


@dataclass(frozen=True, init=False)
class PciDeviceId:
    """One entry of an id table: unsigned numbers of 32 bits, the class in the low 24.

    ``device`` is the kernel's field, and on the class the constructor for ``PCI_DEVICE``, as in
    ``PciDeviceId.device(0x8086, 0x10D3)``. ``override_only`` was called ``flags`` in the patch thread of
    2021 that it comes from, and may be given by that name.

    Raises:
        PciIdError: a number beyond 32 bits, or ``flags`` and ``override_only`` that differ.
    """

    vendor: int
    device: _Device = _Device()
    subvendor: int = PCI_ANY_ID
    subdevice: int = PCI_ANY_ID
    class_code: int = 0
    class_mask: int = 0
    driver_data: int = 0
    override_only: int = 0

    def __init__(
        self,
        vendor: int = PCI_ANY_ID,
        device: int = PCI_ANY_ID,
        subvendor: int = PCI_ANY_ID,
        subdevice: int = PCI_ANY_ID,
        class_code: int = 0,
        class_mask: int = 0,
        driver_data: int = 0,
        override_only: int = 0,
        *,
        flags: int | None = None,
    ) -> None:
        if flags is not None:
            if override_only not in {0, flags}:
                raise PciIdError(f"flags {flags} and override_only {override_only} are one field: give one")
            override_only = flags
        numbers = (vendor, device, subvendor, subdevice, class_code, class_mask, override_only)
        for name, value in zip(_NUMBERS, numbers, strict=True):
            if not isinstance(value, int) or not 0 <= value <= PCI_ANY_ID:
                shown = hex(value) if isinstance(value, int) else repr(value)
                raise PciIdError(f"{name}: expected a number of 32 bits, found {shown}")
            object.__setattr__(self, name, value)
        object.__setattr__(self, "driver_data", driver_data)

    @property
    def flags(self) -> int:
        """``override_only``, by its name in the patch thread."""
        return self.override_only

    # ---- the kernel's macros ----

    @classmethod
    def device_sub(cls, vendor: int, device: int, subvendor: int, subdevice: int) -> PciDeviceId:
        """``PCI_DEVICE_SUB``: one device with its subsystem."""
        return cls(vendor, device, subvendor, subdevice)

    @classmethod
    def device_class(cls, class_code: int, class_mask: int) -> PciDeviceId:
        """``PCI_DEVICE_CLASS``: any device whose class agrees in the bits of the mask."""
        return cls(class_code=class_code, class_mask=class_mask)

    @classmethod
    def vdevice(cls, vendor: int, device: int) -> PciDeviceId:
        """``PCI_VDEVICE``, whose vendor is a name that the C preprocessor completes: a number here."""
        return cls(vendor, device)

    @classmethod
    def driver_override(cls, vendor: int, device: int, override_only: int) -> PciDeviceId:
        """``PCI_DEVICE_DRIVER_OVERRIDE``: an entry for devices that driver_override names alone."""
        return cls(vendor, device, override_only=override_only)

    @classmethod
    def driver_override_vfio(cls, vendor: int, device: int) -> PciDeviceId:
        """``PCI_DRIVER_OVERRIDE_DEVICE_VFIO``: the same, of a VFIO driver."""
        return cls(vendor, device, override_only=VFIO_DRIVER_OVERRIDE)

    @classmethod
    def with_flags(cls, vendor: int, device: int, flags: int) -> PciDeviceId:
        """``PCI_DEVICE_FLAGS`` of the patch thread: today ``driver_override``."""
        return cls(vendor, device, override_only=flags)

    # ---- aliases ----

    @property
    def ends_table(self) -> bool:
        """Whether the kernel takes the entry for the end of the table (``pci_match_id``)."""
        return not (self.vendor or self.subvendor or self.class_mask)

    def to_alias(self) -> str | None:
        """The alias that the build writes; ``None``, with a ``PciIdWarning``, where it writes none.

        A byte of the class mask must be 00 or FF: fewer bits no pattern can say, and the alias is left
        out though the kernel goes on matching the entry. An ``override_only`` that has no prefix gets
        none either (as in Linux 6.12; 7.3-rc7 lacks a return there).
        """
        prefix = _PREFIXES.get(self.override_only)
        if prefix is None:
            _warn(f"unknown PCI driver_override alias {self.override_only:08X}")
            return None
        masks = self.class_mask.to_bytes(4, "big")[1:]
        if any(mask not in {0, 0xFF} for mask in masks):
            _warn(f"cannot handle masks: class_mask {self.class_mask:04X} is no whole bytes")
            return None
        words = (self.vendor, self.device, self.subvendor, self.subdevice)
        values = ["*" if word == PCI_ANY_ID else f"{word:08X}" for word in words]
        codes = self.class_code.to_bytes(4, "big")[1:]
        values += [f"{code:02X}" if mask else "*" for code, mask in zip(codes, masks, strict=True)]
        text = "v{}d{}sv{}sd{}bc{}sc{}i{}".format(*values)
        return f"{prefix}{text}" if text.endswith("*") else f"{prefix}{text}*"

    def to_aliases(self) -> tuple[str, ...]:
        """The same as a tuple of one, or of none."""
        alias = self.to_alias()
        return () if alias is None else (alias,)

    @classmethod
    def from_alias(cls, alias: str) -> PciDeviceId:
        """The entry that an alias was made of; what no alias tells (``driver_data``) is 0.

        Raises:
            PciIdError: file2alias prints no such text.
        """
        found = _ALIAS.fullmatch(alias)
        if not found:
            raise PciIdError(f"expected a pci: or vfio_pci: alias as file2alias prints it, found {alias!r}")
        prefix, *fields = found.groups()
        vendor, device, subvendor, subdevice = (
            PCI_ANY_ID if field == "*" else int(field, 16) for field in fields[:4]
        )
        bytes_ = [*fields[4:6], fields[7] or fields[6]]
        return cls(
            vendor,
            device,
            subvendor,
            subdevice,
            class_code=int("".join("00" if field == "*" else field for field in bytes_), 16),
            class_mask=int("".join("00" if field == "*" else "FF" for field in bytes_), 16),
            override_only=VFIO_DRIVER_OVERRIDE if prefix == "vfio_pci" else 0,
        )


_NUMBERS = ("vendor", "device", "subvendor", "subdevice", "class_code", "class_mask", "override_only")


def to_aliases(table: Iterable[PciDeviceId]) -> tuple[str, ...]:
    """The aliases of a whole id table, in order, with its repeats (Linux since 7.3 drops those).

    The last entry is left out where it is the end of the table, as file2alias leaves out the last one
    whatever it holds.
    """
    entries = list(table)
    if entries and entries[-1].ends_table:
        entries.pop()
    return tuple(alias for entry in entries for alias in entry.to_aliases())


def _warn(text: str) -> None:
    warnings.warn(f"{text}: no alias", PciIdWarning, stacklevel=3)
