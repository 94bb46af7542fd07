"""The command line: prints what the library returns.

Exit codes: 0 done; 1 nothing found (lookup, explain, vfio choose) or something differs (diff); 2 wrong usage;
3 bad input or a failing system call; 130 interrupted; 141 the reader of the output went away.
"""

from __future__ import annotations

import os
import sys

from pyalias import __version__
from pyalias.cli.messages import print_message
from pyalias.errors import PyaliasError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

COMMANDS = (
    "lookup",
    "compile",
    "explain",
    "scan",
    "report",
    "dump-bin",
    "write-bin",
    "modinfo",
    "minimal",
    "unused",
    "diff",
    "vfio",
)

EXIT_BAD_INPUT = 3
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141

_EPILOG = """\
example:
  pyalias lookup pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00

exit codes:
  0 done   1 nothing found   2 wrong usage   3 bad input   130 interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; usage errors leave as argparse's ``SystemExit``."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    options = _options(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        return _leave_broken_pipe()
    except (PyaliasError, OSError) as error:
        print_message(str(error))
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print_message("interrupted")
        return EXIT_INTERRUPTED
    return code


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    # Only the command at hand is imported: a lookup takes milliseconds, and a scan's readers take more.
    if arguments[:1] == ["lookup"]:
        from pyalias.cli import lookup  # noqa: PLC0415 as all commands

        plain = lookup.plain_options(arguments[1:])
        if plain is not None:
            return plain
    named = arguments[:1] if arguments[:1] and arguments[0] in COMMANDS else COMMANDS
    return build_parser(named).parse_args(arguments)


def build_parser(commands: Iterable[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser with the given commands."""
    import argparse  # noqa: PLC0415 plain lookups go without
    from importlib import import_module  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="pyalias",
        description="Which kernel module claims which device: libkmod's answers, from compiled aliases.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pyalias {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in commands:
        import_module(f"pyalias.cli.{name.replace('-', '_')}").add_parser(subparsers)
    return parser


def _leave_broken_pipe() -> int:
    """Quietly, as programs do that SIGPIPE ends; the interpreter must not find the pipe again at its exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
    return EXIT_BROKEN_PIPE
