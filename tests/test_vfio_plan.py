"""Plans of a switch, what stands against them, and the udev rule, on a captured machine."""

from __future__ import annotations

import json
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
    SimulatedOperations,
)
from support.switching import DOWN, UP, kinds, network, plan, put, refused

from pyalias import AliasIndex, vfio
from pyalias.errors import SwitchError
from pyalias.vfio.sysfs import group_members

if TYPE_CHECKING:
    from pathlib import Path


class Choice(NamedTuple):
    """What a chooser answers."""

    module: str = "vfio_pci"
    driver: str | None = "vfio-pci"
    warnings: tuple[str, ...] = ()


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


def test_the_best_alias_decides(system: SimulatedOperations, variant_tree: Path):
    """The driver's name is that of the variant's sources, since the module is not loaded."""
    index = AliasIndex.from_modules("/lib/modules/9.9.9", root=variant_tree)
    found = vfio.plan(E1000E, index=index, operations=system)
    assert (found.assignments[0].module, found.assignments[0].driver) == ("vfio_pci", "vfio-pci")
    assert found.steps[0].text == "modprobe -- vfio_pci"
    mlx5 = "pci:v000015B3d0000101Esv00001028sd00000001bc02sc00i00"
    (system.kernel.device(E1000E) / "modalias").write_text(mlx5 + "\n")
    found = vfio.plan(E1000E, index=index, operations=system)
    assert (found.assignments[0].module, found.assignments[0].driver) == ("mlx5_vfio_pci", "mlx5_vfio_pci")
    choice = vfio.choose(index, mlx5, virtual_function=False)
    assert choice
    assert [finding.message for finding in found.findings] == list(choice.warnings)


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


def test_a_network_interface(system: SimulatedOperations):
    place = network(system, VIRTIO, "eth0", DOWN)
    assert not plan(system, VIRTIO).findings
    (place / "flags").write_text(UP + "\n")
    found = plan(system, VIRTIO)
    assert kinds(found) == [("in use", "net", VIRTIO)]
    assert "eth0 is up" in refused(system, found, force=False)
    assert not plan(system, E1000E).findings  # another device's interface
    vfio.apply(found, write=True, force=True, operations=lambda: system)


def test_a_network_interface_that_waits_for_its_carrier(system: SimulatedOperations):
    """A device was taken away in a real kernel right after ``ip link set up``: operstate was "down"."""
    place = network(system, VIRTIO, "eth0", UP)
    (place / "operstate").write_text("down\n")
    assert kinds(plan(system, VIRTIO)) == [("in use", "net", VIRTIO)]


def test_a_network_interface_of_a_bridge_or_with_routes(system: SimulatedOperations):
    place = network(system, VIRTIO, "eth0", DOWN)
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
