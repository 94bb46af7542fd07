"""Where a kernel's aliases stand: ``modules.alias`` and ``modules.builtin.modinfo``."""

from __future__ import annotations

import os

from pyalias import _binding
from pyalias.errors import AliasFileError, FileAccessError
from pyalias.names import normalise_alias

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

DEPMOD_FILES = ("modules.dep.bin", "modules.dep", "modules.alias.bin", "modules.alias")
"""One of these is in every directory that depmod has seen."""

_BUILTIN = "modules.builtin.modinfo"


def modules_directory(directory: str | os.PathLike[str] | None, root: str | os.PathLike[str] | None) -> str:
    """The directory of a kernel's modules; ``None`` is the running kernel's. ``root`` goes before."""
    if directory is None:
        directory = f"/lib/modules/{os.uname().release}"
    path = os.fspath(directory)
    return path if root is None else os.path.join(root, path.lstrip("/"))


def read_file(path: str | os.PathLike[str], advice: str) -> bytes:
    """All bytes of a file.

    Raises:
        FileAccessError: it is missing or cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise FileAccessError.from_oserror(error, path, advice) from error


def read_sources(directory: str, release: str | None = None) -> list[_binding.Source]:
    """The alias sources of a modules directory in libkmod's order.

    libkmod asks ``modules.alias.bin`` and, only if that has nothing, ``modules.builtin.alias.bin``
    (``__kmod_module_new_from_lookup``). depmod makes the first from the same aliases as the text
    ``modules.alias``, the second from ``modules.builtin.modinfo``, which kernels before 5.2 lack.

    Where there is no ``modules.alias``, the modules themselves say what it would hold.

    Raises:
        FileAccessError: a file or directory is missing or cannot be read.
        AliasFileError: ``modules.builtin.modinfo`` is damaged.
        PackageError, MissingLibraryError: as ``pyalias.packages.read_module_texts``.
    """
    texts = _alias_texts(directory, release)
    sources = [alias_text_source("modules.alias", texts["modules.alias"])]
    if _BUILTIN in texts:
        sources.append(builtin_source(texts[_BUILTIN]))
    return sources


def _alias_texts(directory: str, release: str | None) -> Mapping[str, bytes]:
    if _is_there(f"{directory}/modules.alias"):
        names = ["modules.alias", *([_BUILTIN] if _is_there(f"{directory}/{_BUILTIN}") else [])]
        return {name: read_file(f"{directory}/{name}", "make it readable") for name in names}
    from pyalias.packages import read_module_texts  # noqa: PLC0415 readers that few need

    return read_module_texts(directory, release)


def _is_there(path: str) -> bool:
    """Whether there is such a file; raises for a directory that may not be searched, or a name too long."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        raise FileAccessError.from_oserror(error, path, "expected a kernel's modules directory") from error
    return True


def undepmodded_texts(source: str, release: str | None) -> dict[str, bytes]:
    """What depmod would write for a package, an archive, or modules that it never saw; else nothing.

    Raises:
        FileAccessError, PackageError, MissingLibraryError: as ``pyalias.packages.read_module_texts``.
    """
    from pathlib import Path  # noqa: PLC0415 it takes a while, as what is imported below

    if os.path.isdir(source):
        seen = any(os.path.exists(f"{source}/{name}") for name in DEPMOD_FILES)
        if seen or next(Path(source).rglob("*.ko*"), None) is None:
            return {}
    elif not os.path.isfile(source):
        return {}  # whoever opens the directory says so
    from pyalias.packages import read_module_texts  # noqa: PLC0415 readers that few need

    return read_module_texts(source, release)


def alias_text_source(name: str, text: bytes) -> _binding.Source:
    """The source that a ``modules.alias`` text makes."""
    return _binding.Source(os.fsencode(name), _binding.ORDER_PRIORITY, text=text)


def builtin_source(data: bytes) -> _binding.Source:
    """The aliases among the records of a ``modules.builtin.modinfo`` (kmod: output_builtin_alias_bin).

    Raises:
        AliasFileError: a record that is no ``module.key=value``.
    """
    aliases = []
    numbers = []
    records = data.split(b"\0")
    if not records[-1]:
        records.pop()
    for number, record in enumerate(records, 1):
        module, dot, rest = record.partition(b".")
        key, equals, value = rest.partition(b"=")
        if not (module and dot and equals):
            shown = record[:60].decode("utf-8", "backslashreplace")
            raise AliasFileError(
                f'expected "module.key=value" records, found {shown!r}; is the file damaged?',
                _BUILTIN,
                number,
            )
        if key == b"alias":
            aliases.append((value, module))
            numbers.append(number)
    return _binding.Source(_BUILTIN.encode(), _binding.ORDER_VISIT, aliases=aliases, numbers=numbers)


def bin_alias_source(name: str, data: bytes) -> _binding.Source:
    """The source that a ``modules.alias.bin`` or ``modules.builtin.alias.bin`` makes.

    Raises:
        ImageError: the index is damaged.
        AliasFileError: it is another index of depmod's, or one whose order no alias index has.
    """
    entries = list(_binding.BinFile(data, name).items())
    for key, _, module in entries:
        if normalise_alias(key) != key or b":" in module or not module:
            shown = f"{key[:60].decode(errors='backslashreplace')!r}"
            raise AliasFileError(
                f"expected normalised aliases with a module each, found {shown} with {module[:60]!r}: "
                "compile takes modules.alias.bin, modules.symbols.bin and modules.builtin.alias.bin",
                name,
            )
    ranks = {(priority, module) for _, priority, module in entries}
    priorities, modules = {rank for rank, _ in ranks}, {module for _, module in ranks}
    if len(priorities) == len(modules) == len(ranks):
        # Each module has a priority of its own, so the text that depmod wrote can be had back.
        entries.sort(key=_priority)
        return _bin_source(name, _binding.ORDER_PRIORITY, entries)
    if len(priorities) == 1:
        # depmod inserts before its equals, so within a key the first line of the source stands last.
        entries.reverse()
        return _bin_source(name, _binding.ORDER_VISIT, entries)
    raise AliasFileError(
        "expected one priority for each module, or the same one for all, as depmod gives them", name
    )


def _priority(entry: tuple[bytes, int, bytes]) -> int:
    return entry[1]


def _bin_source(name: str, order: int, entries: list[tuple[bytes, int, bytes]]) -> _binding.Source:
    return _binding.Source(os.fsencode(name), order, aliases=[(key, module) for key, _, module in entries])
