"""The examples in docs/files.md are run."""

from __future__ import annotations

import doctest
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "files.md"


def test_examples():
    failed, run = doctest.testfile(str(PAGE), module_relative=False)
    assert not failed
    assert run > 8
