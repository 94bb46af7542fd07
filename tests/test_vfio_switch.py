"""Plans, what stands against them, applying, restoring and status, on a captured machine."""

from __future__ import annotations

import errno
import json
import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.simulated_kernel import (
    BRIDGE,
    E1000E,
    EDU,
    NVME,
    NVME_VF,
    ROOT_PORT,
    SHARED_E1000,
    SHARED_EDU,
    SHARED_GROUP,
    VIRTIO,
    Faults,
    SimulatedKernel,
    SimulatedOperations,
    directory,
    unpack,
)

from pyalias import vfio
from pyalias.errors import SwitchError
from pyalias.vfio.sysfs import group_members

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def captured() -> Iterator[Path]:
    with directory() as place:
        root = unpack("6.12-final", place)
        SimulatedKernel(root).unbind(SHARED_EDU)  # its capture is of a moment with vfio-pci
        yield root


@pytest.fixture
def kernel(captured: Path) -> Iterator[SimulatedKernel]:
    root = captured.with_name("root")
    shutil.copytree(captured, root, symlinks=True)
    yield SimulatedKernel(root)
    shutil.rmtree(root)


@pytest.fixture
def system(kernel: SimulatedKernel) -> SimulatedOperations:
    return SimulatedOperations(kernel)


class Choice(NamedTuple):
    """What a chooser answers."""

    module: str = "vfio_pci"
    driver: str | None = "vfio-pci"
    warnings: tuple[str, ...] = ()


def plan(system: SimulatedOperations, target: str | int, driver: str | None = "vfio-pci") -> vfio.Plan:
    return vfio.plan(target, driver=driver, operations=system)


def kinds(found: vfio.Plan) -> list[tuple[str, str, str]]:
    return [(finding.severity, finding.kind, finding.device) for finding in found.findings]


def put(system: SimulatedOperations, path: str, text: str) -> Path:
    file = system.kernel.root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


# ---- plans ----


def test_a_plan_of_one_device(system: SimulatedOperations):
    found = plan(system, "01:00.0")  # the domain may be left out
    assert found.target == E1000E
    (assignment,) = found.assignments
    assert assignment.device == vfio.DeviceState(
        address=E1000E,
        modalias="pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00",
        driver="e1000e",
        override=None,
        group=8,
        class_code=0x020000,
        bridge=False,
        vfio=False,
    )
    assert [step.action for step in found.steps] == ["record", "override", "unbind", "probe", "verify"]
    assert not found.findings


def test_a_plan_never_writes(system: SimulatedOperations):
    before = system.kernel.state()
    for target in (E1000E, SHARED_GROUP, NVME, EDU):
        plan(system, target)
    assert {kind for kind, _ in system.faults.calls} <= {"read", "link", "names", "resolve", "exists"}
    assert system.kernel.state() == before


def test_a_plan_is_json(system: SimulatedOperations):
    data = json.loads(json.dumps(plan(system, SHARED_GROUP).to_dict()))
    assert [device["address"] for device in data["devices"]] == [SHARED_EDU, SHARED_E1000]
    assert [device["done"] for device in data["devices"]] == [False, False]
    assert data["steps"][1] == {
        "action": "override",
        "device": SHARED_EDU,
        "path": f"/sys/bus/pci/devices/{SHARED_EDU}/driver_override",
        "value": "vfio-pci",
        "text": "only vfio-pci may bind it",
    }
    assert data["refused"] is False


def test_a_plan_is_text(system: SimulatedOperations):
    device = f"/sys/bus/pci/devices/{E1000E}"
    modalias = "pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00"
    assert str(plan(system, E1000E)).splitlines() == [
        f"{E1000E}  {modalias}  IOMMU group 8: e1000e -> vfio-pci",
        f"  1. {E1000E}  record    keep what restore needs",
        f"  2. {E1000E}  override  only vfio-pci may bind it  write vfio-pci to {device}/driver_override",
        f"  3. {E1000E}  unbind    take it from e1000e  write {E1000E} to {device}/driver/unbind",
        f"  4. {E1000E}  probe     let the kernel bind it  write {E1000E} to /sys/bus/pci/drivers_probe",
        f"  5. {E1000E}  verify    wait until it is on vfio-pci and has a vfio-dev",
    ]


