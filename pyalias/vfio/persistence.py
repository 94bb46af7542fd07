"""A switch that lasts: a udev rule, which does at every start and hot-plug what ``apply`` does once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyalias.errors import SwitchError

if TYPE_CHECKING:
    from pyalias.vfio.planning import Assignment, Plan

_HEADER = """\
# Made by pyalias. Install as /etc/udev/rules.d/70-pyalias-vfio.rules, before the rules that load modules.
# The override keeps every other driver away; the module is loaded and the device probed in case the driver
# was not there in time. A host driver that is built in or in the initramfs binds before udev runs: put this
# rule and the module into the initramfs then.
"""


def udev_rules(plan: Plan) -> str:
    """The text of a rules file for a plan's devices; nothing is installed.

    A rule names address and ids, so that it does not take another device that comes to stand there.

    Raises:
        SwitchError: something in the plan refuses the switch, or a driver's name is not known yet.
    """
    for finding in plan.refused:
        if finding.kind != "recorded":
            raise SwitchError(f"{finding.device}: {finding.message}", step="preflight", device=finding.device)
    return _HEADER + "".join(_rule(assignment) for assignment in plan.assignments)


def _rule(assignment: Assignment) -> str:
    device, driver = assignment.device, assignment.driver
    if driver is None:
        raise SwitchError(
            f"{device.address}: the driver of {assignment.module} is not known until it is loaded: "
            "modprobe it first",
            step="choose",
            device=device.address,
        )
    vendor, number = device.ids
    clauses = [
        'ACTION=="add"',
        'SUBSYSTEM=="pci"',
        f'KERNEL=="{device.address}"',
        f'ATTR{{vendor}}=="0x{vendor:04x}"',
        f'ATTR{{device}}=="0x{number:04x}"',
        f'ATTR{{driver_override}}="{driver}"',
        f'RUN{{builtin}}+="kmod load {assignment.module or driver}"',
        "RUN+=\"/bin/sh -c 'echo $kernel > /sys/bus/pci/drivers_probe'\"",
    ]
    return ", ".join(clauses) + "\n"
