"""Builds what QEMU boots: a Debian kernel, and an initramfs with its modules, kmod, Python and pyalias.

Needs no root: packages are downloaded by apt-get, unpacked, and packed by a small cpio writer. Downloads
are kept under build/qemu.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent

# Any later point release will do: what is tested is not in the kernel's version.
KERNEL = r"linux-image-6\.12\.[0-9]+\+deb[0-9]+-amd64-unsigned"
PYTHON = "3.11"
PACKAGES = (
    "busybox-static",
    "kmod",
    "libkmod2",
    "libc6",
    "liblzma5",
    "libssl3",
    "libzstd1",
    "libexpat1",
    "zlib1g",
    "libffi8",
    "libbz2-1.0",
    "libgcc-s1",
    "udev",
    *("libacl1", "libblkid1", "libcap2", "libselinux1", "libpcre2-8-0", "libudev1"),
    f"python{PYTHON}-minimal",
    f"libpython{PYTHON}-minimal",
    f"libpython{PYTHON}-stdlib",
)
# Those of the machine's devices and of VFIO; depmod says what else they need.
MODULES = (
    *("e1000", "e1000e", "nvme", "virtio_pci", "virtio_net", "virtio_blk", "ahci", "i2c-i801", "lpc_ich"),
    *("vfio-pci", "vfio_iommu_type1", "pci-stub"),
)
_UNUSED_PYTHON = ("test", "idlelib", "lib2to3", "tkinter", "ensurepip", "distutils", "pydoc_data")


class MissingToolError(Exception):
    """Something that must be installed first."""


def build(work: Path) -> tuple[Path, Path, str]:
    """Kernel image, initramfs and the kernel's release; ``work`` keeps what is downloaded and unpacked."""
    for tool in ("apt-get", "dpkg-deb", "depmod"):
        if shutil.which(tool) is None:
            raise MissingToolError(f"{tool} is needed, and a Debian system to download from")
    packages = _download(work / "packages")
    kernel = _kernel_tree(work, packages)
    (directory,) = (kernel / "lib" / "modules").iterdir()
    root = work / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for name in PACKAGES:
        subprocess.run(["dpkg-deb", "-x", packages[name], root], check=True)
    _prune(root)
    _copy_modules(directory, root / "lib" / "modules" / directory.name)
    _install(work / "wheels", root / "usr" / "lib" / "python3" / "dist-packages")
    shutil.copy(HERE / "guest.py", root / "guest.py")
    shutil.copy(HERE / "init", root / "init")
    (root / "bin" / "sh").symlink_to("busybox")  # what udev rules run
    for name in ("proc", "sys", "dev", "run", "tmp"):
        (root / name).mkdir(exist_ok=True)
    archive = work / "initramfs.cpio"
    write_archive(root, archive)
    return next((kernel / "boot").glob("vmlinuz-*")), archive, directory.name


def _download(directory: Path) -> dict[str, Path]:
    """Each package's file by the package's name; only what is not there is downloaded."""
    directory.mkdir(parents=True, exist_ok=True)
    found = {name: _downloaded(directory, re.escape(name)) for name in PACKAGES}
    found["kernel"] = _downloaded(directory, KERNEL)
    missing = [name for name in PACKAGES if found[name] is None]
    if found["kernel"] is None:
        missing.append(_newest_kernel())
    if missing:
        subprocess.run(
            ["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", *missing],
            cwd=directory,
            check=True,
        )
        return _download(directory)
    return {name: path for name, path in found.items() if path is not None}


def _downloaded(directory: Path, name: str) -> Path | None:
    files = [path for path in directory.glob("*.deb") if re.fullmatch(name, path.name.partition("_")[0])]
    return max(files, key=lambda path: path.stat().st_mtime, default=None)


def _newest_kernel() -> str:
    listed = subprocess.run(
        ["apt-cache", "search", "--names-only", f"^{KERNEL}$"], capture_output=True, text=True, check=True
    ).stdout.split("\n")
    names = [line.partition(" ")[0] for line in listed if line]
    if not names:
        raise MissingToolError(f"no package {KERNEL}: run apt-get update")
    return max(names, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])


def _kernel_tree(work: Path, packages: dict[str, Path]) -> Path:
    tree = work / packages["kernel"].stem
    if not tree.exists():
        unfinished = work / "unpacking"
        shutil.rmtree(unfinished, ignore_errors=True)
        subprocess.run(["dpkg-deb", "-x", packages["kernel"], unfinished], check=True)
        (directory,) = (unfinished / "lib" / "modules").iterdir()
        subprocess.run(["depmod", "-b", unfinished, directory.name], check=True)
        unfinished.rename(tree)
    return tree


def _copy_modules(source: Path, target: Path) -> None:
    """All indexes, since lookups are compared on them, but only the modules that the machine needs."""
    target.mkdir(parents=True)
    for path in source.glob("modules.*"):
        shutil.copy(path, target)
    needed: set[str] = set()
    for line in (source / "modules.dep").read_text().splitlines():
        path, _, needs = line.partition(":")
        name = Path(path).name.partition(".")[0]
        if name.replace("-", "_") in {module.replace("-", "_") for module in MODULES}:
            needed |= {path, *needs.split()}
    for name in needed:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, target / name)


def _install(wheels: Path, target: Path) -> None:
    """Pyalias as users get it, a wheel built from this tree, and the part of cffi that it needs."""
    wheels.mkdir(parents=True, exist_ok=True)
    for old in wheels.glob("pyalias*.whl"):
        old.unlink()
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", wheels, PROJECT], check=True)
    if not list(wheels.glob("cffi*.whl")):
        options = ["--no-deps", "--only-binary", ":all:", "--python-version", PYTHON, "--dest", wheels]
        subprocess.run([*pip, "download", *options, "cffi>=2.0"], check=True)
    target.mkdir(parents=True, exist_ok=True)
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
    _compile(target)


def _prune(root: Path) -> None:
    """The archive is unpacked into memory by an emulated processor: everything that is left out helps."""
    for path in ("usr/share", "usr/lib/x86_64-linux-gnu/gconv", "etc", "var", "usr/bin/pdb3.11"):
        where = root / path
        shutil.rmtree(where) if where.is_dir() else where.unlink(missing_ok=True)
    library = root / "usr" / "lib" / f"python{PYTHON}"
    for name in _UNUSED_PYTHON:
        shutil.rmtree(library / name, ignore_errors=True)
    _compile(library)


def _compile(directory: Path) -> None:
    """Byte code is made here where it is the same: the emulated processor takes long for it."""
    if ".".join(map(str, sys.version_info[:2])) == PYTHON:
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(directory, quiet=2, invalidation_mode=mode)


def write_archive(root: Path, archive: Path) -> None:
    """A cpio archive in the form that the kernel unpacks (newc), and with the console that /init needs."""
    with archive.open("wb") as file:
        entries = sorted(root.rglob("*"))
        for number, path in enumerate(entries, 1):
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                data = os.fsencode(path.readlink())
            elif stat.S_ISREG(status.st_mode):
                data = path.read_bytes()
            else:
                data = b""
            file.write(_entry(str(path.relative_to(root)), number, status.st_mode, data))
        file.write(_entry("dev/console", len(entries) + 1, stat.S_IFCHR | 0o600, b"", device=(5, 1)))
        file.write(_entry("TRAILER!!!", 0, 0, b""))


def _entry(name: str, number: int, mode: int, data: bytes, device: tuple[int, int] = (0, 0)) -> bytes:
    text = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(text), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + text) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
