"""Device lists in files that DuckDB reads: Parquet, CSV and JSON, compressed, by name or glob.

What DuckDB would guess is said instead: a CSV has commas, double quotes and a header, and all its cells
are text; the values of a JSON record stay the JSON that they were. So nothing is turned into another
type, and no row is dropped without a word.
"""

from __future__ import annotations

import csv
import glob
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pyalias.engines.libraries import load
from pyalias.errors import EngineError, InventoryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FORMATS = ("parquet", "csv", "jsonl")
_SUFFIXES = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".json": "jsonl", ".jsonl": "jsonl",
             ".ndjson": "jsonl"}  # fmt: skip
_COMPRESSED = (".gz", ".zst")
# No text holds it, so an empty cell is an empty text.
_NO_NULL = "\x01\x01"
LONGEST_LINE = 16 << 20
# No line of JSON has this: a control character stands in it as an escape.
LINE_PARTS = "\x02\x03"
_KEEP = (
    f"ignore_errors = true, store_rejects = true, rejects_limit = 0, rejects_line_size_limit = {LONGEST_LINE}"
)
HAS_OBJECT = "CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END"
"""SQL: whether a line of ``json_lines`` is a record."""
# More than a part of a job should hold in memory twice; fewer would pay for the opening of files.
ROWS_A_PART = 1_000_000


class Part(NamedTuple):
    """Some consecutive rows: of files as a whole, or of a range of rows of one Parquet file."""

    files: tuple[str, ...]
    first: int = 0
    rows: int | None = None


# Where a JSON record's kernel stands as text, beside the JSON that it was.
_KERNEL_TEXT = "pyalias kernel"


class DeviceFiles(NamedTuple):
    """The files of a device list, their format, and the columns that all of them have.

    With ``keep_rejects`` rows that cannot be read are passed over; ``rejects.rejects_of`` has them.
    """

    files: tuple[str, ...]
    format: str
    columns: tuple[str, ...]
    column: str
    kernel_column: str | None = None
    keep_rejects: bool = False

    @property
    def kernel_text(self) -> str | None:
        """The column of the query that has the kernel of each row as text."""
        has_json = self.format == "jsonl" and self.kernel_column is not None
        return _KERNEL_TEXT if has_json else self.kernel_column

    def query(self, part: Part) -> str:
        """SQL that reads the rows of a part."""
        names = ", ".join(map(literal, part.files))
        if self.format == "parquet":
            source = f"read_parquet([{names}], file_row_number = {part.rows is not None})"
            if part.rows is None:
                return f"SELECT * FROM {source}"  # noqa: S608 names are quoted
            last = part.first + part.rows - 1
            return (
                f"SELECT * EXCLUDE (file_row_number) FROM {source} "  # noqa: S608
                f"WHERE file_row_number BETWEEN {part.first} AND {last}"
            )
        if self.format == "csv":
            types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.columns)
            keep = f", {_KEEP}" if self.keep_rejects else ""
            return (
                f"SELECT * FROM read_csv([{names}], columns = {{{types}}}, auto_detect = false, "  # noqa: S608
                "header = true, "
                f"delim = ',', quote = '\"', escape = '\"', nullstr = {literal(_NO_NULL)}, "
                f"max_line_size = {LONGEST_LINE}{keep})"
            )
        if self.keep_rejects:
            return self._query_lines(names)
        types = ", ".join(
            f"{literal(name)}: '{'VARCHAR' if name == self.column else 'JSON'}'" for name in self.columns
        )
        kernel = (
            f", {quoted(self.kernel_column)} ->> '$' AS {quoted(_KERNEL_TEXT)}"
            if self.kernel_column is not None
            else ""
        )
        return (
            f"SELECT *{kernel} FROM read_json([{names}], columns = {{{types}}}, "  # noqa: S608
            f"format = 'newline_delimited', maximum_object_size = {LONGEST_LINE})"
        )

    def _query_lines(self, names: str) -> str:
        """The same rows of JSON Lines, but for those that hold no object."""
        columns = [
            f"{_value(name, '->>')} AS {quoted(name)}"
            if name == self.column
            else f"nullif({_value(name, '->')}, 'null'::JSON) AS {quoted(name)}"
            for name in self.columns
        ]
        if self.kernel_column is not None:
            columns.append(f"{_value(self.kernel_column, '->>')} AS {quoted(_KERNEL_TEXT)}")
        return f"SELECT {', '.join(columns)} {json_lines(names)} AND {HAS_OBJECT}"


