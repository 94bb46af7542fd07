"""Rows that DuckDB cannot read, as they were.

Of a CSV DuckDB keeps them itself, with a ``?`` for each byte that is no UTF-8: such rows are read again from
where they stand. Of JSON Lines it keeps nothing (``ignore_errors`` makes rows of nulls of them), so
lines are read as text, and those that hold no object are looked for in the file, which tells their numbers.
A Parquet file is read as a whole or not at all.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pyalias.engines.files import HAS_OBJECT, LINE_PARTS, LONGEST_LINE, fetch, json_lines, literal
from pyalias.errors import EngineError
from pyalias.inventory import Reject
from pyalias.packages.compression import LONGEST_MAGIC, open_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyalias.engines.files import DeviceFiles, Part

_CHUNK = 1 << 20


def rejects_of(connection: Any, devices: DeviceFiles, part: Part) -> list[Reject]:
    """The rows of a part that cannot be read; the connection is the one that has read it.

    Raises:
        EngineError: a file has changed meanwhile, or DuckDB takes its lines apart in another way.
        MissingLibraryError: a file is compressed, and what decompresses it is not installed.
    """
    if devices.format == "csv":
        return _csv_rejects(connection, part)
    if devices.format == "jsonl":
        return [reject for name in part.files for reject in _json_rejects(connection, name)]
    return []


# ---- CSV ----


def _csv_rejects(connection: Any, part: Part) -> list[Reject]:
    rows = fetch(
        connection,
        "SELECT f.file_path, r.line, string_agg(DISTINCT r.error_message, '; ' ORDER BY r.error_message), "
        "any_value(r.csv_line), min(r.line_byte_position) - 1, bool_or(r.error_type = 'INVALID ENCODING') "
        "FROM reject_errors r JOIN reject_scans f USING (scan_id, file_id) GROUP BY ALL ORDER BY 1, 2",
        ", ".join(part.files),
    )
    texts: dict[tuple[str, int], str] = {}
    for name in {row[0] for row in rows if row[5]}:
        spans = [(at, len(text.encode())) for path, _, _, text, at, odd in rows if odd and path == name]
        texts |= {(name, at): raw.decode("utf-8", "surrogateescape") for at, raw in _read_spans(name, spans)}
    return [
        # An empty line before a row is none of its own.
        Reject(name, line, "", " ".join(reason.split()), texts.get((name, at), text).lstrip("\r\n"))
        for name, line, reason, text, at, _ in rows
    ]


def _read_spans(name: str, spans: list[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    """The bytes at ascending places of a file."""
    done = 0
    with _opened(name) as stream:
        for at, size in spans:
            while done < at and (skipped := stream.read(min(_CHUNK, at - done))):
                done += len(skipped)
            found = stream.read(size)
            done += len(found)
            if len(found) < size:
                raise EngineError(f"{name}: it has changed while it was read")
            yield at, found


# ---- JSON Lines ----


def _json_rejects(connection: Any, name: str) -> Iterator[Reject]:
    source = json_lines(literal(name))
    without = Counter(row[0] for row in fetch(connection, f"SELECT line {source} AND NOT {HAS_OBJECT}", name))
    query = (
        "SELECT count(DISTINCT r.line) FROM reject_errors r JOIN reject_scans f USING (scan_id, file_id) "  # noqa: S608
        f"WHERE f.file_path = {literal(name)}"
    )
    unread = fetch(connection, query, name)[0][0]
    left = without.total() + unread
    if not left:
        return
    with _opened(name) as stream:
        for number, line in enumerate(stream, 1):
            raw = line.rstrip(b"\r\n")
            text = raw.decode("utf-8", "surrogateescape")
            reason = _unreadable(raw)
            if not reason and without[text]:
                without[text] -= 1
                reason = _no_object(text)
            if reason:
                left -= 1
                yield Reject(name, number, "", reason, text)
    if left:
        raise EngineError(
            f"{name}: {left} rows that cannot be read are not found among its lines: has it changed? "
            "If not, scan it with --engine plain"
        )


def _unreadable(raw: bytes) -> str:
    """Why DuckDB does not read a line as text."""
    if len(raw) > LONGEST_LINE:
        return f"a line of more than {LONGEST_LINE} bytes"
    if LINE_PARTS.encode() in raw:
        return "not JSON: control characters"
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8: {error.reason} at byte {error.start}"
    return ""


def _no_object(text: str) -> str:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return "not an object"


@contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    with Path(name).open("rb") as file:
        yield open_stream(file, file.read(LONGEST_MAGIC))
