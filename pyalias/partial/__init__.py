"""Devices of which some ids are unknown: which modules claim them for certain, and which perhaps."""

from pyalias.partial.answers import PartialAnswer, PartialAnswers, PartialCounts
from pyalias.partial.device import PartialDevice

__all__ = ["PartialAnswer", "PartialAnswers", "PartialCounts", "PartialDevice"]