def json_lines(names: str) -> str:
    """SQL, from FROM on: the lines of some files as text, as ``line``, without the blank ones."""
    return (
        f"FROM read_csv([{names}], columns = {{'line': 'VARCHAR'}}, auto_detect = false, header = false, "
        f"delim = '{LINE_PARTS}', quote = '', escape = '', nullstr = {literal(_NO_NULL)}, "
        f"strict_mode = false, max_line_size = {LONGEST_LINE}, {_KEEP}) "
        "WHERE NOT regexp_full_match(line, '\\s*')"
    )


def _value(key: str, operator: str) -> str:
    """The value of a key of a line's object, by JSON pointer (RFC 6901)."""
    pointer = "/" + key.replace("~", "~0").replace("/", "~1")
    return f"line {operator} {literal(pointer)}"


def open_files(
    patterns: Sequence[str],
    *,
    format: str = "auto",  # noqa: A002 - named like the option
    column: str = "modalias",
    kernel_column: str | None = None,
    keep_rejects: bool = False,
) -> DeviceFiles:
    """Find the files of names and globs, in the order of their names, and their columns.

    Raises:
        InventoryError: no such file; files of several formats; no such column, or not in every file.
        EngineError: DuckDB cannot read a file.
        MissingLibraryError: duckdb is not installed.
    """
    files = tuple(_expand(patterns))
    found = {_format_of(name) for name in files} if format == "auto" else {format}
    if len(found) > 1 or None in found:
        names = ", ".join(sorted(str(name) for name in found))
        raise InventoryError(f"files of one format are wanted, found {names}: say which with --format")
    kind = str(found.pop())
    connection = connect()
    json_columns = _keys_of_lines if keep_rejects else _json_columns
    columns = {"parquet": _parquet_columns, "csv": _csv_columns, "jsonl": json_columns}[kind](
        connection, files
    )
    for wanted in (column, column if kernel_column is None else kernel_column):
        if wanted not in columns:
            names = ", ".join(columns)
            raise InventoryError(f"{files[0]}: no column named {wanted!r}; its columns are: {names}")
    return DeviceFiles(files, kind, tuple(columns), column, kernel_column, keep_rejects)


def plan_parts(devices: DeviceFiles) -> list[Part]:
    """Cut the files into parts that can be matched one by one; the same files give the same parts.

    A Parquet file is cut between its row groups, other files are parts as a whole.
    """
    if devices.format != "parquet":
        return [Part((name,)) for name in devices.files]
    connection = connect()
    parts = []
    for name in devices.files:
        groups = fetch(
            connection,
            "SELECT row_group_num_rows FROM (SELECT DISTINCT row_group_id, row_group_num_rows "  # noqa: S608
            f"FROM parquet_metadata({literal(name)})) ORDER BY row_group_id",
            name,
        )
        first = size = 0
        for (rows,) in groups:
            if size and size + rows > ROWS_A_PART:
                parts.append(Part((name,), first, size))
                first, size = first + size, 0
            size += rows
        if size or not groups:
            parts.append(Part((name,), first, size))
    return parts


def connect(threads: int | None = None) -> Any:
    """A DuckDB of its own in memory.

    Raises:
        MissingLibraryError: duckdb is not installed.
    """
    duckdb = load("duckdb", "scan")
    connection = duckdb.connect(config={"threads": threads} if threads else {})
    # Its bar goes to standard output.
    connection.execute("SET enable_progress_bar = false")
    return connection


def fetch(connection: Any, query: str, name: str) -> list[tuple[Any, ...]]:
    """The rows of a query about a file.

    Raises:
        EngineError: DuckDB cannot read it.
    """
    duckdb = load("duckdb", "scan")
    try:
        rows: list[tuple[Any, ...]] = connection.execute(query).fetchall()
    except duckdb.Error as error:
        raise engine_error(error, name) from error
    return rows


