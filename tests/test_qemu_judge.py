"""The judge of ``make qemu-test``: nothing but a complete run without a failure passes."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Any]:
    monkeypatch.syspath_prepend(Path(__file__).with_name("qemu"))
    run = importlib.import_module("run")
    console = tmp_path / "console.log"

    def of_text(text: str) -> str | None:
        console.write_text(text)
        return run.judge(console)

    return of_text


GOOD = (
    "boot noise\r\nguest:    1.0 s  ok      one\r\n"
    "guest:    9.0 s  end     200 passed, 0 failed, 11 parts\r\n"
)


def test_a_complete_run_passes(judge: Callable[[str], Any]):
    assert judge(GOOD) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "did not come to its end"),
        ("Kernel panic - not syncing\n", "did not come to its end"),
        (GOOD.rpartition("guest")[0], "did not come to its end"),
        (GOOD[:-2], "did not come to its end"),
        (GOOD.replace("0 failed", "1 failed"), "1 checks failed"),
        (GOOD.replace("ok      one", "FAILED  one"), "checks failed"),
        (GOOD.replace("200 passed", "20 passed"), "only 20 checks"),
    ],
)
def test_anything_else_fails(judge: Callable[[str], Any], text: str, problem: str):
    assert problem in judge(text)
