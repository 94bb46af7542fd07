"""Everyone who answers the same question, each behind the same two steps: prepare, then one timed call."""

from __future__ import annotations

import fnmatch
import importlib.util
import re
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from native import LibkmodInC, LibkmodThroughCtypes, encode, load_reader
from workloads import PCI_MODALIAS

import pyalias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from bundled import Answer
    from workloads import Workload

BASELINE = "libkmod in C"
COLUMN = "pyalias column (bytes)"
READ_LIMIT = "read of the same bytes"


class DisagreementError(AssertionError):
    """A contender's answer is not libkmod's: there is nothing to time."""


@dataclass(frozen=True)
class Run:
    """A call to time, made ready outside the clock.

    ``answers`` turns what the call returned into one answer for each of ``rows``; None where the
    call gives no answers (the read limit).
    """

    rows: Sequence[str]
    call: Callable[[], Any]
    answers: Callable[[Any], Iterable[Answer]] | None


@dataclass(frozen=True)
class Contender:
    """Someone to time: ``prepare`` is called anew for each round, so that each round starts alike."""

    name: str
    prepare: Callable[[Workload], Run]
    rounds_at_most: int = 1_000_000


class Stage:
    """What the contenders share: the kernel's indexes as libkmod reads them and as pyalias compiled them."""

    def __init__(self, modules_directory: Path, image: Path) -> None:
        self.modules_directory = modules_directory
        self.image = image
        pyalias.AliasIndex.from_modules(modules_directory).save(image)
        self.index = pyalias.AliasIndex.open(image)
        self.libkmod_in_c = LibkmodInC(modules_directory)
        self.libkmod_through_ctypes = LibkmodThroughCtypes(modules_directory)
        self.lines = read_lines(modules_directory / "modules.alias")

    def contenders(self, workload: Workload) -> list[Contender]:
        """Who can answer this workload on this machine."""
        found = [
            Contender(BASELINE, self._prepare_libkmod_in_c),
            Contender("libkmod through ctypes", self._prepare_libkmod_through_ctypes),
            Contender(COLUMN, self._prepare_column),
            Contender("pyalias list[str]", self._prepare_list),
            Contender("pyalias one call, first sight", self._prepare_first_sight),
            Contender("pyalias one call, repeated", self._prepare_repeated),
            Contender(READ_LIMIT, prepare_read_limit),
            # Slow enough for one round: seconds a lookup where Python's cache of patterns is too small.
            Contender("python fnmatch over lines", self._prepare_fnmatch, rounds_at_most=1),
        ]
        if importlib.util.find_spec("pyarrow"):
            found.append(Contender("pyalias column (Arrow)", self._prepare_arrow))
        if all(PCI_MODALIAS.fullmatch(device) for device in workload.devices):
            found.append(Contender("pyalias lookup_ids", self._prepare_ids))
        return found

    def _prepare_libkmod_in_c(self, workload: Workload) -> Run:
        devices = encode(workload.devices)
        libkmod = self.libkmod_in_c
        return Run(workload.devices, lambda: libkmod.look_up_all(devices), lambda _: libkmod.answers(devices))

    def _prepare_libkmod_through_ctypes(self, workload: Workload) -> Run:
        return one_call_each(self.libkmod_through_ctypes.lookup, workload.devices)

    def _prepare_column(self, workload: Workload) -> Run:
        column = workload.column
        return Run(workload.rows, lambda: self.index.lookup_many(column), list)

    def _prepare_arrow(self, workload: Workload) -> Run:
        import pyarrow as pa  # noqa: PLC0415 - an optional contender

        column = pa.array(workload.rows, pa.string())
        return Run(workload.rows, lambda: self.index.lookup_many(column), list)

    def _prepare_list(self, workload: Workload) -> Run:
        fresh = fresh_strings(workload.rows)
        return Run(workload.rows, lambda: self.index.lookup_many(fresh), list)

    def _prepare_ids(self, workload: Workload) -> Run:
        columns = pci_columns(workload.rows)
        return Run(workload.rows, lambda: self.index.lookup_ids(**columns), list)

    def _prepare_first_sight(self, workload: Workload) -> Run:
        """Look each device up once in an index that has answered nothing yet."""
        return one_call_each(pyalias.AliasIndex.open(self.image).lookup, fresh_strings(workload.devices))

    def _prepare_repeated(self, workload: Workload) -> Run:
        """Look devices up again that the index has answered, in strings that it has not seen."""
        for device in workload.devices:
            self.index.lookup(device)
        again = workload.devices * (100_000 // len(workload.devices) + 1)
        return one_call_each(self.index.lookup, fresh_strings(again))

    def _prepare_fnmatch(self, workload: Workload) -> Run:
        return one_call_each(lambda device: fnmatch_lookup(self.lines, device), workload.devices[:1])


def prepare_read_limit(workload: Workload) -> Run:
    read_all = load_reader()
    column = workload.column
    return Run(workload.rows, lambda: read_all(column), None)


def one_call_each(lookup: Callable[[str], Answer], devices: Sequence[str]) -> Run:
    return Run(devices, lambda: [lookup(device) for device in devices], list)


def fresh_strings(strings: Sequence[str]) -> list[str]:
    """Make strings as a program has them that just read a file: none of them hashed yet, no two shared."""
    return "\n".join(strings).split("\n")


def pci_columns(rows: Sequence[str]) -> dict[str, array[int]]:
    """Turn canonical PCI modaliases into the columns of ``lookup_ids``."""
    numbers = {row: pci_numbers(row) for row in set(rows)}
    names = ("vendor", "device", "subvendor", "subdevice", "class_code")
    return {name: array("I", [numbers[row][place] for row in rows]) for place, name in enumerate(names)}


def pci_numbers(modalias: str) -> list[int]:
    *ids, base_class, subclass, interface = PCI_MODALIAS.fullmatch(modalias).groups()
    return [int(digits, 16) for digits in (*ids, base_class + subclass + interface)]


def read_lines(alias_file: Path) -> list[tuple[str, str]]:
    """Read pattern and module of each line of modules.alias, dashes made underscores as depmod does."""
    text = alias_file.read_text(encoding="utf-8")
    lines = (line.removeprefix("alias ") for line in text.splitlines() if line.startswith("alias "))
    return [(normalise(pattern), module) for pattern, _, module in (line.rpartition(" ") for line in lines)]


def normalise(alias: str) -> str:
    """Turn dashes outside brackets into underscores."""
    return re.sub(r"\[[^]]*\]|-", lambda found: "_" if found[0] == "-" else found[0], alias)


def fnmatch_lookup(lines: list[tuple[str, str]], device: str) -> Answer:
    """Do what the first script of everyone does."""
    name = normalise(device)
    return tuple(module for pattern, module in lines if fnmatch.fnmatchcase(name, pattern))


def check_answers(contender: Contender, workload: Workload) -> None:
    """Raise DisagreementError unless every answer equals libkmod's recorded one."""
    run = contender.prepare(workload)
    result = run.call()
    if run.answers is None:
        return
    answers = list(run.answers(result))
    if len(answers) != len(run.rows):
        raise DisagreementError(f"{contender.name}: {len(answers)} answers for {len(run.rows)} rows")
    for row, answer in zip(run.rows, answers, strict=True):
        expected = workload.answers[row]
        if answer != expected:
            raise DisagreementError(f"{contender.name}: {row} is {answer}, libkmod says {expected}")
