"""A kernel for the switch: a captured sysfs as plain files, and the reactions to writes that were measured.

The rules are those of drivers/pci/pci-driver.c (pci_match_device), drivers/base/bus.c (unbind_store,
drivers_probe_store) and drivers/vfio/pci, as seen on Linux 6.12 and 7.2. ``Operations`` on it can be made
to fail, to hang, or to be killed at any call.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import tarfile
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pyalias.vfio import helper
from pyalias.vfio.operations import Operations
from support.tables import DATA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SNAPSHOT = DATA / "vfio" / "sysfs-snapshot.tar.gz"

# The captured machine (q35 in QEMU): what is where, by the names that tests use.
E1000E = "0000:01:00.0"
VIRTIO = "0000:02:00.0"
NVME = "0000:03:00.0"
NVME_VF = "0000:03:00.1"
EDU = "0000:00:10.0"
SHARED_EDU = "0000:00:11.0"
SHARED_E1000 = "0000:00:11.1"
BRIDGE = "0000:00:12.0"
ROOT_PORT = "0000:00:01.0"
SHARED_GROUP = 5

# Which driver of the host claims which device: its id table, in as much as this machine needs it.
_HOST_DRIVERS = {
    "pci:v00008086d000010D3": "e1000e",
    "pci:v00008086d0000100E": "e1000",
    "pci:v00001AF4": "virtio-pci",
    "pci:v00001B36d00000010": "nvme",
    "pci:v00008086d00002922": "ahci",
    "pci:v00008086d00002918": "lpc_ich",
    "pci:v00008086d00002930": "i801_smbus",
}
_MODULES = {"vfio_pci": "vfio-pci", "pci_stub": "pci-stub", "xe_vfio_pci": "xe-vfio-pci"}
_VFIO = ("vfio-pci", "xe-vfio-pci")
_LONGEST_OVERRIDE = 4094


# What neither the switch nor this kernel looks at; making all these files takes most of a test's time.
_UNUSED = {
    *("bind", "config.hex", "current_link_speed", "d3cold_allowed", "device", "enable", "iommu", "irq"),
    *("module", "new_id", "numa_node", "remove_id", "revision", "subsystem", "subsystem_device"),
    *("subsystem_vendor", "type", "uevent", "vendor"),
}
_MEMORY = Path("/dev/shm")  # noqa: S108 - in memory where that is possible, for the same reason


@contextmanager
def directory() -> Iterator[Path]:
    """A place for trees."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None) as name:
        yield Path(name)


