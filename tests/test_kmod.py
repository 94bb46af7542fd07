"""Kmod by itself: what it reads, what it refuses, and how it changes with its files."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
from support.tables import RELEASES

import pyalias
from pyalias import Kmod
from pyalias.conformance import write_tree
from pyalias.kmod import Validity
from pyalias.kmod.commandline import parse_command_line
from pyalias.kmod.configuration import logical_lines

if TYPE_CHECKING:
    from pathlib import Path

    from pyalias.conformance import Tree

RELEASE = "6.12.117-amd64"
CASE = {
    "name": "a little of everything",
    "source": "these tests",
    "tree": {
        "aliases": [["pci:v1*", "one-two"], ["pci:v*", "b"], ["other", "b"]],
        "modules": [{"path": "kernel/one-two.ko", "depends": ["kernel/b.ko"]}, {"path": "kernel/b.ko"}],
        "symbols": [["sym", "b"]],
        "builtin": ["bi"],
        "builtin_aliases": [["bi-*", "bi"]],
    },
    "config": {"some.conf": "alias mine b\nblacklist b\noptions b x=1\nweakdep one-two b mine nothing\n"},
}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return write_tree(tmp_path / "root", CASE)


# ---- where things are ----


def test_root_release_and_default_directories(tree: Tree):
    """Module directory, modprobe.d and command line below a root, as of another system."""
    (tree.root / "proc").mkdir()
    (tree.root / "proc" / "cmdline").write_text("b.y=2 modprobe.blacklist=one_two\n")
    kmod = Kmod(root=tree.root, release=tree.release)
    assert kmod.lookup("mine") == ("b",)
    assert kmod.module("b").options == "x=1 y=2"
    assert kmod.configuration.blacklist == ("b", "one_two")
    assert Kmod("/lib/modules/1.0", root=tree.root).lookup("mine") == ("b",)
    with pytest.raises(ValueError, match="found both"):
        Kmod(tree.modules, release="1.0")


def test_earlier_directories_hide_files_of_one_name(tmp_path: Path, tree: Tree):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "m.conf").write_text(f"alias x {name}\n")
    (tmp_path / "second" / "a.conf").write_text("alias x a\n")
    kmod = Kmod(tree.modules, [tmp_path / "first", tmp_path / "second"], cmdline="")
    assert kmod.lookup("x") == ("a", "first")
    assert Kmod(tree.modules, tmp_path / "second" / "m.conf").lookup("x") == ("second",)
    assert Kmod(tree.modules, []).lookup("x") == ()


def test_what_is_named_must_be_there(tmp_path: Path, tree: Tree):
    (tmp_path / "empty").mkdir()
    with pytest.raises(pyalias.FileAccessError, match=r"no-such\.d"):
        Kmod(tree.modules, tmp_path / "no-such.d")
    with pytest.raises(pyalias.FileAccessError, match="expected a kernel's modules directory"):
        Kmod(tmp_path / "no-such-directory")
    with pytest.raises(pyalias.FileAccessError, match="expected a kernel's modules directory"):
        Kmod(tmp_path / "empty")


def test_bad_lines_are_warnings(tree: Tree):
    (tree.config / "bad.conf").write_text("alias x\n\ninclude y\nalias a[ b\nalias good b\n")
    (tree.config / "dir.conf").mkdir()
    kmod = Kmod(tree.modules, tree.config, cmdline="")
    path = tree.config / "bad.conf"
    assert kmod.configuration.warnings == (
        f"{tree.config / 'dir.conf'}: directories inside directories are not read",
        f"{path} line 1: ignoring bad line starting with 'alias'",
        f"{path} line 3: ignoring bad line starting with 'include'",
        f"{path} line 4: ignoring bad line starting with 'alias'",
    )
    assert kmod.lookup("good") == ("b",)


# ---- which form of the files ----


def test_bin_answers_where_there_is_one(tree: Tree):
    """A stale text must not win: libkmod reads no text."""
    (tree.modules / "modules.alias").write_text("alias pci:v1* stale\n")
    assert Kmod(tree.modules, []).lookup("pci:v1") == ("one-two", "b")
    assert Kmod(tree.modules, [], prefer="text").lookup("pci:v1") == ("stale",)


def test_a_missing_bin_answers_nothing(tree: Tree):
    (tree.modules / "modules.alias.bin").unlink()
    kmod = Kmod(tree.modules, [])
    assert kmod.lookup("pci:v1") == ()
    assert kmod.lookup("one-two") == ("one_two",)


def test_text_answers_where_there_is_no_bin(tree: Tree):
    for path in tree.modules.glob("*.bin"):
        path.unlink()
    kmod = Kmod(tree.modules, tree.config, cmdline="")
    names = ["pci:v1", "pci:v2", "mine", "b", "symbol:sym", "bi", "bi-x", "none"]
    # A text's module is normalised as depmod would have; the tree's own index was given it as it is.
    assert [kmod.lookup(name) for name in names] == [
        ("one_two", "b"), ("b",), ("b",), ("b",), ("b",), ("bi",), ("bi",), (),
    ]  # fmt: skip
    assert kmod.module("b").aliases == ("pci:v*", "other")
    assert kmod.module("bi").aliases == ("bi-*",)


@pytest.mark.parametrize("name", ["modules.alias.bin", "modules.dep.bin"])
def test_a_damaged_bin_says_what_to_do(tree: Tree, name: str):
    path = tree.modules / name
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(pyalias.ImageError, match=rf'{name}.*run depmod, or open with prefer="text"'):
        Kmod(tree.modules, []).lookup("pci-v1" if name == "modules.dep.bin" else "pci:v1")
    assert Kmod(tree.modules, [], prefer="text").lookup("pci:v1") == ("one_two", "b")


def test_prefer_is_checked(tree: Tree):
    with pytest.raises(ValueError, match='expected "bin" or "text"'):
        Kmod(tree.modules, prefer="both")


# ---- names that are refused ----


@pytest.mark.parametrize("name", ["a]", "a[b", "a\0b", b"\0", "\ud800"])
def test_refused_names(tree: Tree, name: str | bytes):
    with pytest.raises(pyalias.InvalidModaliasError) as error:
        Kmod(tree.modules, []).lookup(name)
    assert error.value.errno == 22


def test_names_must_be_text(tree: Tree):
    with pytest.raises(pyalias.ColumnError, match="expected str or bytes, found int"):
        Kmod(tree.modules, []).lookup(7)


# ---- modules ----


def test_module_objects(tree: Tree):
    kmod = Kmod(tree.modules, tree.config, cmdline="")
    module = kmod.module("one-two.ko")
    assert module.name == "one_two"
    assert module.path == str(tree.modules / "kernel" / "one-two.ko")
    assert [other.name for other in module.dependencies] == ["b"]
    assert [other.name for other in module.weak_dependencies] == ["b", "b"]
    assert not module.builtin
    assert not module.blacklisted
    (dependency,) = module.dependencies
    assert dependency.blacklisted
    assert dependency.options == "x=1"
    assert dependency.aliases == ("other", "pci:v*")
    assert kmod.module("bi").builtin
    assert kmod.module("bi").path is None
    assert kmod.module("no-such").path is None
    assert {kmod.module("b"), dependency} == {dependency}
    (found,) = kmod.modules("mine")
    assert (found.name, found.alias) == ("b", "mine")
    assert found != dependency


def test_info(tree: Tree, kernel_dirs: dict[str, Path]):
    kmod = Kmod(kernel_dirs[RELEASE], [])
    assert ("description", "CXL: Port enumeration and services") in kmod.module("cxl_port").info
    with pytest.raises(pyalias.FileAccessError, match="no module none stands in"):
        _ = kmod.module("none").info
    with pytest.raises(pyalias.PyaliasError):
        _ = Kmod(tree.modules, []).module("b").info  # an empty file is no module
    (tree.modules / "kernel" / "b.ko").unlink()
    with pytest.raises(pyalias.FileAccessError):
        _ = Kmod(tree.modules, []).module("b").info


def test_dependencies_are_known_without_files(tree: Tree):
    (tree.modules / "kernel" / "b.ko").unlink()
    kmod = Kmod(tree.modules, [])
    module = kmod.module("one_two")
    assert [other.name for other in module.dependencies] == ["b"]
    assert module.dependencies_with_files == ()
    assert [action.module for action in kmod.show_depends("one_two")] == ["one_two"]


def test_soft_dependencies_that_go_in_circles_end(tree: Tree):
    (tree.config / "soft.conf").write_text("softdep * pre: one_two b bi post: one_two b bi\n")
    kmod = Kmod(tree.modules, tree.config, cmdline="")
    assert len(kmod.show_depends("one-two")) == 4


def test_thousands_of_modules_in_a_chain_of_soft_dependencies(tree: Tree):
    """Kmod recurses; a long chain must not end in a RecursionError."""
    lines = [f"softdep m{number} pre: m{number + 1}\ninstall m{number} command\n" for number in range(5000)]
    (tree.config / "chain.conf").write_text("".join(lines))
    (action,) = Kmod(tree.modules, tree.config, cmdline="").show_depends("m0")
    assert str(action) == "install command "  # m4999: without a soft dependency that exists, its line counts


# ---- files that change ----


def test_validate_and_reload(tree: Tree):
    kmod = Kmod(tree.modules, tree.config, cmdline="")
    module = kmod.module("b")
    assert kmod.validate() is Validity.OK
    (tree.config / "more.conf").write_text("alias new b\noptions b z=3\n")
    assert kmod.validate() is Validity.MUST_RECREATE
    assert kmod.lookup("new") == ()
    kmod.reload()
    assert kmod.validate() is Validity.OK
    assert kmod.lookup("new") == ("b",)
    assert module.options == "x=1"
    assert kmod.module("b").options == "z=3 x=1"
    index = tree.modules / "modules.alias.bin"
    index.with_suffix(".new").write_bytes(b"\xb0\x07\xf4\x57\0\x02\0\x01\0\0\0\x0c")
    index.with_suffix(".new").rename(index)
    assert kmod.validate() is Validity.MUST_RELOAD
    assert kmod.lookup("pci:v1") == ("one-two", "b")
    kmod.reload()
    assert kmod.lookup("pci:v1") == ()


def test_a_failed_reload_leaves_the_old_answers(tree: Tree):
    kmod = Kmod(tree.modules, tree.config, cmdline="")
    index = tree.modules / "modules.alias.bin"
    index.with_suffix(".new").write_bytes(b"rubbish, and more of it")
    index.with_suffix(".new").rename(index)
    with pytest.raises(pyalias.ImageError):
        kmod.reload()
    assert kmod.lookup("pci:v1") == ("one-two", "b")


def test_reload_is_one_step_for_other_threads(tree: Tree, tmp_path: Path):
    """Readers see all of the old files or all of the new, never a mixture."""
    kmod = Kmod(tree.modules, tree.config, cmdline="")
    seen = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            (module,) = kmod.modules("mine")
            seen.add((module.name, module.options))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for turn in range(30):
        text = CASE["config"]["some.conf"] if turn % 2 else "alias mine z\noptions b other=1\n"
        (tmp_path / "new.conf").write_text(text)
        (tmp_path / "new.conf").rename(tree.config / "some.conf")
        kmod.reload()
    stop.set()
    for reader in readers:
        reader.join()
    assert seen == {("b", "x=1"), ("z", "")}


# ---- whole kernels ----


@pytest.mark.parametrize("release", RELEASES)
def test_text_and_bin_agree_on_kernels(release: str, kernel_dirs: dict[str, Path]):
    directory = kernel_dirs[release]
    from_bin, from_text = Kmod(directory, []), Kmod(directory, [], prefer="text")
    names = [path_name(line) for line in lines_of(directory, "modules.dep")[::17]]
    names += [path_name(line) for line in lines_of(directory, "modules.builtin")[::7]]
    names += [line.split()[1] for line in lines_of(directory, "modules.symbols")[1::97]]
    names += [line.split()[1] for line in lines_of(directory, "modules.alias")[1::61]]
    assert len(names) > 150
    assert [ask(from_bin, name) for name in names] == [ask(from_text, name) for name in names]


def lines_of(directory: Path, name: str) -> list[bytes]:
    return (directory / name).read_bytes().splitlines()


def path_name(line: bytes) -> bytes:
    return line.partition(b":")[0].rpartition(b"/")[2].partition(b".")[0]


def ask(kmod: Kmod, name: bytes) -> object:
    found = kmod.modules(name)
    return [(module.name, module.path, module.builtin, module.dependencies) for module in found]


# ---- readers of text ----


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b"a\nb", [(1, b"a"), (2, b"b")]),
        (b"a\\\nb\nc\n", [(2, b"ab"), (3, b"c")]),
        (b"\\a\\\\\\\\\n", [(1, b"a\\\\")]),
        (b"wrapped without newline\\", [(1, b"wrapped without newline")]),
        (b"a\\", [(1, b"a")]),
        (b"\n\n", [(1, b""), (2, b"")]),
        (b"a\0b\nc", [(1, b"a"), (2, b"c")]),
        (b"", []),
    ],
)
def test_logical_lines(text: bytes, lines: list[tuple[int, bytes]]):
    """Kmod's freadline_wrapped, in its newest form."""
    assert list(logical_lines(text)) == lines


