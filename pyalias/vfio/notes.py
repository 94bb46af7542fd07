"""What to know of a device or a driver before it is switched, beyond what aliases say."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pyalias.pci.idtable import PciDeviceId
from pyalias.vfio.variants import BY_MODULE, DENYLIST, GENERIC_MODULE, INTEL, VARIANTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyalias.vfio.candidates import Candidate
    from pyalias.vfio.drivers import DriverName

_BRIDGES = (0x060400, 0x060700, 0x060900)


class Note(NamedTuple):
    """A text about devices; ``module``: of interest only where another one was chosen."""

    text: str
    module: str = ""
    generic_only: bool = False


def _notes() -> Iterable[tuple[PciDeviceId, Note]]:
    for code in _BRIDGES:
        text = "the device is a bridge, which vfio-pci refuses: switch the devices behind it"
        yield PciDeviceId.device_class(code, 0xFFFF00), Note(text)
    for device in DENYLIST:
        text = f"vfio-pci refuses {INTEL:04x}:{device:04x} unless it is loaded with disable_denylist=1"
        yield PciDeviceId.device(INTEL, device), Note(text, generic_only=True)
    for variant in VARIANTS:
        for device in variant.devices:
            text = (
                f"Linux 7.3 has {variant.module} for {variant.vendor:04x}:{device:04x}, "
                "but this kernel's aliases do not"
            )
            if variant.condition and not variant.virtual_only:
                text += f"; {variant.condition}"
            yield PciDeviceId.device(variant.vendor, device), Note(text, variant.module, generic_only=True)


NOTES = [((entry.to_alias() or "").removeprefix("pci:"), note) for entry, note in _notes()]
"""Patterns without ``pci:``, and what they say."""


def warnings_for(
    best: Candidate,
    notes: Iterable[Note],
    tied: set[str],
    name: DriverName,
    virtual_function: bool | None,
) -> tuple[str, ...]:
    """Sentences for people: what may go wrong with a choice."""
    generic = best.module == GENERIC_MODULE
    found = [note.text for note in notes if (generic or not note.generic_only) and note.module != best.module]
    if len(tied) > 1:
        others = ", ".join(sorted(tied - {best.module}))
        found.append(f"{others} matches as specifically; {best.module} stands first in the file")
    variant = BY_MODULE.get(best.module)
    if variant and variant.virtual_only and virtual_function is not True:
        known = "this is none" if virtual_function is False else "the modalias does not tell if this is one"
        found.append(f"{best.module} takes virtual functions only, and {known}")
    elif variant and variant.condition:
        found.append(f"{best.module}: {variant.condition}")
    if name.driver is None:
        found.append(f"the driver's name is unknown until {best.module} is loaded")
    return tuple(found)
