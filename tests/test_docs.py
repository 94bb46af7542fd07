"""The documentation is read and run: commands, sessions, links, and the demo with the summary it shows."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.tables import EXPECTED, read_answers

from pyalias.cli import main

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
DEMO_KERNEL = "6.12.117-amd64"
# The pages that are run here, in a directory in which "make demo" has run. docs/cli.md is run by test_cli.
RUN_PAGES = [
    README,
    *(
        ROOT / "docs" / f"{name}.md"
        for name in ("design", "engines", "fleet", "format", "kmod-parity", "kmod", "minimal", "partial")
    ),
]


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def after_demo(kernel_dirs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a directory that looks as after ``make demo``."""
    (tmp_path / "build" / "demo").mkdir(parents=True)
    (tmp_path / "build" / "demo" / DEMO_KERNEL).symlink_to(kernel_dirs[DEMO_KERNEL])
    monkeypatch.chdir(tmp_path)


def test_readme_opens_with_two_commands_a_short_session_and_a_figure():
    text = README.read_text("utf-8")
    commands, session = blocks(README, "sh")[0], blocks(README, "pycon")[0]
    assert re.findall(r"^make \w+", commands, re.MULTILINE) == ["make demo", "make test"]
    assert len(re.findall(r"^>>> ", session, re.MULTILINE)) <= 10
    assert text.index(commands) < text.index(session) < text.index("ns of CPU time") < text.index("\n## ")


@pytest.mark.parametrize("page", RUN_PAGES, ids=page_id)
@pytest.mark.usefixtures("after_demo")
def test_python_sessions(page: Path):
    session = "\n".join(blocks(page, "pycon"))
    test = doctest.DocTestParser().get_doctest(session, {}, page.name, str(page), 0)
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append)
    assert not report, "".join(report)


@pytest.mark.parametrize("page", RUN_PAGES, ids=page_id)
@pytest.mark.usefixtures("after_demo")
def test_commands(page: Path, capsys: pytest.CaptureFixture[str]):
    for block in blocks(page, "console"):
        for run in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, expected = run.partition("\n")
            program, *arguments = shlex.split(line)
            assert program == "pyalias"
            main(arguments)
            output = capsys.readouterr()
            assert output.out + output.err == expected


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    local = [link for link in links if not link.startswith(("http://", "https://"))]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_pages_with_examples_are_run_by_some_test(page: Path):
    """A new page names itself in RUN_PAGES, or has a test of its own that names it."""
    if blocks(page, "pycon") or blocks(page, "console"):
        sources = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
        assert page in RUN_PAGES or page.name in sources


def test_make_demo_finds_what_the_readme_shows(tmp_path: Path):
    """The target itself, without its set-up: this very interpreter has pyalias installed."""
    if shutil.which("make") is None or not (Path(sys.executable).parent / "pyalias").exists():
        pytest.skip("no make, or no pyalias command beside this Python")
    (tmp_path / "run.stamp").touch()
    done = subprocess.run(
        [
            "make",
            "demo",
            f"VENV={tmp_path}",
            f"BIN={Path(sys.executable).parent}",
            f"DEMO={tmp_path / 'demo'}",
            f"PYTHON={sys.executable}",
        ],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        check=True,
        capture_output=True,
        text=True,
    )
    shown = blocks(README, "text")[0].splitlines()
    steady = [line for line in shown if not line.startswith("rate")]
    assert [line for line in steady if line not in done.stderr.splitlines()] == []
    answered = {key: answer for table in EXPECTED if table.release == DEMO_KERNEL
                for key, answer in read_answers(table.path)}  # fmt: skip
    matched = sum(1 for answer in answered.values() if answer)
    assert f"matched      {matched:,} ({matched / len(answered):.1%})" in steady
    assert f"devices      {len(answered):,}" in steady
    assert len((tmp_path / "demo" / "answers.csv").read_text("utf-8").splitlines()) == len(answered) + 1
