"""The files in a kernel package, an archive, an initramfs image, or a directory: names and contents."""

from __future__ import annotations

import os
import tarfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pyalias.errors import FileAccessError, PackageError, PyaliasError
from pyalias.packages.compression import LONGEST_MAGIC, MEMBER_ROOM, damage_errors, is_compressed, open_stream
from pyalias.packages.cpio import MAGICS as CPIO_MAGICS
from pyalias.packages.cpio import read_initramfs
from pyalias.packages.libraries import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Member = tuple[str, Callable[[], bytes]]

EXPECTED = "expected a .deb, .rpm, tar, cpio or initramfs, or a directory of modules"

MODULE_ENDINGS = (".ko", ".ko.gz", ".ko.xz", ".ko.zst")

_DEB_MAGIC = b"!<arch>\n"
_RPM_MAGIC = b"\xed\xab\xee\xdb"
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257
_TAR_BLOCK = 512


def read_members(path: Path) -> Iterator[Member]:
    """Name and reader of each regular file, in the order in which they lie there.

    A reader must be called before the next member is asked for, or not at all.

    Raises:
        FileAccessError: the file or directory is missing or cannot be read.
        PackageError: it is of no kind that is known, or damaged.
        MissingLibraryError: its kind needs a library that is not installed.
    """
    if path.is_dir():
        yield from _read_directory(path)
        return
    with _naming_damage(path), path.open("rb") as file:
        for name, read in _read_file(file, os.fspath(path)):
            yield name, partial(_guarded, path, read)


def is_package(path: Path) -> bool:
    """Whether a file starts as one of the kinds that are known; false where it cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(_TAR_BLOCK)
    except OSError:
        return False
    magics = (_DEB_MAGIC, _RPM_MAGIC, *CPIO_MAGICS)
    is_tar = start[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC)
    return start.startswith(magics) or is_tar or is_compressed(start[:LONGEST_MAGIC])


@contextmanager
def _naming_damage(path: Path) -> Iterator[None]:
    """Turn what the readers of archives raise into errors that say which file is at fault."""
    try:
        yield
    except PyaliasError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise FileAccessError.from_oserror(error, path, EXPECTED) from error
        raise PackageError(f"damaged: {error}", os.fspath(path)) from error
    except damage_errors() as error:
        raise PackageError(f"damaged: {error or type(error).__name__}", os.fspath(path)) from error


def _guarded(path: Path, read: Callable[[], bytes]) -> bytes:
    with _naming_damage(path):
        return read()


def _read_directory(directory: Path) -> Iterator[Member]:
    def refuse(error: OSError) -> None:
        raise FileAccessError.from_oserror(error, error.filename, "make it readable")

    for where, folders, names in os.walk(directory, onerror=refuse):
        folders.sort()
        for name in sorted(names):
            path = Path(where, name)
            if path.is_file():
                yield path.relative_to(directory).as_posix(), partial(_read_path, path)


def _read_path(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileAccessError.from_oserror(error, path, "make it readable") from error


def _read_file(file: IO[bytes], path: str) -> Iterator[Member]:
    start = file.read(_TAR_BLOCK)
    file.seek(0)
    if start.startswith(_DEB_MAGIC):
        return _read_deb(file, path)
    if start.startswith(_RPM_MAGIC):
        return _read_rpm(file, path)
    if start[:LONGEST_MAGIC] in CPIO_MAGICS:
        return read_initramfs(file, path)
    if is_compressed(start[:LONGEST_MAGIC]):
        file.read(LONGEST_MAGIC)
        return _read_stream(open_stream(file, start[:LONGEST_MAGIC]), path)
    return _read_stream(file, path)


def _read_stream(file: IO[bytes], path: str) -> Iterator[Member]:
    """A tar or an initramfs, uncompressed."""
    start = file.read(_TAR_BLOCK)
    whole = open_stream(file, start) if not is_compressed(start[:LONGEST_MAGIC]) else file
    if start[:LONGEST_MAGIC] in CPIO_MAGICS:
        return read_initramfs(whole, path)
    if start[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC):
        return _read_tar(whole)
    raise PackageError(f"{EXPECTED}, found {start[:16]!r}", path)


def _read_tar(file: IO[bytes]) -> Iterator[Member]:
    with tarfile.open(fileobj=file, mode="r|") as archive:
        for member in archive:
            if member.size > MEMBER_ROOM and member.name.endswith(MODULE_ENDINGS):
                raise PackageError(f"a file of more than {MEMBER_ROOM} bytes", member.name)
            contents = archive.extractfile(member) if member.isreg() else None
            if contents is not None:
                yield member.name, contents.read


def _read_deb(file: IO[bytes], path: str) -> Iterator[Member]:
    arfile = load("debian.arfile", "Debian packages")
    with _refusing(path, "a damaged Debian package"):
        members = arfile.ArFile(fileobj=file).getmembers()
    for member in members:
        if member.name.startswith("data.tar"):
            return _read_tar(open_stream(member, member.read(LONGEST_MAGIC)))
    raise PackageError("a Debian package without data.tar", path)


def _read_rpm(file: IO[bytes], path: str) -> Iterator[Member]:
    rpmfile = load("rpmfile", "RPM packages")
    with _refusing(path, "a damaged RPM package"):
        file.seek(rpmfile.open(fileobj=file).data_offset)
    return read_initramfs(file, path)


@contextmanager
def _refusing(path: str, what: str) -> Iterator[None]:
    """Whatever a library stumbles over in the headers of a damaged package becomes an error that says so."""
    try:
        yield
    except Exception as error:
        raise PackageError(f"{what}: {error or type(error).__name__}", path) from error
