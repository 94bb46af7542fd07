"""Small fleets for reports, some of them hostile."""

from __future__ import annotations

import csv
from functools import cache
from typing import TYPE_CHECKING, Any

import pyalias
from pyalias.inventory import DeviceNames, open_inventory
from pyalias.report import Report, build_report

if TYPE_CHECKING:
    from pathlib import Path

_PCI = "pci:v{:08X}d{:08X}sv00000000sd00000000bc{:02X}sc00i00"

DEVICES = [_PCI.format(0x8086, number, base_class) for number in range(10) for base_class in (1, 2, 6)]
DEVICES += ["usb:v8087p0A2Bd0010dcE0dsc01dp01icE0isc01ip01in00", "acpi:PNP0C14:", "none", ""]

# Texts that would be script, markup, styles, expressions or other pages where one forgets to escape.
HOSTILE = [
    "<script>document.title='owned'</script>",
    "</script><script>document.title='owned'</script>",
    "</style><img src=http://example.invalid/x onerror=\"document.title='owned'\">",
    "\"><svg onload=document.title='owned'>",
    "' onmouseover='document.title=1",
    "{{ 7 * 7 }}{% include 'page.js' %}",
    "javascript:document.title='owned'",
    "<!-- --!><iframe src=//example.invalid>",
    "&lt;b&gt; &amp; <b>",
    "datum.label + 'x'",
    "\\u003cscript\\u003e \x01\x1f\x7f",
    "\u202etxt.exe \ufeff",
]


@cache
def small_index() -> pyalias.AliasIndex:
    """Half of the devices are claimed; one by two modules, one twice by the same."""
    aliases = [(f"pci:v00008086d0000000{number}sv*sd*bc*sc*i*", f"m{number}") for number in range(0, 10, 2)]
    aliases += [("pci:v00008086d00000002sv*sd*bc02sc*i*", "other"), ("pci:v00008086d00000004*", "m4")]
    return pyalias.AliasIndex.compile(aliases)


def write_csv(path: Path, rows: list[tuple[str, str]]) -> Path:
    """A device list of hosts and modaliases."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["host", "modalias"])
        writer.writerows(rows)
    return path


def report_of(empty: Path, path: Path, **options: Any) -> Report:
    """The report on a device list, by the small index; without names of devices."""
    with open_inventory(path) as inventory:
        return build_report(
            small_index(), inventory, index_name="small", names=DeviceNames([empty / "no names"]), **options
        )
