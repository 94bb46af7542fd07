"""Lists of devices, read as a stream: plain lists, CSV and JSON Lines, compressed or not.

Text is UTF-8 in which any other byte survives (``surrogateescape``): a firmware string may hold
anything, and what is read must be what is looked up and what is written again.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import math
import os
import stat
import zlib
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from pyalias.errors import FileAccessError, InventoryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORMATS = ("list", "csv", "jsonl")
DEFAULT_COLUMN = "modalias"
LONGEST_RECORD = 16 << 20

_BLOCK_SIZE = 4 << 20
# Rows that became Python objects one by one should still be in the cache when they are written: twice as
# fast as 65,536 rows.
_BATCH_ROWS = 8192
_OPENERS: dict[str, Callable[[BinaryIO], Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
_FORMAT_OF_SUFFIX = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}


class Batch(NamedTuple):
    """Some consecutive rows.

    ``cells`` holds each row's values of ``Inventory.columns`` (CSV), ``records`` each record's other
    keys (JSON Lines); they are ``None`` where rows have nothing but the device. ``blank`` counts the
    blank lines that were passed over.
    """

    devices: list[str]
    blank: int
    cells: list[list[str]] | None = None
    records: list[dict[str, Any]] | None = None


class Inventory:
    """A device list; iterate over it once for its batches.

    ``format`` is one of ``FORMATS``, ``columns`` names the other columns (of JSON Lines: of the first
    record, the others may differ). ``file`` is the file whose position tells the progress.

    Raises:
        InventoryError: the CSV header lacks the column; while iterating: a record cannot be read.
        FileAccessError: the system failed to read.
    """

    def __init__(
        self,
        stream: BinaryIO,
        name: str,
        *,
        format: str = "auto",  # noqa: A002 - named like the option
        column: str = DEFAULT_COLUMN,
        file: BinaryIO | None = None,
    ) -> None:
        self.name = name
        self._file = file or stream
        self._size = _regular_size(self._file)
        blocks = _text_blocks(stream, name)
        first = next(blocks, "").removeprefix("\ufeff")
        blocks = chain([first], blocks)
        self.format = _guess_format(name, first, column) if format == "auto" else format
        self.columns: tuple[str, ...] = ()
        if self.format == "csv":
            self.columns, self._batches = _read_csv(blocks, name, column)
        elif self.format == "jsonl":
            self.columns, self._batches = _read_json_lines(blocks, name, column)
        else:
            self._batches = _read_list(blocks)

    def __iter__(self) -> Iterator[Batch]:
        return self._batches

    def fraction(self) -> float | None:
        """How much of the file has been read, from 0 to 1; ``None`` for what has no size."""
        return self._file.tell() / self._size if self._size else None


@contextmanager
def open_inventory(
    path: str | os.PathLike[str],
    *,
    format: str = "auto",  # noqa: A002 - named like the option
    column: str = DEFAULT_COLUMN,
) -> Iterator[Inventory]:
    """Open a file; ``.gz``, ``.xz`` and ``.bz2`` are decompressed on the fly.

    Raises:
        FileAccessError: the file cannot be opened or read.
        InventoryError: as ``Inventory``.
    """
    name = os.fspath(path)
    opener = _OPENERS.get(Path(name).suffix)
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - closed below; here only this error is caught
    except OSError as error:
        raise FileAccessError.from_oserror(error, name, "check the name of the device list") from error
    with file, opener(file) if opener else file as stream:
        yield Inventory(stream, name, format=format, column=column, file=file)


def _regular_size(file: BinaryIO) -> int | None:
    try:
        status = os.fstat(file.fileno())
    except OSError:  # a file in memory has no number
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _text_blocks(stream: BinaryIO, name: str) -> Iterator[str]:
    """The stream in pieces of whole lines."""
    carry = b""
    while chunk := _read(stream, name):
        head, newline, tail = chunk.rpartition(b"\n")
        if newline:
            yield (carry + head + newline).decode("utf-8", "surrogateescape")
            carry = tail
        else:
            carry += tail
        if len(carry) > LONGEST_RECORD:
            raise InventoryError(
                f"{name}: a line is longer than {LONGEST_RECORD} bytes; is this a device list?"
            )
    if carry:
        yield carry.decode("utf-8", "surrogateescape")


def _read(stream: BinaryIO, name: str) -> bytes:
    try:
        return stream.read(_BLOCK_SIZE)
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise InventoryError(f"{name}: the compressed data are damaged or cut short: {error}") from error
    except OSError as error:
        if error.errno is None:  # gzip and bz2 say so when the data are not theirs
            raise InventoryError(f"{name}: the compressed data are damaged: {error}") from error
        raise FileAccessError.from_oserror(error, name, "check the device list") from error


def _guess_format(name: str, first: str, column: str) -> str:
    """By the file's name; else by its first line."""
    path = Path(name)
    suffix = Path(path.stem).suffix if path.suffix in _OPENERS else path.suffix
    if suffix in _FORMAT_OF_SUFFIX:
        return _FORMAT_OF_SUFFIX[suffix]
    line = first.partition("\n")[0].removesuffix("\r")
    if column in next(csv.reader([line]), []):
        return "csv"
    return "jsonl" if line.startswith(("{", '"')) else "list"


def _read_list(blocks: Iterator[str]) -> Iterator[Batch]:
    for text in blocks:
        lines = text.removesuffix("\n").split("\n") if text else []
        if "\r" in text:
            lines = [line.removesuffix("\r") for line in lines]
        devices = list(filter(None, lines))
        yield Batch(devices, len(lines) - len(devices))


def _read_csv(blocks: Iterator[str], name: str, column: str) -> tuple[tuple[str, ...], Iterator[Batch]]:
    reader = csv.reader(
        # newline="" leaves the ends of lines inside quotes as they are
        chain.from_iterable(io.StringIO(text, newline="") for text in blocks),
        strict=True,
    )
    header = next(_csv_rows(reader, name, 1), [[]])[0]
    if header.count(column) != 1:
        found = ", ".join(header) if header else "none"
        problem = "no column" if column not in header else "several columns"
        raise InventoryError(f"{name}: {problem} named {column!r} in the header; its columns are: {found}")
    if len(set(header)) != len(header):
        raise InventoryError(f"{name}: the header names a column twice: {', '.join(header)}")
    others = tuple(other for other in header if other != column)
    return others, _csv_batches(_csv_rows(reader, name, _BATCH_ROWS), name, header, column)


def _csv_rows(reader: Any, name: str, count: int) -> Iterator[list[list[str]]]:
    """Lists of up to ``count`` rows."""
    try:
        while rows := list(islice(reader, count)):
            yield rows
    except csv.Error as error:
        raise InventoryError(f"{name}: line {reader.line_num}: {error}") from error


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


def _read_json_lines(
    blocks: Iterator[str], name: str, column: str
) -> tuple[tuple[str, ...], Iterator[Batch]]:
    batches = _json_batches(blocks, name, column)
    first = next(batches, None)
    if first is None:
        return (), iter(())
    columns = tuple(first.records[0]) if first.records else ()
    return columns, chain([first], batches)


def _json_batches(blocks: Iterator[str], name: str, column: str) -> Iterator[Batch]:
    """Batches of at least one device, but for the last."""
    decode = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_parse_finite).decode
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
            raise InventoryError(f"{name}: line {number}: {error}") from error
        devices.append(device)
        records.append(rest)
        if len(devices) == _BATCH_ROWS:
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


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _parse_finite(text: str) -> float:
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
