"""VFIO: the best driver for a device."""

from __future__ import annotations

from pyalias.vfio.candidates import Candidate
from pyalias.vfio.choice import Choice, Choices, choose, choose_ids, choose_many
from pyalias.vfio.drivers import driver_of_module

__all__ = [
    "Candidate",
    "Choice",
    "Choices",
    "choose",
    "choose_ids",
    "choose_many",
    "driver_of_module",
]
