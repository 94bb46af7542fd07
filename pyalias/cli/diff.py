"""``pyalias diff``: what changes between two kernels, and for a fleet that moves from one to the other."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyalias.atomic_file import AtomicFile
from pyalias.cli.diff_text import alias_lines, fleet_lines
from pyalias.cli.fleet_inventory import is_for_duckdb
from pyalias.cli.lookup import print_lines
from pyalias.cli.sources import read_source
from pyalias.errors import EngineError
from pyalias.fleet import FleetDiff, diff_aliases
from pyalias.fleet.diff import Differ
from pyalias.index_set import AliasIndexSet
from pyalias.inventory import DEFAULT_COLUMN, FORMATS, Inventory, open_inventory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyalias.fleet import AliasDiff
    from pyalias.index import AliasIndex
    from pyalias.inventory import Reject

_STANDARD = "-"
_TOP = 10

_EPILOG = """\
OLD and NEW are module directories, kernel packages, texts of aliases or indexes; with --index two kernels of
that set. Without an inventory: modules and aliases that were added, dropped, or are other modules' now.

With --inventory, which is whatever pyalias scan reads, the devices, and the hosts that have such a device:
  lost       some module claims it on OLD, none on NEW
  generic    on NEW only patterns match that name no device (vendor and device are *), on OLD another did
  changed    other modules claim it
  gained     none claims it on OLD, some on NEW
  unchanged  the same modules claim it
  unclaimed  none claims it; invalid: libkmod refuses it; partial: not all of its ids are known
and why, the causes first that most hosts have. Hosts are counted exactly; memory grows by some 150 bytes a
host and some hundred a distinct device.

Old kernels keep no aliases of most built-in drivers: what these claim is gained on a kernel that does.

example:
  pyalias diff /lib/modules/6.12.0-amd64 linux-image-7.2.0-amd64.deb
  pyalias diff 6.12.0-amd64 7.2.0-amd64 --index fleet.pyalias --inventory fleet.csv --json move.json
  pyalias diff old.pyalias new.pyalias --inventory 'fleet/*.parquet' --output changes.csv

exit codes:
  0 nothing changes   1 something does   2 wrong usage   3 bad input   130 interrupted
