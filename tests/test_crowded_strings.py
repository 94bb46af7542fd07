"""Strings made to collide do not make numbering them quadratic, even when the seed of the hash is known.

Steps are counted, not timed, as in test_linear.py.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FEW, MANY = 500, 2_000


@pytest.fixture(scope="module")
def crowd_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    directory = tmp_path_factory.mktemp("crowd")
    flags = [compiler, "-std=c11", "-O1", f"-I{ROOT / 'csrc'}", "-c"]
    counted = [str(ROOT / "csrc" / name) for name in ("intern.c", "vector.c")]
    subprocess.run([*flags, "-fsanitize-coverage=trace-pc", *counted], cwd=directory, check=True)
    subprocess.run([*flags, str(ROOT / "tests" / "c" / "crowd.c")], cwd=directory, check=True)
    program = directory / "crowd"
    subprocess.run([compiler, *map(str, directory.glob("*.o")), "-o", program], check=True)
    return program


def steps(program: Path, count: int) -> tuple[int, int]:
    """For strings that were made to meet, and for others."""
    found = subprocess.run([program, str(count)], capture_output=True, text=True, check=True)
    meeting, others = map(int, found.stdout.split())
    return meeting, others


def test_strings_made_to_meet_cost_little_more_than_others(crowd_program: Path):
    for count in (FEW, MANY):
        meeting, others = steps(crowd_program, count)
        # Each search passes up to 128 strings before the seed is changed, and then none.
        assert meeting < 3 * others + 128 * 128 * 4


def test_steps_grow_with_the_strings_and_no_faster(crowd_program: Path):
    few, many = (steps(crowd_program, count)[0] for count in (FEW, MANY))
    assert many < 1.5 * MANY / FEW * few
