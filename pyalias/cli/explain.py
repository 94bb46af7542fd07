"""``pyalias explain``: which lines match a device, and what each of them asks."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from pyalias.cli.index_choice import add_index_options, index_source, open_index
from pyalias.cli.messages import print_message
from pyalias.errors import InvalidModaliasError
from pyalias.modalias import Field, parse_modalias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyalias.aliases import Alias

_FALLBACK = "modules.builtin.modinfo"

_EPILOG = """\
For each matching line: the module, file:line and pattern, then a table of the pattern's fields with
the device's value and whether the pattern fixes the field, restricts it partly, or leaves it wild.
Aliases of modules.builtin.modinfo answer only when no line of modules.alias matches.

example:
  pyalias explain pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00
  pyalias explain --kernel 6.12.0-amd64 --json hid:b0003g0001v0000046Dp0000C52B

exit codes:
  0 explained   1 nothing matches, or libkmod refuses the alias   2 wrong usage   3 bad input
"""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "explain",
        help="show the alias lines that match a modalias, field by field",
        description="Show the alias lines that match a modalias, field by field.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("alias", metavar="ALIAS", help="a device's modalias")
    parser.add_argument("--json", action="store_true", help="print one object instead of tables")
    add_index_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Match and print."""
    with open_index(options) as index:
        try:
            matches = index.match(os.fsencode(options.alias))
        except InvalidModaliasError as error:
            print_message(str(error))
            return 1
    if options.json:
        print(json.dumps(_describe(options.alias, matches), indent=2))
    elif matches:
        _print_bytes("\n".join(_explanation(options.alias, matches)))
    if not matches:
        print_message(f"no alias in {index_source(options)} matches {options.alias}")
        return 1
    return 0


def _describe(text: str, matches: Sequence[Alias]) -> dict[str, object]:
    device = parse_modalias(text)
    return {
        "alias": text,
        "bus": device.bus,
        "fields": [{"name": field.name, "value": field.value} for field in device.fields],
        "matches": [
            match._asdict()
            | {
                "fields": [
                    {"name": field.name, "value": field.value, "kind": field.kind}
                    for field in parse_modalias(match.pattern).fields
                ]
            }
            for match in matches
        ],
    }


def _explanation(text: str, matches: Sequence[Alias]) -> Iterable[str]:
    device = parse_modalias(text)
    yield text
    if all(match.file == _FALLBACK for match in matches):
        yield f"nothing in modules.alias matches: {_FALLBACK} answers"
    for match in matches:
        yield ""
        yield f"{match.module}  {_place(match)}  {match.pattern}"
        yield from _table(device.fields, parse_modalias(match.pattern).fields)
    yield ""


def _place(match: Alias) -> str:
    if match.file is None:
        return "from memory"
    return match.file if match.line is None else f"{match.file}:{match.line}"


def _table(device: Sequence[Field], pattern: Sequence[Field]) -> Iterable[str]:
    rows = [("field", "pattern", "device", "")]
    for field in pattern:
        # acpi devices have several ids, of which any may be the one that matches
        values = " ".join(other.value for other in device if other.name == field.name)
        rows.append((field.name, field.value, values, field.kind))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)]
        yield ("  " + "  ".join(cells)).rstrip()


def _print_bytes(text: str) -> None:
    """The bytes that were typed, whatever they are in the locale's encoding."""
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(text))
    sys.stdout.buffer.flush()
