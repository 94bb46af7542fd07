"""What a module file says of itself: its ``.modinfo`` section and the symbols that it exports."""

from __future__ import annotations

import io
import re
from typing import Any, NamedTuple

from pyalias.errors import PackageError
from pyalias.packages.libraries import load

_EXPORTED = re.compile(rb"\0__ksymtab_([^\0]+)(?=\0)")


class ModuleFile(NamedTuple):
    """The records of ``.modinfo`` in their order, and the names of the exported symbols."""

    records: list[tuple[bytes, bytes]]
    symbols: list[bytes]

    def values(self, key: bytes) -> list[bytes]:
        """The values of all records with a key."""
        return [value for other, value in self.records if other == key]


def read_module(data: bytes, name: str) -> ModuleFile:
    """Read a module file, decompressed. A ``.modinfo`` that is missing is an empty one, as in kmod.

    Raises:
        PackageError: no ELF file, or a damaged one.
        MissingLibraryError: pyelftools is not installed.
    """
    sections = _sections(data, name)
    records = [_record(text) for text in sections.get(".modinfo", b"").split(b"\0") if text]
    # A string table shares tails, never beginnings, so that each __ksymtab_ name stands in it whole.
    symbols = dict.fromkeys(_EXPORTED.findall(sections.get(".strtab", b"")))
    return ModuleFile(records, list(symbols))


def _record(text: bytes) -> tuple[bytes, bytes]:
    """kmod_module_get_info: a record without ``=`` is a key with an empty value."""
    key, _, value = text.partition(b"=")
    return key, value


def _sections(data: bytes, name: str) -> dict[str, bytes]:
    """The contents of the sections that are wanted."""
    elffile = load("elftools.elf.elffile", "kernel modules (.ko)")
    wanted = {}
    try:
        elf = elffile.ELFFile(io.BytesIO(data))
        for section in (elf.get_section_by_name(title) for title in (".modinfo", ".strtab")):
            if section is not None:
                wanted[section.name] = _contents(data, section.header, name)
    except PackageError:
        raise
    except Exception as error:  # whatever pyelftools stumbles over in a damaged file
        raise PackageError(f"no kernel module: {error or type(error).__name__}", name) from error
    return wanted


def _contents(data: bytes, header: Any, name: str) -> bytes:
    start, size = header["sh_offset"], header["sh_size"]
    if header["sh_type"] == "SHT_NOBITS":
        return b""
    if start + size > len(data):
        raise PackageError(
            f"a section ends at byte {start + size} of a module of {len(data)} bytes: is it cut short?", name
        )
    return data[start : start + size]
