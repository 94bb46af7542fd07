"""Names of vendors, devices and classes, from the system's pci.ids and usb.ids.

Names are for people: nothing is looked up by them. The lists come with pciutils, usbutils or hwdata, and are
read when the first name is asked for.
"""

from __future__ import annotations

import gzip
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pyalias.errors import FileAccessError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pyalias.inventory.records import DeviceRecord

DIRECTORIES = ("/usr/share/hwdata", "/usr/share/misc", "/var/lib/usbutils", "/var/lib/pciutils", "/usr/share")

# Two spaces end the ids. A list of classes and others stand behind a letter, after the vendors.
_LINE = re.compile(r"(\t*)(?:([A-Z]+) )?([0-9a-f]{2,4})(?: ([0-9a-f]{4}))?  (.+)")

_Ids = tuple[int, ...]


class IdNames(NamedTuple):
    """One list: names of (vendor,), (vendor, device), (vendor, device, subvendor, subdevice); of classes."""

    devices: dict[_Ids, str]
    classes: dict[_Ids, str]


class DeviceNames:
    """The names of devices of pci and usb; no names where the system has no lists.

    ``directories`` are where ``pci.ids`` and ``usb.ids`` may lie (``.gz`` too), the first that has one wins.
    """

    def __init__(self, directories: Sequence[str | Path] = DIRECTORIES) -> None:
        self._directories = directories

    @cached_property
    def pci(self) -> IdNames:
        """What pci.ids says."""
        return self._read("pci.ids")

    @cached_property
    def usb(self) -> IdNames:
        """What usb.ids says."""
        return self._read("usb.ids")

    def name(self, record: DeviceRecord) -> str | None:
        """``Intel Corporation Ethernet Connection (2) I219-LM``; the vendor alone where the device has none.

        Raises:
            FileAccessError: a list is there and cannot be read.
        """
        if record.vendor is None or record.bus not in ("pci", "usb"):
            return None
        names = self.pci if record.bus == "pci" else self.usb
        vendor = names.devices.get((record.vendor,))
        device = None if record.device is None else names.devices.get((record.vendor, record.device))
        return " ".join(filter(None, (vendor, device))) or None

    def subsystem(self, record: DeviceRecord) -> str | None:
        """The name of the board, of pci devices."""
        ids = (record.vendor, record.device, record.subvendor, record.subdevice)
        if record.bus != "pci" or None in ids:
            return None
        return self.pci.devices.get(ids)  # type: ignore[arg-type]

    def class_name(self, record: DeviceRecord) -> str | None:
        """``Ethernet controller``; of the base class where the subclass is unknown or has no name."""
        if record.bus != "pci" or record.base_class is None:
            return None
        classes = self.pci.classes
        name = None if record.subclass is None else classes.get((record.base_class, record.subclass))
        return name or classes.get((record.base_class,))

    def _read(self, name: str) -> IdNames:
        for directory in self._directories:
            for path in (Path(directory, name), Path(directory, f"{name}.gz")):
                try:
                    data = path.read_bytes()
                except (FileNotFoundError, NotADirectoryError):
                    continue
                except OSError as error:
                    advice = "names of devices are read from it"
                    raise FileAccessError.from_oserror(error, path, advice) from error
                text = gzip.decompress(data) if path.suffix == ".gz" else data
                return parse_ids(text.decode("utf-8", "replace").splitlines())
        return IdNames({}, {})


def parse_ids(lines: Iterable[str]) -> IdNames:
    """The names in the lines of a pci.ids or usb.ids; other lists in them (HID ...) are passed over."""
    names = IdNames({}, {})
    path: list[_Ids] = []
    section = ""
    for depth, letter, ids, name in _parse_lines(lines):
        if depth == 0:
            section = letter
        if depth > len(path) or section not in ("", "C"):
            continue
        del path[depth:]
        path.append((path[-1] if path else ()) + ids)
        (names.classes if section == "C" else names.devices)[path[-1]] = name
    return names


def _parse_lines(lines: Iterable[str]) -> Iterator[tuple[int, str, _Ids, str]]:
    for line in lines:
        found = None if line.startswith("#") else _LINE.fullmatch(line)
        if found is not None:
            tabs, letter, first, second, name = found.groups()
            ids = (int(first, 16),) if second is None else (int(first, 16), int(second, 16))
            yield len(tabs), letter or "", ids, name