def test_no_plan_writes_new_id(system: SimulatedOperations):
    for address in system.kernel.addresses():
        assert "new_id" not in str(plan(system, address))


def test_a_group_without_its_bridge(system: SimulatedOperations):
    found = plan(system, 6)
    assert BRIDGE in group_members(system, 6)
    assert BRIDGE not in [assignment.device.address for assignment in found.assignments]
    assert not found.refused


def test_a_driver_by_its_modules_name(system: SimulatedOperations):
    """`vfio_pci` is a module; its driver is vfio-pci, and an override of vfio_pci would bind nothing."""
    (assignment,) = plan(system, E1000E, "vfio_pci").assignments
    assert (assignment.module, assignment.driver) == ("vfio_pci", "vfio-pci")


def test_a_module_that_is_not_loaded_names_its_driver_later(system: SimulatedOperations):
    found = plan(system, E1000E, "xe-vfio-pci")
    assert found.steps[0].text == "modprobe -- xe-vfio-pci"
    assert found.assignments[0].driver is None
    vfio.apply(found, write=True, operations=lambda: system)
    assert system.kernel.state()[E1000E] == ("xe-vfio-pci", "xe-vfio-pci")


def test_the_chooser_decides(system: SimulatedOperations):
    asked = []

    def choose(modalias: str) -> Choice:
        asked.append(modalias)
        return Choice("xe_vfio_pci", "xe-vfio-pci")

    found = vfio.plan(E1000E, choose=choose, operations=system)
    assert asked == ["pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00"]
    assert (found.assignments[0].module, found.assignments[0].driver) == ("xe_vfio_pci", "xe-vfio-pci")


def test_nothing_to_choose_from(system: SimulatedOperations):
    with pytest.raises(SwitchError, match="no vfio_pci: alias matches"):
        vfio.plan(E1000E, choose=lambda _: None, operations=system)


def test_a_device_that_is_there_already(system: SimulatedOperations):
    found = plan(system, NVME_VF)
    assert found.assignments[0].done
    assert not found.steps
    assert "stays on vfio-pci" in str(found)
    assert vfio.apply(found, write=True, operations=lambda: system) == ()


@pytest.mark.parametrize("text", ["", "1:00.0", "0000:01:00", "0000:01:00.8", "../../etc", "0000:01:00.0\n"])
def test_no_address(system: SimulatedOperations, text: str):
    with pytest.raises(SwitchError, match="expected a PCI address"):
        plan(system, text)


def test_no_such_device_or_group(system: SimulatedOperations):
    with pytest.raises(SwitchError, match="no such PCI device"):
        plan(system, "0000:77:00.0")
    with pytest.raises(SwitchError, match="no IOMMU group 99"):
        plan(system, 99)


@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_no_driver_name(system: SimulatedOperations, name: str):
    with pytest.raises(SwitchError, match="expected the name of a driver"):
        plan(system, E1000E, name)


# ---- what stands against a plan ----


def refused(system: SimulatedOperations, found: vfio.Plan, *, force: bool = True) -> str:
    before = system.kernel.state()
    with pytest.raises(SwitchError) as caught:
        vfio.apply(found, write=True, force=force, operations=lambda: system)
    assert caught.value.outcome == "unchanged"
    assert system.kernel.state() == before
    return str(caught.value)


def test_a_group_peer_on_a_host_driver(system: SimulatedOperations):
    """11.0 shares its group with a network card on e1000: a guest could not open the group."""
    found = plan(system, SHARED_EDU)
    assert kinds(found) == [("refused", "group-peer", SHARED_EDU)]
    assert f"also holds {SHARED_E1000}, which is on e1000" in refused(system, found)


@pytest.mark.parametrize("driver", [None, "pcieport", "pci-stub", "vfio-pci"])
def test_peers_that_do_no_harm(system: SimulatedOperations, driver: str | None):
    system.kernel.load_module("pci_stub")
    system.kernel.unbind(SHARED_E1000)
    if driver is not None:
        system.kernel.bind(SHARED_E1000, driver)
    assert not plan(system, SHARED_EDU).findings


