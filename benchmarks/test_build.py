"""What do compiling, saving and opening an index cost, and how large is it?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from contenders import Stage, check_answers
from costs import compile_index, open_index, open_libkmod, save_index, sizes
from workloads import workload

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture


@pytest.fixture(scope="module")
def checked_stage(stage: Stage) -> Stage:
    """Prove the compiled image right before anything of it is timed."""
    for contender in stage.contenders(workload("mix")):
        if contender.name == "pyalias one call, first sight":
            check_answers(contender, workload("mix"))
    return stage


@pytest.mark.benchmark(group="paid once", timer=time.process_time, disable_gc=True)
@pytest.mark.parametrize("action", [compile_index, save_index, open_index, open_libkmod])
def test_build(benchmark: BenchmarkFixture, checked_stage: Stage, action: Callable[[Stage], None]) -> None:
    benchmark.pedantic(action, (checked_stage,), rounds=10, warmup_rounds=1)
    benchmark.extra_info["bytes"] = sizes(checked_stage)
