"""Questions about a whole fleet's devices: which modules they need of a kernel, and what a move changes."""

from pyalias.fleet.alias_diff import AliasDiff, ModuleDiff, MovedAlias, RenamedModule, diff_aliases
from pyalias.fleet.devices import DeviceCounts
from pyalias.fleet.diff import Cause, CauseCount, Count, DeviceChange, FleetDiff, diff_fleet
from pyalias.fleet.generic import is_generic
from pyalias.fleet.loading import NeededModule
from pyalias.fleet.minimal import Coverage, ModuleSet, minimal
from pyalias.fleet.unused import UnusedModules, unused

__all__ = [
    "AliasDiff",
    "Cause",
    "CauseCount",
    "Count",
    "Coverage",
    "DeviceChange",
    "DeviceCounts",
    "FleetDiff",
    "ModuleDiff",
    "ModuleSet",
    "MovedAlias",
    "NeededModule",
    "RenamedModule",
    "UnusedModules",
    "diff_aliases",
    "diff_fleet",
    "is_generic",
    "minimal",
    "unused",
]
