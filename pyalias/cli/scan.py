"""``pyalias scan``: a device list in, the same list with modules out."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from pyalias.atomic_file import AtomicFile
from pyalias.cli.index_choice import add_index_options, index_source, open_aliases
from pyalias.cli.kernel_lines import kernel_lines, kernel_numbers
from pyalias.cli.progress import Progress
from pyalias.cli.scan_engines import add_engine_options, run_with_duckdb, wants_duckdb
from pyalias.index_set import AliasIndexSet
from pyalias.inventory import DEFAULT_COLUMN, FORMATS, DeviceNames, Inventory, open_inventory
from pyalias.scan import Summary, scan
from pyalias.scan_kernels import scan_kernels
from pyalias.scan_rows import ROW_FORMATS, make_row_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyalias.inventory import Reject

_TOP_MODULES = 10
_STANDARD = "-"

_EPILOG = """\
Input (UTF-8; any other byte survives; .gz, .xz and .bz2 files are decompressed):
  list    one modalias a line, taken literally; blank lines are skipped; one carriage return at the
          end of a line belongs to the line's end
  csv     with a header; --column names the column of modaliases
  jsonl   an object a line with the key --column, or just a string
  auto    by what the file begins with and by its name
  the others are what other programs write, see docs/inventories.md:
          sysfs (/sys, a root with one, or a tar archive), udev (udevadm info --export-db), lspci (-vmmkn,
          -nnmm), lshw (-xml), osquery, nfd, ironic, maas, redfish, nixos-facter, jc, vsphere, hw-probe,
          hw-probe-json

A row that cannot be read ends the scan with an error that names record and field; with --rejects it goes
to that file with the reason, and the scan goes on.

A device of which not all ids are known (most programs leave some out) is partial: its device has * for
what is unknown, its error is PARTIAL, and it is counted by itself: certain (a module claims it whatever
the unknown ids are), possible (for some of them) or none. Lists have such devices with --partial alone.

Output: the input's other columns unchanged, then device, modules (CSV: separated by blanks) and, for
names that libkmod refuses, error (EINVAL: unbalanced brackets); where devices may be partial also state
(certain, possible or none) and possible, the modules that claim it for some of the unknown ids. An
output file is written completely or not at all. Without --output-format it is that of the output's
name, else JSON Lines for JSON Lines, else CSV.

Devices of several kernels: --index names a set (pyalias compile), --kernel the kernel that all are on, or
--kernel-column the column that says it. A device whose kernel is not in the set has the error
UNKNOWN_KERNEL and is counted apart, never as unclaimed.

Each distinct device is looked up once and kept: memory grows by a few hundred bytes a distinct device (a
fleet has thousands) and not with the number of rows. Distinct devices are counted exactly.

Parquet, several files, globs and .zst go through DuckDB (the extra [scan]), as does what asks for --engine
duckdb, --sql, --workers, --scheduler or --resume: see docs/engines.md.

example:
  pyalias scan devices.txt --kernel 6.12.0-amd64 --output answers.csv
  zcat fleet.jsonl.gz | pyalias scan - --format jsonl --index 6.12.pyalias > answers.jsonl
  pyalias scan /sys
  udevadm info --export-db | pyalias scan - --rejects rejects.jsonl
  pyalias scan fleet.csv --index fleet.pyalias --kernel-column kernel --output answers.csv
  pyalias scan 'fleet/*.parquet' --workers 8 --output answers/ && echo all parts are in answers/

exit codes:
  0 done   2 wrong usage   3 bad input, or the output cannot be written   130 interrupted
"""


class _Output(Protocol):
    def write(self, data: bytes, /) -> object: ...


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "scan",
        help="match a list of devices and summarise",
        description="Match a list of devices: writes each with its modules, and prints a summary.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="the inventory; - is standard input")
    parser.add_argument(
        "--format", choices=("auto", *FORMATS, "parquet"), default="auto", help="form of the input"
    )
    parser.add_argument(
        "--column",
        metavar="NAME",
        default=DEFAULT_COLUMN,
        help="CSV column or JSON key of the modalias (default: %(default)s)",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        default=_STANDARD,
        help="the file to write (default: standard output)",
    )
    parser.add_argument(
        "--output-format", choices=(*ROW_FORMATS, "parquet", "duckdb"), help="form of the output"
    )
    parser.add_argument(
        "--rejects", metavar="FILE", help="write rows that cannot be read to a file, as JSON Lines"
    )
    parser.add_argument(
        "--partial", action="store_true", help="take * and ? in the devices of a list for what is unknown"
    )
    parser.add_argument("--host", metavar="NAME", help="the host, where the inventory does not name it")
    parser.add_argument("--names", action="store_true", help="add names from pci.ids and usb.ids to records")
    parser.add_argument("--summary-json", metavar="FILE", help="also write the summary to a file, as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress and no summary")
    add_engine_options(parser)
    add_index_options(parser)
    parser.add_argument(
        "--kernel-column",
        metavar="NAME",
        help="with a set as --index: CSV column or JSON key of the kernel that a device is on",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Scan and summarise."""
    if wants_duckdb(options):
        return run_with_duckdb(options)
    with ExitStack() as stack:
        rejects = _open_rejects(options, stack)
        inventory = stack.enter_context(_open_input(options, rejects))
        index = open_aliases(options)
        stack.callback(index.close)
        form = _output_format(options, inventory)
        rows = make_row_writer(form, inventory.columns, partial=inventory.partial)
        with _open_output(options) as output, _progress(options, inventory) as progress:
            if isinstance(index, AliasIndexSet):
                summary = scan_kernels(
                    index, inventory, rows, output.write, progress, column=options.kernel_column
                )
            else:
                summary = scan(index, inventory, rows, output.write, progress)
    numbers = _numbers(summary) | {"index": index_source(options), "input": inventory.name}
    if options.summary_json is not None:
        with AtomicFile(options.summary_json) as file:
            file.write(json.dumps(numbers, indent=2).encode() + b"\n")
    if not options.quiet:
        print(summary_text(summary, index_source(options)), file=sys.stderr)
    return 0


