"""The index writer gives depmod's bytes, so what libkmod answers from written indexes is what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.kmod_bin import Index
from support.module_tree import (
    alias_index,
    builtin_alias_index,
    read_aliases,
    read_builtin_aliases,
    read_module_names,
)
from support.tables import RELEASES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("release", RELEASES)
def test_alias_index_has_the_bytes_of_depmod(kernel_dirs: dict[str, Path], release: str):
    directory = kernel_dirs[release]
    aliases = read_aliases(directory / "modules.alias")
    written = alias_index(aliases, read_module_names(directory / "modules.dep")).to_bytes()
    assert written == (directory / "modules.alias.bin").read_bytes()


@pytest.mark.parametrize("release", RELEASES)
def test_builtin_alias_index_has_the_bytes_of_depmod(kernel_dirs: dict[str, Path], release: str):
    directory = kernel_dirs[release]
    aliases = read_builtin_aliases(directory / "modules.builtin.modinfo")
    written = builtin_alias_index(aliases).to_bytes()
    assert written == (directory / "modules.builtin.alias.bin").read_bytes()


def test_empty_index():
    assert Index().to_bytes() == bytes.fromhex("b007f457 00020001 0000000c")


@pytest.mark.parametrize("release", RELEASES)
def test_first_lines_give_the_priorities_of_modules_dep(kernel_dirs: dict[str, Path], release: str):
    """Why the text file alone is enough to order answers."""
    directory = kernel_dirs[release]
    with_aliases = dict.fromkeys(module for _, module in read_aliases(directory / "modules.alias"))
    in_dep = [name for name in read_module_names(directory / "modules.dep") if name in with_aliases]
    assert list(with_aliases) == in_dep
