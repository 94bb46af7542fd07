"""Kernels that are not installed give the lines that depmod writes for them once they are."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import subprocess
import sys
from random import Random
from typing import TYPE_CHECKING

import lz4.block
import lz4.frame
import pytest
import zstandard
from support.ko import RELEASE, Module, make_cpio, make_deb, make_rpm, make_tar

from pyalias import AliasIndex, FileAccessError, MissingLibraryError, PackageError
from pyalias.packages import module_files, read_module_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PLACE = f"lib/modules/{RELEASE}/"

MODULES = {
    "kernel/drivers/net/e1000.ko": Module(
        [("license", "GPL"), ("alias", "pci:v00008086d0000100E*"), ("depends", "mii-core,ptp")],
        imports=["mii_check", "ptp_now", "printk"],
    ),
    "kernel/drivers/net/mii-core.ko": Module(
        [("depends", "ptp"), ("alias", "two words"), ("softdep", "pre: crc32")],
        exports=["mii_check"],
        imports=["ptp_now"],
    ),
    "kernel/drivers/ptp/ptp.ko": Module(
        [("alias", "platform:ptp-clock"), ("alias", "platform:ptp-clock")], exports=["ptp_now", "ptp_then"]
    ),
    "kernel/fs/odd/lonely.ko": Module([("alias", "fs-lonely"), ("alias", "stray]bracket")]),
    "updates/dkms/second.ko": Module([("alias", "pci:v00008086d0000100E*")]),
}
ORDER = (
    b"kernel/drivers/ptp/ptp.ko\nkernel/drivers/net/e1000.ko\nkernel/not/there.ko\n"
    b"kernel/drivers/net/mii-core.ko\n"
)
BUILTIN = {"modules.builtin": b"kernel/lib/core.ko\n", "modules.builtin.modinfo": b"core.alias=core-*\0"}


def module_directory() -> dict[str, bytes]:
    """What stands below lib/modules/RELEASE."""
    return {"modules.order": ORDER} | BUILTIN | {path: m.to_bytes() for path, m in MODULES.items()}


def package_files() -> dict[str, bytes]:
    return {PLACE + path: data for path, data in module_directory().items()}


def lz4_legacy(data: bytes) -> bytes:
    blocks = [
        lz4.block.compress(data[at : at + (8 << 20)], store_size=False) for at in range(0, len(data), 8 << 20)
    ]
    return bytes.fromhex("02214c18") + b"".join(len(block).to_bytes(4, "little") + block for block in blocks)


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gz": gzip.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "bz2": bz2.compress,
    "zst": zstd,
    "lz4": lz4.frame.compress,
    "lz4-legacy": lz4_legacy,
}
MICROCODE = {"kernel/x86/microcode/GenuineIntel.bin": bytes(range(256)) * 40}


def initramfs(name: str) -> bytes:
    """As initramfs-tools makes them: microcode first, uncompressed, some zeros, then the rest."""
    rest = COMPRESSIONS[name](make_cpio(package_files()))
    return make_cpio(MICROCODE) + bytes(512) + rest


def tar_of(name: str) -> bytes:
    return COMPRESSIONS[name](make_tar(package_files()))


SOURCES: dict[str, Callable[[], bytes]] = {
    **{f"image-{name}.tar": (lambda name=name: tar_of(name)) for name in COMPRESSIONS},
    **{f"initramfs-{name}.img": (lambda name=name: initramfs(name)) for name in COMPRESSIONS},
    "image.deb": lambda: make_deb(".xz", tar_of("xz")),
    "image-zst.deb": lambda: make_deb(".zst", tar_of("zst")),
    "image-gz.deb": lambda: make_deb(".gz", tar_of("gz")),
    "image-plain.deb": lambda: make_deb("", tar_of("plain")),
    "kernel-xz.rpm": lambda: make_rpm(lzma.compress(make_cpio(package_files())), "xz"),
    "kernel-zst.rpm": lambda: make_rpm(zstd(make_cpio(package_files())), "zstd"),
    "kernel-gz.rpm": lambda: make_rpm(gzip.compress(make_cpio(package_files())), "gzip"),
    "crc.cpio": lambda: make_cpio(package_files(), "070702"),
    "bare.tar": lambda: make_tar(module_directory()),
    "named.tar": lambda: make_tar({f"./any/name/{path}": data for path, data in module_directory().items()}),
    "usr.tar": lambda: make_tar({f"./usr/{path}": data for path, data in package_files().items()}),
}


def write_tree(base: Path, files: Mapping[str, bytes]) -> Path:
    for path, data in files.items():
        (base / path).parent.mkdir(parents=True, exist_ok=True)
        (base / path).write_bytes(data)
    return base


def run_depmod(base: Path) -> Path:
    """The directory that depmod has written its files to; without kmod the test is skipped, visibly."""
    depmod = shutil.which("depmod") or shutil.which("depmod", path="/sbin:/usr/sbin")
    if depmod is None:
        pytest.skip("depmod is not installed (Debian: kmod)")
    subprocess.run([depmod, "-b", str(base), RELEASE], check=True, capture_output=True)
    return base / PLACE


@pytest.fixture(scope="session")
def depmod_texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What depmod writes for the modules."""
    directory = run_depmod(write_tree(tmp_path_factory.mktemp("depmod"), package_files()))
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


