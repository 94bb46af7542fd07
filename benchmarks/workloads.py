"""The workloads: which devices are looked up, and what libkmod is recorded to answer for each."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cache, cached_property

from bundled import KERNEL, Answer, read_answers

DEVICES_AT_MOST = 5_000
COLUMN_ROWS = 1_000_000

GOLDEN = f"kmod/golden-{KERNEL}.tsv.xz"
PCI_IDS = f"devices/expected-pciids-{KERNEL}.tsv.xz"
USB_IDS = f"devices/expected-usbids-{KERNEL}.tsv.xz"

# As the kernel prints it: 53 characters, digits in upper case. The list made from pci.ids has a few "i8a".
PCI_MODALIAS = re.compile(
    r"pci:v([0-9A-F]{8})d([0-9A-F]{8})sv([0-9A-F]{8})sd([0-9A-F]{8})bc([0-9A-F]{2})sc([0-9A-F]{2})i([0-9A-F]{2})"
)


@dataclass(frozen=True)
class Workload:
    """Distinct devices with libkmod's answers, and the long column that repeats them."""

    name: str
    answers: dict[str, Answer]

    @cached_property
    def devices(self) -> list[str]:
        """Each device once."""
        return list(self.answers)

    @cached_property
    def rows(self) -> list[str]:
        """The devices of the ready column: the same draw in every run."""
        draw = random.Random(self.name)  # noqa: S311 - to be repeated, not to be secret
        return draw.choices(self.devices, k=COLUMN_ROWS)

    @cached_property
    def column(self) -> bytes:
        """The ready column: one modalias a line."""
        return "".join(f"{row}\n" for row in self.rows).encode()

    @property
    def answered(self) -> int:
        """How many of the devices have a module."""
        return sum(1 for answer in self.answers.values() if answer)


def sample(name: str, answers: dict[str, Answer]) -> Workload:
    """Take up to ``DEVICES_AT_MOST`` devices, the same ones in every run, in no order of names."""
    draw = random.Random(name)  # noqa: S311 - to be repeated, not to be secret
    devices = draw.sample(sorted(answers), k=min(len(answers), DEVICES_AT_MOST))
    return Workload(name, {device: answers[device] for device in devices})


def of_bus(bus: str) -> dict[str, Answer]:
    """Take the golden table's devices of one bus."""
    return {device: answer for device, answer in read_answers(GOLDEN).items() if device.startswith(bus)}


def of_pci(*, answered: bool) -> dict[str, Answer]:
    """Take the PCI devices of pci.ids that have a module, or those that have none."""
    return {
        device: answer
        for device, answer in read_answers(PCI_IDS).items()
        if bool(answer) is answered and PCI_MODALIAS.fullmatch(device)
    }


def mix() -> dict[str, Answer]:
    """Take devices of every bus, but no name without a colon: libkmod asks modules.dep for those first."""
    return {device: answer for device, answer in read_answers(GOLDEN).items() if ":" in device}


SOURCES = {
    "pci hits": lambda: of_pci(answered=True),
    "pci misses": lambda: of_pci(answered=False),
    "usb": lambda: read_answers(USB_IDS),
    "acpi": lambda: of_bus("acpi:"),
    "of": lambda: of_bus("of:"),
    "hid": lambda: of_bus("hid:"),
    "dmi": lambda: of_bus("dmi:"),
    "mix": mix,
}


@cache
def workload(name: str) -> Workload:
    """Build the workload of that name (a key of ``SOURCES``)."""
    return sample(name, SOURCES[name]())
