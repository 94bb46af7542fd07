"""hw-probe's list of devices: the file ``devices`` of a probe, or ``devices.json``.

A line is ``ID;class;status;type;driver;vendor;device`` and the subsystem's names (``writeDevs`` in
hw-probe.pl). The ID is the bus and, for pci and usb, the ids; those of a subsystem only where there is one.
Other buses' IDs are made of names: nothing can be looked up for them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pyalias.inventory.ids import PciClass, parse_hex, shown
from pyalias.inventory.json_layout import Row, Shape, text_of
from pyalias.inventory.paragraphs import read_lines
from pyalias.inventory.records import Damage, DeviceRecord, FieldError, make_record, take

if TYPE_CHECKING:
    from collections.abc import Iterator

_ID = re.compile("(pci|usb):([0-9a-f]{4})-([0-9a-f]{4})(?:-([0-9a-f]{4})-([0-9a-f]{4}))?", re.IGNORECASE)
_LINE = re.compile("[a-z0-9_]+:[^;\n]+;[^;\n]*;[a-z]+;")
_FIELDS = ("ID", "Class", "Status", "Type", "Driver", "Vendor", "Device")


def looks_like(text: str) -> bool:
    """Whether a text begins as the file ``devices`` does."""
    return _LINE.match(text) is not None


def read_rows(blocks: Iterator[str], _name: str) -> Iterator[Damage | dict[str, str]]:
    """The lines, each by its fields."""
    for line in read_lines(blocks):
        text = line.removesuffix("\n")
        if not text:
            continue
        values = text.split(";")
        if len(values) < len(_FIELDS):
            yield Damage(f"expected {len(_FIELDS)} fields and more, found {len(values)}", text)
        else:
            fields = dict(zip(_FIELDS, values, strict=False))
            yield fields | {"Subsystem": ";".join(values[len(_FIELDS) :])}


def build(entry: dict[str, Any]) -> DeviceRecord | None:
    """A device of pci or usb."""
    bus, _, _ = entry["ID"].partition(":")
    if bus not in ("pci", "usb"):
        return None
    found = _ID.fullmatch(entry["ID"])
    if found is None and bus == "usb":
        return None  # hubs and such, whose IDs end in names
    if found is None:
        raise FieldError(
            "ID", f"expected pci: and two or four ids of four digits, found {shown(entry['ID'])}"
        )
    vendor, device, subvendor, subdevice = (None if i is None else int(i, 16) for i in found.groups()[1:])
    pci_class = text_of(entry, "Class") if bus == "pci" else None
    return make_record(
        bus=bus,
        vendor=vendor,
        device=device,
        subvendor=subvendor,
        subdevice=subdevice,
        pci_class=PciClass() if pci_class is None else take("Class", _hyphened_class, pci_class),
        driver=text_of(entry, "Driver"),
    )


def _hyphened_class(text: str) -> PciClass:
    """``02-00-00``, or the first two of the three."""
    return PciClass(*(parse_hex(part, 8, 2) for part in text.split("-", 2)))


def _json_rows(document: dict[str, Any]) -> Iterator[Row]:
    for key, entry in document.items():
        count = entry.get("Count", 1) if isinstance(entry, dict) else 1
        if not re.fullmatch("[0-9]{1,5}", str(count)):
            raise FieldError(f"{key}.Count", f"expected a number of devices, found {shown(count)}")
        for _ in range(int(count)):
            yield Row({**entry, "ID": key} if isinstance(entry, dict) else entry)


def _json_device(row: Row) -> DeviceRecord | None:
    record = build(row.entry)
    return record and record._replace(host=row.host)


JSON_SHAPE = Shape(_json_rows, _json_device)
