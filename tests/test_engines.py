"""Engines around one function on Arrow batches: every way gives the answers of lookup(), row by row."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import nanoarrow
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tables import EXPECTED, read_answers

import pyalias
import pyalias.engines.pandas
import pyalias.engines.polars
from pyalias import ColumnError, InvalidModaliasError, LimitError
from pyalias.engines import duckdb as in_duckdb
from pyalias.engines import match_batches
from pyalias.engines import sqlite as in_sqlite

if TYPE_CHECKING:
    from collections.abc import Callable

INDEX = pyalias.AliasIndex.compile(
    [("pci:v1d*", "one"), ("pci:v1d2*", "two"), ("pci:v1*", "one"), ("of:N*", "a_module_of_some_length")]
)
DEVICES = ["pci:v1d2", "a]", None, "of:NxT", "none", "pci:v1d3", "", "pci:v1" + "x" * 5000, "pci:v1d2"]


def expected(device: str | None) -> tuple[str | None, str | None]:
    """Modules as text, and the error, by single lookups."""
    if device is None:
        return None, None
    try:
        return " ".join(INDEX.lookup(device)), None
    except InvalidModaliasError as error:
        return "", {22: "EINVAL", 36: "ENAMETOOLONG"}[error.errno]


ROWS = [expected(device) for device in DEVICES]
TABLE = pa.table({"n": range(len(DEVICES)), "modalias": DEVICES})


def test_the_cases_hold_both_errors_and_long_and_short_names():
    assert {error for _, error in ROWS} == {None, "EINVAL", "ENAMETOOLONG"}
    assert {"one one two", "a_module_of_some_length", "", None} <= {names for names, _ in ROWS}


def columns(stream: Any) -> tuple[list[int], list[tuple[Any, Any]]]:
    table = pa.table(stream)
    table.validate(full=True)
    return table["n"].to_pylist(), list(
        zip(table["modules"].to_pylist(), table["error"].to_pylist(), strict=True)
    )


# ---- the one function ----

SHAPES: dict[str, Callable[[pa.Table], Any]] = {
    "table": lambda table: table,
    "chunks": lambda table: pa.Table.from_batches(table.to_batches(max_chunksize=2)),
    "reader": lambda table: table.to_reader(max_chunksize=4),
    "batch": lambda table: table.combine_chunks().to_batches()[0],
    "batches": lambda table: iter(table.to_batches(max_chunksize=4)),
    "sliced batch": lambda table: (
        pa.concat_tables([table, table]).combine_chunks().to_batches()[0].slice(len(table))
    ),
    "nanoarrow": nanoarrow.ArrayStream,
    "polars": pl.DataFrame,
    "polars categorical": lambda table: pl.DataFrame(table).with_columns(
        pl.col.modalias.cast(pl.Categorical)
    ),
    "large": lambda table: table.cast(pa.schema([("n", pa.int64()), ("modalias", pa.large_string())])),
    "views": lambda table: table.cast(pa.schema([("n", pa.int64()), ("modalias", pa.string_view())])),
    "dictionary": lambda table: table.set_column(1, "modalias", table["modalias"].dictionary_encode()),
    "pandas": lambda table: table.to_pandas(),
    "duckdb": lambda table: duckdb.connect().from_arrow(table),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_arrow_data(shape: str):
    numbers, rows = columns(match_batches(INDEX, SHAPES[shape](TABLE)))
    assert numbers == list(range(len(DEVICES)))
    assert rows == ROWS


def test_a_struct_array_with_an_offset():
    """Its children are longer than it, and the new columns must be as well."""
    twice = pa.concat_tables([TABLE, TABLE]).combine_chunks().to_struct_array().chunk(0)
    found = pa.chunked_array(match_batches(INDEX, twice.slice(4, len(TABLE)))).to_pylist()
    assert [(row["modules"], row["error"]) for row in found] == (ROWS + ROWS)[4 : 4 + len(ROWS)]


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_every_kind_of_column(chunk: int):
    kinds = {"text": "text", "list": "list", "id": "id", "error": "error"}
    matched = match_batches(INDEX, TABLE.to_batches(max_chunksize=chunk), add=kinds)
    found = pa.table(matched)
    names = [None if text is None else text.split() for text, _ in ROWS]
    assert found["text"].to_pylist() == [text for text, _ in ROWS]
    assert [None if cell is None else list(cell) for cell in found["list"].to_pylist()] == names
    table = matched.answers.table()
    assert [None if i is None else list(table[i]) for i in found["id"].to_pylist()] == names
    assert found["error"].to_pylist() == [error for _, error in ROWS]


def test_counts():
    matched = match_batches(INDEX, TABLE.to_batches(max_chunksize=2))
    pa.table(matched)
    answers = matched.answers
    assert (answers.rows, answers.nulls, answers.invalid) == (9, 1, 2)
    claimed = [tuple(text.split()) for text, error in ROWS if text is not None and not error]
    assert answers.totals() == {names: claimed.count(names) for names in set(claimed)}


@given(st.lists(st.lists(st.sampled_from(DEVICES), max_size=9), min_size=1, max_size=5), st.booleans())
def test_any_batches(batches: list[list[str | None]], views: bool):
    kind = pa.string_view() if views else pa.string()
    whole = [pa.record_batch({"modalias": pa.array(rows, kind)}) for rows in batches]
    found = pa.table(match_batches(INDEX, whole))
    rows = [device for part in batches for device in part]
    assert list(zip(found["modules"].to_pylist(), found["error"].to_pylist(), strict=True)) == [
        expected(device) for device in rows
    ]


def test_columns_go_out_as_they_came_in():
    """Nested ones too, and without a copy: the very buffers of the input."""
    table = TABLE.append_column("nested", pa.array([[{"a": i}] for i in range(len(DEVICES))]))
    found = pa.table(match_batches(INDEX, table))
    assert found.select(["n", "modalias", "nested"]).equals(table)
    address = [buffer and buffer.address for buffer in table["nested"].chunk(0).buffers()]
    assert [buffer and buffer.address for buffer in found["nested"].chunk(0).buffers()] == address


def test_a_stream_is_read_once():
    matched = match_batches(INDEX, TABLE)
    assert pa.table(matched).num_rows == len(DEVICES)
    with pytest.raises(Exception, match="read once"):
        pa.table(matched)
    assert isinstance(matched.failure, ColumnError)


def test_an_error_of_the_source_reaches_who_reads_and_who_asks():
    def batches():
        yield TABLE.to_batches()[0]
        raise ValueError("the source broke")

    matched = match_batches(INDEX, batches())
    with pytest.raises(Exception, match="the source broke"):
        pa.table(matched)
    assert isinstance(matched.failure, ValueError)


def test_what_is_left_unread_is_let_go():
    for _ in range(100):
        matched = match_batches(INDEX, TABLE)
        reader = pa.RecordBatchReader.from_stream(matched)
        del matched, reader
        match_batches(INDEX, TABLE).__arrow_c_stream__()


@pytest.mark.parametrize(
    ("batches", "options", "message"),
    [
        (TABLE, {"column": "none"}, "no column named 'none'; the columns are: n, modalias"),
        (TABLE, {"column": "n"}, "expected a column of strings"),
        (TABLE.rename_columns(["modules", "modalias"]), {}, "rename them: modules"),
        (pa.array(["a"]), {}, "found a single column"),
        ([], {}, "no batches"),
        ([1], {}, "found int"),
        (5, {}, "found int"),
    ],
)
def test_refused_input(batches: Any, options: dict[str, Any], message: str):
    with pytest.raises(ColumnError, match=message):
        match_batches(INDEX, batches, **options)


def test_batches_of_other_columns_are_refused():
    other = pa.record_batch({"modalias": ["a"]})
    matched = match_batches(INDEX, [TABLE.to_batches()[0], other])
    with pytest.raises(Exception, match="batch 1: its columns"):
        pa.table(matched)


def test_unknown_kind():
    with pytest.raises(LimitError, match="no kind of column: words"):
        match_batches(INDEX, TABLE, add={"modules": "words"})


@pytest.mark.parametrize("table", EXPECTED[:1], ids=lambda table: table.name)
def test_recorded_answers(table: Any, indexes: dict[str, pyalias.AliasIndex]):
    rows = [(key.decode(), answer) for key, answer in read_answers(table.path) if b":" in key]
    batches = pa.table({"modalias": [key for key, _ in rows]}).to_batches(max_chunksize=1000)
    found = pa.table(match_batches(indexes[table.release], batches))
    names = [22 if error == "EINVAL" else tuple(text.split()) for text, error in zip(
        found["modules"].to_pylist(), found["error"].to_pylist(), strict=True)]  # fmt: skip
    assert names == [answer for _, answer in rows]
    assert len(rows) > 2500


# ---- DuckDB ----


def test_duckdb_to_duckdb():
    reading, writing = duckdb.connect(), duckdb.connect()
    relation = reading.sql("SELECT 'pci:v1d' || (i % 4) AS modalias, i FROM range(300000) t(i)")
    matched = in_duckdb.match(INDEX, relation)
    writing.register("matched", matched)
    found = writing.execute("SELECT modules, count(*), sum(i) FROM matched GROUP BY 1 ORDER BY 1").fetchall()
    others = sum(i for i in range(300000) if i % 4 != 2)
    assert found == [("one one", 225000, others), ("one one two", 75000, sum(range(2, 300000, 4)))]


def test_duckdb_rows_and_filters():
    connection = duckdb.connect()
    connection.register("matched", match_batches(INDEX, TABLE))
    found = connection.execute("SELECT modules, error FROM matched ORDER BY n").fetchall()
    assert found == ROWS


def test_duckdb_answers_that_turn_up_later():
    """An engine that kept the texts of an earlier batch would be wrong, or read beyond them."""
    index = pyalias.AliasIndex.compile([(f"*{i:03}*", f"module_number_{i:03}") for i in range(300)])
    rows = [f"x{i % 300:03}y{(i * 7) % 300:03}" for i in range(60_000)]
    batches = pa.table({"modalias": rows}).to_batches(max_chunksize=500)
    connection = duckdb.connect()
    connection.register("matched", match_batches(index, batches))
    found = connection.execute("SELECT DISTINCT modalias, modules FROM matched").fetchall()
    assert dict(found) == {row: " ".join(index.lookup(row)) for row in set(rows)}


@pytest.mark.parametrize("threads", [1, 4])
def test_duckdb_takes_the_dictionary_of_each_batch(threads: int):
    """Ours grows; those of others may hold something else each time, at places that were used before."""
    index = pyalias.AliasIndex.compile([(f"x{i:03}*", f"module_number_{i:03}") for i in range(240)])
    rows = [f"x{i // 1000 * 2 + i % 2:03}y" for i in range(120_000)]
    batches = pa.table({"modalias": rows}).to_batches(max_chunksize=1000)
    connection = duckdb.connect(config={"threads": threads})
    connection.register("matched", match_batches(index, batches, add={"names": "list"}))
    found = connection.execute("SELECT modalias, names FROM matched").fetchall()
    assert sorted(found) == sorted((row, list(index.lookup(row))) for row in rows)

    def others():
        for number in range(120):
            texts = pa.array([f"a{number}", f"b{number}"])
            places = pa.array([0, 1] * 500, pa.uint32())
            yield pa.record_batch({"text": pa.DictionaryArray.from_arrays(places, texts)})

    schema = pa.schema({"text": pa.dictionary(pa.uint32(), pa.string())})
    connection.register("others", pa.RecordBatchReader.from_batches(schema, others()))
    counts = connection.execute("SELECT text, count(*) FROM others GROUP BY 1").fetchall()
    assert dict(counts) == {f"{letter}{number}": 500 for number in range(120) for letter in "ab"}


def test_duckdb_function():
    connection = duckdb.connect()
    in_duckdb.register(connection, INDEX)
    connection.register("devices", TABLE)
    found = connection.execute("SELECT pyalias_modules(modalias) FROM devices ORDER BY n").fetchall()
    assert [cell for (cell,) in found] == [
        None if text is None or error else text.split() for text, error in ROWS
    ]


# ---- Polars ----


@pytest.mark.parametrize("way", ["eager", "lazy", "streaming"])
def test_polars_frames(way: str):
    frame = pl.DataFrame(TABLE)
    if way == "eager":
        found = frame.pyalias.match(INDEX)
    else:
        engine = "streaming" if way == "streaming" else "in-memory"
        found = frame.lazy().pyalias.match(INDEX).collect(engine=engine)
    assert found.select("n", "modalias").equals(frame)
    assert found.select("modules", "error").rows() == ROWS


def test_polars_expressions():
    found = pl.DataFrame(TABLE).select(
        text=pl.col.modalias.pyalias.modules(INDEX),
        names=pl.col.modalias.pyalias.module_list(INDEX),
        error=pl.col.modalias.pyalias.error(INDEX),
    )
    assert found["text"].to_list() == [text for text, _ in ROWS]
    assert found["names"].to_list() == [None if text is None else text.split() for text, _ in ROWS]
    assert found["error"].to_list() == [error for _, error in ROWS]


def test_polars_series_keep_their_name():
    series = pl.DataFrame(TABLE)["modalias"]
    assert series.pyalias.modules(INDEX).to_list() == [text for text, _ in ROWS]
    assert series.pyalias.module_list(INDEX).name == "modalias"
    assert series.clear().pyalias.module_list(INDEX).to_list() == []


def test_polars_streams_a_parquet_file(tmp_path: Any):
    pl.DataFrame(TABLE).write_parquet(tmp_path / "devices.parquet")
    lazy = pl.scan_parquet(tmp_path / "devices.parquet").pyalias.match(INDEX)
    lazy.sink_parquet(tmp_path / "answers.parquet")
    assert pl.read_parquet(tmp_path / "answers.parquet").select("modules", "error").rows() == ROWS


# ---- pandas ----


def test_pandas():
    frame = pd.DataFrame({"modalias": DEVICES, "n": range(len(DEVICES))}, index=list("abcdefghi"))
    found = frame.pyalias.match(INDEX)
    assert list(found.index) == list("abcdefghi")
    rows = [
        tuple(None if pd.isna(cell) else cell for cell in row)
        for row in found[["modules", "error"]].itertuples(index=False)
    ]
    assert rows == ROWS
    modules = frame["modalias"].pyalias.modules(INDEX)
    assert [None if pd.isna(cell) else cell for cell in modules] == [text for text, _ in ROWS]
    assert list(modules.index) == list("abcdefghi")


# ---- SQLite ----


def test_sqlite():
    connection = sqlite3.connect(":memory:")
    in_sqlite.register(connection, INDEX)
    connection.execute("CREATE TABLE devices (modalias)")
    connection.executemany("INSERT INTO devices VALUES (?)", [(device,) for device in DEVICES])
    found = connection.execute("SELECT pyalias_modules(modalias) FROM devices ORDER BY rowid").fetchall()
    assert [cell for (cell,) in found] == [None if error else text for text, error in ROWS]


# ---- libraries that are not there ----


@pytest.mark.parametrize(
    ("library", "program"),
    [
        ("duckdb", "from pyalias.engines.files import connect; connect()"),
        ("polars", "import pyalias.engines.polars"),
        ("pandas", "import pyalias.engines.pandas"),
        ("distributed", "from pyalias.engines.dask import on_cluster; on_cluster('x')"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(library: str, program: str):
    block = f"import sys; sys.modules[{library!r}] = None; "
    done = subprocess.run(
        [sys.executable, "-c", block + program], capture_output=True, text=True, check=False
    )
    last = done.stderr.splitlines()[-1]
    assert last.startswith("pyalias.errors.MissingLibraryError: ")
    assert f"{library} is not installed" in last
    assert "extra [" in last


def test_a_stream_left_to_the_end_of_the_process():
    """Held by an engine's global state when Python ends: no crash, no message."""
    program = (
        "import pyalias, duckdb, pyarrow as pa; from pyalias.engines import match_batches; "
        "t = pa.table({'modalias': ['a']}); "
        "m = match_batches(pyalias.AliasIndex.compile([('a', 'b')]), t); "
        "duckdb.register('m', m); keep = duckdb.sql('SELECT * FROM m'); c = m.__arrow_c_stream__()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
