"""An inventory of any shape: opened, its format told, read once in batches or record by record."""

from __future__ import annotations

import os
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pyalias.errors import InventoryError
from pyalias.inventory import formats, sysfs
from pyalias.inventory.lists import BATCH_ROWS, Batch, Rejects, read_csv, read_json_lines, read_list
from pyalias.inventory.reading import open_stream, read_bytes, regular_size
from pyalias.inventory.records import DeviceRecord, Entry, Reject, make_record, read_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyalias.inventory.names import DeviceNames

DEFAULT_COLUMN = "modalias"
# How the fields of a record are called among a scan's own columns, of which one is the device.
RECORD_COLUMNS = (
    "host",
    "bus",
    "slot",
    "vendor_id",
    "device_id",
    "subvendor_id",
    "subdevice_id",
    "class",
    "revision",
    "driver",
    "kernel_modules",
)


class Inventory:
    """An inventory; iterate over it once for its batches, or over ``records()``.

    ``stream`` is an open file, or the path of ``/sys`` or of a root that has one. ``format`` is one of
    ``FORMATS``, ``columns`` names the other columns (of JSON Lines: of the first record, the others may
    differ; of shapes that are no lists, ``RECORD_COLUMNS``). ``file`` is the file whose position tells the
    progress. ``host`` is the host of records whose source names none. ``rejects`` is called with each row
    that cannot be read, and ``rejected`` counts them: rows = devices + blank + rejected. ``names`` adds the
    column ``name`` to those of records. ``partial`` tells whether devices may be partial: those of records
    may, those of lists with ``partial=True``, which takes ``*`` and ``?`` in their texts for what is unknown.

    Raises:
        InventoryError: the CSV header lacks the column; while iterating: the file is damaged or, without
            ``rejects``, a row cannot be read.
        FileAccessError: the system failed to read.
    """

    def __init__(
        self,
        stream: BinaryIO | Path,
        name: str,
        *,
        format: str = "auto",  # noqa: A002 - named like the option
        column: str = DEFAULT_COLUMN,
        file: BinaryIO | None = None,
        host: str | None = None,
        rejects: Rejects | None = None,
        names: DeviceNames | None = None,
        partial: bool = False,
    ) -> None:
        self.name = name
        self.partial = partial
        self.rejected = 0
        self.columns: tuple[str, ...] = ()
        self._host = host
        self._names = names
        self._rejects = rejects
        self._file = None if isinstance(stream, Path) else file or stream
        self._size = self._file and regular_size(self._file)
        self._entries: Iterator[Entry] | None = None
        self._batches: Iterator[Batch]
        if isinstance(stream, Path):
            self.format = "sysfs"
            self._read_entries(read_entries(sysfs.read_tree(stream), sysfs.build, name))
        else:
            start = read_bytes(stream, name)
            self.format = formats.guess_format(name, start, column) if format == "auto" else format
            self._read_file(formats.Source(stream, start, name), column)

    def _read_file(self, source: formats.Source, column: str) -> None:
        sink = self._reject if self._rejects else None
        if self.format == "csv":
            self.columns, self._batches = read_csv(source.blocks(), self.name, column, sink)
        elif self.format == "jsonl":
            self.columns, self._batches = read_json_lines(source.blocks(), self.name, column, sink)
        elif self.format == "list":
            self._batches = read_list(source.blocks())
        else:
            self._read_entries(formats.read_format(self.format, source))
        if self.partial and self._entries is None:
            self._batches = map(_with_partial_texts, self._batches)

    def _read_entries(self, entries: Iterator[Entry]) -> None:
        self.columns = RECORD_COLUMNS if self._names is None else (*RECORD_COLUMNS, "name")
        self._entries = entries
        self.partial = True
        self._batches = self._entry_batches(entries)

    def __iter__(self) -> Iterator[Batch]:
        return self._batches

    def records(self) -> Iterator[DeviceRecord]:
        """The devices as records; of a list, records that have little but a modalias."""
        if self._entries is None:
            for batch in self._batches:
                for modalias in batch.devices:
                    yield self._record_of_modalias(modalias)
            return
        for entry in self._entries:
            if isinstance(entry, DeviceRecord):
                yield self._with_host(entry)
            elif entry is not None:
                self._reject(entry)

    def fraction(self) -> float | None:
        """How much of the file has been read, from 0 to 1; ``None`` for what has no size."""
        return self._file.tell() / self._size if self._file and self._size else None

    def _entry_batches(self, entries: Iterator[Entry]) -> Iterator[Batch]:
        while some := list(islice(entries, BATCH_ROWS)):
            records = [self._with_host(entry) for entry in some if isinstance(entry, DeviceRecord)]
            for entry in some:
                if isinstance(entry, Reject):
                    self._reject(entry)
            texts = [record.text for record in records]
            partial = frozenset(record.text for record in records if record.partial)
            yield Batch(texts, some.count(None), cells=list(map(self._cells, records)), partial=partial)

    def _cells(self, record: DeviceRecord) -> list[str]:
        cells = _cells(record)
        return cells if self._names is None else [*cells, self._names.name(record) or ""]

    def _reject(self, reject: Reject) -> None:
        if self._rejects is None:
            raise InventoryError(str(reject))
        self.rejected += 1
        self._rejects(reject)

    def _with_host(self, record: DeviceRecord) -> DeviceRecord:
        return record._replace(host=self._host) if record.host is None and self._host else record

    def _record_of_modalias(self, modalias: str) -> DeviceRecord:
        bus = modalias.partition(":")[0] if ":" in modalias else None
        try:
            return make_record(host=self._host, bus=bus, modalias=modalias)
        except ValueError:
            # A list is taken literally: what is no whole pci modalias is still a text to look up.
            return DeviceRecord(host=self._host, bus=bus, modalias=modalias)


