"""Small fleets for reports, some of them hostile."""

from __future__ import annotations

import csv
from functools import cache
from typing import TYPE_CHECKING, Any

import pyalias
from pyalias.inventory import DeviceNames, open_inventory
from pyalias.report import Report, build_report

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PCI = "pci:v{:08X}d{:08X}sv00000000sd00000000bc{:02X}sc00i00"

DEVICES = [_PCI.format(0x8086, number, base_class) for number in range(10) for base_class in (1, 2, 6)]
DEVICES += ["usb:v8087p0A2Bd0010dcE0dsc01dp01icE0isc01ip01in00", "acpi:PNP0C14:", "none", ""]

# Of the bundled kernels some claim these.
REAL_DEVICES = [
    "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00",
    "pci:v0000144Dd0000A808sv0000144Dsd0000A801bc01sc08i02",
    "pci:v00008086d00004941sv00008086sd00000000bc0Bsc40i00",
    "pci:v00001002d00007550sv00001043sd00000521bc03sc00i00",
    "pci:v000015B3d0000101Esv000015B3sd00000000bc02sc00i00",
    "pci:v000010DEd00002342sv000010DEsd000016EBbc03sc02i00",
]

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


@cache
def newer_index() -> pyalias.AliasIndex:
    """The same for a newer kernel: of these modules one is gone, one has another name, one is new."""
    aliases = [("pci:v00008086d00000002sv*sd*bc*sc*i*", "m2"), ("pci:v00008086d00000003sv*", "m3")]
    aliases += [("pci:v00008086d00000004sv*sd*bc*sc*i*", "renamed"), ("pci:v00008086d00000004*", "renamed")]
    aliases += [
        ("pci:v00008086d00000006sv*sd*bc*sc*i*", "m6"),
        ("pci:v00008086d00000008sv*sd*bc*sc*i*", "m8"),
    ]
    return pyalias.AliasIndex.compile(aliases)


def write_csv(
    path: Path, rows: Sequence[Sequence[str]], columns: Sequence[str] = ("host", "modalias")
) -> Path:
    """A device list, of hosts and modaliases or of whatever columns."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def report_of(empty: Path, path: Path, index: pyalias.AliasIndex | None = None, **options: Any) -> Report:
    """The report on a device list, by the small index; without names of devices."""
    with open_inventory(path) as inventory:
        return build_report(
            index or small_index(),
            inventory,
            index_name="small",
            names=DeviceNames([empty / "no names"]),
            **options,
        )