@pytest.fixture(scope="session")
def expected_aliases() -> bytes:
    """The lines by hand: as modules.order says, then the rest by the hash of their names."""
    return (
        b"# Aliases extracted from modules themselves.\n"
        b"alias platform:ptp-clock ptp\n"
        b"alias platform:ptp-clock ptp\n"
        b"alias pci:v00008086d0000100E* e1000\n"
        b"alias two words mii_core\n"
        b"alias pci:v00008086d0000100E* second\n"
        b"alias fs-lonely lonely\n"
        b"alias stray]bracket lonely\n"
    )


@pytest.mark.parametrize("name", SOURCES)
def test_every_kind_of_source_gives_the_same_texts(tmp_path: Path, name: str, expected_aliases: bytes):
    path = tmp_path / name
    path.write_bytes(SOURCES[name]())
    texts = read_module_texts(path)
    assert texts["modules.alias"] == expected_aliases
    assert texts["modules.order"] == ORDER
    assert {name: texts[name] for name in BUILTIN} == BUILTIN
    assert texts["modules.dep"].splitlines()[1] == (
        b"kernel/drivers/net/e1000.ko: kernel/drivers/net/mii-core.ko kernel/drivers/ptp/ptp.ko"
    )


@pytest.mark.parametrize("kind", ["modules directory", "root of a system"])
def test_a_bare_tree(tmp_path: Path, kind: str, expected_aliases: bytes):
    files = module_directory() if kind == "modules directory" else package_files()
    write_tree(tmp_path, files)
    assert read_module_texts(tmp_path)["modules.alias"] == expected_aliases
    with AliasIndex.from_modules(tmp_path) as index:
        assert index.lookup("pci:v00008086d0000100Esv1") == ("e1000", "second")
        assert index.lookup("core-1") == ("core",)


def test_texts_are_those_of_depmod(depmod_texts: dict[str, bytes], tmp_path: Path):
    (tmp_path / "image.deb").write_bytes(SOURCES["image.deb"]())
    texts = read_module_texts(tmp_path / "image.deb")
    for name in ("modules.alias", "modules.dep", "modules.softdep", "modules.order", *BUILTIN):
        assert texts[name] == depmod_texts[name], name
    # depmod lists symbols as they lie in its hash table.
    assert sorted(texts["modules.symbols"].splitlines()) == sorted(
        depmod_texts["modules.symbols"].splitlines()
    )