def unpack(name: str, directory: Path) -> Path:
    """One captured root, with what the capture left out: the class of VFIO devices, and /proc."""
    with tarfile.open(SNAPSHOT) as archive:
        members = [
            member
            for member in archive
            if member.name.removeprefix("./").startswith(name + "/")
            and member.name.rpartition("/")[2] not in _UNUSED
        ]
        archive.extractall(directory, members, filter="data")
    root = directory / name
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "self" / "mountinfo").write_text("21 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
    (root / "sys" / "class" / "net").mkdir(parents=True)
    (root / "sys" / "class" / "block").mkdir()
    kernel = SimulatedKernel(root)
    for address in kernel.addresses():
        if kernel.driver(address) in _VFIO:
            kernel.add_vfio_device(address)
    return root


class SimulatedKernel:
    """Reacts to writes below ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pci = root / "sys" / "bus" / "pci"
        self._places: dict[str, Path] = {}
        # Devices that a driver does not take although it matches; devices whose user does not let go.
        self.refusing: dict[tuple[str, str], int] = {}
        self.not_vfio: set[str] = set()

    # ---- what is ----

    def addresses(self) -> list[str]:
        """All devices on the bus."""
        return sorted(path.name for path in (self.pci / "devices").iterdir())

    def device(self, address: str) -> Path:
        """The directory of a device."""
        if address not in self._places:
            self._places[address] = (self.pci / "devices" / address).resolve()
        return self._places[address]

    def driver(self, address: str) -> str | None:
        """The driver that a device is on."""
        link = self.device(address) / "driver"
        return link.readlink().name if link.is_symlink() else None

    def override(self, address: str) -> str | None:
        """The override of a device."""
        text = (self.device(address) / "driver_override").read_text().rstrip("\n")
        return None if text == "(null)" else text

    def state(self) -> dict[str, tuple[str | None, str | None]]:
        """Driver and override of every device."""
        return {address: (self.driver(address), self.override(address)) for address in self.addresses()}

    # ---- what happens ----

    def wrote(self, path: Path, data: bytes) -> None:
        """React to a write to a sysfs file."""
        text = data.decode().rstrip("\n\0")
        if path.name == "driver_override":
            self._set_override(path.parent.name, data, text)
        elif path.name == "unbind":
            driver = path.parent.readlink().name if path.parent.is_symlink() else path.parent.name
            if not (self.pci / "drivers" / driver / text).is_symlink():
                raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
            self.unbind(text)
        elif path == self.pci / "drivers_probe":
            if text not in self.addresses():
                raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
            if self.driver(text) is None:
                self.probe(text)
        else:
            raise AssertionError(f"the switch must not write to {path}")

    def load_module(self, module: str) -> None:
        """What modprobe does: registers the driver, which takes the devices that wait for it."""
        driver = _MODULES.get(module.replace("-", "_"))
        if driver is None:
            raise OSError(errno.ENOEXEC, f"modprobe: FATAL: Module {module} not found")
        if (self.pci / "drivers" / driver).exists():
            return
        (self.pci / "drivers" / driver).mkdir()
        (self.pci / "drivers" / driver / "unbind").touch()
        drivers = self.root / "sys" / "module" / module.replace("-", "_") / "drivers"
        drivers.mkdir(parents=True)
        (drivers / f"pci:{driver}").symlink_to(f"../../../bus/pci/drivers/{driver}")
        if driver in _VFIO:
            (self.root / "sys" / "class" / "vfio-dev").mkdir(exist_ok=True)
        for address in self.addresses():
            if self.driver(address) is None and self.override(address) == driver:
                self.bind(address, driver)

    def unload_module(self, module: str) -> None:
        """What rmmod does."""
        driver = _MODULES[module]
        for address in self.addresses():
            if self.driver(address) == driver:
                self.unbind(address)
        shutil.rmtree(self.pci / "drivers" / driver)
        shutil.rmtree(self.root / "sys" / "module" / module)

    def probe(self, address: str) -> None:
        """Give a device to the driver that its override or its ids ask for."""
        wanted = self.override(address)
        if wanted is None:
            modalias = (self.device(address) / "modalias").read_text()
            wanted = next((driver for ids, driver in _HOST_DRIVERS.items() if modalias.startswith(ids)), None)
        if wanted is not None and (self.pci / "drivers" / wanted).exists():
            self.bind(address, wanted)

    def bind(self, address: str, driver: str) -> None:
        """Let a driver's probe take a device, or refuse."""
        code = self.refusing.get((address, driver))
        if code == errno.EINVAL:
            raise OSError(code, os.strerror(code))
        if code is not None:
            return  # the driver's probe failed: drivers_probe tells nothing of that
        link = self.device(address) / "driver"
        link.symlink_to(os.path.relpath(self.pci / "drivers" / driver, link.parent))
        back = self.pci / "drivers" / driver / address
        back.symlink_to(os.path.relpath(self.device(address), back.parent))
        if driver in _VFIO and address not in self.not_vfio:
            self.add_vfio_device(address)

    def unbind(self, address: str) -> None:
        """Take a device from its driver."""
        driver = self.driver(address)
        assert driver is not None
        (self.device(address) / "driver").unlink()
        (self.pci / "drivers" / driver / address).unlink()
        shutil.rmtree(self.device(address) / "vfio-dev", ignore_errors=True)

    def add_vfio_device(self, address: str) -> None:
        """What a VFIO driver adds to its device."""
        (self.device(address) / "vfio-dev" / "vfio0").mkdir(parents=True)
        (self.root / "sys" / "class" / "vfio-dev").mkdir(exist_ok=True)

    def _set_override(self, address: str, data: bytes, text: str) -> None:
        if len(data) > _LONGEST_OVERRIDE:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if data:  # an empty write does not reach the kernel, and clears nothing
            (self.device(address) / "driver_override").write_text((text or "(null)") + "\n")


@dataclass
class Faults:
    """What goes wrong, and when.

    It is the ``at``-th call (from 0) of all; ``how`` is an errno, ``hang``, ``interrupt`` or ``kill``.
    ``late``: the call takes effect, and then is reported to have failed. ``lasting``: all calls of the same
    kind on the same file fail from then on.
    """

    at: int | None = None
    how: int | str = 0
    late: bool = False
    lasting: bool = False
    only: Callable[[str, str], bool] = lambda _kind, _path: True
    calls: list[tuple[str, str]] = field(default_factory=list)

    def strikes(self, kind: str, path: str) -> bool:
        """Count a call, and say whether it goes wrong."""
        if not self.only(kind, path):
            return False
        self.calls.append((kind, path))
        number = len(self.calls) - 1
        if self.at is None or number < self.at:
            return False
        return number == self.at or (self.lasting and self.calls[self.at] == (kind, path))


class SimulatedOperations(Operations):
    """``Operations`` on a simulated kernel, in this process."""

    def __init__(self, kernel: SimulatedKernel, faults: Faults | None = None) -> None:
        super().__init__(str(kernel.root))
        self.kernel = kernel
        self.faults = faults or Faults()
        self.users: dict[str, list[str]] = {}
        self.paused = 0
        self._undo: list[tuple[str, bytes]] = []
        self._hanging: Callable[[], object] | None = None

    # ---- reading ----

    def read(self, path: str) -> bytes:
        """As on a real system."""
        return self._call("read", path, lambda: helper.read(self._below(path))).encode("latin-1")

    def link(self, path: str) -> str | None:
        """As on a real system."""
        return self._call("link", path, lambda: helper.link(self._below(path)))

    def names(self, path: str) -> list[str]:
        """As on a real system."""
        return self._call("names", path, lambda: helper.names(self._below(path)))

    def resolve(self, path: str) -> str:
        """As on a real system."""
        root = os.path.realpath(self.kernel.root)
        return self._call("resolve", path, lambda: helper.resolve(self._below(path)).removeprefix(root))

    def exists(self, path: str) -> bool:
        """As on a real system."""
        return self._call("exists", path, lambda: helper.exists(self._below(path)))

    def users_of(self, path: str) -> list[str]:
        """The users that the test made up."""
        return self.users.get(path, [])

    def is_live(self) -> bool:
        """It is as good as one."""
        return True

    # ---- changing ----

    def write(self, path: str, data: bytes) -> None:
        """The write, and what the kernel makes of it."""
        self._call("write", path, lambda: self._write(path, data))

    def load_module(self, module: str) -> None:
        """By the simulated kernel."""
        self._call("load", module, lambda: self.kernel.load_module(module))

    def undo_if_abandoned(self, writes: Sequence[tuple[str, bytes]]) -> int:
        """Keep the writes for ``release``."""
        self._undo = list(writes)
        return os.getpid()

    def pause(self, seconds: float) -> None:
        """No waiting."""
        del seconds
        self.paused += 1

    def save(self, path: str, data: bytes) -> None:
        """A real file."""
        self._call("save", path, lambda: Operations.save(self, path, data))

    def remove(self, path: str) -> None:
        """A real file."""
        self._call("remove", path, lambda: Operations.remove(self, path))

    @contextmanager
    def lock(self, path: str) -> Iterator[None]:
        """Nobody else is there."""
        self._call("lock", path, lambda: None)
        yield

    # ---- the helper process that is left alone ----

    def is_abandoned(self) -> bool:
        """Whether a call hangs."""
        return self._hanging is not None

    def is_helper(self, process: int) -> bool:
        """Whether a call of this process hangs, in whatever object."""
        return process == os.getpid() and _waiting_for(self.kernel.root)

    def release(self) -> None:
        """The kernel answers at last: the call that hung takes effect, and the helper process undoes."""
        if self._hanging is None:
            return
        _set_waiting(self.kernel.root, waiting=False)
        calls = [self._hanging, *(lambda p=path, d=data: self._write(p, d) for path, data in self._undo)]
        self._hanging = None
        for call in calls:
            with suppress(OSError):
                call()

    def _write(self, path: str, data: bytes) -> None:
        where = Path(self._below(path))
        if not where.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        self.kernel.wrote(where.parent / where.name, data)

    def _below(self, path: str) -> str:
        return f"{self.kernel.root}{path}"

    def _call(self, kind: str, path: str, act: Callable[[], object]):
        if not self.faults.strikes(kind, path):
            return act()
        how = self.faults.how
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "interrupt":
            raise KeyboardInterrupt
        if how == "hang":
            self._hanging = act
            _set_waiting(self.kernel.root, waiting=True)
            raise TimeoutError(errno.ETIMEDOUT, "no answer from the kernel")
        if self.faults.late:
            act()
        raise OSError(how, os.strerror(how), path)


# Whether a helper process waits is a fact of the machine, which operations made later must see too.
_waiting: set[Path] = set()


def _waiting_for(root: Path) -> bool:
    return root in _waiting


def _set_waiting(root: Path, *, waiting: bool) -> None:
    (_waiting.add if waiting else _waiting.discard)(root)
