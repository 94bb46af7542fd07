"""``pyalias vfio choose``: the best VFIO driver for devices, and why."""

from __future__ import annotations

import argparse
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyalias.cli.index_choice import add_index_options, open_index
from pyalias.cli.messages import print_message
from pyalias.pci import PciDevice
from pyalias.vfio import choose

if TYPE_CHECKING:
    from pyalias.index import AliasIndex
    from pyalias.vfio import Choice

_ADDRESS = re.compile(r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])", re.IGNORECASE)

_EPILOG = """\
Of the vfio_pci: aliases that match a device the most specific one is chosen. The driver is the name that
driver_override takes, which may differ from the module's; "?" where it is unknown until the module is loaded.
Nothing is written or loaded.

example:
  pyalias vfio choose 0000:01:00.0
  pyalias vfio choose --json pci:v000015B3d0000101Esv000015B3sd00000001bc02sc00i00

exit codes:
  0 a driver for each   1 none for one of them   2 wrong usage   3 bad input
"""


def add_parsers(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "choose",
        help="print the best VFIO driver for devices",
        description="Print the best VFIO driver for devices, and why it is.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "devices", nargs="+", metavar="DEVICE", help="a PCI address (its sysfs is read), or a pci: modalias"
    )
    parser.add_argument("--root", metavar="DIR", help="read DIR/sys instead of /sys")
    parser.add_argument("--compat", choices=("libvirt",), help="choose what libvirt chooses")
    parser.add_argument("--json", action="store_true", help="print an object for each device, one a line")
    add_index_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Choose for each device."""
    missed = False
    with open_index(options) as index:
        for device in options.devices:
            choice = _choose(index, device, options)
            missed = missed or choice is None
            if options.json:
                print(json.dumps({"device": device} | _as_object(choice)))
            elif choice is None:
                print_message(f"{device}: no vfio_pci: alias matches")
            else:
                print(_as_text(device, choice))
    return 1 if missed else 0


def _choose(index: AliasIndex, device: str, options: argparse.Namespace) -> Choice | None:
    address = _ADDRESS.fullmatch(device)
    if not address:
        return choose(index, os.fsencode(device), root=options.root, compat=options.compat)
    root = Path(options.root or "/")
    directory = root / "sys/bus/pci/devices" / f"{address[1] or '0000'}:{address[2]}".lower()
    return choose(
        index,
        PciDevice.from_sysfs(directory).modalias(),
        virtual_function=os.path.lexists(directory / "physfn"),
        root=root,
        compat=options.compat,
    )


def _as_object(choice: Choice | None) -> dict[str, Any]:
    if choice is None:
        return {"module": None}
    return {
        "module": choice.module,
        "driver": choice.driver,
        "driver_known_by": choice.driver_known_by,
        "generic": choice.generic,
        "ambiguous": choice.ambiguous,
        "warnings": choice.warnings,
        "candidates": [
            {
                "module": candidate.module,
                "pattern": candidate.alias.pattern,
                "file": candidate.alias.file,
                "line": candidate.alias.line,
                "wild_fields": candidate.wild_fields,
                "stars": candidate.stars,
            }
            for candidate in choice.candidates
        ],
    }


def _as_text(device: str, choice: Choice) -> str:
    lines = [
        device,
        f"  driver     {choice.driver or '?'} ({choice.driver_known_by})",
        f"  module     {choice.module}{' (generic)' if choice.generic else ''}",
    ]
    for number, candidate in enumerate(choice.candidates):
        place = f"{candidate.alias.file}:{candidate.alias.line}"
        title = "" if number else "candidates"
        lines.append(f"  {title:10} {candidate.module}  {place}  {candidate.alias.pattern}")
    lines += [f"  warning    {warning}" for warning in choice.warnings]
    return "\n".join(lines)
