"""``pyalias lookup``: what ``modprobe -R`` and ``modprobe -D`` print."""

from __future__ import annotations

import errno
import os
import sys
from types import SimpleNamespace

from pyalias.cli.index_choice import add_index_options, index_source, open_index
from pyalias.cli.messages import print_message
from pyalias.errors import InvalidModaliasError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    _Ask = Callable[[bytes], Sequence[Any] | None]
    """Gives ``None`` where nothing is found."""

_EPILOG = """\
Prints what modprobe -R prints: the modules that an alias or a name stands for by modprobe.d and the
kernel's indexes, one a line, in libkmod's order and with its repeats. With -D what modprobe -D prints:
what would be done to load them, dependencies first. With --index only that index of aliases is asked.
Of a set of several kernels --kernel says which: --index fleet.pyalias --kernel 6.12.0-amd64.
With --ids a device of which some ids are known: the modules that claim it for certain, whatever the others
are, and those that do for some of their values. Only the indexes of aliases are asked.
Several aliases are treated as by modprobe -a: a miss is a warning, and the others are still looked up.

example:
  pyalias lookup pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00
  pyalias lookup --kernel 6.12.0-amd64 --json usb:v1D6Bp0002d0612dc09dsc00dp01ic09isc00ip00in00
  pyalias lookup -D snd-hda-intel
  pyalias lookup --ids vendor=8086,device=15b7,class=0200

exit codes:
  0 all found   1 one not found or refused   2 wrong usage   3 bad input
"""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    import argparse  # noqa: PLC0415 plain lookups go without

    parser = subparsers.add_parser(
        "lookup",
        help="print the modules for modaliases and names, as modprobe -R does",
        description="Print the modules for modaliases and names, as modprobe -R and -D do.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("aliases", nargs="*", metavar="ALIAS", help="a device's modalias, or a module's name")
    parser.add_argument(
        "--ids",
        action="append",
        metavar="FIELDS",
        help="a device's known ids, as vendor=8086,device=15b7,class=0200 or "
        "pci:v00008086d000015B7sv*sd*bc02sc00i*; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print an object for each alias, one a line")
    parser.add_argument("-q", "--quiet", action="store_true", help="do not report misses and bad lines")
    parser.add_argument(
        "-a", "--all", action="store_true", help="misses are warnings, also where one alias is given"
    )
    parser.add_argument(
        "-D", "--show-depends", action="store_true", help="print what would be done to load the modules"
    )
    parser.add_argument(
        "-b", "--use-blacklist", action="store_true", help="with -D: also pass over blacklisted names"
    )
    parser.add_argument(
        "-i", "--ignore-install", action="store_true", help="with -D: ignore the install line of the module"
    )
    parser.add_argument(
        "-C",
        "--config",
        metavar="PATH",
        action="append",
        help="a file or directory in place of the default modprobe.d directories; may be repeated",
    )
    add_index_options(parser)
    parser.set_defaults(run=run, parser=parser)


def plain_options(words: Sequence[str]) -> argparse.Namespace | None:
    """The options of the commonest lookups: aliases, and before them at most where to look.

    For these argparse takes as long to import as all else together. ``None``: let it read the words.
    """
    places: dict[str, str | None] = dict.fromkeys(("modules", "kernel", "index"))
    if len(words) > 2 and words[0].startswith("--") and words[0][2:] in places:
        places[words[0][2:]] = words[1]
        where, aliases = words[1:2], words[2:]
    else:
        where, aliases = [], words
    if not aliases or any(word.startswith("-") for word in (*where, *aliases)):
        return None
    return SimpleNamespace(  # type: ignore[return-value] # it has what argparse's would have
        **places,
        aliases=list(aliases),
        all=False,
        config=None,
        ids=None,
        ignore_install=False,
        json=False,
        quiet=False,
        run=run,
        show_depends=False,
        use_blacklist=False,
    )


def run(options: argparse.Namespace) -> int:
    """Look up all, and report each miss as modprobe does."""
    if bool(options.ids) == bool(options.aliases):
        options.parser.error("expected aliases to look up, or --ids")
    if options.ids:
        return _run_ids(options)
    place = "index" if options.index is not None else "directory"
    severity = "WARNING" if options.all or len(options.aliases) > 1 else "FATAL"
    ask = _ask_index(options) if options.index is not None else _ask_kmod(options)
    missed = False
    for alias in options.aliases:
        try:
            found, error = ask(os.fsencode(alias)), ""  # the bytes that were typed
        except InvalidModaliasError as refusal:
            found, error = None, errno.errorcode[refusal.errno]
        if options.json:
            import json  # noqa: PLC0415 it takes a while

            print(json.dumps(_described(options, alias, found) | ({"error": error} if error else {})))
        else:
            print_lines(found or ())
        if found is None:
            missed = True
            if not options.quiet:
                print_message(f"{severity}: Module {alias} not found in {place} {index_source(options)}")
    return 1 if missed else 0


def _run_ids(options: argparse.Namespace) -> int:
    if options.show_depends or options.config is not None:
        options.parser.error("--ids asks the indexes of aliases alone: drop -C and -D")
    from pyalias.cli.lookup_ids import run as run_ids  # noqa: PLC0415 lookups of aliases do not need it

    return run_ids(options)


def _ask_index(options: argparse.Namespace) -> _Ask:
    """Look in one index of aliases."""
    if options.show_depends or options.config is not None:
        options.parser.error("an index of aliases knows neither modprobe.d nor dependencies: drop -C and -D")
    index = open_index(options)
    return lambda alias: index.lookup(alias) or None


def _ask_kmod(options: argparse.Namespace) -> _Ask:
    """Look in a module directory as modprobe does."""
    from pyalias.kmod import Kmod  # noqa: PLC0415 lookups in an index need none of it

    kmod = Kmod(index_source(options), options.config)
    if not options.quiet:
        for warning in kmod.configuration.warnings:
            print_message(warning)
    if options.show_depends:
        return lambda alias: kmod.show_depends(
            alias, use_blacklist=options.use_blacklist, ignore_install=options.ignore_install
        )
    return lambda alias: kmod.lookup(alias) or None


def _described(options: argparse.Namespace, alias: str, found: Sequence[Any] | None) -> dict[str, Any]:
    if options.show_depends:
        return {"alias": alias, "actions": [action._asdict() for action in found or ()]}
    return {"alias": alias, "modules": list(found or ())}


def print_lines(lines: Iterable[object]) -> None:
    """The bytes of names and paths, whatever they are in the locale's encoding."""
    sys.stdout.flush()
    sys.stdout.buffer.write(b"".join(os.fsencode(f"{line}\n") for line in lines))
    sys.stdout.buffer.flush()
