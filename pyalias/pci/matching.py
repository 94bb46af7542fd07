"""Which driver the kernel binds to a PCI device: ``drivers/pci/pci-driver.c``, restated.

``pci_match_device`` looks at driver_override, at ids that were written to ``new_id``, and at the id table,
in that order. There is no ranking: the driver core binds the first driver that matches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from pyalias.pci.idtable import PCI_ANY_ID, PciDeviceId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pyalias.pci.device import PciDevice

ANY_DEVICE = PciDeviceId()
"""``pci_device_id_any``: what a driver is given that matches by driver_override alone."""


@dataclass(frozen=True)
class PciDriver:
    """A driver: ``name`` is that of ``struct pci_driver``, which may differ from its module's."""

    name: str
    id_table: Sequence[PciDeviceId] = ()


class Match(NamedTuple):
    """What ``pci_match_device`` returns: ``id``, ``None`` for NULL; where it is from, and why."""

    id: PciDeviceId | None
    kind: Literal["static", "dynamic", "override", "none"]
    reason: str

    def __bool__(self) -> bool:
        return self.id is not None


def match_device(
    driver: PciDriver,
    device: PciDevice,
    driver_override: str | None = None,
    dynamic_ids: Iterable[PciDeviceId] = (),
) -> Match:
    """Whether a driver matches a device, and by which entry.

    Args:
        driver: with its id table; an entry that ends the table hides those behind it.
        device: its numbers.
        driver_override: what the device's file of that name holds; empty is unset.
        dynamic_ids: what was written to the driver's ``new_id``, in order.
    """
    if driver_override and driver_override != driver.name:
        return Match(None, "none", f"driver_override names {driver_override}, not {driver.name}")
    for entry in dynamic_ids:
        if _matches(entry, device):
            return Match(entry, "dynamic", "an id that was written to new_id matches")
    skipped = False
    for entry in _until_end(driver.id_table):
        if not _matches(entry, device):
            continue
        if not entry.override_only or driver_override:
            return Match(entry, "static", "an entry of the id table matches")
        skipped = True
    if driver_override:
        return Match(ANY_DEVICE, "override", "driver_override names the driver, and no entry matches")
    if skipped:
        return Match(None, "none", "only entries that driver_override must ask for match")
    return Match(None, "none", "no entry matches")


def which_driver(
    drivers: Iterable[PciDriver],
    device: PciDevice,
    driver_override: str | None = None,
    dynamic_ids: Mapping[str, Sequence[PciDeviceId]] | None = None,
) -> tuple[PciDriver, Match] | None:
    """The first driver that matches, as the driver core tries them in the order of registration.

    ``dynamic_ids`` has those of each driver by its name. Whether its probe then succeeds no table tells.
    """
    for driver in drivers:
        match = match_device(driver, device, driver_override, (dynamic_ids or {}).get(driver.name, ()))
        if match:
            return driver, match
    return None


def _until_end(table: Iterable[PciDeviceId]) -> Iterator[PciDeviceId]:
    for entry in table:
        if entry.ends_table:
            return
        yield entry


def _matches(entry: PciDeviceId, device: PciDevice) -> bool:
    """``pci_match_one_device``: the mask of the class may have any bits."""
    pairs = (
        (entry.vendor, device.vendor),
        (entry.device, device.device),
        (entry.subvendor, device.subvendor),
        (entry.subdevice, device.subdevice),
    )
    return (
        all(wanted in (PCI_ANY_ID, found) for wanted, found in pairs)
        and not (entry.class_code ^ device.class_code) & entry.class_mask
    )
