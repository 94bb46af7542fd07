"""Run every contender on every workload, side by side in one process, and write the tables.

    python benchmarks/report.py
    python benchmarks/report.py --rounds 3 --workload "pci hits"

Results go to benchmarks/results/DATE-PROCESSOR/: table.md for people, raw.json with every figure.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import machine
import tables
from bundled import unpack_kernel
from contenders import DisagreementError, Stage, check_answers
from costs import costs, sizes
from goals import PCI_ROWS, measure_goals
from native import LibkmodError, use_c_locale
from other_goals import measure_other_goals
from rounds import time_workload
from workloads import SOURCES, workload

HERE = Path(__file__).resolve().parent
README = HERE / "README.md"
BLOCK_START = "<!-- written by report.py --update-readme: edits here are lost -->\n"
BLOCK_END = "<!-- end of what report.py writes -->\n"


def main() -> int:
    options = read_options()
    use_c_locale()
    with TemporaryDirectory() as directory:
        root = Path(directory)
        try:
            stage = Stage(unpack_kernel(root), root / "kernel.pyalias")
            results = measure(stage, options.workload or list(SOURCES), options.rounds, options.rows)
        except (LibkmodError, DisagreementError) as error:
            print(f"report.py: {error}", file=sys.stderr)
            return 1
    text = tables.report(results)
    print(text)
    save(results, text)
    if options.update_readme:
        update_readme(text)
    return 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--rounds", type=int, default=7, help="rounds for each workload (default: %(default)s)"
    )
    parser.add_argument(
        "--workload", action="append", choices=list(SOURCES), help="this one only; may be repeated"
    )
    parser.add_argument(
        "--rows",
        type=int,
        default=PCI_ROWS,
        help="rows of the pci columns in memory, 54 bytes each (default: %(default)s)",
    )
    parser.add_argument(
        "--update-readme", action="store_true", help="put the tables into benchmarks/README.md too"
    )
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    if options.rows < 1:
        parser.error("--rows must be at least 1")
    if options.update_readme and options.workload:
        parser.error("--update-readme wants all workloads: leave --workload out")
    return options


def measure(stage: Stage, names: list[str], rounds: int, rows: int) -> tables.Results:
    """Measure all; nothing is timed of a workload before all of its contenders agree."""
    workloads = {name: measure_workload(stage, name, rounds) for name in names}
    say("the goals")
    return {
        "machine": machine.describe(),
        "rounds": rounds,
        "goals": [
            *measure_goals(stage, workloads, rounds, rows),
            *measure_other_goals(stage, rounds, rows),
        ],
        "workloads": workloads,
        "costs": measure_costs(stage, rounds),
        "sizes": sizes(stage),
    }


def measure_workload(stage: Stage, name: str, rounds: int) -> tables.Results:
    chosen = workload(name)
    contenders = stage.contenders(chosen)
    for contender in contenders:
        say(f"{name}: comparing the answers of {contender.name}")
        check_answers(contender, chosen)
    say(f"{name}: {rounds} rounds")
    return {
        "devices": len(chosen.devices),
        "answered": chosen.answered,
        "ns_per_lookup": time_workload(chosen, contenders, rounds),
    }


def measure_costs(stage: Stage, rounds: int) -> list[tables.Results]:
    say("what is paid once")
    found = costs(stage)
    figures = [[cost.measure() for cost in found] for _ in range(rounds)]
    return [
        {"name": cost.name, "clock": cost.clock, "ns": list(column)}
        for cost, column in zip(found, zip(*figures, strict=True), strict=True)
    ]


def save(results: tables.Results, text: str) -> None:
    day = datetime.now(UTC).date().isoformat()
    directory = HERE / "results" / f"{day}-{machine.slug(results['machine']['cpu'])}"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "table.md").write_text(text + "\n", encoding="utf-8")
    (directory / "raw.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    say(f"written to {directory.relative_to(HERE.parent)}")


def update_readme(text: str) -> None:
    before, _, rest = README.read_text(encoding="utf-8").partition(BLOCK_START)
    _, _, after = rest.partition(BLOCK_END)
    README.write_text(f"{before}{BLOCK_START}\n{text}\n\n{BLOCK_END}{after}", encoding="utf-8")


def say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
