"""The C core under AddressSanitizer and UndefinedBehaviorSanitizer, on the cases of the other tests.

The extension is built a second time with both sanitizers, and pytest runs in a child process that uses it:
compiler, matcher, columns and capsules are under them as Python calls them. ``PYTHONMALLOC=malloc`` gives
each object memory of its own, so that reading past a key or a buffer of Python's is seen too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
SANITIZE = "-fsanitize=address,undefined"
CASES = (
    "test_quirks.py::test_from_modules",
    "test_columns.py",
    "test_parity_tables.py::test_rows_of_the_aliases[golden-6.12.117-cloud-amd64.tsv.xz]",
    "test_parity_tables.py::test_rows_of_the_aliases[expected-pciids-6.12.117-amd64.tsv.xz]",
    "test_parity_tables.py::test_rows_of_the_aliases[expected-6.12.117-amd64.tsv.xz]",
    "test_partial.py::test_every_form_of_unknown_ids_has_the_answers_of_texts",
    "test_partial.py::test_text_columns_of_every_layout",
    "test_properties.py",
    "test_views.py",
    "test_variants.py",  # every variant of the CPU on the same cases
    "test_usb.py::test_odd_rows_among_good_ones",
    "test_usb.py::test_made_up_patterns",
    "test_mixed_rows.py",
    "test_engines.py",  # Arrow streams in and out, and the consumers that let go of them
    "test_bad_input.py::test_long_and_odd_patterns_answer_as_the_oracle",
    "test_bad_input.py::test_hostile_keys",
    "test_corrupt_image.py::test_forged_images_are_refused_or_harmless[0]",
    "test_corrupt_image.py::test_cut_at_every_length",
)
OVERRUN = "n.lib.pya_count_rows(n.ffi.new('uint8_t[]', 8), 4096, 10)"


def runtime(name: str) -> str:
    """Where gcc keeps the run-time library of a sanitizer."""
    return subprocess.run(
        ["gcc", f"-print-file-name={name}"], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which Python imports a pyalias whose core is sanitized."""
    if shutil.which("gcc") is None or not Path(runtime("libasan.so")).is_absolute():
        pytest.skip("gcc with its sanitizers is not installed")
    build = tmp_path_factory.mktemp("sanitized")
    shutil.copytree(ROOT / "csrc", build / "csrc")
    shutil.copytree(ROOT / "pyalias", build / "pyalias", ignore=shutil.ignore_patterns("*.so"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, build)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=build,
        env=environment
        | {
            "CC": "gcc",
            "PYALIAS_CFLAGS": f"-O1 -g {SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer",
            "PYALIAS_LDFLAGS": SANITIZE,
        },
        check=True,
    )
    return environment | {
        "LD_PRELOAD": f"{runtime('libasan.so')} {runtime('libubsan.so')}",
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter frees little at its end
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": str(build),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def test_an_overrun_is_caught(sanitized: dict[str, str]):
    """Otherwise a clean run would say nothing."""
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-c",
            f"import pyalias._native as n; print(n.__file__, flush=True); {OVERRUN}",
        ],
        env=sanitized,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(sanitized["PYTHONPATH"])
    assert done.returncode != 0
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr


def test_cases_run_clean(sanitized: dict[str, str]):
    done = subprocess.run(
        # -s: a sanitizer's report goes to standard error just before it ends the process.
        [sys.executable, "-P", "-m", "pytest", "-q", "-x", "-s", "-p", "no:cacheprovider"]
        + [f"tests/{case}" for case in CASES],
        cwd=ROOT,
        env=sanitized,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert " passed" in done.stdout
    assert " skipped" not in done.stdout
