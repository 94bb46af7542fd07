"""Kmod and the commands on kernels that are not installed: as once depmod has seen them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from test_packages import MODULES, SOURCES, package_files, run_depmod, write_tree

from pyalias import AliasIndex
from pyalias.cli import main
from pyalias.kmod import Kmod

if TYPE_CHECKING:
    from pathlib import Path

NAMES = (
    "e1000",
    "mii-core",
    "pci:v00008086d0000100Esv1",
    "symbol:ptp_now",
    "core-x",
    "core",
    "two words",
    "none",
)


@pytest.mark.parametrize("source", ["image.deb", "kernel-zst.rpm", "initramfs-zst.img", "bare.tar"])
def test_answers_of_a_package(tmp_path: Path, source: str):
    (tmp_path / source).write_bytes(SOURCES[source]())
    packed = Kmod(tmp_path / source, [], cmdline="")
    installed = Kmod(run_depmod(write_tree(tmp_path, package_files())), [], cmdline="")
    for name in NAMES:
        assert packed.lookup(name) == installed.lookup(name), name
        found = zip(packed.modules(name), installed.modules(name), strict=True)
        for ours, theirs in found:
            assert [module.name for module in ours.dependencies] == [m.name for m in theirs.dependencies]
            assert ours.soft_dependencies == theirs.soft_dependencies
            assert ours.builtin == theirs.builtin
    assert packed.lookup("e1000") == ("e1000",)


def test_a_tree_that_depmod_never_saw(tmp_path: Path):
    directory = write_tree(tmp_path, {path: module.to_bytes() for path, module in MODULES.items()})
    assert Kmod(directory, [], cmdline="").lookup("fs-lonely") == ("lonely",)


def test_a_release_names_one_kernel_of_a_package_but_not_of_a_directory(tmp_path: Path):
    (tmp_path / "image.deb").write_bytes(SOURCES["image.deb"]())
    assert Kmod(tmp_path / "image.deb", [], release="6.0.0-test", cmdline="").lookup("ptp") == ("ptp",)
    with pytest.raises(ValueError, match="found both"):
        Kmod(tmp_path, release="6.0.0-test")


@pytest.mark.parametrize(
    "source", ["image.deb", "kernel-zst.rpm", "initramfs-zst.img", "image-xz.tar", "image-plain.tar"]
)
def test_compile_takes_packages(tmp_path: Path, source: str):
    (tmp_path / source).write_bytes(SOURCES[source]())
    arguments = [str(tmp_path / source), "-o", str(tmp_path / "out")]
    assert main(["compile", *arguments, "--release", "6.0.0-test"]) == 0
    with AliasIndex.open(tmp_path / "out") as index:
        assert index.lookup("pci:v00008086d0000100Esv1") == ("e1000", "second")
    assert main(["compile", *arguments, "--release", "6.1"]) == 3


def test_lookup_in_a_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "image.deb").write_bytes(SOURCES["image.deb"]())
    assert main(["lookup", "--modules", str(tmp_path / "image.deb"), "two words", "ptp"]) == 0
    assert capsys.readouterr().out == "mii_core\nptp\n"
