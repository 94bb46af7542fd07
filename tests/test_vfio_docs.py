"""docs/vfio.md is run, and docs/cli.md describes the options of the commands in the group."""

from __future__ import annotations

import argparse
import doctest
import re
from pathlib import Path

import pytest

from pyalias.cli import build_parser

DOCS = Path(__file__).resolve().parent.parent / "docs"


def test_sessions(
    kernel_dirs: dict[str, Path], variant_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "6.12.117-amd64").symlink_to(kernel_dirs["6.12.117-amd64"])
    (tmp_path / "9.9.9").symlink_to(variant_tree / "lib/modules/9.9.9")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"^```pycon\n(.*?)^```$", (DOCS / "vfio.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "vfio.md", "vfio.md", 0)
    assert len(test.examples) > 20
    report: list[str] = []
    doctest.DocTestRunner().run(test, out=report.append)
    assert not report, "".join(report)


def subcommands() -> dict[str, argparse.ArgumentParser]:
    return choices_of(choices_of(build_parser(["vfio"]))["vfio"])


def choices_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (action,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return action.choices


@pytest.mark.parametrize("name", subcommands())
def test_every_command_of_the_group_is_documented(name: str):
    text = (DOCS / "cli.md").read_text("utf-8")
    section = re.search(rf"^### `pyalias vfio {name}`$(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"docs/cli.md has no section on vfio {name}"
    parser = subcommands()[name]
    for action in parser._actions:
        for option in action.option_strings:
            if option.startswith("--") and option != "--help":
                assert f"`{option}" in section[1], f"docs/cli.md does not describe vfio {name} {option}"
    help_text = parser.format_help()
    assert f"\nexample:\n  pyalias vfio {name} " in help_text
    assert "\nexit codes:\n  0 " in help_text
