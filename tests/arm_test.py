"""``make arm-test``: the NEON variant, which no x86-64 runs, on the CPU that QEMU plays.

The core is compiled for 64-bit ARM and asked for the rows that the tests of the variants ask for, odd ones
among them; each answer must be the trie's (tests/c/variants.c). The same program runs here first, with the
variants of this CPU. Wanted: ``apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import test_usb
import test_variants
from support.tables import DATA, EXPECTED, GOLDEN, read_answers

from pyalias import AliasIndex

ROOT = Path(__file__).resolve().parent.parent
COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
FLAGS = ["-std=c11", "-O3", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'csrc'}"]


def build(compiler: str, program: Path, *flags: str) -> None:
    sources = [*sorted((ROOT / "csrc").glob("*.c")), ROOT / "tests" / "c" / "variants.c"]
    subprocess.run([compiler, *FLAGS, *flags, "-o", program, *sources], check=True)


def all_rows() -> dict[str, list[bytes]]:
    """Rows of one bus without any other, with odd ones among them, and all in any order."""
    known = sorted({key for table in GOLDEN + EXPECTED for key, _ in read_answers(table.path)})
    random = Random(1)  # noqa: S311 - repeatable, not secret
    random.shuffle(known)
    pci = [row for row in known if row.startswith((b"pci:", b"vfio_pci:"))]
    usb = [row for row in known if row.startswith(b"usb:")]
    whole = [row for row in usb if test_usb.ROW.fullmatch(row)]
    rows = {
        "pci": [row for row in pci if len(row) == test_variants.LENGTH],
        "usb": usb,
        "usb of one length": whole[:4000] + test_usb.mingled(whole, 4000, 2),
        "odd pci": pci[:4000] + test_variants.odd_rows(pci),
        "odd usb": usb[:4000] + test_usb.odd_rows(whole),
        "mixed": known[:20_000] + [b"vfio_" + row for row in pci[:1000]],
    }
    for name in ("odd pci", "odd usb", "mixed"):
        random.shuffle(rows[name])
    return {name: [row for row in found if b"\n" not in row] for name, found in rows.items()}


def run(name: str, command: list[str | Path]) -> set[str]:
    """The variants that gave every row the trie's answer; the end where one did not."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"arm-test: {name}: {done.stderr}")
    compared = [line.split() for line in done.stdout.splitlines()]
    rows = sum(int(count) for _, _, count in compared)
    variants = {variant for variant, _, _ in compared}
    print(f"{name}: {rows:,} answers compared of {', '.join(sorted(variants))}", flush=True)
    return variants


def main() -> int:
    missing = [tool for tool in (COMPILER, EMULATOR) if shutil.which(tool) is None]
    with TemporaryDirectory() as directory:
        root = Path(directory)
        build("cc", root / "native")
        if missing:
            print(f"arm-test: ARM SKIPPED, nothing of NEON was run: there is no {' and no '.join(missing)}")
        else:
            build(COMPILER, root / "arm", "-static")
        image = root / "image"
        with tarfile.open(DATA / "kernels" / f"{test_variants.RELEASE}.tar.xz") as archive:
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(root / "kernel")  # noqa: S202 the project's own archive
        AliasIndex.from_modules(root / "kernel").save(image)
        for name, rows in all_rows().items():
            path = root / "rows"
            path.write_bytes(b"".join(row + b"\n" for row in rows))
            run(name, [root / "native", image, path])
            if not missing and "neon" not in run(f"{name}, ARM", [EMULATOR, root / "arm", image, path]):
                raise SystemExit("arm-test: the program for ARM knows no variant neon")
    return 0


if __name__ == "__main__":
    sys.exit(main())
