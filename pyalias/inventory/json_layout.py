"""How a shape of JSON is read: its rows are found in a document, and a layout names the fields of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pyalias.inventory.ids import PciClass, parse_class, parse_hex, parse_id, shown
from pyalias.inventory.json_rows import read_documents
from pyalias.inventory.records import Damage, DeviceRecord, FieldError, make_record, take

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HOST_KEYS = ("host", "hostname", "hostIdentifier")


class Row(NamedTuple):
    """One device as the document has it; without a ``bus`` it is none to look up."""

    entry: Any
    bus: str = "pci"
    host: str | None = None

    @property
    def raw(self) -> Any:
        """The device as the document has it."""
        return self.entry


class Layout(NamedTuple):
    """The keys of the fields; an empty one is a field that the shape does not have."""

    vendor: str
    device: str
    slot: str = ""
    subvendor: str = ""
    subdevice: str = ""
    pci_class: str = ""
    class_bits: int | None = None
    revision: str = ""
    driver: str = ""


class Shape(NamedTuple):
    """How the rows of a document are found, and how a device is made of one."""

    find_rows: Callable[[dict[str, Any]], Iterator[Row]]
    build_row: Callable[[Row], DeviceRecord | None]

    def read_rows(self, blocks: Iterator[str], name: str) -> Iterator[Row | Damage]:
        """The rows of all documents; a document that is not of this shape is one damaged row."""
        for document in read_documents(blocks, name):
            if isinstance(document, Damage):
                yield document
            elif not isinstance(document, dict):
                yield Damage(f"expected an object, found {shown(document)}", document)
            else:
                yield from self._rows(document)

    def build(self, row: Row) -> DeviceRecord | None:
        """The device of a row."""
        if not row.bus:
            return None
        if not isinstance(row.entry, dict):
            raise FieldError("", f"expected an object, found {shown(row.entry)}")
        return self.build_row(row)

    def _rows(self, document: dict[str, Any]) -> Iterator[Row | Damage]:
        rows = []
        try:
            rows = list(self.find_rows(document))
        except FieldError as error:
            yield Damage(str(error), document, error.field)  # type: ignore[arg-type]
            return
        host = next((document[key] for key in _HOST_KEYS if isinstance(document.get(key), str)), None)
        for row in rows:
            yield row._replace(host=host) if row.host is None else row


def dig(document: dict[str, Any], *path: str, kind: type = dict) -> Any:
    """What stands at a path of keys; an empty ``kind`` where a key is missing or null.

    Raises:
        FieldError: it is something else.
    """
    found: Any = document
    for number, key in enumerate(path, 1):
        found = found.get(key)
        wanted: type = kind if number == len(path) else dict
        if found is None:
            return kind()
        if not isinstance(found, wanted):
            names: dict[type, str] = {dict: "an object", list: "an array", str: "a string"}
            raise FieldError(".".join(path[:number]), f"expected {names[wanted]}, found {shown(found)}")
    return found


def text_of(entry: dict[str, Any], key: str) -> str | None:
    """A string; ``None`` where it is missing, null or empty."""
    value = entry.get(key) if key else None
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise FieldError(key, f"expected a string, found {shown(value)}")
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise FieldError(key, f"half a character: {shown(value[error.start])}") from error
    return value


def parsed(entry: dict[str, Any], key: str, parse: Callable[..., Any], *arguments: Any) -> Any:
    """What ``parse`` makes of a string; ``None`` where there is none."""
    text = text_of(entry, key)
    return None if text is None else take(key, parse, text, *arguments)


def build_record(layout: Layout, row: Row, **more: Any) -> DeviceRecord:
    """The record of a row; ``more`` are values that the layout cannot say."""
    entry = row.entry
    ids = {
        "vendor": parsed(entry, layout.vendor, parse_id),
        "device": parsed(entry, layout.device, parse_id),
        "subvendor": parsed(entry, layout.subvendor, parse_id),
        "subdevice": parsed(entry, layout.subdevice, parse_id),
    }
    for field in ("vendor", "device"):
        if ids[field] is None:
            raise FieldError(getattr(layout, field), "missing, and no device is without one")
    values = {
        "bus": row.bus,
        "host": row.host,
        "slot": text_of(entry, layout.slot),
        "pci_class": parsed(entry, layout.pci_class, parse_class, layout.class_bits) or PciClass(),
        "revision": parsed(entry, layout.revision, parse_hex, 8),
        "driver": text_of(entry, layout.driver),
    }
    return make_record(**values | ids | more)
