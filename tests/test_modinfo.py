"""What modinfo prints, byte for byte, of modules of every form."""

from __future__ import annotations

import json
import lzma
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import zstandard
from support.ko import RELEASE, Module
from support.signatures import MAGIC, pkcs7, trailer

from pyalias import FileAccessError, MissingLibraryError, PackageError
from pyalias.cli import main
from pyalias.kmod.modinfo import builtin_modinfo, modinfo_lines, read_modinfo

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = [
    ("license", "GPL"),
    ("parm", "debug:How much to say (int)"),
    ("parmtype", "debug:int"),
    ("alias", "pci:v00008086d*"),
    ("alias", "two words"),
    ("parmtype", "only_typed:bool"),
    ("parm", "only_described:Without a type: with a colon"),
    ("parm", "without a colon"),
    ("parmarray", "x"),
    ("a_key_of_more_than_fifteen", "value"),
    ("firmware", "x=y"),
    ("depends", ""),
    ("author", "Zoë <zoe@example.org>"),
    ("vermagic", "6.0.0-test SMP "),
]
SIGNATURES = {
    "none": b"",
    "pkcs7": pkcs7(bytes(range(256)), serial=0xA0DB9D),
    "pkcs7 of 20 bytes": pkcs7(bytes(20), serial=1 << 159, digest="sha512"),
    "pkcs7 of 21 bytes": pkcs7(bytes(21), serial=7, digest="sha1"),
    "a key's identifier": pkcs7(bytes(20), serial=7, key_identifier=True),
    "garbage for pkcs7": b"garbage" + trailer(7, kind=2),
    "too long": b"x" + trailer(1 << 30, kind=2),
    "no signature": trailer(0, kind=2),
    "unknown kind": b"x" + trailer(1, kind=3),
    "unknown hash": b"x" + trailer(1, kind=1, hash_number=60),
    "x509": b"Signer\x01\x02\x03sig" + trailer(3, kind=1, hash_number=4, signer=6, key_id=3),
    "x509 whose names reach into the module": b"sig"
    + trailer(3, kind=1, hash_number=4, signer=200, key_id=255),
}


def real_modinfo(*arguments: str) -> bytes:
    """What the real one prints; without kmod the test is skipped, visibly."""
    program = shutil.which("modinfo") or shutil.which("modinfo", path="/sbin:/usr/sbin")
    if program is None:
        pytest.skip("modinfo is not installed (Debian: kmod)")
    return subprocess.run([program, *arguments], check=True, capture_output=True).stdout


def write_module(path: Path, signature: bytes = b"", records: list[tuple[str, str]] = RECORDS) -> Path:
    path.write_bytes(Module(records).to_bytes(signature))
    return path


@pytest.mark.parametrize("signature", SIGNATURES.values(), ids=SIGNATURES)
def test_bytes_are_those_of_modinfo(tmp_path: Path, signature: bytes):
    path = write_module(tmp_path / "x.ko", signature)
    records = read_modinfo(path)
    for field in (None, "signer"):
        printed = modinfo_lines(str(path), records, field=field)
        real = real_modinfo(*(["-F", field] if field else []), str(path))
        assert printed.encode("utf-8", "surrogateescape") == real, field


@pytest.mark.parametrize("field", [None, "license", "alias", "parm", "filename", "sig_key", "nothing"])
@pytest.mark.parametrize("null", [False, True])
def test_fields_are_those_of_modinfo(tmp_path: Path, field: str | None, null: bool):
    path = write_module(tmp_path / "x.ko", SIGNATURES["pkcs7"])
    options = [*(["-F", field] if field else []), *(["-0"] if null else [])]
    printed = modinfo_lines(str(path), read_modinfo(path), field=field, null=null)
    assert printed.encode() == real_modinfo(*options, str(path))


