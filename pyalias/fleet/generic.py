"""Patterns that name no device: a driver that they lead to takes whatever is of a class."""

from __future__ import annotations

from functools import lru_cache

from pyalias.modalias import parse_modalias

_IDENTITY = frozenset(
    {"vendor", "device", "subvendor", "subdevice", "product", "manufacturer", "part", "card", "model"}
)


@lru_cache(maxsize=65536)
def is_generic(pattern: str) -> bool:
    """Whether a pattern asks for none of the fields that tell a device from others of its class.

    These are its bus's vendor, device, subvendor, subdevice, product, manufacturer, part, card and model, as
    far as it has them; all must be ``*``. So ``pci:v*d*sv*sd*bc01sc08i02*`` (nvme) is generic, and
    ``pci:v00008086d*sv*sd*bc02sc00i00*`` is not. On a bus without such fields (acpi, of, platform) a pattern
    always names something, unless it is ``*`` altogether.
    """
    if not pattern.strip("*"):
        return True
    kinds = [field.kind for field in parse_modalias(pattern).fields if field.name in _IDENTITY]
    return bool(kinds) and all(kind == "wild" for kind in kinds)