@pytest.mark.parametrize("address", [BRIDGE, ROOT_PORT])
def test_a_bridge(system: SimulatedOperations, address: str):
    found = plan(system, address)
    assert ("refused", "bridge", address) in kinds(found)
    assert "is a bridge" in refused(system, found)


def test_a_bridge_by_its_header(system: SimulatedOperations):
    """The class does not say it here; config space has the type at 0x0e, beside the multifunction bit."""
    config = bytearray(64)
    for header, bridge in ((0x00, False), (0x80, False), (0x01, True), (0x81, True), (0x02, True)):
        config[0x0E] = header
        (system.kernel.device(EDU) / "config").write_bytes(config)
        assert [kind for _, kind, _ in kinds(plan(system, EDU))] == ["bridge"] * bridge


def test_no_iommu(system: SimulatedOperations):
    (system.kernel.device(E1000E) / "iommu_group").unlink()
    found = plan(system, E1000E)
    assert kinds(found) == [("refused", "no-iommu", E1000E)]
    assert "intel_iommu=on" in refused(system, found)
    put(system, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n")
    assert kinds(plan(system, E1000E)) == [("note", "no-iommu", E1000E)]


def test_the_denylist_of_vfio_pci(system: SimulatedOperations):
    qat = "pci:v00008086d000037C8sv00008086sd00000000bc0Bsc40i00"
    (system.kernel.device(E1000E) / "modalias").write_text(qat + "\n")
    found = plan(system, E1000E)
    assert kinds(found) == [("refused", "denylist", E1000E)]
    refused(system, found)
    put(system, "/sys/module/vfio_pci/parameters/disable_denylist", "Y\n")
    assert kinds(plan(system, E1000E)) == [("note", "denylist", E1000E)]


def test_functions_that_come_back_on_the_host(system: SimulatedOperations):
    system.kernel.unbind(NVME_VF)
    assert kinds(plan(system, NVME_VF)) == []  # captured with autoprobe off
    put(system, f"/sys/bus/pci/devices/{NVME}/sriov_drivers_autoprobe", "1\n")
    assert kinds(plan(system, NVME_VF)) == [("note", "sriov-autoprobe", NVME_VF)]


def test_functions_that_would_go_with_their_parent(system: SimulatedOperations):
    found = plan(system, NVME)
    assert kinds(found) == [("in use", "sriov", NVME)]
    assert "2 virtual functions exist on it" in refused(system, found, force=False)


def network(system: SimulatedOperations, address: str, name: str, state: str) -> Path:
    """A network interface of a device: virtio's stands one level deeper than others."""
    place = system.kernel.device(address) / "virtio0" / "net" / name
    place.mkdir(parents=True)
    (place / "operstate").write_text(state + "\n")
    (system.kernel.root / "sys" / "class" / "net" / name).symlink_to(place)
    return place


def test_a_network_interface(system: SimulatedOperations):
    place = network(system, VIRTIO, "eth0", "down")
    assert not plan(system, VIRTIO).findings
    (place / "operstate").write_text("up\n")
    found = plan(system, VIRTIO)
    assert kinds(found) == [("in use", "net", VIRTIO)]
    assert "eth0 is up" in refused(system, found, force=False)
    assert not plan(system, E1000E).findings  # another device's interface
    vfio.apply(found, write=True, force=True, operations=lambda: system)


def test_a_network_interface_of_a_bridge_or_with_routes(system: SimulatedOperations):
    place = network(system, VIRTIO, "eth0", "down")
    (place / "master").symlink_to("../br0")
    put(system, "/proc/net/route", "Iface Destination\neth01 0\neth0 0\n")
    messages = [finding.message for finding in plan(system, VIRTIO).in_use]
    assert [text.partition(":")[0] for text in messages] == [
        "network interface eth0 belongs to br0",
        "network interface eth0 has routes",
    ]


def disk(system: SimulatedOperations, place: Path, name: str, number: str) -> Path:
    place.mkdir(parents=True)
    (place / "dev").write_text(number + "\n")
    (system.kernel.root / "sys" / "class" / "block" / name).symlink_to(place)
    return place


def test_a_mounted_disk(system: SimulatedOperations):
    place = system.kernel.device(VIRTIO) / "virtio0" / "block" / "vda"
    disk(system, place, "vda", "254:0")
    disk(system, place / "vda1", "vda1", "254:1")
    assert not plan(system, VIRTIO).findings
    put(
        system,
        "/proc/self/mountinfo",
        "29 1 254:1 / /a\\040b rw,relatime shared:1 - ext4 /dev/root rw\n"
        "30 1 0:42 / /btrfs rw - btrfs /dev/vda rw\n",
    )
    put(system, "/proc/swaps", "Filename Type Size Used Priority\n/dev/vda1 partition 1 0 -2\n")
    (place / "vda1" / "holders" / "dm-0").mkdir(parents=True)
    found = plan(system, VIRTIO)
    assert [(finding.kind, finding.message.partition(":")[0]) for finding in found.in_use] == [
        ("mount", "vda is mounted on /btrfs"),
        ("mount", "vda1 is mounted on /a b"),
        ("swap", "vda1 is swap space"),
        ("block", "vda1 is part of dm-0"),
    ]


def test_a_disk_of_an_nvme_subsystem(system: SimulatedOperations):
    """With several paths to it the disk is no child of the PCI device: the controllers are links."""
    put(system, f"/sys/bus/pci/devices/{NVME}/sriov_numvfs", "0\n")
    controller = system.kernel.device(NVME) / "nvme" / "nvme0"
    controller.mkdir(parents=True)
    subsystem = system.kernel.root / "sys" / "devices" / "virtual" / "nvme-subsystem" / "nvme-subsys0"
    disk(system, subsystem / "nvme0n1", "nvme0n1", "259:0")
    (subsystem / "nvme0").symlink_to(controller)
    put(system, "/proc/self/mountinfo", "29 1 259:0 / / rw - ext4 /dev/nvme0n1 rw\n")
    assert [finding.message for finding in plan(system, NVME).in_use] == [
        "nvme0n1 is mounted on /: unmount it first"
    ]
    assert not plan(system, E1000E).findings


def test_the_console(system: SimulatedOperations):
    put(system, f"/sys/bus/pci/devices/{E1000E}/boot_vga", "1\n")
    assert kinds(plan(system, E1000E)) == [("in use", "console", E1000E)]


def test_an_open_group(system: SimulatedOperations):
    system.users["/dev/vfio/11"] = ["4711 (qemu-system-x86)"]
    found = plan(system, NVME_VF, "xe_vfio_pci")
    assert [finding.kind for finding in found.in_use] == ["vfio"]
    assert "process 4711 (qemu-system-x86)" in refused(system, found, force=False)


# ---- apply ----


def test_without_write_nothing_is_written(system: SimulatedOperations):
    before = system.kernel.state()
    assert vfio.apply(plan(system, E1000E), operations=lambda: system) == (E1000E,)
    assert system.kernel.state() == before


def test_there_and_back(system: SimulatedOperations):
    before = system.kernel.state()
    for target in (E1000E, VIRTIO, EDU, SHARED_GROUP):
        vfio.apply(plan(system, target), write=True, operations=lambda: system)
    states = [system.kernel.state()[address] for address in (E1000E, VIRTIO, EDU, SHARED_EDU, SHARED_E1000)]
    assert states == [("vfio-pci", "vfio-pci")] * 5
    assert {entry.state for entry in vfio.status(operations=system)} == {"switched"}
    (entry,) = vfio.restore(E1000E, write=True, operations=lambda: system)
    assert entry.address == E1000E
    assert system.kernel.state()[E1000E] == before[E1000E]
    assert system.kernel.state()[VIRTIO] == ("vfio-pci", "vfio-pci")
    vfio.restore(write=True, operations=lambda: system)
    assert system.kernel.state() == before
    assert vfio.status(operations=system) == ()


def test_an_override_that_was_there_comes_back(system: SimulatedOperations):
    (system.kernel.device(E1000E) / "driver_override").write_text("e1000e\n")
    vfio.apply(plan(system, E1000E), write=True, operations=lambda: system)
    vfio.restore(write=True, operations=lambda: system)
    assert system.kernel.state()[E1000E] == ("e1000e", "e1000e")


def test_the_old_driver_comes_back_where_another_one_would(system: SimulatedOperations):
    """Restoring names the old driver too: without that the kernel would give it to the first that matches."""
    system.kernel.load_module("pci_stub")
    system.kernel.unbind(EDU) if system.kernel.driver(EDU) else None
    system.kernel.bind(EDU, "pci-stub")  # by hand; its ids alone would give it to no driver
    vfio.apply(plan(system, EDU), write=True, operations=lambda: system)
    vfio.restore(write=True, operations=lambda: system)
    assert system.kernel.state()[EDU] == ("pci-stub", None)


def test_a_device_that_changed_since_it_was_planned(system: SimulatedOperations):
    found = plan(system, E1000E)
    (system.kernel.device(E1000E) / "driver_override").write_text("e1000e\n")
    assert "changed since it was planned" in refused(system, found)


def test_a_use_that_began_since_it_was_planned(system: SimulatedOperations):
    found = plan(system, VIRTIO)
    network(system, VIRTIO, "eth0", "up")
    assert "eth0 is up" in refused(system, found, force=False)


def test_a_second_switch_does_not_forget_the_first(system: SimulatedOperations):
    vfio.apply(plan(system, E1000E), write=True, operations=lambda: system)
    again = plan(system, E1000E, "xe_vfio_pci")
    assert kinds(again) == [("refused", "recorded", E1000E)]
    assert "restore it first" in refused(system, again)


def test_a_record_of_a_device_that_is_as_before_does_not_hinder(system: SimulatedOperations):
    """Hot-plugged anew, say: the override went with the old device."""
    vfio.apply(plan(system, E1000E), write=True, operations=lambda: system)
    system.kernel.unbind(E1000E)
    (system.kernel.device(E1000E) / "driver_override").write_text("(null)\n")
    system.kernel.probe(E1000E)
    assert [entry.state for entry in vfio.status(operations=system)] == ["as before"]
    vfio.apply(plan(system, E1000E), write=True, operations=lambda: system)


@pytest.mark.parametrize("loaded", [True, False])
def test_a_driver_that_is_no_vfio_driver(system: SimulatedOperations, *, loaded: bool):
    """Also where VFIO is not loaded: nothing has a vfio-dev then, which once passed for an old kernel."""
    if not loaded:
        shutil.rmtree(system.kernel.root / "sys" / "class" / "vfio-dev")
    before = system.kernel.state()
    system.kernel.load_module("pci_stub")
    with pytest.raises(SwitchError, match="pci-stub took it, but is no VFIO driver") as caught:
        vfio.apply(plan(system, E1000E, "pci-stub"), write=True, operations=lambda: system)
    assert (caught.value.step, caught.value.outcome) == ("verify", "undone")
    assert system.kernel.state() == before


def test_a_kernel_without_vfio_dev(system: SimulatedOperations):
    """Before Linux 6.1 the driver's link has to do."""
    shutil.rmtree(system.kernel.root / "sys" / "class" / "vfio-dev")
    system.kernel.not_vfio.add(E1000E)
    vfio.apply(plan(system, E1000E), write=True, operations=lambda: system)


def test_a_module_that_this_kernel_lacks(system: SimulatedOperations):
    with pytest.raises(SwitchError, match=r"mlx5_vfio_pci not found.*does this kernel have") as caught:
        vfio.apply(plan(system, E1000E, "mlx5_vfio_pci"), write=True, operations=lambda: system)
    assert (caught.value.step, caught.value.outcome) == ("load", "undone")


def test_a_probe_that_is_refused(system: SimulatedOperations):
    before = system.kernel.state()
    system.kernel.refusing[E1000E, "vfio-pci"] = errno.EINVAL
    with pytest.raises(SwitchError, match="a VFIO user owns its IOMMU group"):
        vfio.apply(plan(system, E1000E), write=True, operations=lambda: system)
    assert system.kernel.state() == before


def test_only_a_running_kernels_sysfs(kernel: SimulatedKernel):
    """On a copied tree writes would change the copy, and modprobe the machine."""
    found = vfio.plan(E1000E, driver="vfio-pci", root=kernel.root)
    assert found.assignments[0].device.driver == "e1000e"
    with pytest.raises(SwitchError, match="not that of a running kernel"):
        vfio.apply(found, write=True)
    assert not (kernel.root / "run").exists()


def test_one_at_a_time(system: SimulatedOperations, monkeypatch: pytest.MonkeyPatch):
    def locked(*_: object) -> Iterator[None]:
        raise BlockingIOError(errno.EAGAIN, "locked")

    monkeypatch.setattr(system, "lock", locked)
    assert "another process is switching" in refused(system, plan(system, E1000E))


# ---- restore and status ----


def test_a_vfio_user_keeps_the_device(system: SimulatedOperations):
    vfio.apply(plan(system, E1000E), write=True, operations=lambda: system)
    system.users["/dev/vfio/8"] = ["4711 (qemu-system-x86)"]
    with pytest.raises(SwitchError, match=r"process 4711 .* has it open through VFIO") as caught:
        vfio.restore(E1000E, write=True, operations=lambda: system)
    assert caught.value.outcome == "unchanged"
    assert system.kernel.driver(E1000E) == "vfio-pci"
    vfio.restore(E1000E, write=True, force=True, operations=lambda: system)
    assert system.kernel.driver(E1000E) == "e1000e"


def test_an_unbind_that_its_user_blocks(system: SimulatedOperations):
    """The unbind waits for the guest, which keeps its device until it lets go, and after that too."""
    vfio.apply(plan(system, E1000E), write=True, operations=lambda: system)
    unbind = ("write", f"/sys/bus/pci/devices/{E1000E}/driver/unbind")
    busy = SimulatedOperations(system.kernel, Faults(0, "hang", only=lambda *call: call == unbind))
    with pytest.raises(SwitchError, match=r"its user must let go first.*stays on vfio-pci") as caught:
        vfio.restore(E1000E, write=True, operations=lambda: busy)
    assert (caught.value.step, caught.value.outcome) == ("unbind", "pending")
    (entry,) = vfio.status(E1000E, operations=system)
    assert (entry.state, entry.device) == ("waiting", None)  # reading its override would wait as well
    busy.release()
    (entry,) = vfio.status(E1000E, operations=system)
    assert entry.state == "switched"
    vfio.restore(E1000E, write=True, operations=lambda: system)
    assert system.kernel.state()[E1000E] == ("e1000e", None)


@pytest.mark.parametrize("file", ["/dev/vfio/8", "/dev/vfio/devices/vfio0"])
def test_a_restore_of_all_is_not_stopped_by_one(system: SimulatedOperations, file: str):
    """A guest has one device open, by its group or (iommufd) by the device's own file."""
    for address in (E1000E, VIRTIO):
        vfio.apply(plan(system, address), write=True, operations=lambda: system)
    place = system.kernel.device(VIRTIO) / "vfio-dev"
    (place / "vfio0").rename(place / "vfio1")
    system.users[file] = ["4711 (qemu)"]
    with pytest.raises(SwitchError, match=f"{E1000E}: process 4711"):
        vfio.restore(write=True, operations=lambda: system)
    assert system.kernel.driver(E1000E) == "vfio-pci"
    assert system.kernel.driver(VIRTIO) == "virtio-pci"
    system.users.clear()
    system.kernel.refusing[E1000E, "e1000e"] = errno.EIO
    vfio.apply(plan(system, VIRTIO), write=True, operations=lambda: system)
    system.kernel.refusing[VIRTIO, "virtio-pci"] = errno.EIO
    with pytest.raises(SwitchError, match=rf"{E1000E}: .*; {VIRTIO}: ") as caught:
        vfio.restore(write=True, operations=lambda: system)
    assert caught.value.outcome == "unfinished"


def test_restore_without_write(system: SimulatedOperations):
    vfio.apply(plan(system, E1000E), write=True, operations=lambda: system)
    (entry,) = vfio.restore(E1000E, operations=lambda: system)
    assert entry.state == "switched"
    assert system.kernel.driver(E1000E) == "vfio-pci"


def test_restore_of_what_was_never_switched(system: SimulatedOperations):
    before = system.kernel.state()
    (entry,) = vfio.restore(E1000E, write=True, operations=lambda: system)
    assert (entry.state, entry.record) == ("untouched", None)
    assert system.kernel.state() == before


def test_a_device_that_went_away(system: SimulatedOperations):
    vfio.apply(plan(system, E1000E), write=True, operations=lambda: system)
    (system.kernel.pci / "devices" / E1000E).unlink()
    (entry,) = vfio.restore(write=True, operations=lambda: system)
    assert entry.state == "gone"
    assert vfio.status(operations=system) == ()


def test_another_device_at_the_address(system: SimulatedOperations):
    """It is not the one that was switched: its override is not ours to clear."""
    vfio.apply(plan(system, E1000E), write=True, operations=lambda: system)
    other = "pci:v00008086d00001533sv00008086sd00000000bc02sc00i00\n"
    (system.kernel.device(E1000E) / "modalias").write_text(other)
    (entry,) = vfio.restore(write=True, operations=lambda: system)
    assert entry.state == "gone"
    assert system.kernel.state()[E1000E] == ("vfio-pci", "vfio-pci")


def test_a_host_driver_that_is_not_there_any_more(system: SimulatedOperations):
    vfio.apply(plan(system, E1000E), write=True, operations=lambda: system)
    system.kernel.refusing[E1000E, "e1000e"] = errno.EIO
    with pytest.raises(SwitchError, match=r"expected driver e1000e, found none.*restore again") as caught:
        vfio.restore(E1000E, write=True, operations=lambda: system)
    assert caught.value.outcome == "unfinished"
    assert [entry.state for entry in vfio.status(operations=system)] == ["interrupted"]
    system.kernel.refusing.clear()
    vfio.restore(E1000E, write=True, operations=lambda: system)
    assert system.kernel.state()[E1000E] == ("e1000e", None)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 2}', '{"version": 1, "address": "x"}'])
