"""What speaks against a switch: found before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from pyalias.vfio.in_use import uses_of
from pyalias.vfio.sysfs import DEVICES, MODULES, group_members, read_device
from pyalias.vfio.variants import DENYLIST, INTEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pyalias.vfio.operations import Operations
    from pyalias.vfio.sysfs import DeviceState

Severity = Literal["refused", "in use", "note"]

# They leave DMA to whoever owns the group (driver_managed_dma): portdrv.c, pci-stub.c.
_HARMLESS_DRIVERS = ("pcieport", "pci-stub")
_GENERIC = "vfio-pci"


class Finding(NamedTuple):
    """One thing that speaks against switching a device.

    ``refused`` stands; ``in use`` is only overridden by ``force``; a ``note`` is for the reader.
    """

    severity: Severity
    kind: str
    device: str
    message: str


def check(
    operations: Operations, devices: Iterable[DeviceState], drivers: dict[str, str | None]
) -> tuple[Finding, ...]:
    """All findings on the devices of one plan; ``drivers`` is what each is to get, by address.

    Raises:
        OSError: what would tell cannot be read.
    """
    chosen = list(devices)
    together = {device.address for device in chosen}
    findings: list[Finding] = []
    for device in chosen:
        findings += _device_findings(operations, device, drivers[device.address])
        findings += _peer_findings(operations, device, together)
        findings += [
            Finding("in use", kind, device.address, sentence)
            for kind, sentence in uses_of(operations, device)
        ]
    return tuple(dict.fromkeys(findings))


def _device_findings(operations: Operations, device: DeviceState, driver: str | None) -> Iterator[Finding]:
    if device.bridge:
        yield Finding("refused", "bridge", device.address, "it is a bridge, which no VFIO driver takes")
    if device.group is None:
        yield _without_group(operations, device)
    if driver == _GENERIC and _is_denied(device):
        yield _denied(operations, device)
    if device.physfn is not None:
        yield from _virtual_function(operations, device, device.physfn)


def _without_group(operations: Operations, device: DeviceState) -> Finding:
    if _is_on(operations, "vfio/parameters/enable_unsafe_noiommu_mode"):
        text = "it has no IOMMU group: with enable_unsafe_noiommu_mode nothing keeps it from any memory"
        return Finding("note", "no-iommu", device.address, text)
    text = "it has no IOMMU group: turn the IOMMU on (firmware; intel_iommu=on) and boot again"
    return Finding("refused", "no-iommu", device.address, text)


def _is_denied(device: DeviceState) -> bool:
    vendor, number = device.ids
    return vendor == INTEL and number in DENYLIST


def _denied(operations: Operations, device: DeviceState) -> Finding:
    if _is_on(operations, "vfio_pci/parameters/disable_denylist"):
        text = "vfio-pci would refuse its id but for the parameter disable_denylist"
        return Finding("note", "denylist", device.address, text)
    text = "vfio-pci refuses its id (denylist): load vfio_pci with disable_denylist=1 if no guest is hostile"
    return Finding("refused", "denylist", device.address, text)


def _virtual_function(operations: Operations, device: DeviceState, physfn: str) -> Iterator[Finding]:
    path = f"{DEVICES}/{physfn}/sriov_drivers_autoprobe"
    if operations.exists(path) and operations.read(path).strip() == b"1":
        text = (
            f"virtual functions made anew come back on the host's driver, without the override: write 0 to "
            f"{path} before sriov_numvfs, or install the udev rule"
        )
        yield Finding("note", "sriov-autoprobe", device.address, text)


def _peer_findings(operations: Operations, device: DeviceState, together: set[str]) -> Iterator[Finding]:
    """The other devices of the group: a VFIO user gets the whole group or nothing of it."""
    if device.group is None:
        return
    for address in group_members(operations, device.group):
        if address in together:
            continue
        peer = read_device(operations, address)
        if peer.bridge or peer.driver is None or peer.vfio or peer.driver in _HARMLESS_DRIVERS:
            continue
        text = (
            f"IOMMU group {device.group} also holds {address}, which is on {peer.driver}: "
            f"switch the whole group {device.group}, or unbind that device first"
        )
        yield Finding("refused", "group-peer", device.address, text)


def _is_on(operations: Operations, parameter: str) -> bool:
    path = f"{MODULES}/{parameter}"
    return operations.exists(path) and operations.read(path).strip() in (b"Y", b"1")