@pytest.mark.parametrize("order", ["none", "half", "repeated"])
def test_the_order_of_modules_is_depmods(tmp_path: Path, order: str):
    """Without modules.order, depmod's order is that of its hash table: 300 names of every length."""
    random = Random(7)  # noqa: S311 - repeatable, not secret
    files = {}
    for number in range(300):
        name = "".join(random.choices("abcdefgxyz0189_-", k=random.randint(1, 14))) + str(number)
        files[f"{PLACE}kernel/{name}.ko"] = Module([("alias", f"x:{number}")]).to_bytes()
    paths = [path.removeprefix(PLACE) for path in files]
    if order != "none":
        listed = paths[::2] + paths[:40] * (order == "repeated")
        files[f"{PLACE}modules.order"] = "".join(f"{path}\n" for path in listed).encode()
    directory = run_depmod(write_tree(tmp_path, files))
    (tmp_path / "image.tar").write_bytes(make_tar(files))
    texts = read_module_texts(tmp_path / "image.tar")
    assert texts["modules.alias"] == (directory / "modules.alias").read_bytes()
    assert texts["modules.dep"] == (directory / "modules.dep").read_bytes()


@pytest.mark.parametrize(
    ("ending", "compress"), [("gz", gzip.compress), ("xz", lzma.compress), ("zst", zstd)]
)
def test_modules_may_be_compressed(tmp_path: Path, ending: str, compress, expected_aliases: bytes):
    files = {f"{path}.{ending}": compress(module.to_bytes()) for path, module in MODULES.items()}
    write_tree(tmp_path, {"modules.order": ORDER} | files)
    texts = read_module_texts(tmp_path)
    assert texts["modules.alias"] == expected_aliases
    assert texts["modules.dep"].startswith(f"kernel/drivers/ptp/ptp.ko.{ending}:\n".encode())


def test_updates_replace_the_kernels_own(tmp_path: Path):
    files = {
        "updates/x.ko": Module([("alias", "new")]).to_bytes(),
        "kernel/x.ko": Module([("alias", "old")]).to_bytes(),
        "build/y.ko": Module([("alias", "not installed")]).to_bytes(),
    }
    texts = read_module_texts(write_tree(tmp_path, files))
    assert texts["modules.alias"].splitlines()[1:] == [b"alias new x"]


def test_modules_in_a_circle_and_missing_ones(tmp_path: Path):
    files = {
        "a.ko": Module([("depends", "b,gone")]).to_bytes(),
        "b.ko": Module([("depends", "a")]).to_bytes(),
        "c.ko": Module([("depends", "c,a")]).to_bytes(),
    }
    lines = set(read_module_texts(write_tree(tmp_path, files))["modules.dep"].decode().splitlines())
    assert {line for line in lines if not line.startswith("c")} == {"a.ko: b.ko", "b.ko: a.ko"}


def test_several_kernels_must_be_named(tmp_path: Path):
    one, two = Module([("alias", "one")]).to_bytes(), Module([("alias", "two")]).to_bytes()
    path = tmp_path / "two.tar"
    path.write_bytes(make_tar({"lib/modules/6.1/kernel/a.ko": one, "lib/modules/6.2/kernel/a.ko": two}))
    with pytest.raises(PackageError, match=r"several kernels.*6\.1, 6\.2"):
        read_module_texts(path)
    with AliasIndex.from_modules(path, release="6.2") as index:
        assert index.lookup("two") == ("a",)
    with pytest.raises(PackageError, match=r"no modules of 6\.3"):
        read_module_texts(path, "6.3")
    assert [name for name, _ in module_files(path, "6.1")] == ["kernel/a.ko"]


# ---- what is none, or damaged ----


