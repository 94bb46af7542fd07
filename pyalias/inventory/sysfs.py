"""The kernel's own lists of devices: /sys of this machine, of another root, or in a tar archive.

Every directory below ``devices`` that holds a ``modalias`` is a device. A pci device without one (a root
that holds only some of the files) is read by its other files.
"""

from __future__ import annotations

import os
import re
import tarfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

from pyalias.errors import InventoryError
from pyalias.inventory.ids import parse_class, parse_hex, parse_id
from pyalias.inventory.reading import read_bytes
from pyalias.inventory.records import Damage, DeviceRecord, FieldError, make_record, take

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PCI_FILES = {
    "vendor": "vendor",
    "device": "device",
    "subvendor": "subsystem_vendor",
    "subdevice": "subsystem_device",
}
_FILES = frozenset(("modalias", "class", "revision", *_PCI_FILES.values()))
_LINKS = frozenset(("subsystem", "driver"))
_IS_PCI_SLOT = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]").fullmatch
# Files of sysfs are a page; an archive says that each has 4096 bytes, and pads with zero bytes the shorter.
_LARGEST_FILE = 65536
_END_OF_ARCHIVE = bytes(1024)


class SysDevice(NamedTuple):
    """A directory: its path below ``devices``, what its files hold, the last part of each link."""

    host: str | None
    path: str
    files: dict[str, str]
    links: dict[str, str]

    @property
    def raw(self) -> dict[str, Any]:
        """What was read of the directory."""
        return self._asdict()


def build(device: SysDevice) -> DeviceRecord | None:
    """A device; ``None`` of a directory without a modalias that is no pci device."""
    slot = device.path.rpartition("/")[2]
    is_pci = device.links.get("subsystem", "pci") == "pci" and _IS_PCI_SLOT(slot) is not None
    modalias = device.files.get("modalias", "").removesuffix("\n") or None
    if modalias is None and not (is_pci and "vendor" in device.files):
        return None
    ids: dict[str, Any] = {}
    if is_pci:
        for name, file in _PCI_FILES.items():
            if file in device.files:
                ids[name] = take(file, parse_id, _value(device, file))
        if "class" in device.files:
            ids["pci_class"] = take("class", parse_class, _value(device, "class"), 24)
        if "revision" in device.files:
            ids["revision"] = take("revision", parse_hex, _value(device, "revision"), 8)
    return make_record(
        host=device.host,
        bus=device.links.get("subsystem")
        or ("pci" if is_pci else (modalias or "").partition(":")[0])
        or None,
        slot=slot,
        modalias=modalias,
        driver=device.links.get("driver"),
        **ids,
    )


def _value(device: SysDevice, file: str) -> str:
    text = device.files[file]
    if not text.endswith("\n"):
        raise FieldError(file, "the file has no end of line: it is cut short")
    return text.removesuffix("\n")


def read_tree(path: Path) -> Iterator[SysDevice | Damage]:
    """The directories of a tree: ``/sys``, or a root that has a ``sys``.

    Raises:
        InventoryError: there are no devices below it.
    """
    for base in (path / "sys", path):
        if (base / "devices").is_dir():
            return _read_directories(base, _walk(base / "devices"))
        if (base / "bus").is_dir():
            return _read_directories(base, map(str, sorted(base.glob("bus/*/devices/*"))))
    raise InventoryError(f"{path}: expected /sys or a root that has one: no directory devices or bus")


def _read_directories(base: Path, directories: Iterable[str]) -> Iterator[SysDevice | Damage]:
    for directory in directories:
        try:
            device = _read_directory(directory, os.path.relpath(directory, base))
        except OSError as error:
            yield Damage(f"{error.strerror or error}", directory)
        else:
            if device is not None:
                yield device


def _walk(top: Path) -> Iterator[str]:
    """All directories below; one that cannot be listed too, for whoever tries to read it."""
    errors: list[OSError] = []
    for directory, below, _ in os.walk(top, onerror=errors.append):
        below.sort()
        yield directory
        yield from (str(error.filename) for error in errors)
        errors.clear()
    yield from (str(error.filename) for error in errors)