def _open_rejects(options: argparse.Namespace, stack: ExitStack) -> Callable[[Reject], object] | None:
    if options.rejects is None:
        return None
    file = stack.enter_context(AtomicFile(options.rejects))
    return lambda reject: file.write(reject.to_json())


@contextmanager
def _open_input(
    options: argparse.Namespace, rejects: Callable[[Reject], object] | None
) -> Iterator[Inventory]:
    choices = {
        "format": options.format,
        "column": options.column,
        "host": options.host,
        "rejects": rejects,
        "names": DeviceNames() if options.names else None,
        "partial": options.partial,
    }
    if options.file == _STANDARD:
        yield Inventory(sys.stdin.buffer, "standard input", **choices)
    else:
        with open_inventory(options.file, **choices) as inventory:
            yield inventory


def _output_format(options: argparse.Namespace, inventory: Inventory) -> str:
    if options.output_format is not None:
        return str(options.output_format)
    by_name = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
    return by_name.get(Path(options.output).suffix, "jsonl" if inventory.format == "jsonl" else "csv")


@contextmanager
def _open_output(options: argparse.Namespace) -> Iterator[_Output]:
    if options.output == _STANDARD:
        output: BinaryIO = sys.stdout.buffer
        yield output
        output.flush()
    else:
        with AtomicFile(options.output) as file:
            yield file


def _progress(options: argparse.Namespace, inventory: Inventory) -> Any:
    """A progress line, unless nobody sees it or the rows themselves go to the terminal."""
    to_terminal = options.output == _STANDARD and sys.stdout.isatty()
    if options.quiet or to_terminal or not sys.stderr.isatty():
        return nullcontext()
    return closing(Progress(sys.stderr, inventory.fraction))


def _numbers(summary: Summary) -> dict[str, Any]:
    numbers = summary._asdict()
    ranked = list(numbers.pop("modules").items())[:_TOP_MODULES]
    if numbers.pop("kernels") is None:
        del numbers["unknown"]
    return (
        numbers
        | kernel_numbers(summary.kernels)
        | {
            "devices_per_second": round(summary.rate),
            "top_modules": [{"module": module, "devices": devices} for module, devices in ranked],
        }
    )


def summary_text(summary: Summary, source: str) -> str:
    """What a scan counted, for the terminal."""
    top = list(summary.modules.items())[:_TOP_MODULES]
    lines = [
        ("devices", f"{summary.devices:,}"),
        ("distinct", f"{summary.distinct:,}"),
        ("matched", _share(summary.matched, summary.devices)),
        ("unmatched", _share(summary.unmatched, summary.devices)),
        ("invalid", _share(summary.invalid, summary.devices)),
        *_partial_lines(summary),
        *kernel_lines(summary.kernels),
        *([("rejected", f"{summary.rejected:,} rows")] if summary.rejected else []),
        ("blank lines", f"{summary.blank:,}"),
        ("top modules", ", ".join(f"{module} {devices:,}" for module, devices in top) or "none"),
        ("rate", f"{summary.rate:,.0f} devices/s ({summary.seconds:.3f} s)"),
        ("index", source),
    ]
    return "\n".join(f"{name:<12} {value}" for name, value in lines)


def _partial_lines(summary: Summary) -> list[tuple[str, str]]:
    if not summary.partial:
        return []
    parts = {
        "partial": summary.partial,
        "  certain": summary.certain,
        "  possible": summary.possible,
        "  none": summary.none,
    }
    return [(name, _share(part, summary.devices)) for name, part in parts.items()]


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({part / whole:.1%})" if whole else "0"
