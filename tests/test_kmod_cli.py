"""``pyalias lookup`` where it is more than an index: modprobe.d, --show-depends and what goes with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pyalias.cli import main
from pyalias.conformance import write_tree

if TYPE_CHECKING:
    from pathlib import Path

    from pyalias.conformance import Tree

CASE = {
    "name": "for the command line",
    "source": "these tests",
    "tree": {
        "aliases": [["dev:*", "a"]],
        "modules": [{"path": "kernel/a.ko", "depends": ["kernel/b.ko"]}, {"path": "kernel/b.ko"}],
    },
    "config": {"some.conf": "blacklist a\noptions b x=1\ninstall b run $CMDLINE_OPTS\nalias\n"},
}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return write_tree(tmp_path / "root", CASE)


def run(tree: Tree, *arguments: str) -> int:
    return main(["lookup", "--modules", str(tree.modules), "-C", str(tree.config), *arguments])


def test_show_depends(tree: Tree, capsys: pytest.CaptureFixture[str]):
    assert run(tree, "-q", "-D", "a") == 0
    assert capsys.readouterr().out == f"install run $CMDLINE_OPTS x=1 \ninsmod {tree.modules}/kernel/a.ko \n"
    assert run(tree, "-q", "-D", "-i", "b") == 0
    assert capsys.readouterr().out == f"insmod {tree.modules}/kernel/b.ko x=1 \n"


def test_blacklisted_modules_leave_nothing_to_do(tree: Tree, capsys: pytest.CaptureFixture[str]):
    """Nothing is printed, and nothing was missed: modprobe's exit code is 0 too."""
    assert run(tree, "-q", "-D", "dev:x") == 0
    assert run(tree, "-q", "-D", "-b", "a") == 0
    assert capsys.readouterr().out == ""
    assert run(tree, "-q", "dev:x") == 0
    assert capsys.readouterr().out == "a\n"


def test_misses_and_bad_lines(tree: Tree, capsys: pytest.CaptureFixture[str]):
    assert run(tree, "-a", "none") == 1
    assert capsys.readouterr().err == (
        f"pyalias: {tree.config}/some.conf line 4: ignoring bad line starting with 'alias'\n"
        f"pyalias: WARNING: Module none not found in directory {tree.modules}\n"
    )
    assert run(tree, "-q", "-D", "none") == 1
    assert capsys.readouterr() == ("", "")


def test_json(tree: Tree, capsys: pytest.CaptureFixture[str]):
    assert run(tree, "-q", "--json", "-D", "b", "a]") == 1
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["actions"] == [
        {
            "kind": "install",
            "module": "b",
            "path": f"{tree.modules}/kernel/b.ko",
            "command": "run $CMDLINE_OPTS",
            "options": "x=1",
        }
    ]
    assert second == {"alias": "a]", "actions": [], "error": "EINVAL"}


def test_an_index_knows_aliases_alone(tree: Tree, capsys: pytest.CaptureFixture[str]):
    for option in (["-D"], ["-C", str(tree.config)]):
        with pytest.raises(SystemExit) as end:
            main(["lookup", "--index", "some.pyalias", *option, "x"])
        assert end.value.code == 2
        assert "an index of aliases knows neither" in capsys.readouterr().err
