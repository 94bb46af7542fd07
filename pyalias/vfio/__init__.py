"""VFIO: the best driver for a device, and the switch to it and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyalias.vfio.candidates import Candidate
from pyalias.vfio.choice import Choice, Choices, choose, choose_ids, choose_many
from pyalias.vfio.drivers import driver_of_module

if TYPE_CHECKING:
    from pyalias.vfio.applying import apply
    from pyalias.vfio.persistence import udev_rules
    from pyalias.vfio.planning import Assignment, Plan, Step, plan
    from pyalias.vfio.preflight import Finding
    from pyalias.vfio.restoring import Status, restore, status
    from pyalias.vfio.sysfs import DeviceState

__all__ = [
    "Assignment",
    "Candidate",
    "Choice",
    "Choices",
    "DeviceState",
    "Finding",
    "Plan",
    "Status",
    "Step",
    "apply",
    "choose",
    "choose_ids",
    "choose_many",
    "driver_of_module",
    "plan",
    "restore",
    "status",
    "udev_rules",
]

_SWITCH = {
    "Assignment": "planning",
    "DeviceState": "sysfs",
    "Finding": "preflight",
    "Plan": "planning",
    "Status": "restoring",
    "Step": "planning",
    "apply": "applying",
    "plan": "planning",
    "restore": "restoring",
    "status": "restoring",
    "udev_rules": "persistence",
}


def __getattr__(name: str) -> Any:
    """Load the switch when it is first asked for: a choice needs none of it."""
    if name in _SWITCH:
        from importlib import import_module  # noqa: PLC0415

        return getattr(import_module(f"pyalias.vfio.{_SWITCH[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
