"""``pyalias dump-bin``: what one of depmod's indexes holds."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from pyalias.kmod.binindex import BinIndex

_EPILOG = """\
Prints each entry on a line: priority, key and value with tabs between them, in the order of the keys.
The smallest priority answers first. Keys are normalised (_ for -), as the index has them.

example:
  pyalias dump-bin /lib/modules/6.12.0-amd64/modules.alias.bin

exit codes:
  0 printed   2 wrong usage   3 no index, or a damaged one: what stands before the damage is printed
"""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "dump-bin",
        help="print what a modules.*.bin of depmod's holds",
        description="Print what a modules.*.bin of depmod's holds, and check all of it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="such as modules.alias.bin; either of depmod's layouts")
    parser.add_argument("--json", action="store_true", help="print an object for each entry, one a line")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print all entries."""
    for entry in BinIndex.open(options.file).items():
        if options.json:
            print(json.dumps(entry._asdict()))
        else:
            line = f"{entry.priority}\t{entry.key}\t{entry.value}\n"
            sys.stdout.write(line.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))
    return 0
