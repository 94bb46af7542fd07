"""Questions about a whole fleet's devices on a kernel: which modules they need, and which they do not."""

from pyalias.fleet.devices import DeviceCounts
from pyalias.fleet.loading import NeededModule
from pyalias.fleet.minimal import Coverage, ModuleSet, minimal
from pyalias.fleet.unused import UnusedModules, unused

__all__ = ["Coverage", "DeviceCounts", "ModuleSet", "NeededModule", "UnusedModules", "minimal", "unused"]
