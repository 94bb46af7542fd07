"""Records as Arrow batches, for engines: a stream by the capsule protocol, made by pyarrow."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from pyalias.errors import InventoryError, MissingLibraryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pyalias.inventory.records import DeviceRecord

BATCH_ROWS = 8192

_TEXTS = ("host", "bus", "slot", "modalias")
_NUMBERS = (
    "vendor",
    "device",
    "subvendor",
    "subdevice",
    "class24",
    "base_class",
    "subclass",
    "interface",
    "revision",
)
COLUMNS = (*_TEXTS, *_NUMBERS, "driver", "kernel_modules")


def record_reader(records: Iterable[DeviceRecord], batch_rows: int = BATCH_ROWS) -> Any:
    """A ``pyarrow.RecordBatchReader`` of ``COLUMNS``; it has ``__arrow_c_stream__``, so any engine takes it.

    Texts are utf8, ids uint32, ``kernel_modules`` a list of utf8; what the source does not tell is null.
    Arrow's text is UTF-8: in names a byte that is none becomes U+FFFD. No more than a batch is kept.

    Raises:
        InventoryError: while reading: a modalias that is no UTF-8.
        MissingLibraryError: pyarrow is not installed (``pip install 'pyalias-kmod[arrow]'``).
    """
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingLibraryError("Arrow batches need pyarrow: pip install 'pyalias-kmod[arrow]'") from error
    fields = [(name, pa.string()) for name in _TEXTS]
    fields += [(name, pa.uint32()) for name in _NUMBERS]
    fields += [("driver", pa.string()), ("kernel_modules", pa.list_(pa.string()))]
    schema = pa.schema(fields)

    def batches() -> Iterator[Any]:
        iterator = iter(records)
        while rows := list(islice(iterator, batch_rows)):
            columns = [pa.array(map(_value, rows, [name] * len(rows)), kind) for name, kind in fields]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _value(record: DeviceRecord, name: str) -> Any:
    value = getattr(record, name)
    if isinstance(value, tuple):
        return [_utf8(text) for text in value]
    if not isinstance(value, str):
        return value
    text = _utf8(value)
    if name == "modalias" and text != value:
        # With another character in place of the byte it would be another device.
        raise InventoryError(f"the modalias {value!r} holds bytes that are no UTF-8: no text for Arrow")
    return text


def _utf8(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
