"""The text files that depmod would write for modules that it never saw."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pyalias.errors import FileAccessError, PackageError
from pyalias.names import module_name
from pyalias.packages.archives import EXPECTED, read_members
from pyalias.packages.compression import decompress_module
from pyalias.packages.dependencies import dependency_lines
from pyalias.packages.elf import ModuleFile, read_module
from pyalias.packages.order import module_order

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLACE = re.compile(r"(?:.*/)?lib/modules/(?P<release>[^/]+)/(?P<path>.+)", re.DOTALL)
_MODULE = re.compile(r"(?P<path>.+\.ko)(?:\.gz|\.xz|\.zst)?", re.DOTALL)
_LINKS = {"build", "source"}  # of a module directory: depmod goes by them
_KEPT = ("modules.order", "modules.builtin", "modules.builtin.modinfo")

_ALIAS_HEADER = b"# Aliases extracted from modules themselves.\n"
_SOFTDEP_HEADER = b"# Soft dependencies extracted from modules themselves.\n"
_SYMBOLS_HEADER = b"# Aliases for symbols, used by symbol_request().\n"


class _File(NamedTuple):
    """A module file: its path below the module directory, and what it says of itself."""

    path: bytes
    module: ModuleFile


class _Kernel:
    """What a package holds of one kernel."""

    def __init__(self) -> None:
        self.files: dict[bytes, _File] = {}
        self.kept: dict[str, bytes] = {}

    def add_module(self, path: str, data: bytes) -> None:
        file = _File(os.fsencode(path), read_module(decompress_module(data, path), path))
        name = module_name(file.path)
        known = self.files.get(name)
        # kmod: depmod_module_is_higher_priority, with the default "search updates built-in".
        if known is None or _is_update(file.path) or not _is_update(known.path):
            self.files[name] = file


def _is_update(path: bytes) -> bool:
    return path.startswith(b"updates/")


def read_module_texts(source: str | os.PathLike[str], release: str | None = None) -> dict[str, bytes]:
    """The texts of ``modules.alias``, ``.dep``, ``.softdep``, ``.symbols``, ``.builtin...`` by file name.

    They are what ``depmod`` writes for the modules in ``source``: a ``.deb`` or ``.rpm``, a tar, an
    initramfs image, or a directory of ``.ko`` files (each also as ``.ko.gz``, ``.xz``, ``.zst``).
    ``modules.alias`` and ``modules.softdep`` have depmod's lines in depmod's order;
    ``modules.dep`` names depmod's dependencies, in an order in which they can be loaded; the
    symbols stand in the order of their modules. What the source has of ``modules.order`` and
    ``modules.builtin...`` is among the texts as it is.

    Args:
        source: the package, archive or directory.
        release: of the kernel, where there are modules of several.

    Raises:
        FileAccessError: the source is missing or cannot be read, or a directory without modules.
        PackageError: it is damaged, holds no modules, or those of several kernels.
        MissingLibraryError: the extra ``packages`` is needed and not installed.
    """
    kernel = _choose(_read_kernels(Path(source), release), os.fspath(source), release)
    paths = {name: _uncompressed(file.path) for name, file in kernel.files.items()}
    order = module_order(paths, kernel.kept.get("modules.order"))
    files = {name: kernel.files[name] for name in order}
    return kernel.kept | {
        "modules.dep": dependency_lines(
            {name: (file.path, file.module.values(b"depends")) for name, file in files.items()}
        ),
        "modules.alias": _ALIAS_HEADER + b"".join(_lines(files, b"alias", b"alias %b %b\n")),
        "modules.softdep": _SOFTDEP_HEADER + b"".join(_softdeps(files)),
        "modules.symbols": _SYMBOLS_HEADER + b"".join(_symbols(files)),
    }


def module_files(source: str | os.PathLike[str], release: str | None = None) -> Iterator[tuple[str, bytes]]:
    """Path and contents, as they are, of each module file in a source; errors as ``read_module_texts``."""
    for name, read in read_members(Path(source)):
        found, path = _place(name)
        if _is_module(path) and release in {None, found}:
            yield path, read()


def _read_kernels(source: Path, release: str | None) -> dict[str, _Kernel]:
    kernels: dict[str, _Kernel] = {}
    for name, read in read_members(source):
        found, path = _place(name)
        if release is not None and found not in {"", release}:
            continue
        if _is_module(path):
            kernels.setdefault(found, _Kernel()).add_module(path, read())
        elif path.rpartition("/")[2] in _KEPT:
            folder, _, base = path.rpartition("/")
            kernels.setdefault(found, _Kernel()).kept[f"{folder}/{base}" if folder else base] = read()
    for kernel in kernels.values():
        _settle_folder(kernel)
    return kernels


def _place(name: str) -> tuple[str, str]:
    """The release that a member belongs to, ``""`` where its name does not say, and its path below it."""
    name = name.removeprefix("./").lstrip("/")
    match = _PLACE.fullmatch(name)
    return (match["release"], match["path"]) if match else ("", name)


def _is_module(path: str) -> bool:
    return _MODULE.fullmatch(path) is not None and not _LINKS.intersection(path.split("/"))


def _settle_folder(kernel: _Kernel) -> None:
    """An archive may hold a module directory under any name: it is where ``modules.order`` stands."""
    folders = {path.rpartition("/")[0] for path in kernel.kept}
    if len(folders) != 1 or folders == {""}:
        kernel.kept = {path: text for path, text in kernel.kept.items() if "/" not in path}
        return
    folder = folders.pop() + "/"
    prefix = os.fsencode(folder)
    kernel.kept = {path.removeprefix(folder): text for path, text in kernel.kept.items()}
    kernel.files = {
        name: file._replace(path=file.path.removeprefix(prefix)) for name, file in kernel.files.items()
    }


def _choose(kernels: dict[str, _Kernel], source: str, release: str | None) -> _Kernel:
    with_modules = {name: kernel for name, kernel in kernels.items() if kernel.files}
    if not with_modules and Path(source).is_dir():
        raise FileAccessError(
            errno.ENOENT,
            "neither modules.alias nor modules (.ko) in it; expected a kernel's modules directory",
            source,
        )
    if not with_modules:
        wanted = f"no modules of {release}" if release is not None else "no modules"
        raise PackageError(f"{EXPECTED}, found {wanted} in it", source)
    if len(with_modules) > 1:
        names = ", ".join(sorted(with_modules))
        raise PackageError(f"holds the modules of several kernels, name one as release: {names}", source)
    return next(iter(with_modules.values()))


def _uncompressed(path: bytes) -> bytes:
    match = _MODULE.fullmatch(os.fsdecode(path))
    return os.fsencode(match["path"]) if match else path


def _lines(files: dict[bytes, _File], key: bytes, form: bytes) -> Iterator[bytes]:
    for name, file in files.items():
        for value in file.module.values(key):
            yield form % (value, name)


def _softdeps(files: dict[bytes, _File]) -> Iterator[bytes]:
    for name, file in files.items():
        for value in file.module.values(b"softdep"):
            yield b"softdep %b %b\n" % (name, value)


def _symbols(files: dict[bytes, _File]) -> Iterator[bytes]:
    for name, file in files.items():
        for symbol in file.module.symbols:
            yield b"alias symbol:%b %b\n" % (symbol, name)
