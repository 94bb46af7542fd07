"""``pyalias lookup``: what ``modprobe -R`` prints."""

from __future__ import annotations

import argparse
import errno
import json
import os
from typing import TYPE_CHECKING, Any

from pyalias.cli.index_choice import add_index_options, index_source, open_index
from pyalias.cli.messages import print_message
from pyalias.errors import InvalidModaliasError

if TYPE_CHECKING:
    from pyalias.index import AliasIndex

_EPILOG = """\
Prints what modprobe -R prints for a modalias: the names of all modules with a matching alias, one a
line, in libkmod's order and with its repeats. Several aliases are treated as by modprobe -aR: a miss
is a warning, and the others are still looked up.

example:
  pyalias lookup pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00
  pyalias lookup --kernel 6.12.0-amd64 --json usb:v1D6Bp0002d0612dc09dsc00dp01ic09isc00ip00in00

exit codes:
  0 all found   1 one not found or refused   2 wrong usage   3 bad input
"""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "lookup",
        help="print the modules for modaliases, as modprobe -R does",
        description="Print the modules for modaliases, as modprobe -R does.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("aliases", nargs="+", metavar="ALIAS", help="a device's modalias")
    parser.add_argument("--json", action="store_true", help="print an object for each alias, one a line")
    parser.add_argument("-q", "--quiet", action="store_true", help="do not report misses")
    add_index_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Look up all, and report each miss as modprobe does."""
    place = "index" if options.index is not None else "directory"
    severity = "FATAL" if len(options.aliases) == 1 else "WARNING"
    missed = False
    with open_index(options) as index:
        for alias in options.aliases:
            modules, error = _lookup(index, alias)
            if options.json:
                print(json.dumps({"alias": alias, "modules": modules} | ({"error": error} if error else {})))
            else:
                print("".join(f"{module}\n" for module in modules), end="")
            if modules:
                continue
            missed = True
            if not options.quiet:
                print_message(f"{severity}: Module {alias} not found in {place} {index_source(options)}")
    return 1 if missed else 0


def _lookup(index: AliasIndex, alias: str) -> tuple[tuple[str, ...], str]:
    """The modules, and the name of the error with which libkmod refuses the alias."""
    try:
        return index.lookup(os.fsencode(alias)), ""  # the bytes that were typed
    except InvalidModaliasError as error:
        return (), errno.errorcode[error.errno]
