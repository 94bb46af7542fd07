"""No key and no pattern set makes a lookup quadratic or exponential: steps are counted, not timed.

A step is a basic block of the core. What memchr and memmem do is not counted: they are linear by contract.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
# A kernel's lookup must stay below 5 ms for any key; a step is a few instructions, a nanosecond or less.
MOST_STEPS = 2_000_000
SHORT, LONG = 900, 3_600
"""Key lengths: kmod cuts at 4,095 bytes."""


@pytest.fixture(scope="session")
def steps_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    directory = tmp_path_factory.mktemp("steps")
    include = f"-I{ROOT / 'csrc'}"
    flags = [compiler, "-std=c11", "-O1", include, "-c"]
    sources = sorted(map(str, (ROOT / "csrc").glob("*.c")))
    subprocess.run([*flags, "-fsanitize-coverage=trace-pc", *sources], cwd=directory, check=True)
    subprocess.run([*flags, str(ROOT / "tests" / "c" / "steps.c")], cwd=directory, check=True)
    program = directory / "steps"
    subprocess.run([compiler, *map(str, directory.glob("*.o")), "-o", program], check=True)
    return program


@pytest.fixture
def count_steps(steps_program: Path, tmp_path: Path) -> Callable[[Path | list[str], list[str]], list[int]]:
    """How many steps the lookup of each key takes."""

    def count(aliases: Path | list[str], keys: list[str]) -> list[int]:
        if isinstance(aliases, list):
            path = tmp_path / "modules.alias"
            path.write_text("".join(f"alias {pattern} m{i}\n" for i, pattern in enumerate(aliases)))
            aliases = path
        given = "".join(key + "\n" for key in keys)
        command = [steps_program, aliases]
        found = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
        return list(map(int, found.stdout.split()))

    return count


def seeded_patterns(pieces: list[str], count: int) -> list[str]:
    draw = random.Random(8)  # noqa: S311 - to be repeated, not to be secret
    return ["".join(draw.choices(pieces, k=16)) for _ in range(count)]


SETS = {
    "stars": ["x" + "*a" * count for count in range(1, 60)],
    "stars and an end that is missing": ["*a" * count + "b" for count in range(1, 60)],
    "classes": seeded_patterns(["[ab]", "?", "a", "*"], 300),
    "one byte apart": seeded_patterns(["a*", "b*", "a", "b"], 300),
    "long plain runs": ["*" + "a" * count + "?b" for count in range(1, 100)],
    "question marks": ["*" + "?" * count + "b*" for count in range(1, 60)],
}
KEYS = {
    "a": lambda length: "a" * length,
    "x and a": lambda length: "x" + "a" * (length - 1),
    "ab": lambda length: "ab" * (length // 2),
    "a and b at the end": lambda length: "a" * (length - 1) + "b",
    "stars": lambda length: "a" + "*" * (length - 1),
    "a and a star": lambda length: "*" + "a" * (length - 1),
}


@pytest.mark.parametrize("name", SETS)
def test_steps_grow_with_the_key_and_no_faster(name: str, count_steps: Callable[..., list[int]]):
    short = count_steps(SETS[name], [make(SHORT) for make in KEYS.values()])
    long = count_steps(SETS[name], [make(LONG) for make in KEYS.values()])
    growth = {key: b / (a + 1000) for key, a, b in zip(KEYS, short, long, strict=True)}
    assert max(growth.values()) < 1.2 * LONG / SHORT, growth


HOSTILE = [
    "of:N" + "TC" * 4_000,
    "of:N*T*C" + "*" * 8_000,
    "of:N*T*" + "Cti," * 2_000,
    "of:N?T?C" + "C" * 8_000,
    "dmi:" + ":svn" * 2_000,
    "dmi" + ":" * 8_000,
    "acpi" + ":" * 8_000,
    "cpu:type:x86,ven0000fam0006mod0001:feature:" + ",0001,013D,025E" * 500,
    "usb:v1D6Bp0002d" + "dcdscdpicisc" * 600,
    "input:b" + "vpee-e1,k2C0,ramlsfw" * 400,
    "pcmcia:m" + "c" * 4_000 + "f" * 4_000,
    "usb:v*" + "?" * 8_000,
    "[a]" * 2_600,
]


def test_hostile_keys_against_a_kernel(kernel_dirs: dict[str, Path], count_steps: Callable[..., list[int]]):
    steps = count_steps(kernel_dirs["6.12.117-amd64"] / "modules.alias", HOSTILE)
    assert len(steps) == len(HOSTILE)
    assert max(steps) < MOST_STEPS, dict(zip(HOSTILE, steps, strict=True))
