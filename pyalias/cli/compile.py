"""``pyalias compile``: aliases to an index file, or those of several kernels to a set."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyalias.cli.sources import compile_source, read_source
from pyalias.errors import LimitError
from pyalias.index_set import AliasIndexSet, is_index_set

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyalias.index import AliasIndex

_EPILOG = """\
The index is one file that opens in well under a millisecond and that processes share. It is written
completely or not at all; the same aliases give the same bytes on every machine.

Several sources, or --set, give a set: one file with the indexes of several kernels. A kernel has the name
that stands before its source, as in 6.12=DIR, or else that of the source's last part, without a suffix
like .deb. A source may be a set itself, whose kernels keep their names, or an index.

example:
  pyalias compile /lib/modules/6.12.0-amd64 -o 6.12.pyalias
  pyalias compile linux-image-6.12.0-amd64.deb -o 6.12.pyalias
  pyalias compile /lib/modules/* old=linux-image-5.10.deb -o fleet.pyalias
  pyalias lookup --index 6.12.pyalias pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00

exit codes:
  0 written   2 wrong usage   3 bad input, or the file cannot be written
"""
_SUFFIXES = {".deb", ".rpm", ".tar", ".gz", ".xz", ".zst", ".bz2", ".tgz", ".txz", ".pyalias"}


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "compile",
        help="compile aliases to an index file",
        description="Compile the aliases of a kernel, or of several, to an index file.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        nargs="+",
        help="a module directory, a kernel package (.deb, .rpm, tar, initramfs), or a modules.alias or .bin; "
        "for a set also NAME=SOURCE",
    )
    parser.add_argument(
        "--release", metavar="RELEASE", help="which kernel, where a package holds the modules of several"
    )
    parser.add_argument(
        "--set", action="store_true", help="write a set of kernels, also where there is one source"
    )
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="the index file to write")
    parser.add_argument(
        "--json", action="store_true", help="print the numbers as an object on standard output"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compile, save, and say what there is in the file."""
    start = time.perf_counter()
    numbers: dict[str, Any]
    if options.set or len(options.source) > 1:
        with AliasIndexSet.from_kernels(_read_kernels(options.source, options.release)) as kernels:
            kernels.save(options.output)
            counts = {name: index.counts for name, index in kernels.items()}
        numbers = {
            "kernels": len(counts),
            "aliases": sum(some.aliases for some in counts.values()),
            "modules": sum(some.modules for some in counts.values()),
            "bytes": Path(options.output).stat().st_size,
        }
        if options.json:
            numbers["kernels"] = {
                name: {"aliases": some.aliases, "patterns": some.patterns, "modules": some.modules}
                for name, some in counts.items()
            }
    else:
        with compile_source(options.source[0], options.release) as index:
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
        parts = [f"{number:,} {name}" for name, number in numbers.items()]
        print(f"{options.output}: {', '.join(parts)}, {seconds * 1000:.0f} ms", file=sys.stderr)
    return 0


def _read_kernels(sources: Iterable[str], release: str | None) -> dict[str, AliasIndex]:
    kernels: dict[str, AliasIndex] = {}
    for source in sources:
        for name, index in _kernels_of(source, release).items():
            if name in kernels:
                raise LimitError(
                    f"{source}: there is a kernel {name!r} already: name it, as in other={source}"
                )
            kernels[name] = index
    return kernels


def _kernels_of(source: str, release: str | None) -> dict[str, AliasIndex]:
    # A file may have such a name as well.
    name, equals, place = ("", "", source) if os.path.lexists(source) else source.partition("=")
    if not equals:
        name, place = "", source
    if is_index_set(place) and not name:
        return dict(AliasIndexSet.open(place))
    return {name or _name_of(place): read_source(place, release)}


def _name_of(source: str) -> str:
    path = Path(source).absolute()
    while path.suffix in _SUFFIXES:
        path = path.with_suffix("")
    return path.name
