"""Results as Markdown: figures in, text out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contenders import BASELINE, COLUMN, READ_LIMIT
from rounds import Spread, ratios

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rounds import Times

Results = dict[str, Any]


def report(results: Results) -> str:
    """Give the whole report, in the order in which a reader asks."""
    workloads, machine = results["workloads"], results["machine"]
    return "\n\n".join(
        [
            machine_line(machine, results["rounds"]),
            "**What we set out to reach**",
            goals_table(results["goals"]),
            "**The ready column against libkmod in C** (nanoseconds of CPU time a lookup)",
            headline_table(workloads),
            "**Every path** (nanoseconds of CPU time a lookup; how many times faster than libkmod in C)",
            paths_table(workloads),
            "**Paid once**",
            costs_table(results["costs"]),
            sizes_table(results["sizes"]),
            "All cells: median (minimum to maximum) of the rounds; ratios are taken within a round.",
        ]
    )


def machine_line(machine: dict[str, Any], rounds: int) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, load average {machine['load average'][0]}; "
        f"commit {machine['commit']}; {versions}; {rounds} rounds; `{machine['command']}`."
    )


def goals_table(goals: list[Results]) -> str:
    rows = (
        [
            goal["what"],
            f"{goal['least']} {goal['unit']}" if goal["least"] else "",
            f"{goal['prototype']} {goal['unit']}" if goal["prototype"] else "",
            f"{cell(goal['figures'])} {goal['unit']}",
        ]
        for goal in goals
    )
    return table(["what", "wanted", "prototype", "reached"], rows)


def headline_table(workloads: dict[str, Results]) -> str:
    titles = [
        "workload",
        "devices",
        "answered",
        BASELINE,
        COLUMN,
        "times faster",
        READ_LIMIT,
        "share of read speed",
    ]
    return table(titles, (headline_row(name, workload) for name, workload in workloads.items()))


def headline_row(name: str, workload: Results) -> list[str]:
    times: Times = workload["ns_per_lookup"]
    share = Spread.of([100 * ratio for ratio in ratios(times[READ_LIMIT], times[COLUMN])])
    return [
        name,
        f"{workload['devices']:,}",
        f"{workload['answered']:,}",
        cell(times[BASELINE]),
        cell(times[COLUMN]),
        cell(ratios(times[BASELINE], times[COLUMN])),
        cell(times[READ_LIMIT]),
        f"{number(share.median)} %",
    ]


def paths_table(workloads: dict[str, Results]) -> str:
    paths = list(dict.fromkeys(path for workload in workloads.values() for path in workload["ns_per_lookup"]))
    rows = (
        [path, *(path_cell(workload["ns_per_lookup"], path) for workload in workloads.values())]
        for path in paths
    )
    return table(["path", *workloads], rows)


def path_cell(times: Times, path: str) -> str:
    if path not in times:
        return ""
    if path == BASELINE:
        return cell(times[path])
    return f"{cell(times[path])}, {number(Spread.of(ratios(times[BASELINE], times[path])).median)}x"


def costs_table(costs: list[Results]) -> str:
    rows = ([cost["name"], cost["clock"], cell([figure / 1e6 for figure in cost["ns"]])] for cost in costs)
    return table(["what", "clock", "milliseconds"], rows)


def sizes_table(sizes: dict[str, int]) -> str:
    return table(["on disk", "bytes"], ([name, f"{size:,}"] for name, size in sizes.items()))


def cell(figures: Sequence[float]) -> str:
    spread = Spread.of(figures)
    if spread.minimum == spread.maximum:
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.minimum)} to {number(spread.maximum)})"


def number(figure: float) -> str:
    """Write three digits of a figure: no run is more exact than that."""
    if figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.3g}"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] + ["---:"] * (len(titles) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