@contextmanager
def open_inventory(
    path: str | os.PathLike[str],
    *,
    format: str = "auto",  # noqa: A002 - named like the option
    column: str = DEFAULT_COLUMN,
    host: str | None = None,
    rejects: Rejects | None = None,
    names: DeviceNames | None = None,
    partial: bool = False,
) -> Iterator[Inventory]:
    """Open a file, or a directory that is or has a sysfs; ``.gz``, ``.xz``, ``.bz2`` are decompressed.

    Raises:
        FileAccessError: the file cannot be opened or read.
        InventoryError: as ``Inventory``; a directory is wanted to be of another format than sysfs.
    """
    if Path(path).is_dir():
        if format not in ("auto", "sysfs"):
            raise InventoryError(f"{os.fspath(path)}: a directory can only be of the format sysfs")
        yield Inventory(Path(path), os.fspath(path), host=host, rejects=rejects, names=names)
        return
    with open_stream(path) as (stream, file):
        yield Inventory(
            stream,
            os.fspath(path),
            format=format,
            column=column,
            file=file,
            host=host,
            rejects=rejects,
            names=names,
            partial=partial,
        )


def _with_partial_texts(batch: Batch) -> Batch:
    return batch._replace(partial=frozenset(text for text in batch.devices if "*" in text or "?" in text))


def _cells(record: DeviceRecord) -> list[str]:
    """A record in text, ids as lspci prints them; empty is what is unknown."""
    ids = (record.vendor, record.device, record.subvendor, record.subdevice)
    known = chain((record.base_class, record.subclass), [] if record.subclass is None else [record.interface])
    return [
        record.host or "",
        record.bus or "",
        record.slot or "",
        *("" if number is None else f"{number:04x}" for number in ids),
        "".join(f"{byte:02x}" for byte in known if byte is not None),
        "" if record.revision is None else f"{record.revision:02x}",
        record.driver or "",
        " ".join(record.kernel_modules),
    ]