@pytest.mark.parametrize(
    ("text", "blacklist", "options"),
    [
        (b"quiet a.b=c", [], [(b"a", b"b=c")]),
        (b"a.b a-b.c=d.e=f", [], [(b"a", b"b"), (b"a_b", b"c=d.e=f")]),
        (b"a.b.c=1 .x=1 a.=2", [], [(b"", b"x=1"), (b"a", b"=2")]),
        (b'a.b="c d" "a.b=c d" a."b=c', [], [(b"a", b'b="c d"'), (b"a", b'b="c d"')]),
        (b'modprobe.blacklist="a,,snd-b"', [b'"a', b"", b'snd-b"'], []),
        (b"module_blacklist=x rd.driver.blacklist=y", [], []),
        (b'a.b="never closed', [], []),
    ],
)
def test_command_lines(text: bytes, blacklist: list[bytes], options: list[tuple[bytes, bytes]]):
    """Kmod's kmod_config_parse_kcmdline."""
    found = parse_command_line(text)
    assert (found.blacklist, found.options) == (blacklist, options)


# ---- unreadable files ----


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_one_may_not_read_is_a_warning(tree: Tree):
    (tree.config / "secret.conf").write_text("alias secret b\n")
    (tree.config / "secret.conf").chmod(0)
    kmod = Kmod(tree.modules, tree.config, cmdline="")
    assert kmod.lookup("secret") == ()
    assert "Permission denied" in kmod.configuration.warnings[0]