def huge_member() -> bytes:
    """A module of almost 4 GiB, by what its header says: nobody has to try and hold it."""
    return make_cpio({"a.ko": bytes(77)}).replace(b"%08X" % 77, b"FFFFFFF0")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "expected a .deb"),
        (b"#!/bin/sh\n" * 100, "expected a .deb"),
        (gzip.compress(b"hello", mtime=0), "expected a .deb"),
        (make_tar({"readme": b"x"}), "no modules"),
        (make_deb(".xz", tar_of("xz"))[:100], "damaged|without"),
        (b"!<arch>\nrubbish" * 20, "damaged Debian package"),
        (b"\xed\xab\xee\xdb" + b"rubbish" * 30, "damaged RPM"),
        (make_cpio(package_files())[:1000], "cut short"),
        (make_cpio(package_files()).replace(b"070701", b"070709", 3), "cpio"),
        (b"070701" + b"zzzzzzzz" * 13 + b"abc", "header of cpio"),
        (huge_member(), "more than"),
    ],
)
def test_files_that_are_no_packages(tmp_path: Path, data: bytes, expected: str):
    path = tmp_path / "image"
    path.write_bytes(data)
    with pytest.raises(PackageError, match=expected):
        read_module_texts(path)


def test_missing_files_and_empty_directories(tmp_path: Path):
    with pytest.raises(FileAccessError, match=r"expected a \.deb"):
        read_module_texts(tmp_path / "none.deb")
    with pytest.raises(FileAccessError, match="modules directory"):
        AliasIndex.from_modules(tmp_path)


def outcome(path: Path) -> str:
    """An answer, or what the error names: the file itself, or a module in it."""
    try:
        read_module_texts(path)
    except PackageError as error:
        return path.name if error.file == str(path) else "module" * error.file.endswith(".ko")
    return "answer"


@pytest.mark.parametrize("name", SOURCES)
def test_truncated_and_damaged_sources_give_errors_or_answers(tmp_path: Path, name: str):
    data = SOURCES[name]()
    random = Random(name)  # noqa: S311
    path = tmp_path / name
    for _ in range(12):
        bad = bytearray(data[: random.randrange(len(data))] if random.random() < 0.5 else data)
        for _ in range(random.randint(0, 3)):
            if bad:
                bad[random.randrange(len(bad))] = random.randrange(256)
        path.write_bytes(bad)
        assert outcome(path) in {"answer", name, "module"}


def test_damaged_modules(tmp_path: Path):
    good = MODULES["kernel/drivers/ptp/ptp.ko"].to_bytes()
    random = Random(9)  # noqa: S311
    outcomes = set()
    for number in range(400):
        bad = bytearray(good[: random.randrange(len(good))] if number % 4 == 0 else good)
        for _ in range(random.randint(1, 4)):
            if bad:
                bad[random.randrange(len(bad))] = random.choice((0, 1, 0x7F, 0xFF, random.randrange(256)))
        (tmp_path / "ptp.ko").write_bytes(bad)
        outcomes.add(outcome(tmp_path))
    assert outcomes == {"answer", "module"}


@pytest.mark.parametrize(
    ("source", "module", "package"),
    [
        ("image.deb", "debian.arfile", "python-debian"),
        ("kernel-xz.rpm", "rpmfile", "rpmfile"),
        ("image-zst.tar", "zstandard", "zstandard"),
        ("image-lz4.tar", "lz4.frame", "lz4"),
        ("initramfs-lz4-legacy.img", "lz4.block", "lz4"),
        ("bare.tar", "elftools.elf.elffile", "pyelftools"),
    ],
)
def test_a_missing_library_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, module: str, package: str
):
    path = tmp_path / source
    path.write_bytes(SOURCES[source]())
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        MissingLibraryError, match=rf"needs {package}: pip install 'pyalias-kmod\[packages\]'"
    ):
        read_module_texts(path)


def test_many_initramfs_archives_in_a_row(tmp_path: Path):
    parts = [make_cpio({PLACE + path: data}) for path, data in module_directory().items()]
    path = tmp_path / "initrd.img"
    path.write_bytes(b"".join(part + bytes(4 * number) for number, part in enumerate(parts)))
    with AliasIndex.from_modules(path) as index:
        assert index.lookup("pci:v00008086d0000100Esv1") == ("e1000", "second")
