"""Hints that somebody uses a device: the kernel unbinds a driver without asking who does.

An interface that is up, a mounted file system, swap, a device-mapper volume, a virtual machine: a device is
taken away from all of them without complaint (measured on Linux 6.12), so they are looked for before.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyalias.vfio.operations import Operations
    from pyalias.vfio.sysfs import DeviceState

_NET = "/sys/class/net"
_BLOCK = "/sys/class/block"
_IFF_UP = 1
_SUBSYSTEM = re.compile(r"(/sys/devices/virtual/nvme-subsystem/[^/]+)/")
_OCTAL = re.compile(rb"\\([0-7]{3})")


class _Mount(NamedTuple):
    number: str
    source: str
    place: str


def uses_of(operations: Operations, device: DeviceState) -> Iterator[tuple[str, str]]:
    """What uses a device, as ``(kind, sentence)`` pairs.

    Raises:
        OSError: what would tell cannot be read.
    """
    path = operations.resolve(device.path)
    yield from _networks(operations, path)
    yield from _disks(operations, path)
    for process in vfio_users(operations, device):
        yield "vfio", f"process {process} has it open through VFIO: end the virtual machine first"
    if _attribute(operations, f"{device.path}/boot_vga") == "1":
        yield "console", "it is the graphics card that the machine booted with: the console goes with it"
    functions = _attribute(operations, f"{device.path}/sriov_numvfs")
    if functions not in ("", "0"):
        yield "sriov", f"{functions} virtual functions exist on it: write 0 to its sriov_numvfs first"


def vfio_users(operations: Operations, device: DeviceState) -> list[str]:
    """The processes that have a device's group open, or the device itself, as ``PID (name)``."""
    if not device.vfio:
        return []
    files = [f"/dev/vfio/devices/{name}" for name in operations.names(f"{device.path}/vfio-dev")]
    if device.group is not None:
        files.append(f"/dev/vfio/{device.group}")
    return sorted({process for file in files for process in operations.users_of(file)})


def _networks(operations: Operations, path: str) -> Iterator[tuple[str, str]]:
    for name in operations.names(_NET):
        interface = f"{_NET}/{name}"
        if not _is_below(operations.resolve(interface), path):
            continue
        if _is_up(operations, interface):
            yield "net", f"network interface {name} is up: take it down first (ip link set {name} down)"
        master = operations.link(f"{interface}/master")
        if master is not None:
            yield "net", f"network interface {name} belongs to {master}: take it out first"
        if _has_route(operations, name):
            yield "net", f"network interface {name} has routes: remove them first (ip route flush dev {name})"


def _is_up(operations: Operations, interface: str) -> bool:
    """Whether an administrator set an interface up: IFF_UP in ``flags`` (include/uapi/linux/if.h).

    ``operstate`` says "down" until there is a carrier, seconds later or never.
    """
    return bool(int(_attribute(operations, f"{interface}/flags") or "0", 16) & _IFF_UP)


def _has_route(operations: Operations, name: str) -> bool:
    """In the main IPv4 table; a link-local IPv6 route stands for every interface that is up."""
    try:
        lines = operations.read("/proc/net/route").splitlines()[1:]
    except FileNotFoundError:
        return False
    return any(line.split()[:1] == [name.encode()] for line in lines)


def _disks(operations: Operations, path: str) -> Iterator[tuple[str, str]]:
    names = [name for name in operations.names(_BLOCK) if _is_on(operations, f"{_BLOCK}/{name}", path)]
    if not names:
        return
    mounts = list(_mounts(operations))
    swaps = _swaps(operations)
    for name in names:
        number = _attribute(operations, f"{_BLOCK}/{name}/dev")
        for mount in mounts:
            if mount.number == number or mount.source == f"/dev/{name}":
                yield "mount", f"{name} is mounted on {mount.place}: unmount it first"
        if f"/dev/{name}" in swaps:
            yield "swap", f"{name} is swap space: swapoff /dev/{name} first"
        for holder in operations.names(f"{_BLOCK}/{name}/holders"):
            yield "block", f"{name} is part of {holder}: take that down first"


def _is_on(operations: Operations, block: str, path: str) -> bool:
    """Whether a block device's data go through the PCI device.

    The disk of an NVMe subsystem with several paths is a virtual device; its controllers are links there.
    """
    place = operations.resolve(block)
    if _is_below(place, path):
        return True
    subsystem = _SUBSYSTEM.match(place)
    if not subsystem:
        return False
    return any(
        _is_below(operations.resolve(f"{subsystem[1]}/{name}"), path)
        for name in operations.names(subsystem[1])
        if re.fullmatch(r"nvme\d+", name)
    )


def _mounts(operations: Operations) -> Iterator[_Mount]:
    """The mounts that this process sees (proc(5), mountinfo)."""
    for line in operations.read("/proc/self/mountinfo").splitlines():
        before, _, after = line.partition(b" - ")
        fields = before.split()
        yield _Mount(fields[2].decode(), _unescape(after.split()[1]), _unescape(fields[4]))


def _swaps(operations: Operations) -> set[str]:
    try:
        lines = operations.read("/proc/swaps").splitlines()[1:]
    except FileNotFoundError:
        return set()
    return {_unescape(line.split()[0]) for line in lines if line.strip()}


def _unescape(data: bytes) -> str:
    return _OCTAL.sub(lambda found: bytes([int(found[1], 8)]), data).decode("utf-8", "surrogateescape")


def _is_below(path: str, directory: str) -> bool:
    return path.startswith(directory + "/")


def _attribute(operations: Operations, path: str) -> str:
    """An attribute that not every device has; one that cannot be read now counts as empty."""
    with suppress(FileNotFoundError):
        return operations.read(path).decode("utf-8", "surrogateescape").strip()
    return ""
