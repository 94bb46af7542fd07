"""Boots a Debian kernel in QEMU, runs pyalias in it (``guest.py``), and fails on any difference.

    make qemu-test                              everything; the log is build/qemu/console.log
    python tests/qemu/run.py --document         and writes the summary of the run to docs/vfio-qemu.md

Everything is emulated (TCG): no /dev/kvm, no root, no device of this machine. Exit codes: 0 all checks
passed; 1 a check failed, or the machine did not come to its end in time; 2 something is not installed.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from image import PROJECT, MissingToolError, build

if TYPE_CHECKING:
    from pathlib import Path

QEMU = "qemu-system-x86_64"
_LEAST = 130  # checks; fewer means that the guest left some out
_END = re.compile(r"end     (\d+) passed, (\d+) failed, (\d+) parts")
_BEGIN = "<!-- the summary of a run: written by tests/qemu/run.py --document -->\n"


def command(kernel: Path, initramfs: Path, disk: Path, console: Path) -> list[str]:
    """The machine: q35 with an IOMMU; where each device stands is what guest.py expects."""
    devices = [
        "intel-iommu,intremap=on,caching-mode=on",
        *(f"pcie-root-port,id=rp{slot},bus=pcie.0,addr={slot:#x},chassis={slot}" for slot in (1, 2, 3)),
        "e1000e,bus=rp1,netdev=n1",
        "virtio-net-pci,bus=rp2,netdev=n2,disable-legacy=on,iommu_platform=on",
        "nvme-subsys,id=subsys0",
        "nvme,bus=rp3,serial=pyalias,subsys=subsys0,sriov_max_vfs=4,sriov_vq_flexible=8,sriov_vi_flexible=4",
        "nvme-ns,drive=disk0,nsid=1",
        "edu,bus=pcie.0,addr=0x10",
        "edu,bus=pcie.0,addr=0x11.0,multifunction=on",
        "e1000,bus=pcie.0,addr=0x11.1,netdev=n3",
        "pcie-pci-bridge,id=br,bus=pcie.0,addr=0x12",
        "e1000,bus=br,addr=0x1,netdev=n4",
        "virtio-blk-pci,bus=br,addr=0x2,drive=disk1",
    ]
    drives = [f"id=disk{number},file={disk},format=raw,if=none,snapshot=on" for number in (0, 1)]
    return [
        *(
            QEMU,
            "-machine",
            "q35,kernel-irqchip=split",
            "-accel",
            "tcg",
            "-cpu",
            "max",
            "-m",
            "1024",
            "-smp",
            "1",
        ),
        *("-nodefaults", "-no-reboot", "-display", "none", "-kernel", str(kernel), "-initrd", str(initramfs)),
        *("-append", "console=ttyS0 intel_iommu=on iommu=pt panic=-1 quiet loglevel=4"),
        *("-serial", f"file:{console}"),
        *(part for number in range(1, 5) for part in ("-netdev", f"user,id=n{number},restrict=on")),
        *(part for drive in drives for part in ("-drive", drive)),
        *(part for device in devices for part in ("-device", device)),
    ]


def boot(arguments: list[str], console: Path, seconds: float) -> None:
    """Run the machine until it switches off; ``seconds`` at most."""
    console.unlink(missing_ok=True)
    with subprocess.Popen(arguments) as machine:
        end = time.monotonic() + seconds
        shown = 0
        while machine.poll() is None and time.monotonic() < end:
            time.sleep(0.5)
            shown = _show_new_lines(console, shown)
        if machine.poll() is None:
            print(f"the machine did not come to its end in {seconds:.0f} s")
            machine.kill()
    _show_new_lines(console, shown)


def _show_new_lines(console: Path, shown: int) -> int:
    lines = _lines(console)
    for line in lines[shown:]:
        print(line, flush=True)
    return len(lines)


def _lines(console: Path) -> list[str]:
    """The guest's lines that are complete."""
    if not console.exists():
        return []
    text = console.read_bytes().decode("utf-8", "replace").replace("\r", "")
    return [line for line in text.split("\n")[:-1] if line.startswith("guest: ")]


def judge(console: Path) -> str | None:
    """What is wrong with a run, or ``None``."""
    lines = _lines(console)
    ends = [found for line in lines if (found := _END.search(line))]
    failed = [line for line in lines if "FAILED" in line]
    if not ends:
        return f"the guest did not come to its end: see {console}"
    passed, failures, _ = map(int, ends[0].groups())
    if failures or failed:
        return f"{failures} checks failed"
    if passed < _LEAST:
        return f"only {passed} checks were made"
    return None


def document(console: Path, seconds: float) -> None:
    """Put the run's lines into the page."""
    page = PROJECT / "docs" / "vfio-qemu.md"
    before = page.read_text("utf-8").partition(_BEGIN)[0]
    version = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )[0]
    body = "\n".join(line.removeprefix("guest: ") for line in _lines(console))
    page.write_text(
        f"{before}{_BEGIN}\n{version}; {seconds:.0f} s from start to end.\n\n```text\n{body}\n```\n", "utf-8"
    )


def main() -> int:
    """Build, boot, judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--document", action="store_true", help="write the summary to docs/vfio-qemu.md")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds that the machine may take")
    options = parser.parse_args()
    work = PROJECT / "build" / "qemu"
    if shutil.which(QEMU) is None:
        print(f"{QEMU} is not installed: apt-get install --no-install-recommends qemu-system-x86")
        return 2
    try:
        kernel, initramfs, release = build(work)
    except (MissingToolError, subprocess.CalledProcessError) as error:
        print(error)
        return 2
    print(f"{release}: an initramfs of {initramfs.stat().st_size / 1e6:.0f} MB", flush=True)
    disk = work / "disk.raw"
    with disk.open("wb") as file:
        file.truncate(16 << 20)
    console = work / "console.log"
    start = time.monotonic()
    boot(command(kernel, initramfs, disk, console), console, options.timeout)
    seconds = time.monotonic() - start
    problem = judge(console)
    print(problem or f"all checks passed in {seconds:.0f} s")
    if options.document and problem is None:
        document(console, seconds)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
