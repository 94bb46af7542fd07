"""From a module's name to its driver's: two names, which punctuation does not connect.

``modules.alias`` has names of modules, ``driver_override`` takes those of drivers: ``vfio_pci`` holds
``vfio-pci``, ``xe_vfio_pci`` holds ``xe-vfio-pci``, ``mlx5_vfio_pci`` holds ``mlx5_vfio_pci``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pyalias.vfio.variants import BY_MODULE

if TYPE_CHECKING:
    import os

_BUS = "pci:"


class DriverName(NamedTuple):
    """A driver's name (``None``: not known), and how it is known."""

    driver: str | None
    known_by: Literal["sysfs", "kernel sources", "unknown until loaded"]


def driver_of_module(module: str, root: str | os.PathLike[str] | None = None) -> DriverName:
    """The PCI driver that a module registers.

    A loaded module has a link for each driver, ``/sys/module/MODULE/drivers/pci:DRIVER``. Of several the
    one with ``vfio`` in its name is taken, if only one has. Else the drivers in the kernel's sources are
    known by name; of any other module nobody can tell until it is loaded.

    Args:
        module: its normalised name.
        root: the tree whose ``sys`` is read; ``None`` reads none.
    """
    if root is not None:
        found = _linked_drivers(Path(root) / "sys/module" / module / "drivers")
        if len(found) > 1:
            found = [name for name in found if "vfio" in name]
        if len(found) == 1:
            return DriverName(found[0], "sysfs")
    if module in BY_MODULE:
        return DriverName(BY_MODULE[module].driver, "kernel sources")
    return DriverName(None, "unknown until loaded")


def _linked_drivers(directory: Path) -> list[str]:
    try:
        names = [path.name for path in directory.iterdir()]
    except OSError:  # not loaded, built in without parameters, or no sysfs here
        return []
    return sorted(name.removeprefix(_BUS) for name in names if name.startswith(_BUS))
