"""VFIO: the best driver for a device, and the switch to it and back."""

from __future__ import annotations

from pyalias.vfio.applying import apply
from pyalias.vfio.persistence import udev_rules
from pyalias.vfio.planning import Assignment, Plan, Step, plan
from pyalias.vfio.preflight import Finding
from pyalias.vfio.restoring import Status, restore, status
from pyalias.vfio.sysfs import DeviceState

__all__ = [
    "Assignment",
    "DeviceState",
    "Finding",
    "Plan",
    "Status",
    "Step",
    "apply",
    "plan",
    "restore",
    "status",
    "udev_rules",
]
