"""dump-bin, write-bin, and compile from a .bin."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from support.kmod_bin import Index
from support.tables import DATA, RELEASES, read_lines

from pyalias import AliasFileError, AliasIndex, ImageError
from pyalias.cli import main
from pyalias.kmod.binindex import BinIndex
from pyalias.kmod.binwriter import write_index
from pyalias.names import normalise_alias

if TYPE_CHECKING:
    from pathlib import Path

    from support.random_trees import RandomTree


def test_dump_prints_every_entry(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "modules.alias.bin"
    path.write_bytes(write_index([(b"pci:v*", 3, b"one"), (b"a b", 1, b"two")]))
    assert main(["dump-bin", str(path)]) == 0
    assert capsys.readouterr().out == "1\ta b\ttwo\n3\tpci:v*\tone\n"
    assert main(["dump-bin", "--json", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"key": "a b", "priority": 1, "value": "two"},
        {"key": "pci:v*", "priority": 3, "value": "one"},
    ]


def test_dump_survives_bytes_that_are_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "modules.alias.bin"
    index = Index()
    index.insert(b"a", b"\xff", 0)
    path.write_bytes(index.to_bytes())
    assert main(["dump-bin", str(path)]) == 0
    assert capsys.readouterr().out == "0\ta\t\\xff\n"
    assert main(["dump-bin", "--json", str(path)]) == 0


def test_dump_of_a_damaged_index_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "modules.alias.bin"
    path.write_bytes(write_index([(b"a", 0, b"one")])[:-1])
    assert main(["dump-bin", str(path)]) == 3
    assert "modules.alias.bin: the index ends at byte" in capsys.readouterr().err


def test_write_bin_makes_what_depmod_made(
    kernel_dirs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    directory = kernel_dirs["6.12.117-cloud-amd64"]
    for path in directory.iterdir():
        if path.suffix != ".bin":
            shutil.copy(path, tmp_path)
    assert main(["write-bin", str(tmp_path)]) == 0
    written = sorted(tmp_path.glob("*.bin"))
    assert sorted(capsys.readouterr().out.split()) == [str(path) for path in written]
    assert len(written) == 5
    for path in written:
        assert path.read_bytes() == (directory / path.name).read_bytes()


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", ["modules.alias.bin", "modules.builtin.alias.bin"])
def test_an_index_from_a_bin_answers_as_libkmods_search(
    kernel_dirs: dict[str, Path], release: str, name: str
):
    path = kernel_dirs[release] / name
    with AliasIndex.from_bin_file(path) as index:
        searched = BinIndex.open(path)
        for line in read_lines(DATA / "devices" / "devicetrees_modaliases.txt.xz"):
            normal = normalise_alias(line.split(b"\t")[0])
            if normal is not None:
                assert list(index.lookup(normal)) == searched.lookup_wild(normal)


def test_an_index_from_a_bin_answers_as_the_one_from_the_text(random_trees: list[RandomTree]):
    for tree in random_trees[:200]:
        aliases = AliasIndex.from_bin_file(tree.directory / "modules.alias.bin")
        builtin = AliasIndex.from_bin_file(tree.directory / "modules.builtin.alias.bin")
        for key, answer in tree.rows:
            if not isinstance(answer, int):
                assert (aliases.lookup(key) or builtin.lookup(key)) == answer, (tree.case, key)


def test_compile_takes_a_bin(kernel_dirs: dict[str, Path], tmp_path: Path):
    source = kernel_dirs["6.12.117-cloud-amd64"] / "modules.alias.bin"
    assert main(["compile", str(source), "-o", str(tmp_path / "out")]) == 0
    with AliasIndex.open(tmp_path / "out") as index:
        assert index.lookup("virtio:d00000001v00001AF4") == ("virtio_net",)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([(b"a", 0, b"kernel/a.ko.xz: kernel/b.ko.xz")], "normalised aliases"),
        ([(b"a", 0, b"")], "normalised aliases"),
        ([(b"a-b", 0, b"m")], "normalised aliases"),
        ([(b"a[", 0, b"m")], "normalised aliases"),
        ([(b"a", 0, b"m"), (b"b", 0, b"k"), (b"c", 1, b"l")], "one priority"),
        ([(b"a", 0, b"m"), (b"b", 1, b"m")], "one priority"),
    ],
)
def test_indexes_of_something_else_are_refused(tmp_path: Path, entries, expected: str):
    path = tmp_path / "modules.dep.bin"
    path.write_bytes(write_index(entries))
    with pytest.raises(AliasFileError, match=rf"modules\.dep\.bin: expected {expected}"):
        AliasIndex.from_bin_file(path)


def test_a_damaged_bin_is_not_compiled(tmp_path: Path):
    path = tmp_path / "modules.alias.bin"
    path.write_bytes(write_index([(b"a", 0, b"one")])[:-1])
    with pytest.raises(ImageError, match="byte"):
        AliasIndex.from_bin_file(path)
