"""``pyalias report``: an inventory or two kernels in, a page to look at out."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack, closing, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from pyalias.atomic_file import AtomicFile
from pyalias.cli.fleet_inventory import is_for_duckdb
from pyalias.cli.index_choice import add_index_options, index_source, open_aliases
from pyalias.cli.progress import Progress
from pyalias.cli.scan import summary_text
from pyalias.errors import EngineError, InventoryError
from pyalias.inventory import DEFAULT_COLUMN, FORMATS, Inventory, open_inventory
from pyalias.report.tally import DEFAULT_HOST_COLUMN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyalias.engines.batches import FileBatches
    from pyalias.inventory import Reject

_STANDARD = "-"
_REJECTS_SHOWN = 20
_TOP = 10

_EPILOG = """\
The page is one file of HTML that needs no network: what share of the devices is claimed by modules, on
each class of device; the devices that no module claims, by the hosts that have them; the modules; and the
devices that have a VFIO driver of their own. Its tables can be filtered and sorted. Names of devices come
from the system's pci.ids and usb.ids.

With --diff OLD NEW the page is about the move from one kernel to another: devices and hosts that are lost,
gained, or other modules' then, and why, in the numbers of "pyalias diff".

The inventory is whatever "pyalias scan" reads; hosts are counted where it names them: in the column or key
"host" of CSV and JSON Lines, or the one of --host-column. The numbers are those of "pyalias scan". Memory
grows by some 300 bytes a distinct device and 150 a host.

Needs the extra [report]: pip install 'pyalias-kmod[report]'.

example:
  pyalias report fleet.csv --index 6.12.pyalias --output fleet.html
  pyalias report 'fleet/*.parquet' --index fleet.pyalias --kernel-column kernel -o fleet.html
  pyalias report fleet.csv --diff 6.12.0-amd64 7.2.0-amd64 --index fleet.pyalias -o move.html
  udevadm info --export-db | pyalias report - --kernel 6.12.0-amd64 --output this-machine.html

exit codes:
  0 done   2 wrong usage   3 bad input, or the page cannot be written   130 interrupted
"""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "report",
        help="write a page about a list of devices",
        description="Match a list of devices and write a page of HTML about what was found.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        help="the inventory; - is standard input; several files, globs and Parquet go through DuckDB",
    )
    parser.add_argument(
        "--diff",
        metavar=("OLD", "NEW"),
        nargs=2,
        help="report on a move between two kernels, as pyalias diff names them; without FILE on aliases",
    )
    parser.add_argument(
        "-o", "--output", metavar="PAGE", required=True, help="the file to write; - is standard output"
    )
    parser.add_argument(
        "--format", choices=("auto", *FORMATS, "parquet"), default="auto", help="form of the inventory"
    )
    parser.add_argument(
        "--column",
        metavar="NAME",
        default=DEFAULT_COLUMN,
        help="CSV column or JSON key of the modalias (default: %(default)s)",
    )
    parser.add_argument(
        "--host-column", metavar="NAME", help="CSV column or JSON key of the host (default: host, if there)"
    )
    parser.add_argument(
        "--partial", action="store_true", help="take * and ? in the devices of a list for what is unknown"
    )
    parser.add_argument("--host", metavar="NAME", help="the host, where the inventory does not name it")
    parser.add_argument(
        "--rejects", metavar="FILE", help="write rows that cannot be read to a file, as JSON Lines"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress and no summary")
    add_index_options(parser)
    parser.add_argument(
        "--kernel-column",
        metavar="NAME",
        help="with a set as --index: CSV column or JSON key of the kernel that a device is on",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Scan or compare, report, and summarise as the other command does."""
    from pyalias.report.libraries import check_libraries  # noqa: PLC0415 more than most commands need

    if not options.diff and not options.files:
        raise InventoryError("an inventory is wanted, or --diff OLD NEW")
    check_libraries()
    make = _diff_page if options.diff else _scan_page
    if options.output == _STANDARD:
        page, said = make(options)
        sys.stdout.buffer.write(page)
        sys.stdout.buffer.flush()
    else:
        # Opened first: whether it can be written is known before a long scan.
        with AtomicFile(options.output) as file:
            page, said = make(options)
            file.write(page)
    if not options.quiet:
        print(said, file=sys.stderr)
    return 0


