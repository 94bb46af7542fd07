"""Each engine with matching beside itself without, on real-shaped rows, in processes of their own.

    python benchmarks/engines.py FLEET.csv INDEX [--rows 10000000] [--rounds 5] [--work DIR]

FLEET.csv has the columns host, slot and modalias: a fleet's devices, in the order of hosts. Parquet, CSV
and JSON Lines files of that many rows are made of it once. Every run is a process that reports its wall
and CPU seconds and its peak memory; with and without matching take turns, and a ratio is that of a pair
of neighbours. "drain" reads the stream to its end, which is the most that matching can cost; "copy"
writes the result, "group" counts by modules (or, without matching, by the same text's length).
"""

# ruff: noqa: PLC0415 a run loads the one engine that it measures

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

READERS = {
    "parquet": "SELECT host, slot, modalias FROM read_parquet('{}')",
    "csv": "SELECT * FROM read_csv('{}', columns = {{host: 'VARCHAR', slot: 'VARCHAR', "
    "modalias: 'VARCHAR'}}, auto_detect = false, header = true)",
    "jsonl": "SELECT * FROM read_json('{}', columns = {{host: 'VARCHAR', slot: 'VARCHAR', "
    "modalias: 'VARCHAR'}}, format = 'newline_delimited')",
}


def run_duckdb(file: str, index_file: str, form: str, what: str, matching: bool) -> int:
    import duckdb

    import pyalias
    from pyalias.engines import match_batches

    reading, writing = duckdb.connect(), duckdb.connect()
    relation = reading.sql(READERS[form].format(file))
    stream = relation
    if matching:
        stream = match_batches(pyalias.AliasIndex.open(index_file), relation)
    if what == "drain":
        import pyarrow as pa

        return sum(batch.num_rows for batch in pa.RecordBatchReader.from_stream(stream))
    if not matching:
        stream = _Stream(relation)
    writing.register("rows", stream)
    if what == "group":
        key = "modules" if matching else "slot"
        found = writing.execute(f"SELECT {key}, count(*) FROM rows GROUP BY 1").fetchall()  # noqa: S608
        return sum(count for _, count in found)
    option = {"parquet": "FORMAT parquet, COMPRESSION zstd", "csv": "FORMAT csv", "jsonl": "FORMAT json"}[
        form
    ]
    target = target_of(file, form)
    writing.execute(f"COPY (SELECT * FROM rows) TO '{target}' ({option})")  # noqa: S608
    return 0


def target_of(file: str, form: str) -> Path:
    return Path(file).with_name(f"out.{form}")


class _Stream:
    """A relation of one connection, for another."""

    def __init__(self, relation) -> None:
        self._relation = relation

    def __arrow_c_stream__(self, requested_schema=None):
        return self._relation.__arrow_c_stream__(requested_schema)


def run_polars(file: str, index_file: str, form: str, what: str, matching: bool) -> int:
    import polars as pl

    import pyalias
    import pyalias.engines.polars

    scan = {"parquet": pl.scan_parquet, "csv": pl.scan_csv, "jsonl": pl.scan_ndjson}[form]
    lazy = scan(file)
    if matching:
        index = pyalias.AliasIndex.open(index_file)
        lazy = lazy.with_columns(modules=pl.col.modalias.pyalias.modules(index))
    if what == "drain":
        return sum(batch.height for batch in lazy.collect_batches(chunk_size=1 << 17, maintain_order=False))
    if what == "copy":
        sink = {"parquet": lazy.sink_parquet, "csv": lazy.sink_csv, "jsonl": lazy.sink_ndjson}[form]
        sink(target_of(file, form))
        return 0
    key = "modules" if matching else "slot"
    return lazy.group_by(key).agg(pl.len()).collect(engine="streaming")["len"].sum()


def one_run(options: argparse.Namespace) -> None:
    engine = {"duckdb": run_duckdb, "polars": run_polars}[options.engine]
    start = time.perf_counter()
    rows = engine(options.fleet, options.index, options.form, options.what, options.matching)
    wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"rows": rows, "wall": wall, "cpu": used.ru_utime + used.ru_stime, "mib": peak_mib()}))


def peak_mib() -> int:
    """Of this program: getrusage counts what its parent had when it was forked."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def measure(engine: str, form: str, what: str, file: Path, index: str, rounds: int) -> None:
    pairs = []
    for _ in range(rounds):
        pair = []
        for matching in (False, True):
            command = [sys.executable, __file__, str(file), index, "--engine", engine, "--form", form,
                       "--what", what, *(["--matching"] if matching else [])]  # fmt: skip
            pair.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
            if what == "copy":
                pair[-1]["rows"] = count_rows(target_of(str(file), form))
        assert pair[0]["rows"] == pair[1]["rows"], pair
        pairs.append(pair)
    cpu = [match["cpu"] / plain["cpu"] for plain, match in pairs]
    wall = [match["wall"] / plain["wall"] for plain, match in pairs]
    best = min(match["wall"] for _, match in pairs)
    mib = max(match["mib"] for _, match in pairs)
    print(
        f"{engine:7} {form:8} {what:6} cpu x{statistics.median(cpu):.2f} ({min(cpu):.2f}-{max(cpu):.2f})  "
        f"wall x{statistics.median(wall):.2f} ({min(wall):.2f}-{max(wall):.2f})  "
        f"{pairs[0][0]['rows'] / best / 1e6:5.1f} M rows/s  {mib} MiB",
        flush=True,
    )


def count_rows(file: str | Path) -> int:
    import duckdb

    return duckdb.connect().execute(f"SELECT count(*) FROM '{file}'").fetchall()[0][0]  # noqa: S608


def files_of(fleet: str, rows: int, work: Path) -> dict[str, Path]:
    import duckdb

    work.mkdir(parents=True, exist_ok=True)
    found = {form: work / f"fleet{rows}.{form}" for form in READERS}
    connection = duckdb.connect()
    have = count_rows(fleet)
    copies = -(-rows // have)
    # The same fleet again is other hosts: their names are made others, their devices are not.
    source = (
        f"SELECT 'c' || c || host AS host, slot, modalias FROM range({copies}) t(c), "  # noqa: S608
        f"({READERS['csv'].format(fleet)}) LIMIT {rows}"
    )
    for form, path in found.items():
        if not path.exists():
            option = "FORMAT json" if form == "jsonl" else f"FORMAT {form}"
            connection.execute(f"COPY ({source}) TO '{path}' ({option})")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("fleet")
    parser.add_argument("index")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=Path, default=Path("/tmp/pyalias-engines"))  # noqa: S108
    parser.add_argument("--engine")
    parser.add_argument("--form")
    parser.add_argument("--what")
    parser.add_argument("--matching", action="store_true")
    options = parser.parse_args()
    if options.engine:
        one_run(options)
        return
    files = files_of(options.fleet, options.rows, options.work)
    for what in ("drain", "group", "copy"):
        for form, file in files.items():
            for engine in ("duckdb", "polars"):
                measure(engine, form, what, file, options.index, options.rounds)


if __name__ == "__main__":
    main()
