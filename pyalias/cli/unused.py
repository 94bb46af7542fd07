"""``pyalias unused``: the modules of a kernel that a fleet's devices do not need."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from pyalias.cli.fleet_inventory import (
    INPUT_HELP,
    add_fleet_options,
    device_lines,
    open_kernel,
    print_summary,
    read_devices,
)
from pyalias.cli.lookup import print_lines
from pyalias.fleet import unused

if TYPE_CHECKING:
    from pyalias.fleet import UnusedModules

_EPILOG = f"""\
{INPUT_HELP}
Printed are drivers that no device of the fleet needs, and modules that only such drivers load. An inventory
of devices cannot tell of the others, which the summary counts and --json lists: drivers for buses of which
it has no device (lspci sees no usb), modules that claim no devices (file systems, protocols, ciphers), and
drivers that such modules load with themselves.

example:
  pyalias unused fleet/*.csv.gz --kernel 6.12.0-amd64
  udevadm info --export-db | pyalias unused - --all-buses --json

exit codes:
  0 done   2 wrong usage   3 bad input   130 interrupted
"""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "unused",
        help="print the modules of a kernel that a fleet does not need",
        description="Print the modules of a kernel that no device of a fleet needs.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--all-buses",
        action="store_true",
        help="the inventories have the devices of every bus: where they have none of one, there is none",
    )
    add_fleet_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what is not needed, and count what cannot be told."""
    kmod = open_kernel(options)
    found = unused(kmod, read_devices(options), all_buses=options.all_buses)
    if options.json:
        print(json.dumps(found._asdict() | {"coverage": found.coverage._asdict()}))
    else:
        print_lines(sorted((*found.unused, *found.unused_dependencies)))
    if not options.quiet:
        print_summary(_summary(found, str(kmod.directory), all_buses=options.all_buses))
    return 0


def _summary(found: UnusedModules, directory: str, *, all_buses: bool) -> list[tuple[str, str]]:
    buses = "all" if all_buses else ", ".join(found.buses) or "none"
    return [
        *device_lines(found.coverage),
        ("buses", buses),
        ("needed", f"{len(found.needed):,}"),
        ("possible", f"{len(found.possible):,}: needed for some of what is unknown"),
        ("unused", f"{len(found.unused):,} drivers, {len(found.unused_dependencies):,} that only they load"),
        ("not judged", f"{len(found.loaded_by_others):,} drivers that other modules load"),
        ("", f"{len(found.unseen_buses):,} drivers for other buses"),
        ("", f"{len(found.no_devices):,} that claim no devices"),
        ("kernel", directory),
    ]
