"""The clock: rounds in which every contender runs once, so that what the machine does hits all alike."""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from contenders import Contender
    from workloads import Workload

Times = dict[str, list[float]]


@dataclass(frozen=True)
class Spread:
    """What is said of a list of figures."""

    minimum: float
    median: float
    maximum: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """Sum a list of figures up."""
        return cls(min(figures), statistics.median(figures), max(figures))


def cpu_time(call: Callable[[], object]) -> int:
    """Time one call in nanoseconds of CPU time of all threads, the collector off as in ``timeit``."""
    gc.collect()
    gc.disable()
    try:
        start = time.process_time_ns()
        call()
        return time.process_time_ns() - start
    finally:
        gc.enable()


def wall_time(call: Callable[[], object]) -> int:
    """Time one call in nanoseconds by the clock on the wall: for what waits for other processes."""
    start = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - start


def time_workload(workload: Workload, contenders: Sequence[Contender], rounds: int) -> Times:
    """Give every contender's nanoseconds a lookup, one figure a round.

    The order turns by one each round, so that nobody always follows the same neighbour.
    """
    times: Times = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        turn = number % len(contenders)
        for contender in [*contenders[turn:], *contenders[:turn]]:
            if number < contender.rounds_at_most:
                run = contender.prepare(workload)
                times[contender.name].append(cpu_time(run.call) / len(run.rows))
    return times


def ratios(slower: Sequence[float], faster: Sequence[float]) -> list[float]:
    """How many times faster, round by round: only figures of one round are compared."""
    return [slow / fast for slow, fast in zip(slower, faster, strict=False)]
