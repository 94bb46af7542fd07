"""``pyalias scan`` through DuckDB: Parquet and many files, SQL, and long jobs in parts."""

from __future__ import annotations

import glob
import json
import os
import sys
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyalias.atomic_file import AtomicFile
from pyalias.cli.index_choice import index_source, open_aliases
from pyalias.cli.kernel_lines import kernel_lines, kernel_numbers
from pyalias.cli.progress import Progress
from pyalias.errors import EngineError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from pyalias.engines.files import DeviceFiles
    from pyalias.engines.parts import PartCounts
    from pyalias.index import AliasIndex
    from pyalias.index_set import AliasIndexSet

_STANDARD = "-"
_TOP_MODULES = 10
_ONLY_DUCKDB = {"parquet", "duckdb"}
_FORMAT_OF_OUTPUT = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl",
                     ".duckdb": "duckdb"}  # fmt: skip


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add the further files, and the options of DuckDB and of jobs in parts."""
    parser.add_argument(
        "more", metavar="FILE", nargs="*", help="further files of the same columns; globs are expanded"
    )
    group = parser.add_argument_group("through DuckDB")
    group.add_argument(
        "--engine",
        choices=("auto", "plain", "duckdb"),
        default="auto",
        help="what reads and writes (default: plain for one list, CSV or JSON Lines, else duckdb)",
    )
    group.add_argument("--sql", metavar="QUERY", help="write the result of a query on the table devices")
    group.add_argument(
        "--workers", metavar="N", type=int, help="match parts in N processes; OUT is a directory"
    )
    group.add_argument(
        "--scheduler", metavar="ADDRESS", help="match parts on a Dask cluster; OUT is a shared directory"
    )
    group.add_argument(
        "--resume", action="store_true", help="go on with a scan into a directory: write what is missing"
    )


def wants_duckdb(options: argparse.Namespace) -> bool:
    """Whether the command line is one for DuckDB.

    Raises:
        EngineError: it asks for the plain engine and for what that cannot do.
    """
    names = [options.file, *options.more]
    needs = {
        "several files": len(names) > 1 or (glob.has_magic(options.file) and not Path(options.file).exists()),
        "Parquet": options.format == "parquet" or Path(options.file).suffix in {".parquet", ".pq"},
        "zst": Path(options.file).suffix == ".zst",
        "such output": options.output_format in _ONLY_DUCKDB
        or _FORMAT_OF_OUTPUT.get(_suffix(options.output)) in _ONLY_DUCKDB,
        "--sql": options.sql is not None,
        "a directory as output": _in_parts(options),
    }
    needed = [what for what, need in needs.items() if need]
    if options.engine == "plain" and needed:
        raise EngineError(f"the plain engine does not do {needed[0]}: leave out --engine")
    if options.engine == "auto":
        return bool(needed)
    return str(options.engine) == "duckdb"


def run_with_duckdb(options: argparse.Namespace) -> int:
    """Scan and summarise."""
    from pyalias.engines.files import open_files  # noqa: PLC0415 the plain scan needs none of it

    if options.file == _STANDARD:
        raise EngineError("DuckDB reads files: standard input is for the plain engine")
    if options.format == "list":
        raise EngineError("DuckDB reads Parquet, CSV and JSON Lines; a plain list is for the plain engine")
    if options.partial:
        raise EngineError("--partial is for the plain engine: what DuckDB reads is taken literally")
    for given, option in ((options.host is not None, "--host"), (options.names, "--names")):
        if given:
            raise EngineError(f"{option} is for the plain engine: what DuckDB reads keeps its columns")
    with open_aliases(options) as index:
        devices = open_files(
            [options.file, *options.more],
            format=options.format,
            column=options.column,
            kernel_column=options.kernel_column,
            keep_rejects=options.rejects is not None,
        )
        counts = (_scan_in_parts if _in_parts(options) else _scan_to_file)(options, index, devices)
    numbers = _numbers(counts) | {"index": index_source(options), "input": ", ".join(devices.files)}
    if options.summary_json is not None:
        with AtomicFile(options.summary_json) as file:
            file.write(json.dumps(numbers, indent=2).encode() + b"\n")
    if not options.quiet:
        print(_report(counts, index_source(options)), file=sys.stderr)
    return 0


def _in_parts(options: argparse.Namespace) -> bool:
    to_directory = options.output.endswith(os.sep) or Path(options.output).is_dir()
    return bool(options.workers or options.scheduler or options.resume or to_directory)


def _scan_to_file(
    options: argparse.Namespace, index: AliasIndex | AliasIndexSet, devices: DeviceFiles
) -> PartCounts:
    from pyalias.engines.files import Part, count_rows  # noqa: PLC0415
    from pyalias.engines.parts import copy_matched, joined  # noqa: PLC0415

    form = options.output_format or _FORMAT_OF_OUTPUT.get(_suffix(options.output), "csv")
    to_standard = options.output == _STANDARD
    if to_standard and form in _ONLY_DUCKDB:
        raise EngineError(f"{form} is no format for standard output: name a file with --output")
    done = [0]
    total = count_rows(devices)
    with _progress(options, lambda: done[0] / total if total else None) as show:

        def tell(rows: int) -> None:
            done[0] = rows
            if show:
                show(rows)

        counts = copy_matched(
            index,
            devices,
            Part(devices.files),
            sys.stdout.buffer if to_standard else options.output,
            form,
            sql=options.sql,
            rejects=options.rejects,
            progress=tell,
        )
    return joined([counts])


def _scan_in_parts(
    options: argparse.Namespace, index: AliasIndex | AliasIndexSet, devices: DeviceFiles
) -> PartCounts:
    from pyalias.engines.job import Job, in_processes, in_this_process  # noqa: PLC0415

    if options.output == _STANDARD or options.sql is not None:
        raise EngineError("a scan in parts writes a directory (--output DIR), without --sql")
    if options.scheduler is not None:
        from pyalias.engines.dask import on_cluster  # noqa: PLC0415 another extra

        runner = on_cluster(options.scheduler)
    else:
        runner = in_processes(options.workers) if (options.workers or 1) > 1 else in_this_process
    form = options.output_format or "parquet"
    if form == "duckdb":
        raise EngineError("parts are Parquet, CSV or JSON Lines files, which a DuckDB reads as one table")
    job = Job(index, devices, options.output, form, resume=options.resume)
    fraction = [0.0]
    with _progress(options, lambda: fraction[0]) as show:

        def tell(progress: Any) -> None:
            fraction[0] = 1 - (progress.parts - progress.done) / max(progress.redone, 1)
            if show:
                show(progress.devices)

        return job.run(runner, tell, options.rejects)


def _suffix(output: str) -> str:
    return Path(output).suffix


def _progress(options: argparse.Namespace, fraction: Callable[[], float | None]) -> Any:
    to_terminal = options.output == _STANDARD and sys.stdout.isatty()
    if options.quiet or to_terminal or not sys.stderr.isatty():
        return nullcontext()
    return closing(Progress(sys.stderr, fraction))


def _numbers(counts: PartCounts) -> dict[str, Any]:
    numbers = counts._asdict()
    ranked = list(numbers.pop("modules").items())[:_TOP_MODULES]
    if numbers.pop("kernels") is None:
        del numbers["unknown"]
    return (
        numbers
        | kernel_numbers(counts.kernels)
        | {"top_modules": [{"module": name, "devices": devices} for name, devices in ranked]}
    )


def _report(counts: PartCounts, source: str) -> str:
    top = list(counts.modules.items())[:_TOP_MODULES]
    rate = counts.devices / counts.seconds if counts.seconds else 0.0
    lines = [
        ("devices", f"{counts.devices:,}"),
        ("matched", _share(counts.matched, counts.devices)),
        ("unmatched", _share(counts.unmatched, counts.devices)),
        ("invalid", _share(counts.invalid, counts.devices)),
        ("missing", _share(counts.null, counts.devices)),
        *kernel_lines(counts.kernels),
        *([("rejected", f"{counts.rejected:,} rows")] if counts.rejected else []),
        ("top modules", ", ".join(f"{module} {devices:,}" for module, devices in top) or "none"),
        ("rate", f"{rate:,.0f} devices/s ({counts.seconds:.3f} s)"),
        ("index", source),
    ]
    return "\n".join(f"{name:<12} {value}" for name, value in lines)


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({part / whole:.1%})" if whole else "0"
