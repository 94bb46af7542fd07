"""``udevadm info --export-db``: every device of a host, with what the kernel said of it in its uevent.

The best single source: every bus, with modalias and driver. The letters before the colons are explained in
udevadm(8); ``E:`` lines are the device's properties.
"""

from __future__ import annotations

from typing import Any

from pyalias.inventory.ids import parse_class, parse_pair, shown
from pyalias.inventory.paragraphs import Paragraph, read_paragraphs
from pyalias.inventory.records import DeviceRecord, FieldError, make_record, take

read_rows = read_paragraphs
_KINDS = frozenset("PMRUTDNLSQVEIJBC")


def build(paragraph: Paragraph) -> DeviceRecord | None:
    """A device; ``None`` of those that have no modalias and are no pci device: nothing is loaded for them."""
    path, properties = _split(paragraph)
    modalias = properties.get("MODALIAS") or None
    if modalias is None and "PCI_ID" not in properties:
        if not paragraph.closed:
            reason = "the text ends within this record, before a modalias; if it is whole, add an empty line"
            raise FieldError("MODALIAS", reason)
        return None
    return make_record(
        "MODALIAS",
        bus=properties.get("SUBSYSTEM"),
        slot=properties.get("PCI_SLOT_NAME") or path.rpartition("/")[2] or None,
        modalias=modalias,
        driver=properties.get("DRIVER"),
        **pci_ids(properties),
    )


def pci_ids(properties: dict[str, str]) -> dict[str, Any]:
    """The ids in the properties of a pci device's uevent."""
    ids: dict[str, Any] = {}
    if "PCI_ID" in properties:
        ids["vendor"], ids["device"] = take("PCI_ID", parse_pair, properties["PCI_ID"])
    if "PCI_SUBSYS_ID" in properties:
        ids["subvendor"], ids["subdevice"] = take("PCI_SUBSYS_ID", parse_pair, properties["PCI_SUBSYS_ID"])
    if "PCI_CLASS" in properties:
        # "PCI_CLASS=%04X" in pci_uevent() prints all 24 bits
        ids["pci_class"] = take("PCI_CLASS", parse_class, properties["PCI_CLASS"], 24)
    return ids


def _split(paragraph: Paragraph) -> tuple[str, dict[str, str]]:
    path = ""
    properties: dict[str, str] = {}
    for line in paragraph.lines if paragraph.last_line_ends else paragraph.lines[:-1]:
        kind, colon, rest = line.partition(": ")
        if not colon or kind not in _KINDS:
            raise FieldError("", f"expected a letter, a colon and a value, found {shown(line)}")
        if kind == "P":
            path = rest
        if kind == "E":
            key, _, value = rest.partition("=")
            properties[key] = value
    if not path:
        raise FieldError("P", "no line 'P: /devices/...': the record lacks its beginning")
    return path, properties


def looks_like(text: str) -> bool:
    """Whether a text begins as the database does."""
    return text.startswith("P: /")
