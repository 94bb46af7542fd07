"""``pyalias modinfo``: what ``modinfo`` prints."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyalias import kernels
from pyalias.cli.messages import print_message
from pyalias.errors import FileAccessError
from pyalias.kmod.context import Kmod
from pyalias.kmod.modinfo import Records, builtin_modinfo, modinfo_lines, read_modinfo

if TYPE_CHECKING:
    from collections.abc import Iterator

_EPILOG = """\
A MODULE is a file (.ko, .ko.gz, .ko.xz, .ko.zst), the name of a module, or an alias of one or more.
Files need the extra "packages": pip install 'pyalias-kmod[packages]'.

example:
  pyalias modinfo --field description e1000e
  pyalias modinfo ./e1000e.ko.xz

exit codes:
  0 all found   1 one not found   2 wrong usage   3 bad input
"""

_SHORT = {"a": "author", "d": "description", "l": "license", "p": "parm", "n": "filename"}
_ENDINGS = (".ko", ".ko.gz", ".ko.xz", ".ko.zst")


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "modinfo",
        help="print what modules say of themselves, as modinfo does",
        description="Print what modules say of themselves, as modinfo does.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("modules", nargs="+", metavar="MODULE", help="a file, a name, or an alias")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("-F", "--field", metavar="FIELD", help="print the values of one field alone")
    for letter, field in _SHORT.items():
        choice.add_argument(
            f"-{letter}", dest="field", action="store_const", const=field, help=f"the same as -F {field}"
        )
    parser.add_argument("-0", "--null", action="store_true", help="end each item with a NUL")
    parser.add_argument("--json", action="store_true", help="print an object for each module, one a line")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--modules", dest="directory", metavar="DIR", help="a kernel's module directory")
    where.add_argument("--kernel", metavar="RELEASE", help="the same as --modules /lib/modules/RELEASE")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print each module, and report each that is not found as modinfo does."""
    missed = False
    for argument in options.modules:
        found = list(_find(argument, options))
        if not found:
            missed = True
            print_message(f"ERROR: Module {argument} not found.")
        for name, filename, records in found:
            if options.json:
                print(json.dumps({"name": name, "filename": filename, "fields": records}))
                continue
            text = modinfo_lines(filename, records, name=name, field=options.field, null=options.null)
            sys.stdout.flush()
            sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))  # the bytes of the module
    return 1 if missed else 0


def _find(argument: str, options: argparse.Namespace) -> Iterator[tuple[str, str | None, Records]]:
    """Name, file (``None``: built in) and records of each module that an argument means."""
    if argument.endswith(_ENDINGS) and Path(argument).is_file():
        records = read_modinfo(argument)
        yield Path(argument).name.partition(".")[0].replace("-", "_"), os.path.abspath(argument), records  # noqa: PTH100
        return
    kmod = Kmod(options.directory, release=options.kernel)
    for module in kmod.modules(os.fsencode(argument)):
        if module.path is not None:
            yield module.name, module.path, read_modinfo(module.path)
        elif module.builtin:
            yield module.name, None, _builtin_records(kmod.directory, module.name)


def _builtin_records(directory: Path, name: str) -> Records:
    """Kernels before 5.2 say nothing of what is built in."""
    try:
        text = kernels.read_file(directory / "modules.builtin.modinfo", "make it readable")
    except FileAccessError:
        return []
    return builtin_modinfo(text, name)