def _scan_page(options: argparse.Namespace) -> tuple[bytes, str]:
    from pyalias.report import build_report, render_page  # noqa: PLC0415 more than most commands need

    first_rejects: list[Reject] = []
    with ExitStack() as stack:
        rejects = _open_rejects(options, stack, first_rejects)
        inventory = stack.enter_context(_open_input(options, rejects))
        index = open_aliases(options)
        stack.callback(index.close)
        report = build_report(
            index,
            inventory,
            index_name=index_source(options),
            kernel_column=options.kernel_column or "",
            host_column=options.host_column,
            rejects=first_rejects,
            progress=stack.enter_context(_progress(options, inventory)),
        )
    return render_page(report), summary_text(report.summary, report.index_name)


def _diff_page(options: argparse.Namespace) -> tuple[bytes, str]:
    from pyalias.cli.diff import open_kernels  # noqa: PLC0415 its parts are not needed for a scan's page
    from pyalias.cli.diff_text import alias_lines, fleet_lines  # noqa: PLC0415
    from pyalias.fleet import diff_aliases, diff_fleet  # noqa: PLC0415
    from pyalias.report import render_page, report_diff  # noqa: PLC0415

    if options.modules or options.kernel or options.kernel_column:
        raise InventoryError("--diff names its kernels itself: without --modules, --kernel, --kernel-column")
    old_name, new_name = options.diff
    old, new = open_kernels(old_name, new_name, options.index)
    names = {"old": old_name, "new": new_name}
    with old, new, ExitStack() as stack:
        if not options.files:
            aliases = diff_aliases(old, new)
            page, lines = render_page(report_diff(aliases, **names)), alias_lines(aliases, _TOP)
        else:
            inventory = stack.enter_context(_open_input(options, _open_rejects(options, stack, [])))
            fleet = diff_fleet(old, new, [inventory], options.host_column)
            page = render_page(report_diff(fleet, **names, source=inventory.name))
            lines = fleet_lines(fleet, _TOP)
    return page, "\n".join([f"{old_name} -> {new_name}", *lines])


def _open_rejects(
    options: argparse.Namespace, stack: ExitStack, first: list[Reject]
) -> Callable[[Reject], object] | None:
    """To the file; the first ones are for the page too."""
    if options.rejects is None:
        return None
    file = stack.enter_context(AtomicFile(options.rejects))

    def keep(reject: Reject) -> None:
        file.write(reject.to_json())
        if len(first) < _REJECTS_SHOWN:
            first.append(reject)

    return keep


@contextmanager
def _open_input(
    options: argparse.Namespace, rejects: Callable[[Reject], object] | None
) -> Iterator[Inventory | FileBatches]:
    choices = {
        "format": options.format,
        "column": options.column,
        "host": options.host,
        "rejects": rejects,
        "partial": options.partial,
    }
    if len(options.files) > 1 or is_for_duckdb(options.files[0], options.format):
        yield _open_files(options)
    elif options.files == [_STANDARD]:
        yield Inventory(sys.stdin.buffer, "standard input", **choices)
    else:
        with open_inventory(options.files[0], **choices) as inventory:
            yield inventory


def _open_files(options: argparse.Namespace) -> FileBatches:
    from pyalias.engines.batches import FileBatches  # noqa: PLC0415 an extra
    from pyalias.engines.files import open_files  # noqa: PLC0415

    if options.host or options.rejects:
        raise EngineError("--host and --rejects are for one inventory that is no Parquet, .zst or glob")
    files = open_files(options.files, format=options.format, column=options.column)
    host = options.host_column or (DEFAULT_HOST_COLUMN if DEFAULT_HOST_COLUMN in files.columns else None)
    wanted = dict.fromkeys(column for column in (host, options.kernel_column) if column)
    return FileBatches(files, list(wanted), partial=options.partial)


def _progress(options: argparse.Namespace, inventory: Inventory | FileBatches) -> Any:
    if options.quiet or not sys.stderr.isatty():
        return nullcontext()
    return closing(Progress(sys.stderr, inventory.fraction))
