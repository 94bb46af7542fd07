"""``pyalias minimal``: the smallest set of modules that a fleet's devices need."""

from __future__ import annotations

import argparse
import json
from collections import Counter
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
from pyalias.cli.messages import print_message
from pyalias.fleet import minimal

if TYPE_CHECKING:
    from pyalias.fleet import ModuleSet

_EPILOG = f"""\
{INPUT_HELP}
Where several modules claim a device udev loads them all, so all are in the set, with their dependencies,
what softdep lines name (pre and post), and what weakdep lines name: the module asks for it by itself.
Built-in modules are left out. Partial devices count for the modules that claim them for certain; with
--possible also for those that claim them for some of the unknown ids.

example:
  pyalias minimal fleet/*.csv.gz --kernel 6.12.0-amd64 > modules.txt
  pyalias minimal fleet.parquet --modules /srv/6.12 --paths | rsync --files-from=- /srv/6.12 image/

exit codes:
  0 done   1 the tree lacks a module or a file   2 wrong usage   3 bad input   130 interrupted
"""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "minimal",
        help="print the smallest set of modules that a fleet needs",
        description="Print the smallest set of a kernel's modules that the devices of a fleet need.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--possible", action="store_true", help="take in what partial devices may need")
    parser.add_argument("--paths", action="store_true", help="print files, relative to the module directory")
    add_fleet_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the set and how it came about."""
    kmod = open_kernel(options)
    found = minimal(kmod, read_devices(options), possible=options.possible)
    if options.json:
        print(json.dumps(_described(found)))
    else:
        print_lines(module.path if options.paths else module.name for module in found.modules)
    without_file = [module.name for module in found.modules if not module.has_file]
    if not options.quiet:
        print_summary(_summary(found, len(without_file), str(kmod.directory)))
    # A directory of depmod's files alone has no module at all, and is as good a source of names.
    incomplete = without_file if len(without_file) < len(found.modules) else []
    for name in found.missing:
        print_message(f"WARNING: {name} is neither in modules.dep nor built in")
    for name in incomplete:
        print_message(f"WARNING: the file of {name} is not there")
    return 1 if found.missing or incomplete else 0


def _described(found: ModuleSet) -> dict[str, Any]:
    described = found._asdict()
    for field in ("modules", "possible"):
        described[field] = [module._asdict() for module in getattr(found, field)]
    return described | {"coverage": found.coverage._asdict()}


def _summary(found: ModuleSet, without_file: int, directory: str) -> list[tuple[str, str]]:
    reasons = Counter(module.reason for module in found.modules)
    told = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())
    seldom = {
        "possible": (len(found.possible), " more, left out"),
        "built in": (len(found.builtin), ""),
        "missing": (len(found.missing), ""),
        "blacklisted": (len(found.blacklisted), ""),
        "without file": (without_file, ""),
    }
    return [
        *device_lines(found.coverage),
        ("modules", f"{len(found.modules):,}" + (f": {told}" if told else "")),
        *((name, f"{count:,}{what}") for name, (count, what) in seldom.items() if count),
        ("kernel", directory),
    ]
