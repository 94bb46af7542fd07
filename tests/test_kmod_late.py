"""What ``Kmod`` puts off: lines are taken apart, and indexes mapped, when something is asked."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_kmod import CASE

import pyalias
from pyalias.conformance import write_tree
from pyalias.kmod import Kmod, Validity

if TYPE_CHECKING:
    from pyalias.conformance import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return write_tree(tmp_path / "root", CASE)


@pytest.mark.parametrize(
    "text",
    [
        b"alias late b\n",
        b"\t alias\tlate b",
        b"# alias late x\nalias late b\n",
        b"al\\\nias late b\n",
        b"\\alias late b\n",
        b"options alias x=1\nalias late b\n",
        b"bad\0 line\nalias late b\n",
    ],
)
def test_lines_are_found_however_they_are_written(tree: Tree, text: bytes):
    (tree.config / "late.conf").write_bytes(text)
    assert Kmod(tree.modules, tree.config, cmdline="").lookup("late") == ("b",)


@pytest.mark.parametrize(
    "text", [b"# alias late b\n", b"options alias late\n", b"aliases late b\n", b"alias\n"]
)
def test_lines_that_only_look_like_it(tree: Tree, text: bytes):
    (tree.config / "late.conf").write_bytes(text)
    assert Kmod(tree.modules, tree.config, cmdline="").lookup("late") == ()


def test_install_lines_by_name(tree: Tree):
    (tree.config / "late.conf").write_text("install late /bin/true\nremove later /bin/false\n")
    kmod = Kmod(tree.modules, tree.config, cmdline="")
    assert kmod.lookup("late") == ("late",)
    assert kmod.lookup("later") == ("later",)


def test_an_index_is_the_file_that_was_opened(tree: Tree):
    """Replaced, or gone, before the first question that needs it."""
    kmod = Kmod(tree.modules, tree.config, cmdline="")
    expected = Kmod(tree.modules, tree.config, cmdline="").lookup("pci:v1")
    assert expected
    for path in tree.modules.glob("*.bin"):
        path.unlink()
    assert kmod.validate() is Validity.MUST_RELOAD
    assert kmod.lookup("pci:v1") == expected
    assert kmod.lookup("b") == ("b",)


def test_an_index_cut_short_in_place_is_an_error(tree: Tree):
    kmod = Kmod(tree.modules, tree.config, cmdline="")
    os.truncate(tree.modules / "modules.alias.bin", 0)
    for _ in range(2):
        with pytest.raises(pyalias.ImageError, match=r"cut short.*run depmod"):
            kmod.lookup("pci:v1")


@pytest.mark.parametrize("name", ["modules.symbols.bin", "modules.builtin.alias.bin"])
@pytest.mark.parametrize("data", [b"", b"rubbish, and more of it", b"\xb0\x07\xf4\x57\0\x02\0\x01"])
def test_a_bad_header_is_found_at_once(tree: Tree, name: str, data: bytes):
    (tree.modules / name).write_bytes(data)
    with pytest.raises(pyalias.ImageError, match=name):
        Kmod(tree.modules, tree.config, cmdline="")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_descriptors_go_with_the_context(tree: Tree):
    """Without the garbage collector, asked or not, and after a reload that fails."""
    gc.collect()
    gc.disable()
    try:
        before = descriptors()
        for asked in ((), ("pci:v1", "b", "symbol:x", "nothing")):
            kmod = Kmod(tree.modules, tree.config, cmdline="")
            for name in asked:
                kmod.lookup(name)
            kmod.reload()
            (tree.modules / "modules.symbols.bin").rename(tree.modules / "aside")
            (tree.modules / "modules.symbols.bin").write_bytes(b"rubbish")
            with pytest.raises(pyalias.ImageError):
                kmod.reload()
            (tree.modules / "aside").rename(tree.modules / "modules.symbols.bin")
            del kmod
            assert descriptors() == before
    finally:
        gc.enable()
