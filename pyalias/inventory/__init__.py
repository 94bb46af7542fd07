"""Inventories of devices, in the shapes that people have them, as one form of record.

``open_inventory`` reads plain lists of modaliases, CSV and JSON Lines, and the shapes that other programs
write (``FORMATS``); docs/inventories.md shows each.
"""

from pyalias.inventory.formats import FORMATS, LIST_FORMATS, RECORD_FORMATS
from pyalias.inventory.lists import Batch
from pyalias.inventory.names import DeviceNames
from pyalias.inventory.reader import DEFAULT_COLUMN, RECORD_COLUMNS, Inventory, open_inventory
from pyalias.inventory.reading import LONGEST_RECORD
from pyalias.inventory.records import DeviceRecord, Reject

__all__ = [
    "DEFAULT_COLUMN",
    "FORMATS",
    "LIST_FORMATS",
    "LONGEST_RECORD",
    "RECORD_COLUMNS",
    "RECORD_FORMATS",
    "Batch",
    "DeviceNames",
    "DeviceRecord",
    "Inventory",
    "Reject",
    "open_inventory",
]
