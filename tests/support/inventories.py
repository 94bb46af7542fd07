"""The bundled inventories: one small host in every shape, and a count of rows that uses no reader."""

from __future__ import annotations

import io
import json
import lzma
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from pyalias.errors import InventoryError
from pyalias.inventory import Inventory
from support.tables import DATA

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyalias.inventory import DeviceRecord, Reject

INVENTORIES = DATA / "inventories"


class Sample(NamedTuple):
    """A file, its format, and a count of its rows that does not use the readers."""

    file: str
    format: str
    count: Callable[[str], int]

    @property
    def data(self) -> bytes:
        """Its bytes, decompressed."""
        data = (INVENTORIES / self.file).read_bytes()
        return lzma.decompress(data) if self.file.endswith(".xz") else data

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.count(self.data.decode())


class Reading(NamedTuple):
    """What came of reading: each row is one of the three; ``error``: not read to its end."""

    format: str
    records: list[DeviceRecord]
    blank: int
    rejects: list[Reject]
    error: str = ""

    @property
    def rows(self) -> int:
        """All of them."""
        return len(self.records) + self.blank + len(self.rejects)


def read(data: bytes, format_name: str = "auto", **options: Any) -> Reading:
    """Read twice, for the records and for the batches of a scan: both must see the same."""
    rejects: list[Reject] = []
    records: list[DeviceRecord] = []
    error = ""
    try:
        inventory = Inventory(
            io.BytesIO(data), "sample", format=format_name, rejects=rejects.append, **options
        )
        records.extend(inventory.records())
    except InventoryError as problem:
        return Reading("", records, 0, rejects, str(problem))
    again: list[Reject] = []
    batches = list(_open(data, format_name, again, options))
    assert again == rejects
    assert inventory.rejected == len(rejects)
    assert [text for batch in batches for text in batch.devices] == [record.text for record in records]
    partial = {text for batch in batches for text in batch.partial}
    assert partial == {record.text for record in records if record.partial}
    return Reading(inventory.format, records, sum(batch.blank for batch in batches), rejects, error)


def _open(data: bytes, format_name: str, rejects: list[Reject], options: dict[str, Any]) -> Inventory:
    return Inventory(io.BytesIO(data), "sample", format=format_name, rejects=rejects.append, **options)


def _starts(pattern: str) -> Callable[[str], int]:
    return lambda text: len(re.findall(pattern, text, re.MULTILINE))


def _facter(text: str) -> int:
    hardware = json.loads(text)["hardware"]
    return sum(len(devices) if isinstance(devices, list) else 1 for devices in hardware.values())


def _hw_probe(text: str) -> int:
    return sum(device.get("Count", 1) for device in json.loads(text).values())


SAMPLES = (
    Sample("lspci-vmmkn.txt", "lspci", _starts("^Slot:")),
    Sample("lspci-vmmknn.txt", "lspci", _starts("^Slot:")),
    Sample("lspci-nnmm.txt", "lspci", _starts("^0")),
    Sample("udev.txt", "udev", _starts("^P:")),
    Sample("lshw.xml", "lshw", _starts("<node ")),
    Sample("osquery.json", "osquery", _starts("pci_slot")),
    Sample("osqueryd.jsonl", "osquery", _starts('"(?:pci_slot|usb_address)"')),
    Sample("nfd.json", "nfd", _starts('"attributes"')),
    Sample("ironic.json", "ironic", _starts('"product_id"')),
    # one of the vendor_ids is of a network card that stands among the pci devices too
    Sample("maas.json", "maas", lambda text: text.count('"product_id"') - 1),
    Sample("maas-api.json", "maas", _starts('"product_id"')),
    Sample("redfish.json", "redfish", _starts('"DeviceId"')),
    Sample("nixos-facter.json", "nixos-facter", _facter),
    Sample("jc-lspci.json", "jc", _starts('"slot"')),
    Sample("vsphere.json", "vsphere", _starts('"deviceId"')),
    Sample("hw-probe-devices.txt", "hw-probe", _starts("^.")),
    Sample("hw-probe-devices.json", "hw-probe-json", _hw_probe),
    Sample("real-lspci-vmmkn.txt", "lspci", _starts("^Slot:")),
    Sample("real-lspci-nnmm.txt", "lspci", _starts("^0")),
    Sample("real-udev.txt.xz", "udev", _starts("^P:")),
    Sample("real-lshw.xml.xz", "lshw", _starts("<node ")),
    Sample("real-hw-probe-devices.txt", "hw-probe", _starts("^.")),
)
BY_FILE = {sample.file: sample for sample in SAMPLES}
