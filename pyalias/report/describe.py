"""What people call a device: its name, and its class."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pyalias.inventory import DeviceRecord
from pyalias.modalias import parse_modalias

if TYPE_CHECKING:
    from pyalias.inventory import DeviceNames

# Memory, bridges, system peripherals, signal processing (performance counters), instrumentation: most of
# their drivers are part of the kernel itself or not needed, so that few modules have an alias for them.
SYSTEM_BASE_CLASSES = frozenset({0x05, 0x06, 0x08, 0x11, 0x13})


class Description(NamedTuple):
    """Names for people; ``system`` as in ``DeviceRow``."""

    name: str
    device_class: str
    system: bool


def describe(modalias: str, names: DeviceNames) -> Description:
    """Describe a device, whole or partial; without lists of names it is called by its ids.

    Raises:
        FileAccessError: a list of names cannot be read.
    """
    record = record_of(modalias)
    name = _name(record, names) if modalias else "no text at all"
    system = record.bus == "pci" and record.base_class in SYSTEM_BASE_CLASSES
    return Description(name, _class_name(record, names), system)


def record_of(modalias: str) -> DeviceRecord:
    """Those fields of a modalias that names are found by, as far as they are known."""
    parsed = parse_modalias(modalias)
    known = {field.name: _number(field.value) for field in parsed.fields}
    if parsed.bus == "usb":
        return DeviceRecord(bus="usb", vendor=known.get("vendor"), device=known.get("product"))
    if parsed.bus != "pci":
        return DeviceRecord(bus=parsed.bus)
    return DeviceRecord(
        bus="pci",
        vendor=known.get("vendor"),
        device=known.get("device"),
        base_class=known.get("base_class"),
        subclass=known.get("subclass"),
    )


def _number(digits: str) -> int | None:
    try:
        return int(digits, 16)
    except ValueError:
        return None


def _name(record: DeviceRecord, names: DeviceNames) -> str:
    if record.vendor is None:
        return ""
    vendor = names.name(record._replace(device=None))
    name = names.name(record)
    if name is not None and (name != vendor or record.device is None):
        return name
    # Two devices without names of their own are not the same.
    ids = f"{record.vendor:04x}" + ("" if record.device is None else f":{record.device:04x}")
    return f"{vendor or record.bus} {ids}"


def _class_name(record: DeviceRecord, names: DeviceNames) -> str:
    if record.bus != "pci":
        return record.bus or "no bus"
    if record.base_class is None:
        return "pci, class unknown"
    digits = f"{record.base_class:02x}" + ("" if record.subclass is None else f"{record.subclass:02x}")
    return names.class_name(record) or f"pci class {digits}"
