"""The figures that the project set itself, each beside what a prototype reached and what is reached now.

Every path gives its answers first and they must be libkmod's; then all is timed in rounds, side by side.
Shares and ratios are taken within a round.
"""

from __future__ import annotations

import contextlib
import gc
import random
from array import array
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from contenders import BASELINE, COLUMN, DisagreementError, fresh_strings, pci_columns
from native import encode, load_reader, load_writer
from rounds import cpu_time, ratios, wall_time
from workloads import workload

import pyalias
from pyalias import _binding, kernels
from pyalias._native import ffi, lib

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from contenders import Stage
    from rounds import Times

PCI_ROWS = 10_000_000
ROW_BYTES = 54
RANDOM_DEVICES = 200_000
FLEET_DEVICES = 2_000
HOSTILE_BYTES = 8_192

# Per prefix: at least so many times libkmod in C; what the prototype had.
AGAINST_LIBKMOD = {
    "pci hits": (700, "750 to 1,030"),
    "usb": (1_000, "95, scalar"),
    "acpi": (1_000, "1,200"),
    "of": (600, "500"),
    "hid": (300, ""),
    "dmi": (100, "35"),
    "mix": (500, ""),
}


@dataclass(frozen=True)
class Goal:
    """One row: what it is, the figure wanted, the prototype's, and what was measured, one figure a round."""

    what: str
    least: str
    prototype: str
    unit: str
    figures: Sequence[float]

    def as_dict(self) -> dict[str, Any]:
        """For raw.json and the tables."""
        return {**vars(self), "figures": list(self.figures)}


class PciColumn:
    """A column of PCI devices as text and as numbers, proved against libkmod."""

    def __init__(
        self, stage: Stage, name: str, devices: Sequence[str], weights: Sequence[float] | None, rows: int
    ) -> None:
        self.name = name
        self.rows = rows
        draw = random.Random(name)  # noqa: S311 - to be repeated, not to be secret
        places = draw.choices(range(len(devices)), weights, k=rows)
        lines = [f"{device}\n".encode() for device in devices]
        self.text = b"".join([lines[place] for place in places])
        self._devices, self._places = devices, places
        self._check(stage)

    @cached_property
    def numbers(self) -> dict[str, array[int]]:
        """The columns of ``lookup_ids``."""
        columns = pci_columns(self._devices)
        return {
            name: array("I", [column[place] for place in self._places]) for name, column in columns.items()
        }

    def _check(self, stage: Stage) -> None:
        answers = stage.libkmod_in_c.answers(encode(self._devices))
        found = stage.index.lookup_many(self.text)
        table = found.table
        ids = dict(zip(self._places, found.ids, strict=True))
        for place, answer in enumerate(answers):
            if place in ids and table[ids[place]] != answer:
                raise DisagreementError(f"{self._devices[place]}: libkmod says {answer}")
        # One device has one id wherever it stands.
        if any(ids[place] != found_id for place, found_id in zip(self._places, found.ids, strict=True)):
            raise DisagreementError(f"{self.name}: one device with two answers")


def random_devices() -> list[str]:
    draw = random.Random("random ids")  # noqa: S311 - to be repeated, not to be secret
    return [
        f"pci:v{draw.getrandbits(16):08X}d{draw.getrandbits(16):08X}sv{draw.getrandbits(16):08X}"
        f"sd{draw.getrandbits(16):08X}bc{draw.getrandbits(8):02X}sc{draw.getrandbits(8):02X}i{draw.getrandbits(8):02X}"
        for _ in range(RANDOM_DEVICES)
    ]


