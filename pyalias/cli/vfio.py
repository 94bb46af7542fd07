"""``pyalias vfio``: a group of commands on VFIO drivers, each in a module of its own."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Any

_MODULES = ("vfio_choose", "vfio_switch")

_EPILOG = """\
example:
  pyalias vfio choose 0000:01:00.0
  pyalias vfio plan 0000:01:00.0

exit codes:
  0 done   others: see each command's --help
"""


def add_parser(subparsers: Any) -> None:
    """Register the group and its commands."""
    parser = subparsers.add_parser(
        "vfio",
        help="the VFIO driver for a device, and the switch to it",
        description="Find the VFIO driver for a device, and switch the device to it and back.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in _MODULES:
        import_module(f"pyalias.cli.{module}").add_parsers(commands)
