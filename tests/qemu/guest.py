"""Runs inside the emulated machine: pyalias on a real kernel, each answer checked against the kernel's own.

Prints one line a check on the console, and a last line that the host's side waits for. It uses pyalias as a
user does, by its command line and its library; what devices are on is read from sysfs by other means.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
import traceback
from pathlib import Path

from pyalias import AliasIndex, vfio
from pyalias.cli import main
from pyalias.pci import PciDevice, PciDeviceId, PciDriver, match_device, which_driver
from pyalias.vfio.operations import Operations
from pyalias.vfio.sysfs import PROBE

DEVICES = Path("/sys/bus/pci/devices")
DRIVERS = Path("/sys/bus/pci/drivers")
BUSYBOX = "/bin/busybox"
INDEX = "/run/index"

E1000E = "0000:01:00.0"
VIRTIO_NET = "0000:02:00.0"
NVME = "0000:03:00.0"
NVME_VF = "0000:03:00.1"
EDU = "0000:00:10.0"
SHARED_EDU = "0000:00:11.0"
SHARED_E1000 = "0000:00:11.1"
BRIDGED_E1000 = "0000:04:01.0"
BRIDGED_DISK = "0000:04:02.0"
BRIDGE = "0000:00:12.0"
ROOT_PORT = "0000:00:01.0"

# <linux/vfio.h>
VFIO_GROUP_GET_STATUS = 0x3B67
VFIO_GROUP_SET_CONTAINER = 0x3B68
VFIO_GROUP_GET_DEVICE_FD = 0x3B6A
VFIO_SET_IOMMU = 0x3B66
VFIO_DEVICE_GET_INFO = 0x3B6B
VFIO_TYPE1_IOMMU = 1
VIABLE = 1

START = time.monotonic()
results = {True: 0, False: 0}


def say(text: str) -> None:
    print(f"guest: {time.monotonic() - START:6.1f} s  {text}", flush=True)


def check(name: str, found: object, expected: object) -> None:
    """One result: equal or not."""
    good = found == expected
    results[good] += 1
    say(f"ok      {name}" if good else f"FAILED  {name}: expected {expected!r}, found {found!r}")


# ---- the kernel's own answers ----


def addresses() -> list[str]:
    return names(DEVICES)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def driver(address: str) -> str | None:
    try:
        return (DEVICES / address / "driver").readlink().name
    except FileNotFoundError:
        return None


def override(address: str) -> str:
    return (DEVICES / address / "driver_override").read_text().strip()


def group(address: str) -> int:
    return int((DEVICES / address / "iommu_group").readlink().name)


def modalias(address: str) -> str:
    return (DEVICES / address / "modalias").read_text().strip()


def state() -> dict[str, tuple[str | None, str]]:
    return {address: (driver(address), override(address)) for address in addresses()}


def modprobe(*arguments: str) -> list[str]:
    done = subprocess.run(["/sbin/modprobe", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.split()


def until(condition, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


# ---- pyalias, as a user runs it ----


def pyalias(*arguments: str) -> tuple[int, str, str]:
    """Exit code and output of a command, in this process: Python takes seconds to start here."""
    output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
    return code, *(stream.buffer.getvalue().decode() for stream in (output, errors))


def switch(*arguments: str) -> int:
    code, _, errors = pyalias("vfio", *arguments)
    for line in errors.splitlines():
        say(f"        {line}")
    return code


def recorded() -> dict[str, str]:
    _, output, _ = pyalias("vfio", "status", "--json")
    return {entry["address"]: entry["state"] for entry in json.loads(output)}


# ---- the checks ----


def load_host_drivers() -> None:
    for address in addresses():
        modprobe("-q", "-b", modalias(address))
    modprobe("virtio_net")
    modprobe("virtio_blk")
    until(lambda: driver(NVME) == "nvme")
    for address in addresses():
        say(f"        {address} {modalias(address)} group {group(address)} {driver(address)}")


def compare_lookups() -> None:
    """Every device and every prefix: ``pyalias lookup`` prints what ``modprobe -R`` prints."""
    release = os.uname().release
    AliasIndex.from_modules().save(INDEX)
    for address in addresses():
        for prefix in ("", "vfio_"):
            name = prefix + modalias(address)
            _, output, _ = pyalias("lookup", "--quiet", "--index", INDEX, name)
            check(
                f"lookup {address} {name.partition(':')[0]}: {output.split()}",
                output.split(),
                modprobe("-R", name),
            )
    code, output, _ = pyalias("lookup", "--kernel", release, modalias(E1000E))
    check("lookup in the kernel's own directory", (code, output.split()), (0, ["e1000e"]))


def agree_on_matches() -> None:
    """Binding is asked of the kernel, for every driver, with and without an override, and by new_id.

    The id tables are those that file2alias made of the drivers' own: the patterns of each module.
    """
    before = state()
    modprobe("vfio-pci")
    modprobe("pci-stub")
    tables: dict[str, list[PciDeviceId]] = {}
    for line in Path(f"/lib/modules/{os.uname().release}/modules.alias").read_text().splitlines():
        _, pattern, module = line.rsplit(" ", 2) if line.startswith("alias ") else ("", "", "")
        if pattern.startswith(("pci:", "vfio_pci:")):
            tables.setdefault(module, []).append(PciDeviceId.from_alias(pattern))
    drivers = []
    for name in names(DRIVERS):
        link = DRIVERS / name / "module"
        module = link.readlink().name if link.is_symlink() else ""
        # virtio-pci is built in, and this kernel keeps no aliases of what is built in.
        if module in tables or name == "pci-stub":
            drivers.append(PciDriver(name, tables.get(module, [])))
    say(f"        {[(one.name, len(one.id_table)) for one in drivers]}")
    for address in (E1000E, NVME, EDU, BRIDGED_E1000):
        release_device(address)
        device = PciDevice.from_sysfs(DEVICES / address)
        for wanted in (None, "vfio-pci", "pci-stub"):
            (DEVICES / address / "driver_override").write_text(f"{wanted or ''}\n")
            said = {one.name: bool(match_device(one, device, wanted)) for one in drivers}
            check(f"binds {address} override {wanted}", {name: binds(address, name) for name in said}, said)
        (DEVICES / address / "driver_override").write_text("\n")
        check_dynamic_id(address, device)
        Path("/sys/bus/pci/drivers_probe").write_text(address)
        found = which_driver(drivers, device)
        check(f"probe {address}", driver(address), found[0].name if found else None)
    check("all is as before", state(), before)


def release_device(address: str) -> None:
    if driver(address) is not None:
        (DEVICES / address / "driver" / "unbind").write_text(address)


def binds(address: str, name: str) -> bool:
    """Whether the kernel lets a driver have a device; ENODEV is its word for no match."""
    try:
        (DRIVERS / name / "bind").write_text(address)
    except OSError as error:
        return error.errno != errno.ENODEV
    release_device(address)
    return True


def check_dynamic_id(address: str, device: PciDevice) -> None:
    """``new_id`` binds at once whatever has the id and no driver: here that device, and its like."""
    stub = PciDriver("pci-stub")
    entry = PciDeviceId.device(device.vendor, device.device)
    check(f"{address} by its table", bool(match_device(stub, device)), False)
    (DRIVERS / "pci-stub" / "new_id").write_text(f"{device.vendor:x} {device.device:x}")
    said = match_device(stub, device, dynamic_ids=[entry])
    check(f"{address} by new_id", (driver(address), said.kind), ("pci-stub", "dynamic"))
    (DRIVERS / "pci-stub" / "remove_id").write_text(f"{device.vendor:x} {device.device:x}")
    for other in addresses():
        if driver(other) == "pci-stub":
            release_device(other)


def switch_four_devices_and_back() -> None:
    before = state()
    devices = (E1000E, VIRTIO_NET, NVME, EDU)
    check("host drivers", [driver(address) for address in devices], ["e1000e", "virtio-pci", "nvme", None])
    for address in devices:
        check(f"plan {address}", switch("plan", address), 0)
        check(f"apply {address} without --write", (switch("apply", address), state()), (0, before))
    for address in devices:
        check(f"apply {address}", switch("apply", address, "--write"), 0)
        check(f"{address} is on vfio-pci", (driver(address), override(address)), ("vfio-pci", "vfio-pci"))
        check(f"{address} has a vfio-dev", len(names(DEVICES / address / "vfio-dev")), 1)
        check(f"group {group(address)} is viable", viable(group(address)), True)
    check("the others are as before", without(state(), devices), without(before, devices))
    check("status", recorded(), dict.fromkeys(devices, "switched"))
    check("apply again has nothing to do", switch("apply", EDU, "--write"), 0)
    check("restore", switch("restore", "--all", "--write"), 0)
    check("all is as before", state(), before)
    check("no record is left", recorded(), {})


def without(states: dict[str, object], devices: tuple[str, ...]) -> dict[str, object]:
    return {address: found for address, found in states.items() if address not in devices}


def viable(number: int) -> bool:
    with Path(f"/dev/vfio/{number}").open("rb+", buffering=0) as file:
        answer = fcntl.ioctl(file, VFIO_GROUP_GET_STATUS, struct.pack("II", 8, 0))
    return bool(struct.unpack("II", answer)[1] & VIABLE)


def refuse_a_blocked_group() -> None:
    before = state()
    for address in (SHARED_EDU, SHARED_E1000):
        check(f"peer {address}", driver(address), {SHARED_EDU: None, SHARED_E1000: "e1000"}[address])
    code, _, errors = pyalias("vfio", "apply", SHARED_EDU, "--write", "--force")
    check("a blocked group is refused", (code, "which is on e1000" in errors), (1, True))
    say(f"        {errors.strip()}")
    check("nothing was changed", state(), before)
    # The kernel agrees: bound all the same, the group cannot be used.
    (DEVICES / SHARED_EDU / "driver_override").write_text("vfio-pci\n")
    Path("/sys/bus/pci/drivers_probe").write_text(SHARED_EDU)
    check(
        "the kernel: bound, but not viable",
        (driver(SHARED_EDU), viable(group(SHARED_EDU))),
        ("vfio-pci", False),
    )
    (DEVICES / SHARED_EDU / "driver" / "unbind").write_text(SHARED_EDU)
    (DEVICES / SHARED_EDU / "driver_override").write_text("\n")
    check("the test has cleaned up", state(), before)
    number = group(SHARED_EDU)
    check("the whole group is switched", switch("apply", f"group:{number}", "--write"), 0)
    check("both are on vfio-pci", {driver(SHARED_EDU), driver(SHARED_E1000)}, {"vfio-pci"})
    check("the kernel: the group is viable", viable(number), True)
    check("restore the group", switch("restore", f"group:{number}", "--write"), 0)
    check("all is as before", state(), before)


def leave_bridges_alone() -> None:
    before = state()
    for address in (ROOT_PORT, BRIDGE):
        code, _, errors = pyalias("vfio", "apply", address, "--write", "--force")
        check(f"bridge {address} is refused", (code, "is a bridge" in errors), (1, True))
    number = group(BRIDGE)
    members = names(Path(f"/sys/kernel/iommu_groups/{number}/devices"))
    check("the bridge shares its group", members, [BRIDGE, BRIDGED_E1000, BRIDGED_DISK])
    check("a group with a bridge is switched", switch("apply", f"group:{number}", "--write"), 0)
    check(
        "but for the bridge",
        [driver(address) for address in members],
        [before[BRIDGE][0], "vfio-pci", "vfio-pci"],
    )
    check("the kernel: the group is viable", viable(number), True)
    check("restore", switch("restore", "--all", "--write"), 0)
    check("all is as before", state(), before)


def see_what_is_in_use() -> None:
    before = state()
    interface = names(DEVICES / E1000E / "net")[0]
    subprocess.run([BUSYBOX, "ip", "link", "set", interface, "up"], check=True)
    code, _, errors = pyalias("vfio", "apply", E1000E, "--write")
    check("a network interface", (code, f"{interface} is up" in errors), (1, True))
    subprocess.run([BUSYBOX, "ip", "link", "set", interface, "down"], check=True)
    check("one that is down", switch("plan", E1000E), 0)
    subprocess.run([BUSYBOX, "mkswap", "/dev/nvme0n1"], check=True, capture_output=True)
    subprocess.run([BUSYBOX, "swapon", "/dev/nvme0n1"], check=True)
    code, _, errors = pyalias("vfio", "apply", NVME, "--write")
    check("swap space on NVMe", (code, "nvme0n1 is swap space" in errors), (1, True))
    subprocess.run([BUSYBOX, "swapoff", "/dev/nvme0n1"], check=True)
    check("which is off again", switch("plan", NVME), 0)
    check("nothing was changed", state(), before)


def switch_virtual_functions() -> None:
    before = state()
    # Off before the functions are made: nvme must not take them, and only an override binds one.
    (DEVICES / NVME / "sriov_drivers_autoprobe").write_text("0")
    (DEVICES / NVME / "sriov_numvfs").write_text("2")
    check("a virtual function on no driver", driver(NVME_VF), None)
    check("its parent is in use", switch("plan", NVME), 1)
    check("apply", switch("apply", NVME_VF, "--write"), 0)
    check("it is on vfio-pci", driver(NVME_VF), "vfio-pci")
    check("restore", switch("restore", NVME_VF, "--write"), 0)
    check("as before", (driver(NVME_VF), override(NVME_VF)), (None, "(null)"))
    (DEVICES / NVME / "sriov_numvfs").write_text("0")
    (DEVICES / NVME / "sriov_drivers_autoprobe").write_text("1")
    check("all is as before", state(), before)


class Guest:
    """A user of a device: opens it as a virtual machine does."""

    def __init__(self, address: str) -> None:
        self.group = os.open(f"/dev/vfio/{group(address)}", os.O_RDWR)
        self.container = os.open("/dev/vfio/vfio", os.O_RDWR)
        fcntl.ioctl(self.group, VFIO_GROUP_SET_CONTAINER, struct.pack("i", self.container))
        fcntl.ioctl(self.container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU)
        # The answer is the call's return value, which fcntl gives only where the argument is a number.
        library = ctypes.CDLL(None, use_errno=True)
        request = ctypes.c_ulong(VFIO_GROUP_GET_DEVICE_FD)
        self.device = library.ioctl(self.group, request, ctypes.create_string_buffer(address.encode()))
        if self.device < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def regions(self) -> int:
        """How many regions the device has: an answer that only the driver can give."""
        answer = fcntl.ioctl(self.device, VFIO_DEVICE_GET_INFO, struct.pack("IIII", 16, 0, 0, 0))
        return struct.unpack("IIII", answer)[2]

    def close(self) -> None:
        """Let go."""
        for descriptor in (self.device, self.group, self.container):
            os.close(descriptor)


def obey_the_udev_rule() -> None:
    """The rule that ``plan --udev-rule`` prints, alone, under the real udev: at an event it does it all."""
    before = state()
    devices = (EDU, E1000E)
    for address in devices:
        release_device(address)
    modprobe("-r", "vfio-pci")  # so that the rule must load it
    rules = Path("/run/udev/rules.d")
    rules.mkdir(parents=True)
    text = [pyalias("vfio", "plan", address, "--udev-rule")[1] for address in devices]
    (rules / "70-pyalias-vfio.rules").write_text("".join(text))
    for other in Path("/lib/udev/rules.d").glob("*.rules"):
        other.unlink()
    subprocess.run(["/lib/systemd/systemd-udevd", "--daemon"], check=True)
    for address in devices:
        subprocess.run(["udevadm", "trigger", "--action=add", DEVICES / address], check=True)
    subprocess.run(["udevadm", "settle", "--timeout=120"], check=True)
    for address in devices:
        check(f"{address} is on vfio-pci", (driver(address), override(address)), ("vfio-pci", "vfio-pci"))
        release_device(address)
    subprocess.run(["udevadm", "control", "--exit"], check=True)
    for address in devices:
        (DEVICES / address / "driver_override").write_text("\n")
        Path("/sys/bus/pci/drivers_probe").write_text(address)
    check("the test has cleaned up", state(), before)


def keep_a_busy_device() -> None:
    """A guest has the device open: the unbind blocks in the kernel, and nothing is lost by that."""
    before = state()
    check("apply", switch("apply", EDU, "--write"), 0)
    guest = Guest(EDU)
    check("a guest uses it", guest.regions() > 0, True)
    code, _, errors = pyalias("vfio", "restore", EDU, "--write")
    check("restore is refused while it does", (code, "has it open through VFIO" in errors), (1, True))
    start = time.monotonic()
    code, _, errors = pyalias("vfio", "restore", EDU, "--write", "--force", "--timeout", "15")
    took = time.monotonic() - start
    say(f"        after {took:.0f} s: {errors.strip()}")
    check(
        "with --force it times out, in time",
        (code, "no answer from the kernel" in errors, took < 60),
        (4, True, True),
    )
    check("the guest still has its device", guest.regions() > 0, True)
    check("status", recorded(), {EDU: "waiting"})
    check("a second restore is refused", switch("restore", EDU, "--write", "--force"), 4)
    guest.close()
    check("the guest lets go: rolled back", until(lambda: recorded() == {EDU: "switched"}), True)
    check("to vfio-pci", (driver(EDU), override(EDU)), ("vfio-pci", "vfio-pci"))
    check("restore", switch("restore", EDU, "--write"), 0)
    check("all is as before", state(), before)


class DyingOperations(Operations):
    """Kills this process where the device is on no driver."""

    def write(self, path: str, data: bytes) -> None:
        """The write to ``drivers_probe`` is never made."""
        if path == PROBE:
            os.kill(os.getpid(), signal.SIGKILL)
        super().write(path, data)


def undo_an_apply_that_is_killed() -> None:
    """SIGKILL in the worst moment: the helper process puts the device back."""
    before = state()
    found = vfio.plan(E1000E)
    child = os.fork()
    if not child:
        # Whatever happens, the child never goes on with the checks.
        try:
            vfio.apply(found, write=True, operations=lambda: DyingOperations("/", 60))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    check("it was killed", os.waitstatus_to_exitcode(status), -signal.SIGKILL)
    check("all is as before", until(lambda: state() == before), True)
    check("the record says so", recorded(), {E1000E: "as before"})
    check("restore", switch("restore", "--all", "--write"), 0)
    check("no record is left", (recorded(), state()), ({}, before))


def undo_what_the_kernel_refuses() -> None:
    """pci-stub takes the device, but is no VFIO driver: found by looking, and undone."""
    before = state()
    code, _, errors = pyalias("vfio", "apply", E1000E, "--driver", "pci-stub", "--write")
    check("a driver that is none for VFIO", (code, "no vfio-dev" in errors), (3, True))
    code, _, errors = pyalias("vfio", "apply", E1000E, "--driver", "mlx5_vfio_pci", "--write")
    check("a module that the kernel lacks", (code, "does this kernel have the module" in errors), (3, True))
    check("all is as before", state(), before)


CHECKS = (
    compare_lookups,
    agree_on_matches,
    switch_four_devices_and_back,
    refuse_a_blocked_group,
    leave_bridges_alone,
    see_what_is_in_use,
    switch_virtual_functions,
    undo_what_the_kernel_refuses,
    undo_an_apply_that_is_killed,
    obey_the_udev_rule,
    keep_a_busy_device,
)


def run() -> None:
    say(f"kernel {os.uname().release}, Python {sys.version.split()[0]}")
    load_host_drivers()
    for part in CHECKS:
        say(f"part    {part.__name__}")
        try:
            part()
        except Exception:  # noqa: BLE001 - told, and the other parts go on
            results[False] += 1
            say(f"FAILED  {part.__name__}: {traceback.format_exc()}")
    say(f"end     {results[True]} passed, {results[False]} failed, {len(CHECKS)} parts")


if __name__ == "__main__":
    run()
