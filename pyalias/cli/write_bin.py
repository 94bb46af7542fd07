"""``pyalias write-bin``: the five binary indexes of a module directory, without depmod."""

from __future__ import annotations

import argparse
from typing import Any

from pyalias.kmod.binwriter import LAYOUTS
from pyalias.kmod.treeindexes import write_indexes

_EPILOG = """\
Reads modules.dep, modules.alias, modules.symbols, modules.builtin and modules.builtin.modinfo, and
writes modules.dep.bin, .alias.bin, .symbols.bin, .builtin.bin and .builtin.alias.bin beside them with
the bytes that depmod writes. Every libkmod reads both layouts; "post" is what depmod up to version 33
writes, "pre" what later ones do. Each file is written completely or not at all.

example:
  pyalias write-bin image/lib/modules/6.12.0-amd64 --layout pre

exit codes:
  0 written   2 wrong usage   3 a text is missing or damaged, or a file cannot be written
"""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "write-bin",
        help="write the modules.*.bin of a directory from its text files",
        description="Write the modules.*.bin of a directory from its text files, as depmod does.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("directory", metavar="DIR", help="a kernel's module directory")
    parser.add_argument("--layout", choices=LAYOUTS, default="post", help="depmod's layout (default: post)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write, and name what was written."""
    for path in write_indexes(options.directory, options.layout):
        print(path)
    return 0
