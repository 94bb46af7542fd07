"""Applying a plan, restoring and status, on a captured machine."""

from __future__ import annotations

import errno
import shutil
from typing import TYPE_CHECKING

import pytest
from support.simulated_kernel import (
    E1000E,
    EDU,
    SHARED_E1000,
    SHARED_EDU,
    SHARED_GROUP,
    VIRTIO,
    Faults,
    SimulatedOperations,
)
from support.switching import UP, kinds, network, plan, put, refused

from pyalias import vfio
from pyalias.errors import SwitchError

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    network(system, VIRTIO, "eth0", UP)
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


def test_only_a_running_kernels_sysfs(system: SimulatedOperations):
    """On a copied tree writes would change the copy, and modprobe the machine."""
    found = vfio.plan(E1000E, driver="vfio-pci", root=system.kernel.root)
    assert found.assignments[0].device.driver == "e1000e"
    with pytest.raises(SwitchError, match="not that of a running kernel"):
        vfio.apply(found, write=True)
    assert not (system.kernel.root / "run").exists()


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
