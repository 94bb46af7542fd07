"""``pyalias vfio``: the best VFIO driver for a device, and the switch to it."""

from __future__ import annotations

import argparse
from typing import Any

from pyalias.cli import vfio_switch

_EPILOG = """\
example:
  pyalias vfio plan 0000:01:00.0

exit codes:
  0 done   1 refused   2 wrong usage   3 failed, all is as before   4 not undone yet
"""


def add_parser(subparsers: Any) -> None:
    """Register the group of commands."""
    parser = subparsers.add_parser(
        "vfio",
        help="choose VFIO drivers and switch devices to them",
        description="Choose VFIO drivers and switch devices to them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    vfio_switch.add_parsers(parser.add_subparsers(title="commands", metavar="COMMAND", required=True))