def fetch_many(connection: Any, query: str, name: str, rows: int) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a query about a file, some at a time.

    Raises:
        EngineError: DuckDB cannot read it.
    """
    duckdb = load("duckdb", "scan")
    try:
        # A result that is fetched from is made as it is asked for.
        result = connection.execute(query)
        while some := result.fetchmany(rows):
            yield some
    except duckdb.Error as error:
        raise engine_error(error, name) from error


def text_column(files: DeviceFiles, name: str) -> str:
    """SQL for the text of a column of ``DeviceFiles.query``."""
    if files.format == "jsonl" and name != files.column:
        return f"{quoted(name)} ->> '$'"
    return f"CAST({quoted(name)} AS VARCHAR)"


def engine_error(error: Exception, name: str) -> EngineError:
    """What DuckDB said, on one line."""
    words = str(error).removeprefix("the Arrow stream failed: ")
    text = " ".join(line.strip() for line in words.splitlines() if line.strip())
    # What follows is advice on options that are not the reader's to set.
    text = re.split(r" Possible (?:fix|Solution)| LINE \d+: | file = ", text, maxsplit=1)[0]
    return EngineError(f"{name}: DuckDB: {text[:600]}")


def _expand(patterns: Sequence[str]) -> Iterator[str]:
    for pattern in patterns:
        magic = glob.has_magic(pattern) and not Path(pattern).exists()
        # glob, as Path.glob takes no absolute patterns
        found = sorted(glob.glob(pattern, recursive=True)) if magic else [pattern]  # noqa: PTH207
        if not found:
            raise InventoryError(f"{pattern}: no file has such a name")
        for name in found:
            if not Path(name).is_file():
                raise InventoryError(f"{name}: no such file")
            yield name


def _format_of(name: str) -> str | None:
    path = Path(name)
    return _SUFFIXES.get(Path(path.stem).suffix if path.suffix in _COMPRESSED else path.suffix)


def _parquet_columns(connection: Any, files: Sequence[str]) -> list[str]:
    columns: list[str] = []
    for name in files:
        query = f"DESCRIBE SELECT * FROM read_parquet({literal(name)})"  # noqa: S608
        found = [row[0] for row in fetch(connection, query, name)]
        columns = _same(columns, found, name, files[0])
    return columns


def _csv_columns(connection: Any, files: Sequence[str]) -> list[str]:
    """From the header of each file: DuckDB passes over it when it is told the columns."""
    columns: list[str] = []
    for name in files:
        # As bytes: DuckDB reads on behind the header, and would stop at what is no UTF-8 there.
        query = (
            f"SELECT line FROM read_csv({literal(name)}, columns = {{'line': 'VARCHAR'}}, "  # noqa: S608
            f"auto_detect = false, header = false, delim = '\x02', quote = '', escape = '', "
            f"max_line_size = {LONGEST_LINE}, encoding = 'latin-1') LIMIT 1"
        )
        rows = fetch(connection, query, name)
        try:
            line = (rows[0][0] or "").encode("latin-1").decode("utf-8-sig") if rows else ""
        except UnicodeDecodeError as error:
            raise InventoryError(f"{name}: the header is not UTF-8: {error}") from error
        header = next(csv.reader([line]), [])
        if len(set(header)) != len(header):
            raise InventoryError(f"{name}: the header names a column twice: {', '.join(header)}")
        columns = _same(columns, header, name, files[0])
    return columns


def _json_columns(connection: Any, files: Sequence[str]) -> list[str]:
    """The keys of all records: DuckDB drops those that it did not look for."""
    names = ", ".join(map(literal, files))
    query = (
        f"DESCRIBE SELECT * FROM read_json([{names}], format = 'newline_delimited', records = true, "  # noqa: S608
        f"sample_size = -1, union_by_name = true, maximum_depth = 1, maximum_object_size = {LONGEST_LINE})"
    )
    return [row[0] for row in fetch(connection, query, ", ".join(files))]


def _keys_of_lines(connection: Any, files: Sequence[str]) -> list[str]:
    """The same, but of the lines that are objects, in the order of their first appearance."""
    lines = json_lines(", ".join(map(literal, files)))
    query = (
        "SELECT key FROM (SELECT unnest(keys) AS key, unnest(range(len(keys))) AS place, number "  # noqa: S608
        "FROM (SELECT json_keys(line) AS keys, row_number() OVER () AS number "
        f"{lines} AND {HAS_OBJECT})) GROUP BY key ORDER BY min([number, place])"
    )
    return [row[0] for row in fetch(connection, query, ", ".join(files))]


def _same(columns: list[str], found: list[str], name: str, first: str) -> list[str]:
    if columns and columns != found:
        raise InventoryError(
            f"{name}: its columns are {', '.join(found)}, those of {first} are {', '.join(columns)}: "
            "scan files of different columns one by one"
        )
    return found


def literal(value: str) -> str:
    """A SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def count_rows(devices: DeviceFiles) -> int | None:
    """How many rows there are, where the files say so without being read."""
    if devices.format != "parquet":
        return None
    names = ", ".join(map(literal, devices.files))
    query = f"SELECT sum(num_rows) FROM parquet_file_metadata([{names}])"  # noqa: S608
    return int(fetch(connect(), query, ", ".join(devices.files))[0][0] or 0)
