"""``python -m pyalias.conformance``: put the cases to a command and print a report."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pyalias.conformance.cases import load_cases
from pyalias.conformance.commands import Command
from pyalias.conformance.report import run_cases, summary

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOG = """\
In commands these are filled in: {root}, {release} and {modules} (where the module directory is),
{config} (a modprobe.d directory), {cmdline} (a file), {name}, {options}.

example:
  python -m pyalias.conformance --resolve 'modprobe -d {root} -S {release} -C {config} -R {name}' \\
      --show-depends 'modprobe -d {root} -S {release} -C {config} -D {options} {name}'

exit codes:
  0 no failures   1 failures   2 wrong usage
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(
        prog="python -m pyalias.conformance",
        description="Put cases of module lookup to a command.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--resolve", metavar="COMMAND", help="what is asked in place of modprobe -R")
    parser.add_argument("--show-depends", metavar="COMMAND", help="what is asked in place of modprobe -D")
    parser.add_argument(
        "--prints-paths", action="store_true", help='--resolve prints "insmod PATH" lines, no names'
    )
    parser.add_argument("--cases", metavar="FILE", type=Path, help="other cases than this package's")
    parser.add_argument(
        "--release", metavar="NAME", default="1.0", help="of the kernel (default: %(default)s)"
    )
    parser.add_argument("--scratch", metavar="DIR", type=Path, help="where cases are written")
    parser.add_argument("--json", action="store_true", help="print every outcome, an object a line")
    options = parser.parse_args(argv)
    if options.resolve is None and options.show_depends is None:
        parser.error("expected --resolve, --show-depends, or both")
    resolve = Command(options.resolve, prints_paths=options.prints_paths) if options.resolve else None
    show_depends = Command(options.show_depends) if options.show_depends else None
    outcomes = []
    for outcome in run_cases(
        load_cases(options.cases), resolve, show_depends, release=options.release, scratch=options.scratch
    ):
        outcomes.append(outcome)
        if options.json:
            print(json.dumps(outcome._asdict()))
    if not options.json:
        print(summary(outcomes))
    return 1 if any(outcome.verdict == "fail" for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
