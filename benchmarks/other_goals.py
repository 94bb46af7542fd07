"""The goals that programs of their own measure: every variant, instructions, contexts, VFIO choices."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import kmod_open
import pci_limit
import vfio_choice
from goals import Goal
from rounds import ratios

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contenders import Stage

# Per variant: at least this share of the read speed, or at most so many instructions; what the prototype had.
SHARES = {"avx2": ("45", "38 to 43"), "ssse3": ("25", "21 to 33"), "portable": ("25", "21 to 33")}
INSTRUCTIONS = {"avx512": ("32", "31.5"), "avx2": ("60", "63 to 67"), "portable": ("240", "241")}


def measure_other_goals(stage: Stage, rounds: int, rows: int) -> list[dict[str, Any]]:
    """All rows."""
    with TemporaryDirectory() as directory:
        goals = [*variant_goals(stage, Path(directory), rounds, rows), *kmod_goals(stage, Path(directory))]
    return [goal.as_dict() for goal in [*goals, *choice_goals(stage, rounds)]]


def variant_goals(stage: Stage, scratch: Path, rounds: int, rows: int) -> Iterator[Goal]:
    """Text columns in memory by every variant, from C; and the instructions of a row of the fleet's."""
    program = pci_limit.build(scratch)
    path = scratch / "column"
    for name, column in pci_limit.columns(rows):
        path.write_bytes(column)
        found = pci_limit.shares_of_reading(program, stage.image, path, rounds)
        for what, (_, shares) in found.items():
            form, _, variant = what.partition("-")
            if form == "text":
                least, prototype = SHARES.get(variant, ("", ""))
                title = f"pci text in memory, {name}, from C, {variant}: share of reading it"
                yield Goal(title, least, prototype, "%", shares)
    name, column = pci_limit.columns(pci_limit.CHECK_ROWS)[0]
    path.write_bytes(column)
    for variant, what, figure in pci_limit.instructions(program, stage.image, path):
        least, prototype = INSTRUCTIONS.get(variant, ("", "")) if what == "text" else ("", "")
        yield Goal(f"instructions a row, {what}, {name}, {variant}: at most", least, prototype, "", [figure])


def kmod_goals(stage: Stage, scratch: Path) -> Iterator[Goal]:
    """A context and its first lookup beside libkmod's."""
    pairs = list(kmod_open.turns(scratch, str(stage.modules_directory)))
    theirs, ours = ([figures[place] for figures in pairs] for place in (0, 1))
    yield Goal("Kmod() and its first lookup: times libkmod's, at most", "2", "", "x", ratios(ours, theirs))
    yield Goal("Kmod() and its first lookup", "", "", "us", ours)


def choice_goals(stage: Stage, rounds: int) -> Iterator[Goal]:
    """Choices of VFIO drivers beside a plain lookup of the same column."""
    for name in ("pci hits", "pci misses"):
        pairs = vfio_choice.measure(stage.index, name, rounds)
        figures = [choose / plain for plain, choose in pairs]
        yield Goal(f"vfio choices, {name}: times a plain lookup", "", "", "x", figures)