def _read_directory(directory: str, path_below: str) -> SysDevice | None:
    present = {path.name for path in Path(directory).iterdir()}
    if not present & {"modalias", "uevent", "vendor"}:
        return None
    files = {}
    wanted = _FILES if _IS_PCI_SLOT(path_below.rpartition("/")[2]) else {"modalias"}
    for name in present & wanted:
        with Path(directory, name).open("rb") as file:
            files[name] = _decode(file.read(_LARGEST_FILE))
    links = {}
    for name in present & _LINKS:
        if Path(directory, name).is_symlink():
            links[name] = Path(directory, name).readlink().name
    return SysDevice(None, path_below, files, links)


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


# ---- tar ----


class _Stream:
    """A stream of which some bytes were read already, and which remembers how it ended."""

    def __init__(self, stream: BinaryIO, start: bytes, name: str) -> None:
        self._stream = stream
        self._start = start
        self._name = name
        self.tail = b""

    def read(self, size: int) -> bytes:
        data, self._start = self._start[:size], self._start[size:]
        data = data or read_bytes(self._stream, self._name, size)
        self.tail = (self.tail + data)[-len(_END_OF_ARCHIVE) :]
        return data


def looks_like_tar(start: bytes) -> bool:
    """Whether these are the first bytes of a tar archive."""
    return start[257:262] == b"ustar"


def read_tar(stream: BinaryIO, name: str, start: bytes = b"") -> Iterator[SysDevice]:
    """The directories of an archive of one ``sys`` or of many, whose hosts are the directories they lie in.

    Raises:
        InventoryError: the archive is damaged or cut short.
    """
    source = _Stream(stream, start, name)
    try:
        with tarfile.open(fileobj=cast("BinaryIO", source), mode="r|") as archive:
            yield from _tar_devices(archive)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise InventoryError(f"{name}: the archive is damaged or cut short: {error}") from error
    while source.read(65536):
        pass
    # tarfile takes an archive that ends between two members for whole
    if source.tail != _END_OF_ARCHIVE:
        raise InventoryError(f"{name}: the archive is cut short: no end of archive")


def _tar_devices(archive: tarfile.TarFile) -> Iterator[SysDevice]:
    """A directory is whole when the archive comes to a path outside of it."""
    unfinished: dict[PurePosixPath, SysDevice] = {}
    while (member := archive.next()) is not None:
        # tarfile would keep them all, and a host has a hundred thousand.
        archive.members.clear()  # type: ignore[attr-defined]
        path = PurePosixPath(member.name)
        for directory in [d for d in unfinished if d != path and d not in path.parents]:
            yield unfinished.pop(directory)
        wanted = _LINKS if member.issym() else _FILES | {"uevent"} if member.isfile() else ()
        host, inside = _host_and_path(path.parent)
        if path.name not in wanted or inside is None:
            continue
        device = unfinished.setdefault(path.parent, SysDevice(host, inside, {}, {}))
        if member.issym():
            device.links[path.name] = PurePosixPath(member.linkname).name
        else:
            device.files[path.name] = _member_text(archive, member)
    yield from unfinished.values()


def _member_text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = archive.extractfile(member)
    data = b"" if file is None else file.read(_LARGEST_FILE)
    return _decode(data.rstrip(b"\0"))


def _host_and_path(directory: PurePosixPath) -> tuple[str | None, str | None]:
    """What lies before ``sys/devices`` in a path, and what behind; ``sys`` may be missing."""
    parts = [part for part in directory.parts if part not in (".", "/")]
    if "devices" not in parts:
        return None, None
    place = parts.index("devices")
    if place and parts[place - 1] != "sys":
        return None, None
    return "/".join(parts[: max(place - 1, 0)]) or None, "/".join(parts[place + 1 :])
