"""The one form into which every shape of inventory is brought: a record a device, or a reject."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from pyalias.inventory.ids import PciClass, shown
from pyalias.modalias import parse_modalias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_PCI_MODALIAS = re.compile(
    "pci:v([0-9A-F]{8})d([0-9A-F]{8})sv([0-9A-F]{8})sd([0-9A-F]{8})bc([0-9A-F]{2})sc([0-9A-F]{2})i([0-9A-F]{2})",
    re.IGNORECASE,
)


_UNKNOWN_CLASS = PciClass()
_CLASS_BYTES = PciClass._fields
_PCI_FIELDS = ("vendor", "device", "subvendor", "subdevice", *_CLASS_BYTES)


class DeviceRecord(NamedTuple):
    """One device; ``None`` is what the source does not tell.

    Ids are numbers of 16 bits (``vendor`` to ``subdevice``: of a usb device vendor and product), the class is
    its three bytes; ``kernel_modules`` are those that the source itself names. ``modalias`` is the source's
    own, or put together where all of a pci device's ids are known. Where it is ``None`` the device is
    *partial*: what claims it depends on what is unknown.
    """

    host: str | None = None
    bus: str | None = None
    slot: str | None = None
    modalias: str | None = None
    vendor: int | None = None
    device: int | None = None
    subvendor: int | None = None
    subdevice: int | None = None
    base_class: int | None = None
    subclass: int | None = None
    interface: int | None = None
    revision: int | None = None
    driver: str | None = None
    kernel_modules: tuple[str, ...] = ()

    @property
    def class24(self) -> int | None:
        """The class of 24 bits, where all of it is known."""
        if self.base_class is None or self.subclass is None or self.interface is None:
            return None
        return self.base_class << 16 | self.subclass << 8 | self.interface

    @property
    def partial(self) -> bool:
        """Whether ids are unknown that decide what claims the device."""
        return self.modalias is None

    @property
    def text(self) -> str:
        """The modalias; of a partial device the same text with ``*`` for each unknown field."""
        if self.modalias is not None:
            return self.modalias
        return _usb_text(self.vendor, self.device) if self.bus == "usb" else _pci_text(*self[4:11])


class Reject(NamedTuple):
    """A row that could not be read: ``record`` counts rows from 1, ``entry`` is the row as it was."""

    source: str
    record: int
    field: str
    reason: str
    entry: Any

    def __str__(self) -> str:
        field = f"{self.field}: " if self.field else ""
        return f"{self.source}: record {self.record}: {field}{self.reason}"

    def to_json(self) -> bytes:
        """A line of JSON; a byte that is no UTF-8 is written as Python spells it, U+DCFF for 0xff."""
        return json.dumps(self._asdict()).encode("ascii") + b"\n"


# None is a row that names no device to look up: udev's database has every terminal, lshw the memory.
Entry = DeviceRecord | Reject | None


class FieldError(ValueError):
    """Why a row cannot be read, and which of its fields it is."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


class Damage(NamedTuple):
    """In place of a row: text that is none, and why."""

    reason: str
    text: str
    field: str = ""


def read_entries(
    rows: Iterable[Any], build: Callable[[Any], DeviceRecord | None], name: str
) -> Iterator[Entry]:
    """Each row becomes exactly one entry; ``build`` raises ``FieldError`` for a row that it cannot read.

    Where a row is not itself what the source has, ``row.raw`` is.
    """
    for number, row in enumerate(rows, 1):
        if isinstance(row, Damage):
            yield Reject(name, number, row.field, row.reason, row.text)
            continue
        try:
            yield build(row)
        except FieldError as error:
            yield Reject(name, number, error.field, str(error), getattr(row, "raw", row))


def take(field: str, parse: Callable[..., Any], *arguments: Any) -> Any:
    """What ``parse`` makes of a field's value; its ``ValueError`` gets the name of the field."""
    try:
        return parse(*arguments)
    except ValueError as error:
        raise FieldError(field, str(error)) from error


def make_record(
    field: str = "modalias", *, pci_class: PciClass = _UNKNOWN_CLASS, **values: Any
) -> DeviceRecord:
    """A record with its modalias or, where that is known, with the ids that it says.

    Whoever has both gets the modalias's ids: it is what the kernel itself made of them. ``field`` is what the
    source calls the modalias.
    """
    modalias = values.get("modalias")
    values |= zip(_CLASS_BYTES, pci_class, strict=True)
    if modalias is None:
        record = DeviceRecord(**values)
        return record if record.bus != "pci" or "*" in record.text else record._replace(modalias=record.text)
    if modalias.startswith("pci:"):
        values |= _pci_ids(field, modalias)
    elif modalias.startswith("usb:"):
        values |= _usb_ids(field, modalias)
    return DeviceRecord(**values)


# A fleet repeats a few thousand devices.
@lru_cache(maxsize=65536)
def _pci_text(*ids: int | None) -> str:
    """As the kernel prints it (``pci_uevent`` in ``drivers/pci/pci-driver.c``)."""
    widths = (8, 8, 8, 8, 2, 2, 2)
    return "pci:v{}d{}sv{}sd{}bc{}sc{}i{}".format(*map(_digits, ids, widths))


def _usb_text(vendor: int | None, product: int | None) -> str:
    return f"usb:v{_digits(vendor, 4)}p{_digits(product, 4)}d*dc*dsc*dp*ic*isc*ip*in*"


def _digits(number: int | None, width: int) -> str:
    return "*" if number is None else f"{number:0{width}X}"


@lru_cache(maxsize=65536)
def _pci_ids(field: str, modalias: str) -> dict[str, int]:
    """A pci modalias has no free text: one of another form is cut short, damaged, or a pattern."""
    found = _PCI_MODALIAS.fullmatch(modalias)
    if found is None:
        raise FieldError(field, f"expected a whole pci modalias, found {shown(modalias)}")
    return {name: int(digits, 16) for name, digits in zip(_PCI_FIELDS, found.groups(), strict=True)}


def _usb_ids(field: str, modalias: str) -> dict[str, int]:
    if "*" in modalias:
        raise FieldError(field, f"expected a device, found a pattern, {shown(modalias)}")
    fields = dict(parse_modalias(modalias).fields)
    found = {"vendor": fields.get("vendor", ""), "device": fields.get("product", "")}
    return {name: int(digits, 16) for name, digits in found.items() if re.fullmatch("[0-9A-F]{4}", digits)}
