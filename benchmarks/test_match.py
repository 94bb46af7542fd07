"""How long does one lookup take, by every path?"""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING

import pytest
from contenders import Contender, Stage, check_answers
from workloads import SOURCES, workload

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

ROUNDS = 5

PATHS = [
    "libkmod in C",
    "libkmod through ctypes",
    "pyalias column (bytes)",
    "pyalias column (Arrow)",
    "pyalias list[str]",
    "pyalias lookup_ids",
    "pyalias one call, first sight",
    "pyalias one call, repeated",
    "python fnmatch over lines",
    "read of the same bytes",
]


@cache
def prove_equal(stage: Stage, name: str) -> None:
    """Compare the answers of all contenders once, before the first of them is timed."""
    for contender in stage.contenders(workload(name)):
        check_answers(contender, workload(name))


def find(stage: Stage, name: str, path: str) -> Contender:
    for contender in stage.contenders(workload(name)):
        if contender.name == path:
            return contender
    return pytest.skip(f"{path} cannot answer {name} here: pyarrow is missing, or these are not PCI devices")


@pytest.mark.benchmark(timer=time.process_time, disable_gc=True)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", SOURCES)
def test_match(benchmark: BenchmarkFixture, stage: Stage, name: str, path: str) -> None:
    prove_equal(stage, name)
    contender = find(stage, name, path)
    rows = 0

    def prepare() -> tuple[tuple[object, ...], dict[str, object]]:
        nonlocal rows
        run = contender.prepare(workload(name))
        rows = len(run.rows)
        return (run.call,), {}

    benchmark.group = name
    rounds = min(ROUNDS, contender.rounds_at_most)
    benchmark.pedantic(lambda call: call(), setup=prepare, rounds=rounds)
    benchmark.extra_info["lookups"] = rows
    if benchmark.stats:  # None under --benchmark-disable
        benchmark.extra_info["ns_per_lookup"] = benchmark.stats.stats.median * 1e9 / rows
