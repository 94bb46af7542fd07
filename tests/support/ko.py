"""Kernel modules, packages and archives made from nothing: as small as depmod and the readers take them."""

from __future__ import annotations

import io
import tarfile
from struct import pack
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RELEASE = "6.0.0-test"

_GLOBAL = 0x10  # STB_GLOBAL, STT_NOTYPE
_ABSOLUTE = 0xFFF1
_PROGBITS, _SYMTAB, _STRTAB = 1, 2, 3


class Module(NamedTuple):
    """What a module file is made of."""

    modinfo: Iterable[tuple[str, str]]
    exports: Iterable[str] = ()
    imports: Iterable[str] = ()

    def to_bytes(self, trailer: bytes = b"") -> bytes:
        """An ELF64 relocatable object with .modinfo and a symbol table; a trailer may be a signature."""
        names = bytearray(b"\0")
        symbols = bytearray(24)
        for section, prefix, texts in (
            (_ABSOLUTE, "__crc_", self.exports),
            (_ABSOLUTE, "__ksymtab_", self.exports),
            (0, "", self.imports),
        ):
            for text in texts:
                symbols += pack("<IBBHQQ", len(names), _GLOBAL, 0, section, 0x1234, 0)
                names += f"{prefix}{text}".encode() + b"\0"
        modinfo = b"".join(f"{key}={value}".encode() + b"\0" for key, value in self.modinfo)
        contents = (
            (".modinfo", _PROGBITS, modinfo, 0, 0),
            (".symtab", _SYMTAB, bytes(symbols), 3, 24),
            (".strtab", _STRTAB, bytes(names), 0, 0),
        )
        return _elf(contents) + trailer


def _elf(contents: Iterable[tuple[str, int, bytes, int, int]]) -> bytes:
    titles = bytearray(b"\0")
    body = bytearray()
    headers = [bytes(64)]
    for title, kind, data, link, entry in (*contents, (".shstrtab", _STRTAB, b"", 0, 0)):
        start = len(titles)
        titles += title.encode() + b"\0"
        content = bytes(titles) if title == ".shstrtab" else data
        body += bytes(-len(body) % 8)
        place = 64 + len(body)
        headers.append(
            pack("<IIQQQQIIQQ", start, kind, 0, 0, place, len(content), link, int(kind == _SYMTAB), 8, entry)
        )
        body += content
    body += bytes(-len(body) % 8)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = ident + pack(
        "<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64, len(headers), len(headers) - 1
    )
    return header + bytes(body) + b"".join(headers)


def make_tar(files: Mapping[str, bytes], mode: str = "w") -> bytes:
    """A tar, compressed as tarfile's mode says."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def make_deb(ending: str, data: bytes) -> bytes:
    """A Debian package with the given data.tar: what its name ends with, and its bytes."""
    control = make_tar({"./control": b"Package: linux-image-test\n"}, "w:gz")
    members = (("debian-binary", b"2.0\n"), ("control.tar.gz", control), (f"data.tar{ending}", data))
    out = bytearray(b"!<arch>\n")
    for name, member in members:
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(member):<10}`\n".encode() + member
        out += b"\n" * (len(member) % 2)
    return bytes(out)


def make_cpio(files: Mapping[str, bytes], magic: str = "070701") -> bytes:
    """A cpio archive in the new format, with a directory and a link among the files."""
    out = bytearray()
    entries = [("lib", 0o040755, b""), *((name, 0o100644, data) for name, data in files.items())]
    entries += [("lib/link", 0o120777, b"target"), ("TRAILER!!!", 0, b"")]
    for number, (name, mode, data) in enumerate(entries):
        text = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(text), 0)
        out += magic.encode() + b"".join(b"%08X" % field for field in fields) + text
        out += bytes(-len(out) % 4)
        out += data
        out += bytes(-len(out) % 4)
    return bytes(out)


def make_rpm(payload: bytes, compressor: str) -> bytes:
    """An RPM with a lead, an empty signature, a header that names the compressor, and the payload."""
    lead = b"\xed\xab\xee\xdb\x03\0" + pack(">HH66sHH16s", 0, 1, b"kernel-test", 1, 5, bytes(16))
    strings = compressor.encode() + b"\0"
    entries = pack(">IIII", 1125, 6, 0, 1)  # RPMTAG_PAYLOADCOMPRESSOR, one string
    signature = b"\x8e\xad\xe8\x01" + bytes(4) + pack(">II", 0, 0)
    header = b"\x8e\xad\xe8\x01" + bytes(4) + pack(">II", 1, len(strings)) + entries + strings
    return lead + signature + header + payload
