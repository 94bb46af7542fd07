"""How libvirt (10.0 and later) finds a VFIO variant driver, restated from its behaviour, mistakes included.

``virPCIDeviceFindBestVFIOVariant`` on the text of modules.alias. Written from a description, for tests.
"""

from __future__ import annotations

_MARKERS = ("v", "d", "sv", "sd", "bc", "sc", "i")
_LINE_START = "\nalias vfio_pci:"


def best_variant(text: str, modalias: str) -> str | None:
    """The module's name as libvirt takes it; ``None``: its default, the driver vfio-pci."""
    device = _fields(modalias, len("pci:"))
    best, fewest = None, len(_MARKERS) + 1
    at = text.find(_LINE_START)
    while at >= 0:
        start = at + len(_LINE_START)
        alias = _fields(text, start)
        if alias is not None and device is not None:
            wild = _wild_fields(alias[0], device[0])
            if wild is not None and wild < fewest:
                fewest = wild
                # the rest of the line behind the first blank, whatever it ends with
                best = text[alias[1] + 1 :].split("\n", 1)[0]
        at = text.find(_LINE_START, start)
    return best


def _fields(text: str, at: int) -> tuple[list[str], int] | None:
    """The seven fields, and where the last ends. A field's end is searched in all the text, not the line."""
    values = []
    for marker, following in zip(_MARKERS, (*_MARKERS[1:], ""), strict=True):
        if not text.startswith(marker, at):
            return None
        at += len(marker)
        end = text.find(following, at) if following else _blank(text, at)
        if end < 0:
            return None
        values.append(text[at:end])
        at = end
    return values, at


def _blank(text: str, at: int) -> int:
    while at < len(text) and not text[at].isspace():
        at += 1
    return at


def _wild_fields(alias: list[str], device: list[str]) -> int | None:
    if any(wanted not in ("*", found) for wanted, found in zip(alias, device, strict=True)):
        return None
    return alias.count("*")
