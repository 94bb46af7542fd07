"""PCI as the kernel sees it: devices, id tables and their aliases, and which driver binds."""

from pyalias.pci.device import PciDevice
from pyalias.pci.idtable import (
    PCI_ANY_ID,
    VFIO_DRIVER_OVERRIDE,
    PciDeviceId,
    PciIdWarning,
    to_aliases,
)
from pyalias.pci.matching import ANY_DEVICE, Match, PciDriver, match_device, which_driver

__all__ = [
    "ANY_DEVICE",
    "PCI_ANY_ID",
    "VFIO_DRIVER_OVERRIDE",
    "Match",
    "PciDevice",
    "PciDeviceId",
    "PciDriver",
    "PciIdWarning",
    "match_device",
    "to_aliases",
    "which_driver",
]
