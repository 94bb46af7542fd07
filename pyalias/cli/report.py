"""``pyalias report``: an inventory in, a page to look at out."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack, closing, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from pyalias.atomic_file import AtomicFile
from pyalias.cli.index_choice import add_index_options, index_source, open_aliases
from pyalias.cli.progress import Progress
from pyalias.cli.scan import summary_text
from pyalias.inventory import DEFAULT_COLUMN, FORMATS, Inventory, open_inventory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyalias.inventory import Reject

_STANDARD = "-"
_REJECTS_SHOWN = 20

_EPILOG = """\
The page is one file of HTML that needs no network: what share of the devices is claimed by modules, on
each class of device; the devices that no module claims, by the hosts that have them; the modules; and the
devices that have a VFIO driver of their own. Its tables can be filtered and sorted. Names of devices come
from the system's pci.ids and usb.ids.

The inventory is whatever "pyalias scan" reads; hosts are counted where it names them: in the column or key
"host" of CSV and JSON Lines, or the one of --host-column. The numbers are those of "pyalias scan". Memory
grows by some 300 bytes a distinct device and 150 a host.

Needs the extra [report]: pip install 'pyalias-kmod[report]'.

example:
  pyalias report fleet.csv --index 6.12.pyalias --output fleet.html
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
    parser.add_argument("file", metavar="FILE", help="the inventory; - is standard input")
    parser.add_argument(
        "-o", "--output", metavar="PAGE", required=True, help="the file to write; - is standard output"
    )
    parser.add_argument("--format", choices=("auto", *FORMATS), default="auto", help="form of the inventory")
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
    """Scan, report, and summarise as a scan does."""
    from pyalias.report import build_report, render_page  # noqa: PLC0415 more than most commands need

    first_rejects: list[Reject] = []
    with ExitStack() as stack:
        rejects = _open_rejects(options, stack, first_rejects)
        inventory = stack.enter_context(_open_input(options, rejects))
        index = open_aliases(options)
        stack.callback(index.close)
        progress = stack.enter_context(_progress(options, inventory))
        report = build_report(
            index,
            inventory,
            index_name=index_source(options),
            kernel_column=options.kernel_column or "",
            host_column=options.host_column,
            rejects=first_rejects,
            progress=progress,
        )
    page = render_page(report)
    if options.output == _STANDARD:
        sys.stdout.buffer.write(page)
        sys.stdout.buffer.flush()
    else:
        with AtomicFile(options.output) as file:
            file.write(page)
    if not options.quiet:
        print(summary_text(report.summary, report.index_name), file=sys.stderr)
    return 0


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
) -> Iterator[Inventory]:
    choices = {
        "format": options.format,
        "column": options.column,
        "host": options.host,
        "rejects": rejects,
        "partial": options.partial,
    }
    if options.file == _STANDARD:
        yield Inventory(sys.stdin.buffer, "standard input", **choices)
    else:
        with open_inventory(options.file, **choices) as inventory:
            yield inventory


def _progress(options: argparse.Namespace, inventory: Inventory) -> Any:
    if options.quiet or not sys.stderr.isatty():
        return nullcontext()
    return closing(Progress(sys.stderr, inventory.fraction))
