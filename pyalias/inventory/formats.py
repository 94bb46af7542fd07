"""Which shapes there are, how each is read, and how a file is told to be of one."""

from __future__ import annotations

import csv
import re
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from pyalias.inventory import hw_probe, lshw, lspci, sysfs, udev
from pyalias.inventory.json_shapes import SHAPES
from pyalias.inventory.reading import OPENERS, text_blocks
from pyalias.inventory.records import Entry, read_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

LIST_FORMATS = ("list", "csv", "jsonl")
RECORD_FORMATS = ("sysfs", "udev", "lspci", "lshw", *SHAPES, "hw-probe")
FORMATS = (*LIST_FORMATS, *RECORD_FORMATS)

_FORMAT_OF_SUFFIX = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}

# Keys that only the one shape has, looked for in the beginning of the text; the first row of which all are
# there is it.
_JSON_SIGNS = (
    ("nixos-facter", ("hardware", "version")),
    ("nixos-facter", ("module_alias",)),
    ("redfish", ("SubsystemVendorId",)),
    ("redfish", ("VendorId", "ClassCode")),
    ("nfd", ("pci.device",)),
    ("osquery", ("pci_slot", "model_id")),
    ("osquery", ("usb_address", "model_id")),
    ("ironic", ("pci_devices",)),
    ("ironic", ("product_id", "numa_node_id")),
    ("vsphere", ("vendorId", "deviceId", "classId")),
    ("jc", ("slot", "vendor_id", "class_id")),
    ("maas", ("pci_address", "product_id")),
    ("hw-probe-json", ("Bus", "Status", "Type")),
)

_LONGEST_HEADER = 65536


class Source(NamedTuple):
    """An open file: the stream, the bytes that were read from it already, and its name for messages."""

    stream: BinaryIO
    start: bytes
    name: str

    def blocks(self) -> Iterator[str]:
        """The text in pieces of whole lines, without a byte order mark."""
        blocks = text_blocks(self.stream, self.name, self.start)
        return chain([next(blocks, "").removeprefix("\ufeff")], blocks)


def read_format(format_name: str, source: Source) -> Iterator[Entry]:
    """The entries of a file of one of ``RECORD_FORMATS``."""
    if format_name == "sysfs":
        return read_entries(
            sysfs.read_tar(source.stream, source.name, source.start), sysfs.build, source.name
        )
    if format_name in SHAPES:
        shape = SHAPES[format_name]
        rows = shape.read_rows(source.blocks(), source.name)
        return read_entries(rows, shape.build, source.name)
    module = _TEXT_FORMATS[format_name]
    return read_entries(module.read_rows(source.blocks(), source.name), module.build, source.name)


_TEXT_FORMATS = {"udev": udev, "lspci": lspci, "lshw": lshw, "hw-probe": hw_probe}


def guess_format(name: str, start: bytes, column: str) -> str:
    """By what the file begins with, then by its name; a list where nothing else fits."""
    if sysfs.looks_like_tar(start):
        return "sysfs"
    text = start.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    for format_name, module in _TEXT_FORMATS.items():
        if module.looks_like(text):
            return format_name
    by_name = _FORMAT_OF_SUFFIX.get(_suffix(name))
    line = text[:_LONGEST_HEADER].partition("\n")[0].removesuffix("\r")
    if by_name == "csv" or (by_name is None and column in next(csv.reader([line]), [])):
        return "csv"
    if by_name is None and not line.lstrip().startswith(("{", "[", '"')):
        return "list"
    if _has_key(line, column):
        return "jsonl"
    shape = next((shape for shape, keys in _JSON_SIGNS if all(_has_key(text, key) for key in keys)), None)
    return shape or by_name or ("jsonl" if line.startswith(("{", '"')) else "list")


def _suffix(name: str) -> str:
    path = Path(name)
    return Path(path.stem).suffix if path.suffix in OPENERS else path.suffix


def _has_key(text: str, key: str) -> bool:
    return re.search(f'"{re.escape(key)}"\\s*:', text) is not None
