"""The checksum of images: every variant gives the same number, and no change of one byte goes unseen."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest
from support.image_damage import checksum

ROOT = Path(__file__).resolve().parent.parent
STRIPE = 128


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    program = tmp_path_factory.mktemp("checksum") / "checksum"
    sources = [*(ROOT / "csrc").glob("*.c"), ROOT / "tests" / "c" / "checksum.c"]
    command = [compiler, "-std=c11", "-O1", f"-I{ROOT / 'csrc'}", *map(str, sorted(sources)), "-o", program]
    subprocess.run(command, check=True)
    return program


@pytest.mark.parametrize("stripes", [1, 2, 3, 7, 400])
def test_variants_agree(program: Path, stripes: int):
    data = random.Random(stripes).randbytes(stripes * STRIPE)  # noqa: S311 - repeatable, not secret
    found = subprocess.run([program], input=data, capture_output=True, check=True).stdout.split()
    assert [int(number) for number in found] == [checksum(data)] * 2


def test_stripes_that_change_places_are_seen():
    first, second = bytes(range(STRIPE)), bytes(STRIPE)
    assert checksum(bytes(STRIPE) + first + second) != checksum(bytes(STRIPE) + second + first)