"""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "diff",
        help="tell what changes between two kernels, also for a fleet",
        description="Tell what changes between two kernels, and for a fleet that moves from OLD to NEW.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("old", metavar="OLD", help="the kernel that the fleet runs")
    parser.add_argument("new", metavar="NEW", help="the kernel that it will run")
    parser.add_argument("--index", metavar="SET", help="a set of kernels, of which OLD and NEW are two")
    parser.add_argument("--json", metavar="FILE", help="write all of it to a file, as one JSON object")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="write a row for each device that changes, or else alias"
    )
    parser.add_argument(
        "--output-format", choices=("csv", "jsonl"), help="form of the rows (default: by the output's name)"
    )
    parser.add_argument(
        "--top", metavar="N", type=_count, default=_TOP, help="lines of a list (default: %(default)s)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing")
    fleet = parser.add_argument_group("the fleet")
    fleet.add_argument("--inventory", metavar="FILE", nargs="+", help="inventories; - is standard input")
    fleet.add_argument(
        "--format", choices=("auto", *FORMATS, "parquet"), default="auto", help="form of the inventories"
    )
    fleet.add_argument(
        "--column",
        metavar="NAME",
        default=DEFAULT_COLUMN,
        help="CSV column or JSON key of the modalias (default: %(default)s)",
    )
    fleet.add_argument(
        "--host-column", metavar="NAME", help="CSV column or JSON key of the host (default: host, if there)"
    )
    fleet.add_argument("--host", metavar="NAME", help="the host, where an inventory does not name it")
    fleet.add_argument(
        "--partial", action="store_true", help="take * and ? in the devices of a list for what is unknown"
    )
    fleet.add_argument(
        "--rejects", metavar="FILE", help="write rows that cannot be read to a file, as JSON Lines"
    )
    parser.set_defaults(run=run)


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def run(options: argparse.Namespace) -> int:
    """Compare, print, and write what is asked for."""
    old, new = open_kernels(options.old, options.new, options.index)
    with old, new:
        found = _diff_fleet(options, old, new) if options.inventory else diff_aliases(old, new)
    if isinstance(found, FleetDiff):
        lines, rows, differs = fleet_lines(found, options.top), _device_rows(found), bool(found.changes)
    else:
        lines, rows, differs = alias_lines(found, options.top), _alias_rows(found), bool(found.modules)
    if options.output is not None:
        form = options.output_format or ("jsonl" if Path(options.output).suffix != ".csv" else "csv")
        with AtomicFile(options.output) as file:
            for piece in _written(rows, form):
                file.write(piece.encode("utf-8", "surrogateescape"))
    if options.json is not None:
        with AtomicFile(options.json) as file:
            file.write(json.dumps(_described(options, found)).encode("ascii") + b"\n")
    if not options.quiet:
        print_lines([f"{options.old} -> {options.new}", *lines])
    return 1 if differs else 0


def open_kernels(old: str, new: str, index: str | None) -> tuple[AliasIndex, AliasIndex]:
    """Two sources of aliases; with ``index`` two kernels of that set."""
    if index is None:
        return read_source(old), read_source(new)
    kernels = AliasIndexSet.open(index)
    return kernels[old], kernels[new]


def _diff_fleet(options: argparse.Namespace, old: AliasIndex, new: AliasIndex) -> FleetDiff:
    differ = Differ(old, new)
    with ExitStack() as stack:
        rejects: Callable[[Reject], object] | None = None
        if options.rejects is not None:
            file = stack.enter_context(AtomicFile(options.rejects))
            rejects = lambda reject: file.write(reject.to_json())  # noqa: E731 two words
        for name in options.inventory:
            _read(differ, name, options, rejects)
    return differ.result()


def _read(
    differ: Differ, name: str, options: argparse.Namespace, rejects: Callable[[Reject], object] | None
) -> None:
    choices: dict[str, Any] = {"column": options.column, "format": options.format}
    more = {"rejects": rejects, "host": options.host, "partial": options.partial}
    if name == _STANDARD:
        differ.read(Inventory(sys.stdin.buffer, "standard input", **choices, **more), options.host_column)
    elif is_for_duckdb(name, options.format):
        if options.partial or options.host is not None:
            given = "--partial" if options.partial else "--host"
            raise EngineError(f"{given} is for what is read without DuckDB, {name} goes through it")
        from pyalias.engines.files import open_files  # noqa: PLC0415 an extra

        differ.read(open_files([name], **choices), options.host_column)
    else:
        with open_inventory(name, **choices, **more) as inventory:
            differ.read(inventory, options.host_column)


# ---- rows and JSON ----


def _device_rows(found: FleetDiff) -> Iterator[dict[str, Any]]:
    for change in found.changes:
        yield change._asdict() | {"causes": list(map(str, change.causes))}


def _alias_rows(found: AliasDiff) -> Iterator[dict[str, Any]]:
    for module in found.modules:
        for change, patterns in (("added", module.added), ("dropped", module.dropped)):
            for pattern in patterns:
                yield {"module": module.module, "fate": module.fate, "change": change, "pattern": pattern}


def _written(rows: Iterator[dict[str, Any]], form: str) -> Iterator[str]:
    if form == "jsonl":
        for row in rows:
            yield json.dumps(row, ensure_ascii=False) + "\n"
        return
    header: list[str] = []
    for row in rows:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not header:
            header = list(row)
            writer.writerow(header)
        writer.writerow(map(_cell, row.values()))
        yield text.getvalue()


def _cell(value: Any) -> Any:
    """Modules are separated by blanks, as in a scan; causes by semicolons, as they hold blanks."""
    if isinstance(value, list):
        return "; ".join(value)
    return " ".join(value) if isinstance(value, tuple) else value


def _described(options: argparse.Namespace, found: FleetDiff | AliasDiff) -> dict[str, Any]:
    names = {"old": options.old, "new": options.new}
    if isinstance(found, FleetDiff):
        fleet = _plain(found)
        return names | {"aliases": fleet.pop("aliases"), "fleet": fleet}
    return names | {"aliases": _plain(found)}


def _plain(value: Any) -> Any:
    """Named tuples as objects, by the names of their fields."""
    if hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return list(map(_plain, value)) if isinstance(value, tuple) else value
