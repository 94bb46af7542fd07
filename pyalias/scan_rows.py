"""How a scan writes its rows: CSV or JSON Lines, with or without the input's other columns.

A fleet repeats a few thousand devices millions of times. So the text of an answer is made once a
device, and a row is put together from it.
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pyalias.errors import InventoryError
from pyalias.index_set.answers import UNKNOWN_KERNEL

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from pyalias.inventory import Batch

ROW_FORMATS = ("csv", "jsonl")
COLUMNS = ("device", "modules", "error")
# Behind them, where devices may be partial.
PARTIAL_COLUMNS = ("state", "possible")
PARTIAL = "PARTIAL"
"""The ``error`` of a partial device, whatever is known of its modules: it is none of the others."""

_NEEDS_QUOTES = re.compile(r'[,"\r\n]').search
_encode_json = json.JSONEncoder(ensure_ascii=False).encode


class RowAnswer(NamedTuple):
    """What a row says of its device.

    ``state`` and ``possible`` are those of a ``PartialAnswer``; a device of which all is known is
    ``certain`` or ``none``, one that libkmod refuses has no state.
    """

    modules: tuple[str, ...]
    error: str = ""
    state: str = ""
    possible: tuple[str, ...] = ()

    def cells(self, device: str) -> tuple[str, str, str, str, str]:
        """In text: ``COLUMNS``, then ``PARTIAL_COLUMNS``."""
        return device, " ".join(self.modules), self.error, self.state, " ".join(self.possible)


class RowWriter(Protocol):
    """Turns batches into text; every device of a batch must have been learnt before."""

    def header(self) -> str:
        """What stands before the first row."""

    def learn(self, device: str, answer: RowAnswer, key: Hashable = None) -> None:
        """Prepare what is written for a device; ``key`` tells its answers apart, where it has several."""

    def render(self, batch: Batch, keys: Sequence[Hashable] | None = None) -> str:
        """The rows of a batch; ``keys`` as they were learnt, where they are others than the devices."""


def make_row_writer(output_format: str, columns: Sequence[str], *, partial: bool = False) -> RowWriter:
    """The writer for one of ``ROW_FORMATS`` and the other columns of the input.

    With ``partial`` there are ``PARTIAL_COLUMNS`` too.

    Raises:
        InventoryError: the input has a column that the output writes itself.
    """
    own = (*COLUMNS, *PARTIAL_COLUMNS) if partial else COLUMNS
    _check_columns(own, columns)
    if output_format == "jsonl":
        return _JsonRows(columns, own)
    return _CsvRowsWithColumns(columns, own) if columns else _CsvRows(own)


def _check_columns(own: Iterable[str], columns: Iterable[str]) -> None:
    twice = set(own).intersection(columns)
    if twice:
        names = ", ".join(sorted(twice))
        raise InventoryError(f"the input has columns that the output writes itself, rename them: {names}")


class _CsvRows:
    def __init__(self, own: Sequence[str]) -> None:
        self._own = own
        self._lines: dict[Hashable, str] = {}

    def header(self) -> str:
        return ",".join(self._own) + "\n"

    def learn(self, device: str, answer: RowAnswer, key: Hashable = None) -> None:
        cells = map(_quote, answer.cells(device)[: len(self._own)])
        self._lines[device if key is None else key] = ",".join(cells) + "\n"

    def render(self, batch: Batch, keys: Sequence[Hashable] | None = None) -> str:
        if batch.records is not None:
            _refuse_new_columns(batch.devices, batch.records, ())
        return "".join(map(self._lines.__getitem__, batch.devices if keys is None else keys))


class _CsvRowsWithColumns:
    def __init__(self, columns: Sequence[str], own: Sequence[str]) -> None:
        self._columns = tuple(columns)
        self._own = own
        self._cells: dict[Hashable, tuple[str, ...]] = {}

    def header(self) -> str:
        return ",".join(map(_quote, (*self._columns, *self._own))) + "\n"

    def learn(self, device: str, answer: RowAnswer, key: Hashable = None) -> None:
        self._cells[device if key is None else key] = answer.cells(device)[: len(self._own)]

    def render(self, batch: Batch, keys: Sequence[Hashable] | None = None) -> str:
        answers = map(self._cells.__getitem__, batch.devices if keys is None else keys)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows((*row, *answer) for row, answer in zip(self._rows(batch), answers, strict=True))
        return text.getvalue()

    def _rows(self, batch: Batch) -> Iterable[Sequence[str]]:
        if batch.cells is not None:
            return batch.cells
        records = batch.records or []
        _refuse_new_columns(batch.devices, records, self._columns)
        return ([cell_text(record.get(column)) for column in self._columns] for record in records)


class _JsonRows:
    def __init__(self, columns: Sequence[str], own: Sequence[str]) -> None:
        self._columns = tuple(columns)
        self._own = frozenset(own)
        self._lines: dict[Hashable, str] = {}

    def header(self) -> str:
        return ""

    def learn(self, device: str, answer: RowAnswer, key: Hashable = None) -> None:
        # An empty list would be a device that nothing claims.
        modules = None if answer.error == UNKNOWN_KERNEL else answer.modules
        line: dict[str, object] = {"device": device, "modules": modules}
        if answer.error:
            line["error"] = answer.error
        if answer.state and "state" in self._own:
            line["state"] = answer.state
        if answer.error == PARTIAL:
            line["possible"] = answer.possible
        self._lines[device if key is None else key] = _encode_json(line) + "\n"

    def render(self, batch: Batch, keys: Sequence[Hashable] | None = None) -> str:
        lines = map(self._lines.__getitem__, batch.devices if keys is None else keys)
        if batch.records is not None:
            return "".join(map(self._join, batch.records, lines))
        if batch.cells is not None:
            records = (dict(zip(self._columns, row, strict=True)) for row in batch.cells)
            return "".join(map(self._join, records, lines))
        return "".join(lines)

    def _join(self, record: dict[str, Any], line: str) -> str:
        """One object with the keys of both; the second is text already."""
        if not record:
            return line
        _check_columns(self._own, record)
        return f"{_encode_json(record)[:-1]}, {line[1:]}"


def _quote(value: str) -> str:
    """A CSV field, quoted where RFC 4180 asks for it."""
    if _NEEDS_QUOTES(value):
        return '"' + value.replace('"', '""') + '"'
    return value


def cell_text(value: Any) -> str:
    """The value of a record's key in a CSV."""
    if isinstance(value, str):
        return value
    return "" if value is None else _encode_json(value)


def _refuse_new_columns(
    devices: Sequence[str], records: Sequence[dict[str, Any]], columns: Sequence[str]
) -> None:
    """Records of JSON Lines may differ; a CSV has the columns of the first."""
    known = set(columns)
    for device, record in zip(devices, records, strict=True):
        if not known.issuperset(record):
            new = ", ".join(sorted(set(record) - known))
            raise InventoryError(
                f"the record of {device!r} has the key {new}, which the first record lacks: write JSON Lines"
            )
