"""Lists that hold modaliases, read as a stream: plain lists, CSV and JSON Lines."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from pyalias.errors import InventoryError
from pyalias.inventory.records import Reject

if TYPE_CHECKING:
    from collections.abc import Iterator

# Rows that became Python objects one by one should still be in the cache when they are written: twice as
# fast as 65,536 rows.
BATCH_ROWS = 8192


class Batch(NamedTuple):
    """Some consecutive rows.

    ``cells`` holds each row's values of ``Inventory.columns`` (CSV), ``records`` each record's other
    keys (JSON Lines); they are ``None`` where rows have nothing but the device. ``blank`` counts the
    blank lines and the entries without a device that were passed over. ``partial`` are those of the devices
    whose ids are not all known: a modalias with ``*`` for what is unknown, for three-valued lookups alone.
    """

    devices: list[str]
    blank: int
    cells: list[list[str]] | None = None
    records: list[dict[str, Any]] | None = None
    partial: frozenset[str] = frozenset()


Rejects = Callable[[Reject], object]


def read_list(blocks: Iterator[str]) -> Iterator[Batch]:
    """One device a line, taken literally."""
    for text in blocks:
        lines = text.removesuffix("\n").split("\n") if text else []
        if "\r" in text:
            lines = [line.removesuffix("\r") for line in lines]
        devices = list(filter(None, lines))
        yield Batch(devices, len(lines) - len(devices))


def read_csv(
    blocks: Iterator[str], name: str, column: str, rejects: Rejects | None = None
) -> tuple[tuple[str, ...], Iterator[Batch]]:
    """The names of the other columns, and the rows.

    Raises:
        InventoryError: the header is no good; without ``rejects``, while iterating: a row is no good.
    """
    # newline="" leaves the ends of lines inside quotes as they are
    lines = _KeptLines(chain.from_iterable(io.StringIO(text, newline="") for text in blocks))
    reader = csv.reader(lines if rejects else lines.lines, strict=True)
    header = next(_csv_rows(reader, name, 1), [[]])[0]
    if header.count(column) != 1:
        found = ", ".join(header) if header else "none"
        problem = "no column" if column not in header else "several columns"
        raise InventoryError(f"{name}: {problem} named {column!r} in the header; its columns are: {found}")
    if len(set(header)) != len(header):
        raise InventoryError(f"{name}: the header names a column twice: {', '.join(header)}")
    others = tuple(other for other in header if other != column)
    if rejects:
        rows = _good_csv_rows(reader, lines, name, len(header), rejects)
    else:
        rows = _csv_rows(reader, name, BATCH_ROWS)
    return others, _csv_batches(rows, name, header, column)


class _KeptLines:
    """Lines on their way to the reader; ``taken`` are those since it was last emptied."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.lines = lines
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for line in self.lines:
            self.taken.append(line)
            yield line


def _csv_rows(reader: Any, name: str, count: int) -> Iterator[list[list[str]]]:
    """Lists of up to ``count`` rows."""
    try:
        while rows := list(islice(reader, count)):
            yield rows
    except csv.Error as error:
        raise InventoryError(f"{name}: line {reader.line_num}: {error}") from error


def _good_csv_rows(
    reader: Any, lines: _KeptLines, name: str, width: int, rejects: Rejects
) -> Iterator[list[list[str]]]:
    """The same, row by row: the bad ones go aside, and the reader goes on behind them."""
    rows: list[list[str]] = []
    for number in count(1):
        lines.taken.clear()
        try:
            row = next(reader, None)
        except csv.Error as error:
            rejects(Reject(name, number, "", str(error), "".join(lines.taken)))
            continue
        if row is None:
            break
        if row and len(row) != width:
            reason = f"{len(row)} fields, the header has {width}"
            rejects(Reject(name, number, "", reason, "".join(lines.taken)))
            continue
        rows.append(row)
        if len(rows) == BATCH_ROWS:
            yield rows
            rows = []
    yield rows


def _csv_batches(
    batches: Iterator[list[list[str]]], name: str, header: list[str], column: str
) -> Iterator[Batch]:
    place = header.index(column)
    width = len(header)
    records = 0
    for rows in batches:
        if set(map(len, rows)) <= {0, width}:
            filled = list(filter(None, rows))
        else:
            number, row = next((i, row) for i, row in enumerate(rows, 1) if row and len(row) != width)
            raise InventoryError(
                f"{name}: record {records + number} has {len(row)} fields, the header has {width}"
            )
        devices = [row.pop(place) for row in filled]
        records += len(rows)
        yield Batch(devices, len(rows) - len(filled), cells=filled if width > 1 else None)


def read_json_lines(
    blocks: Iterator[str], name: str, column: str, rejects: Rejects | None = None
) -> tuple[tuple[str, ...], Iterator[Batch]]:
    """The names of the other keys of the first record, and the rows.

    Raises:
        InventoryError: without ``rejects``: a line is no good.
    """
    batches = _json_batches(blocks, name, column, rejects)
    first = next(batches, None)
    if first is None:
        return (), iter(())
    columns = tuple(first.records[0]) if first.records else ()
    return columns, chain([first], batches)


def _json_batches(blocks: Iterator[str], name: str, column: str, rejects: Rejects | None) -> Iterator[Batch]:
    """Batches of at least one device, but for the last."""
    decode = json.JSONDecoder(parse_constant=refuse_constant, parse_float=parse_finite).decode
    lines = enumerate(chain.from_iterable(text.removesuffix("\n").split("\n") for text in blocks if text), 1)
    devices: list[str] = []
    records: list[dict[str, Any]] = []
    blank = 0
    for number, line in lines:
        if not line or line.isspace():
            blank += 1
            continue
        try:
            device, rest = _split_record(decode(line), column)
            if "\\u" in line:
                _refuse_half_characters(rest, device)
        except (ValueError, RecursionError) as error:
            if rejects is None:
                raise InventoryError(f"{name}: line {number}: {error}") from error
            rejects(Reject(name, number, "", str(error), line))
            continue
        devices.append(device)
        records.append(rest)
        if len(devices) == BATCH_ROWS:
            yield Batch(devices, blank, records=records)
            devices, records, blank = [], [], 0
    yield Batch(devices, blank, records=records)


def _split_record(record: Any, column: str) -> tuple[str, dict[str, Any]]:
    if isinstance(record, str):
        return record, {}
    if not isinstance(record, dict):
        raise ValueError(f"neither an object nor a string, but {_json_kind(record)}")  # noqa: TRY004
    if column not in record:
        raise ValueError(f"no key {column!r}; its keys are: {', '.join(record)}")
    device = record.pop(column)
    if not isinstance(device, str):
        raise ValueError(f"the value of {column!r} is not a string, but {_json_kind(device)}")  # noqa: TRY004
    return device, record


def _json_kind(value: Any) -> str:
    kinds = {list: "an array", dict: "an object", bool: "a truth value", type(None): "null"}
    return kinds.get(type(value), "a number")


def refuse_constant(text: str) -> float:
    """Python reads NaN and Infinity where JSON has none."""
    raise ValueError(f"{text} is not JSON")


def parse_finite(text: str) -> float:
    """A number that can be written again."""
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is beyond the numbers that could be written again")
    return value


def _refuse_half_characters(*values: Any) -> None:
    """U+DC80 to U+DCFF are how Python spells odd bytes; other halves of a pair are no text at all."""
    text = json.dumps(values, ensure_ascii=False)
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise ValueError(f"half a character: \\u{ord(text[error.start]):04x}") from error