@pytest.mark.parametrize(("name", "compress"), [("x.ko.xz", lzma.compress), ("x.ko.zst", zstandard.compress)])
def test_compressed_modules(tmp_path: Path, name: str, compress):
    path = tmp_path / name
    path.write_bytes(compress(Module(RECORDS).to_bytes(SIGNATURES["pkcs7"])))
    assert modinfo_lines(str(path), read_modinfo(path)).encode() == real_modinfo(str(path))


def test_records_without_the_real_one(tmp_path: Path):
    path = write_module(tmp_path / "x.ko", SIGNATURES["pkcs7"])
    records = read_modinfo(path)
    assert records[: len(RECORDS)] == RECORDS
    assert dict(records[len(RECORDS) :]) == {
        "sig_id": "PKCS#7",
        "signer": "Kernel key",
        "sig_key": "A0:DB:9D",
        "sig_hashalgo": "sha256",
        "signature": ":\n\t\t".join(
            ":".join(f"{byte:02X}" for byte in range(at, min(at + 20, 256))) for at in range(0, 256, 20)
        ),
    }


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A module directory with one module that is a file and one that is built in."""
    base = tmp_path_factory.mktemp("modinfo")
    directory = base / "lib" / "modules" / RELEASE
    (directory / "kernel").mkdir(parents=True)
    write_module(directory / "kernel" / "e-x.ko")
    (directory / "modules.builtin").write_text("kernel/core.ko\n")
    (directory / "modules.builtin.modinfo").write_bytes(
        b"core.license=GPL\0core.alias=core-*\0core.parm=x:An x\0core.parmtype=x:int\0other.license=X\0"
    )
    depmod = shutil.which("depmod") or shutil.which("depmod", path="/sbin:/usr/sbin")
    if depmod is None:
        pytest.skip("depmod is not installed (Debian: kmod)")
    subprocess.run([depmod, "-b", str(base), RELEASE], check=True, capture_output=True)
    return directory


@pytest.mark.parametrize("name", ["e_x", "e-x", "core", "core-7", "pci:v00008086d1"])
@pytest.mark.parametrize("options", [[], ["-F", "license"], ["-n"], ["-p"], ["-0"]], ids=" ".join)
def test_names_and_aliases(
    directory: Path, name: str, options: list[str], capsysbinary: pytest.CaptureFixture[bytes]
):
    assert main(["modinfo", "--modules", str(directory), *options, name]) == 0
    assert capsysbinary.readouterr().out == real_modinfo(
        "-b", str(directory.parents[2]), "-k", RELEASE, *options, name
    )


def test_files_json_and_misses(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = write_module(tmp_path / "e-x.ko", records=[("license", "GPL")])
    assert main(["modinfo", "--json", str(path)]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "name": "e_x",
        "filename": str(path),
        "fields": [["license", "GPL"]],
    }
    assert main(["modinfo", "--modules", str(tmp_path), str(path), "nothing"]) == 1
    out, err = capsys.readouterr()
    assert out == f"filename:       {path}\nlicense:        GPL\n"
    assert err == "pyalias: ERROR: Module nothing not found.\n"


def test_builtin_records():
    text = b"core.license=GPL\0core.bare\0corex.license=X\0core.alias=a=b\0"
    assert builtin_modinfo(text, "core") == [("license", "GPL"), ("bare", ""), ("alias", "a=b")]


@pytest.mark.parametrize(
    "data", [b"", b"xx", b"\x7fELF" + bytes(100), lzma.compress(b"x" * 100)[:-9], b"x" * 50 + MAGIC]
)
def test_damaged_modules(tmp_path: Path, data: bytes):
    (tmp_path / "x.ko").write_bytes(data)
    with pytest.raises(PackageError, match=r"x\.ko"):
        read_modinfo(tmp_path / "x.ko")


def test_missing_files_and_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(FileAccessError, match="kernel module"):
        read_modinfo(tmp_path / "x.ko")
    path = write_module(tmp_path / "x.ko", SIGNATURES["pkcs7"])
    monkeypatch.setitem(__import__("sys").modules, "asn1crypto.cms", None)
    with pytest.raises(MissingLibraryError, match="asn1crypto"):
        read_modinfo(path)
