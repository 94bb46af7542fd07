"""What the commands on a fleet's modules share: inventories and a kernel in, and how devices stand."""

from __future__ import annotations

import glob
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from pyalias.atomic_file import AtomicFile
from pyalias.cli.messages import print_message
from pyalias.fleet import DeviceCounts
from pyalias.inventory import DEFAULT_COLUMN, FORMATS, Inventory, open_inventory
from pyalias.kmod import Kmod

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from pyalias.fleet import Coverage
    from pyalias.inventory import Reject

_STANDARD = "-"
_DUCKDB_FILES = {".parquet", ".pq", ".zst"}

INPUT_HELP = """\
A FILE is any inventory that pyalias scan reads, and there may be several of different shapes; Parquet, .zst
and globs go through DuckDB (the extra [scan]). What a scan wrote is read with --column device. In texts of
pci, usb and hid devices * and ? stand for what is unknown.
"""


def add_fleet_options(parser: argparse.ArgumentParser) -> None:
    """Add the inventories, and which kernel and configuration count."""
    parser.add_argument("files", metavar="FILE", nargs="+", help="an inventory; - is standard input")
    parser.add_argument(
        "--format", choices=("auto", *FORMATS, "parquet"), default="auto", help="form of the inventories"
    )
    parser.add_argument(
        "--column",
        metavar="NAME",
        default=DEFAULT_COLUMN,
        help="CSV column or JSON key of the modalias (default: %(default)s)",
    )
    parser.add_argument(
        "--rejects", metavar="FILE", help="write rows that cannot be read to a file, as JSON Lines"
    )
    parser.add_argument("--json", action="store_true", help="print one object with everything")
    parser.add_argument("-q", "--quiet", action="store_true", help="no summary")
    parser.add_argument(
        "-C",
        "--config",
        metavar="PATH",
        action="append",
        default=[],
        help="a modprobe.d file or directory that counts; may be repeated (default: none)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--modules", metavar="DIR", help="a kernel's module directory (default: the running's)"
    )
    where.add_argument("--kernel", metavar="RELEASE", help="the same as --modules /lib/modules/RELEASE")


def open_kernel(options: argparse.Namespace) -> Kmod:
    """The kernel that the options name; this machine's modprobe.d and command line are not the fleet's."""
    kmod = Kmod(options.modules, options.config, release=options.kernel, cmdline="")
    if not options.quiet:
        for warning in kmod.configuration.warnings:
            print_message(warning)
    return kmod


def read_devices(options: argparse.Namespace) -> DeviceCounts:
    """The devices of all inventories."""
    devices = DeviceCounts()
    with ExitStack() as stack:
        rejects: Callable[[Reject], object] | None = None
        if options.rejects is not None:
            file = stack.enter_context(AtomicFile(options.rejects))
            rejects = lambda reject: file.write(reject.to_json())  # noqa: E731 two words
        for name in options.files:
            _read(name, options, devices, rejects)
    return devices


def _read(
    name: str, options: argparse.Namespace, devices: DeviceCounts, rejects: Callable[[Reject], object] | None
) -> None:
    choices = {"column": options.column, "format": options.format}
    if name == _STANDARD:
        stream = sys.stdin.buffer
        devices.read(Inventory(stream, "standard input", **choices, rejects=rejects, partial=True))
    elif is_for_duckdb(name, options.format):
        from pyalias.engines.files import open_files  # noqa: PLC0415 an extra

        files = open_files([name], **choices, keep_rejects=rejects is not None)
        devices.read_files(files, rejects)
    else:
        with open_inventory(name, **choices, rejects=rejects, partial=True) as inventory:
            devices.read(inventory)


def is_for_duckdb(name: str, form: str) -> bool:
    """Whether an inventory is one that only DuckDB reads."""
    is_glob = glob.has_magic(name) and not Path(name).exists()
    return form == "parquet" or is_glob or Path(name).suffix in _DUCKDB_FILES


def device_lines(coverage: Coverage) -> list[tuple[str, str]]:
    """How the devices stand, for a summary."""
    lines = [
        ("devices", f"{coverage.devices:,} ({coverage.distinct:,} distinct)"),
        ("covered", f"{coverage.covered:,}"),
        ("uncovered", f"{coverage.uncovered:,}"),
        ("invalid", f"{coverage.invalid:,}"),
    ]
    partial = coverage.certain + coverage.possible + coverage.none
    if partial:
        states = f"certain {coverage.certain:,}, possible {coverage.possible:,}, none {coverage.none:,}"
        lines.append(("partial", f"{partial:,}: {states}"))
    return lines


def print_summary(lines: list[tuple[str, str]]) -> None:
    """Names and values on standard error."""
    width = max(len(name) for name, _ in lines) + 2
    for name, value in lines:
        print(f"{name:<{width}}{value}", file=sys.stderr)
