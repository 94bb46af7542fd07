"""What tests of the switch share: a machine for each test, and ways to say what is on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pyalias import vfio
from pyalias.errors import SwitchError

if TYPE_CHECKING:
    from pathlib import Path

    from support.simulated_kernel import SimulatedOperations


def plan(system: SimulatedOperations, target: str | int, driver: str | None = "vfio-pci") -> vfio.Plan:
    """The plan of a switch, by default to vfio-pci."""
    return vfio.plan(target, driver=driver, operations=system)


def kinds(found: vfio.Plan) -> list[tuple[str, str, str]]:
    """Severity, kind and device of each finding."""
    return [(finding.severity, finding.kind, finding.device) for finding in found.findings]


def put(system: SimulatedOperations, path: str, text: str) -> Path:
    """Write a file of the machine."""
    file = system.kernel.root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def refused(system: SimulatedOperations, found: vfio.Plan, *, force: bool = True) -> str:
    """Apply a plan that must be refused with nothing changed; what is said."""
    before = system.kernel.state()
    with pytest.raises(SwitchError) as caught:
        vfio.apply(found, write=True, force=force, operations=lambda: system)
    assert caught.value.outcome == "unchanged"
    assert system.kernel.state() == before
    return str(caught.value)


# An interface's flags: IFF_BROADCAST and IFF_MULTICAST, with and without IFF_UP.
UP, DOWN = "0x1003", "0x1002"


def network(system: SimulatedOperations, address: str, name: str, flags: str) -> Path:
    """A network interface of a device: virtio's stands one level deeper than others."""
    place = system.kernel.device(address) / "virtio0" / "net" / name
    place.mkdir(parents=True)
    (place / "flags").write_text(flags + "\n")
    (system.kernel.root / "sys" / "class" / "net" / name).symlink_to(place)
    return place