def pci_populations() -> dict[str, tuple[list[str], list[float] | None]]:
    """Devices and weights: a fleet repeats few devices, some of which nobody claims."""
    hits, misses = workload("pci hits").devices, workload("pci misses").devices
    fleet = hits[: FLEET_DEVICES * 4 // 5] + misses[: FLEET_DEVICES // 5]
    random.Random("fleet").shuffle(fleet)  # noqa: S311 - to be repeated, not to be secret
    return {
        "fleet": (fleet, [1 / rank for rank in range(1, len(fleet) + 1)]),
        "uniform": (hits, None),
        "random": (random_devices(), None),
    }


def measure_goals(stage: Stage, workloads: dict[str, Any], rounds: int, rows: int) -> list[dict[str, Any]]:
    """All rows. ``workloads`` are the results of the contenders, which some rows are taken from."""
    goals: list[Goal] = []
    # The clocks collect garbage before each call: with all that the workloads left, that takes a second.
    gc.collect()
    gc.freeze()
    for name, (devices, weights) in pci_populations().items():
        column = PciColumn(stage, name, devices, weights, rows)
        goals += pci_goals(stage, column, rounds)
    goals += libkmod_goals(workloads)
    goals += python_goals(stage, rounds)
    goals += once_goals(stage, rounds)
    return [goal.as_dict() for goal in goals]


def pci_goals(stage: Stage, column: PciColumn, rounds: int) -> list[Goal]:
    """Shares of memory's speed: the column in memory, one in the cache, its numbers; and two threads."""
    least, prototype = {
        "fleet": ("65", "64 to 72"),
        "uniform": ("60", "63 to 67"),
        "random": ("75", "76 to 86"),
    }[column.name]
    read, write = load_reader(), load_writer()
    warm = column.text[: 16_384 * ROW_BYTES]
    numbers = column.numbers
    blobs = [bytes(memoryview(numbers[name]).cast("B")) for name in numbers]
    ids = bytearray(4 * column.rows)
    again = max(1, column.rows // 16_384)
    times = timed(
        {
            "read": lambda: read(column.text),
            "text": lambda: stage.index.lookup_many(column.text),
            "read warm": lambda: [read(warm) for _ in range(again)],
            "warm": lambda: [stage.index.lookup_many(warm) for _ in range(again)],
            "numbers": lambda: stage.index.lookup_ids(**numbers),
            "read and write": lambda: (*map(read, blobs), write(ids)),
        },
        rounds,
        cpu_time,
    )
    goals = [
        Goal(
            f"pci text in memory, {column.name}: share of reading it",
            least,
            prototype,
            "%",
            shares(times["read"], times["text"]),
        ),
        Goal(
            f"pci text in the cache, {column.name}: share of reading it",
            "",
            "",
            "%",
            shares(times["read warm"], times["warm"]),
        ),
        Goal(
            f"pci numbers, {column.name}: share of reading 20 B and writing 4 B",
            "60",
            "34 to 61",
            "%",
            shares(times["read and write"], times["numbers"]),
        ),
        Goal(
            f"memory: reading the {column.name} column",
            "",
            "10.4",
            "GB/s",
            [len(column.text) / time for time in times["read"]],
        ),
    ]
    if column.name == "fleet":
        walls = timed(
            {
                threads: lambda threads=threads: stage.index.lookup_many(column.text, threads=threads)
                for threads in (1, 2)
            },
            rounds,
            wall_time,
        )
        goals.append(Goal("two threads against one", "1.7", "1.6 to 1.8", "x", ratios(walls[1], walls[2])))
    return goals


def libkmod_goals(workloads: dict[str, Any]) -> list[Goal]:
    goals = []
    for name, (least, prototype) in AGAINST_LIBKMOD.items():
        if name in workloads:
            times: Times = workloads[name]["ns_per_lookup"]
            figures = ratios(times[BASELINE], times[COLUMN])
            goals.append(Goal(f"{name}: times libkmod in C", f"{least:,}", prototype, "x", figures))
    return goals


def python_goals(stage: Stage, rounds: int) -> list[Goal]:
    """Single lookups and lists, against a call into C that does nothing."""
    devices = workload("pci hits").devices
    rows = workload("pci hits").rows
    repeats = devices * 20
    times: dict[Any, list[float]] = {name: [] for name in ("nothing", "first", "repeated", "list")}
    nothing, null = lib.pya_buffer_use, ffi.NULL
    for _ in range(rounds):
        index = pyalias.AliasIndex.open(stage.image)
        fresh, again, column = fresh_strings(devices), fresh_strings(repeats), fresh_strings(rows)
        calls = {
            "nothing": (partial(each, nothing, [null] * len(repeats)), repeats),
            "first": (partial(each, index.lookup, fresh), fresh),
            "repeated": (partial(each, index.lookup, again), again),
            "list": (partial(index.lookup_many, column), column),
        }
        for name, (call, size) in calls.items():
            times[name].append(cpu_time(call) / len(size))
    return [
        Goal(
            "lookup(str), first time: calls that do nothing",
            "3",
            "3.5",
            "x",
            ratios(times["first"], times["nothing"]),
        ),
        Goal("a call into C that does nothing", "", "72 to 112", "ns", times["nothing"]),
        Goal("lookup(str), first time", "", "261 to 360", "ns", times["first"]),
        Goal("lookup(str), repeated", "80", "49 to 78", "ns", times["repeated"]),
        Goal("lookup_many(list[str]), a row", "80", "66 to 71, in C", "ns", times["list"]),
    ]


def each(call: Callable[[Any], object], arguments: Sequence[Any]) -> None:
    """Call for each, with as little around it as Python allows."""
    for argument in arguments:
        call(argument)


def once_goals(stage: Stage, rounds: int) -> list[Goal]:
    """Compile, open, and the worst key that we know."""
    source = kernels.alias_text_source(
        "modules.alias", (stage.modules_directory / "modules.alias").read_bytes()
    )
    image = stage.image.read_bytes()
    hostile = hostile_keys(stage)
    times = timed(
        {
            "compile": lambda: _binding.compile_image([source]),
            "open": lambda: _binding.Image(image),
        },
        rounds,
        cpu_time,
    )
    worst = [max(cpu_time(partial(try_key, stage, key)) for key in hostile) / 1e6 for _ in range(rounds)]
    return [
        Goal(
            "compile modules.alias, text to image",
            "5",
            "15 to 20",
            "ms",
            [ns / 1e6 for ns in times["compile"]],
        ),
        Goal("open with the full check", "100", "60", "us", [ns / 1e3 for ns in times["open"]]),
        Goal("the worst of the hostile keys of 8 KB", "5", "2 to 4", "ms", worst),
        Goal("image for all buses", "2.5", "2.5", "MB", [len(image) / 1e6]),
    ]


def try_key(stage: Stage, key: bytes) -> None:
    """Search for a key; where something matches, libkmod refuses name and module as too long."""
    with contextlib.suppress(pyalias.InvalidModaliasError):
        stage.index.match(key)


def hostile_keys(stage: Stage) -> list[bytes]:
    """Long keys that many patterns follow far: a bus's prefix, then what its patterns look for, repeated."""
    pieces: dict[bytes, list[bytes]] = {}
    for pattern, _ in stage.lines:
        bus, colon, rest = pattern.encode().partition(b":")
        pieces.setdefault(bus + colon, []).extend(part for part in rest.split(b"*") if part)
    keys = []
    for bus, parts in pieces.items():
        distinct = list(dict.fromkeys(parts))
        once = b"".join(distinct)
        for body in (
            once * (HOSTILE_BYTES // max(len(once), 1) + 1),
            distinct[0] * HOSTILE_BYTES if distinct else b"",
        ):
            key = (bus + body)[:HOSTILE_BYTES]
            if not set(key) & set(b"[]?*"):
                keys.append(key)
    return keys


def timed(
    calls: dict[Any, Callable[[], object]], rounds: int, clock: Callable[[Callable[[], object]], int]
) -> dict[Any, list[int]]:
    """Nanoseconds of each call, one figure a round, the order turning."""
    times: dict[Any, list[int]] = {name: [] for name in calls}
    for number in range(rounds):
        turn = number % len(calls)
        for name in [*calls, *calls][turn : turn + len(calls)]:
            times[name].append(clock(calls[name]))
    return times


def shares(limit: Sequence[float], reached: Sequence[float]) -> list[float]:
    return [100 * ratio for ratio in ratios(limit, reached)]
