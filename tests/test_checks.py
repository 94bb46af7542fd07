"""The checks of an image are compiled for any CPU and for AVX2: both refuse the same."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from support.image_damage import small_image

ROOT = Path(__file__).resolve().parent.parent


def test_variants_of_the_checks_agree(tmp_path: Path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    checks = [*(ROOT / "csrc").glob("check*.c"), ROOT / "tests" / "c" / "checks.c"]
    others = [path for path in (ROOT / "csrc").glob("*.c") if path not in checks and path.name != "image.c"]
    flags = [compiler, "-std=c11", f"-I{ROOT / 'csrc'}", "-c"]
    # -O3: what is made vector code of in the product is here, too.
    for level, sources in (("-O3", checks), ("-O0", others)):
        subprocess.run([*flags, level, *map(str, sorted(sources))], cwd=tmp_path, check=True)
    program = tmp_path / "checks"
    subprocess.run([compiler, *map(str, tmp_path.glob("*.o")), "-o", program], check=True)
    image = small_image(tmp_path / "modules")
    found = subprocess.run([program], input=image, capture_output=True, check=True).stdout.split()
    refused, passed, differed = map(int, found)
    assert differed == 0
    assert min(refused, passed) > len(image) / 10
