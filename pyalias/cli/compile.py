"""``pyalias compile``: aliases to an index file."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from pyalias.index import AliasIndex
from pyalias.kmod.binindex import is_bin_index
from pyalias.packages import is_package

_EPILOG = """\
The index is one file that opens in well under a millisecond and that processes share. It is written
completely or not at all; the same aliases give the same bytes on every machine.

example:
  pyalias compile /lib/modules/6.12.0-amd64 -o 6.12.pyalias
  pyalias compile linux-image-6.12.0-amd64.deb -o 6.12.pyalias
  pyalias lookup --index 6.12.pyalias pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00

exit codes:
  0 written   2 wrong usage   3 bad input, or the file cannot be written
"""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "compile",
        help="compile aliases to an index file",
        description="Compile the aliases of a kernel to an index file.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a module directory, a kernel package (.deb, .rpm, tar, initramfs), or a modules.alias or .bin",
    )
    parser.add_argument(
        "--release", metavar="RELEASE", help="which kernel, where a package holds the modules of several"
    )
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="the index file to write")
    parser.add_argument(
        "--json", action="store_true", help="print the numbers as an object on standard output"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compile, save, and say what there is in the file."""
    start = time.perf_counter()
    with _read(options.source, options.release) as index:
        index.save(options.output)
        numbers = {
            "aliases": index.counts.aliases,
            "patterns": index.counts.patterns,
            "modules": index.counts.modules,
            "bytes": index.size,
        }
    seconds = time.perf_counter() - start
    if options.json:
        print(json.dumps({"index": options.output} | numbers | {"seconds": round(seconds, 6)}))
    else:
        parts = [f"{numbers[name]:,} {name}" for name in ("aliases", "patterns", "modules", "bytes")]
        print(f"{options.output}: {', '.join(parts)}, {seconds * 1000:.0f} ms", file=sys.stderr)
    return 0


def _read(source: str, release: str | None) -> AliasIndex:
    path = Path(source)
    if path.is_dir() or is_package(path):
        return AliasIndex.from_modules(path, release=release)
    return AliasIndex.from_bin_file(path) if is_bin_index(path) else AliasIndex.from_alias_file(path)
