"""What does a program pay that starts, asks for one device, and ends?"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from costs import commands, run_command

if TYPE_CHECKING:
    from contenders import Stage
    from pytest_benchmark.fixture import BenchmarkFixture

ROUNDS = 10


@pytest.mark.benchmark(group="a whole process")
@pytest.mark.parametrize("name", ["pyalias lookup", "modprobe -R"])
def test_one_lookup(benchmark: BenchmarkFixture, stage: Stage, name: str) -> None:
    installed = commands(stage)
    if name not in installed:
        pytest.skip(f"the command of {name} is not installed")
    assert {run_command(command) for command in installed.values()} == {"e1000e\n"}
    benchmark.pedantic(run_command, (installed[name],), rounds=ROUNDS, warmup_rounds=1)


@pytest.mark.benchmark(group="a whole process")
@pytest.mark.parametrize("code", ["pass", "import pyalias"])
def test_interpreter(benchmark: BenchmarkFixture, code: str) -> None:
    assert (
        benchmark.pedantic(run_command, ([sys.executable, "-c", code],), rounds=ROUNDS, warmup_rounds=1) == ""
    )