def test_a_damaged_record(system: SimulatedOperations, text: str):
    put(system, f"/run/pyalias/vfio/{E1000E}.json", text)
    for act in (vfio.status, lambda **options: vfio.plan(E1000E, driver="vfio-pci", **options)):
        with pytest.raises(SwitchError, match="expected the record of a switch"):
            act(operations=system)


def test_sysfs_that_is_not_as_expected(system: SimulatedOperations):
    put(system, f"/sys/bus/pci/devices/{E1000E}/class", "none\n")
    with pytest.raises(SwitchError, match="not as sysfs has it"):
        plan(system, E1000E)


def test_status_of_a_group(system: SimulatedOperations):
    states = [(entry.address, entry.state) for entry in vfio.status(SHARED_GROUP, operations=system)]
    assert states == [(SHARED_EDU, "untouched"), (SHARED_E1000, "untouched")]


# ---- udev ----


def test_the_udev_rule(system: SimulatedOperations):
    text = vfio.udev_rules(plan(system, E1000E, "vfio_pci"))
    rules = [line for line in text.splitlines() if not line.startswith("#")]
    (rule,) = rules
    assert rule.split(", ") == [
        'ACTION=="add"',
        'SUBSYSTEM=="pci"',
        'KERNEL=="0000:01:00.0"',
        'ATTR{vendor}=="0x8086"',
        'ATTR{device}=="0x10d3"',
        'ATTR{driver_override}="vfio-pci"',
        'RUN{builtin}+="kmod load vfio_pci"',
        "RUN+=\"/bin/sh -c 'echo $kernel > /sys/bus/pci/drivers_probe'\"",
    ]


def test_no_udev_rule_for_what_cannot_be(system: SimulatedOperations):
    with pytest.raises(SwitchError, match="is a bridge"):
        vfio.udev_rules(plan(system, BRIDGE))
    with pytest.raises(SwitchError, match="not known until it is loaded"):
        vfio.udev_rules(plan(system, E1000E, "xe_vfio_pci"))
