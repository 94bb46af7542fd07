"""Fixtures: one unpacked kernel and one compiled image for all benchmarks, in libkmod's usual locale."""

from __future__ import annotations

import locale
import sys
from pathlib import Path

import pytest

# The modules of this directory are no package: report.py imports them as a script does, and so do the tests.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from bundled import unpack_kernel
from contenders import Stage
from native import LibkmodError, load_libkmod, use_c_locale


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    try:
        load_libkmod()
    except LibkmodError as error:
        pytest.skip(str(error))
    before = locale.setlocale(locale.LC_ALL)
    use_c_locale()
    root = tmp_path_factory.mktemp("kernel")
    yield Stage(unpack_kernel(root), root / "kernel.pyalias")
    locale.setlocale(locale.LC_ALL, before)
