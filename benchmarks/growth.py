"""What a device costs as aliases grow to a million and devices to a hundred million, and in how much memory.

    python benchmarks/growth.py            # some minutes; plots go to benchmarks/plots/
    python benchmarks/growth.py --quick    # a tenth of everything

Aliases: those of the bundled kernel in random order, and beyond them made-up PCI and USB devices in the forms
that the kernel's own take. Devices: a column of chunks, each of which is matched and let go of.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import tarfile
from array import array
from functools import partial
from pathlib import Path
from typing import Any

import machine
from bundled import DATA, KERNEL
from rounds import cpu_time

from pyalias import AliasIndex, _binding, kernels

HERE = Path(__file__).resolve().parent
PLOTS = HERE / "plots"
ALIASES = (1_000, 3_000, 10_000, 27_000, 100_000, 300_000, 1_000_000)
DEVICES = (1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000)
CHUNK_ROWS = 1_000_000
SAMPLE_ROWS = 200_000


def kernel_lines() -> list[bytes]:
    """The alias lines of the bundled kernel."""
    with tarfile.open(DATA / "kernels" / f"{KERNEL}.tar.xz") as archive:
        member = next(entry for entry in archive if Path(entry.name).name == "modules.alias")
        text = archive.extractfile(member).read()
    return [line for line in text.splitlines() if line.startswith(b"alias ")]


def made_up_line(draw: random.Random) -> bytes:
    """A device in one of the forms that most of the kernel's lines have."""
    vendor, device, module = draw.getrandbits(16), draw.getrandbits(16), draw.randrange(6_000)
    form = draw.random()
    if form < 0.6:
        return b"alias pci:v%08Xd%08Xsv*sd*bc*sc*i* made_up_%d" % (vendor, device, module)
    if form < 0.8:
        board = draw.getrandbits(16)
        return b"alias pci:v%08Xd%08Xsv%08Xsd*bc*sc*i* made_up_%d" % (vendor, device, board, module)
    return b"alias usb:v%04Xp%04Xd*dc*dsc*dp*ic*isc*ip*in* made_up_%d" % (vendor, device, module)


def alias_text(count: int) -> bytes:
    """So many lines: the kernel's first, in an order of no meaning; the same in every run."""
    draw = random.Random("growth")  # noqa: S311 - to be repeated, not to be secret
    lines = kernel_lines()
    draw.shuffle(lines)
    lines += [made_up_line(draw) for _ in range(count - len(lines))]
    return b"\n".join(lines[:count]) + b"\n"


def devices_of(text: bytes, count: int) -> bytes:
    """A column of devices that PCI patterns of a text were written for, and as many that no one knows."""
    draw = random.Random("devices")  # noqa: S311 - to be repeated, not to be secret
    found = re.findall(rb"^alias (pci:v[0-9A-F]{8}d[0-9A-F]{8})sv", text, re.MULTILINE)
    stems = found or [b"pci:v00008086d000010D3"]
    rest = b"sv%08Xsd%08Xbc02sc00i00\n"
    rows = []
    for _ in range(count):
        stranger = b"pci:v%08Xd%08X" % (draw.getrandbits(16), draw.getrandbits(16))
        stem = draw.choice(stems) if draw.random() < 0.5 else stranger
        rows.append(stem + rest % (draw.getrandbits(16), draw.getrandbits(16)))
    return b"".join(rows)


def alias_point(text: bytes, rounds: int = 3) -> dict[str, Any]:
    """What so many aliases cost: once, in memory, and a device."""
    source = kernels.alias_text_source("modules.alias", text)
    column = devices_of(text, SAMPLE_ROWS if rounds > 1 else 1_000)
    compiled = min(cpu_time(lambda: _binding.compile_image([source])) for _ in range(rounds))
    image = bytes(_binding.compile_image([source]))
    opened = min(cpu_time(lambda: AliasIndex.from_bytes(image)) for _ in range(rounds))
    index = AliasIndex.from_bytes(image)
    rows = len(index.lookup_many(column))
    matched = min(cpu_time(lambda: index.lookup_many(column)) for _ in range(rounds))
    return {
        "aliases": index.counts.aliases,
        "image bytes": len(image),
        "compile ms": compiled / 1e6,
        "open ms": opened / 1e6,
        "ns a row": matched / rows,
    }


def device_point(index: AliasIndex, count: int) -> dict[str, Any]:
    """So many devices, a chunk at a time: time a row, and how much memory the process has had at most."""
    chunk = devices_of(b"", min(CHUNK_ROWS, count))
    done = spent = matched = 0
    while done < count:
        found: list[Any] = []
        spent += cpu_time(partial(match_into, found, index, chunk))
        matched += len(found[0]) - array("I", found[0].ids).count(0)
        done += len(found[0])
    return {
        "devices": done,
        "matched": matched,
        "ns a row": spent / done,
        "most memory MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def match_into(found: list[Any], index: AliasIndex, column: bytes) -> None:
    found.append(index.lookup_many(column))


def plot(points: list[dict[str, Any]], across: str, figures: list[str], name: str) -> None:
    """One small picture: a figure each, over what grows."""
    import matplotlib as mpl  # noqa: PLC0415 - part of the extra "bench", wanted here alone

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    drawing, axes = plt.subplots(1, len(figures), figsize=(3.4 * len(figures), 3), layout="constrained")
    for axis, figure in zip(axes, figures, strict=True):
        axis.plot([point[across] for point in points], [point[figure] for point in points], marker="o")
        axis.set(xscale="log", xlabel=across, title=figure)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    PLOTS.mkdir(exist_ok=True)
    drawing.savefig(PLOTS / f"{name}.png", dpi=80)
    plt.close(drawing)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    smaller = 10 if parser.parse_args().quick else 1
    alias_points = []
    for count in ALIASES:
        alias_points.append(alias_point(alias_text(count // smaller)))
        print(alias_points[-1], flush=True)
    index = AliasIndex.from_bytes(_binding.compile_image([real_source()]))
    device_points = []
    for count in DEVICES:
        device_points.append(device_point(index, count // smaller))
        print(device_points[-1], flush=True)
    plot(alias_points, "aliases", ["ns a row", "compile ms", "open ms", "image bytes"], "growth-aliases")
    plot(device_points, "devices", ["ns a row", "most memory MB"], "growth-devices")
    found = {"machine": machine.describe(), "aliases": alias_points, "devices": device_points}
    (PLOTS / "growth.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def real_source() -> _binding.Source:
    return kernels.alias_text_source("modules.alias", b"\n".join(kernel_lines()) + b"\n")


if __name__ == "__main__":
    main()
