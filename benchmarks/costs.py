"""What is paid once: compiling, opening, importing, starting a process, room on disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bundled import KERNEL
from native import LibkmodThroughCtypes
from rounds import cpu_time, wall_time

import pyalias

if TYPE_CHECKING:
    from collections.abc import Callable

    from contenders import Stage

DEVICE = "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"

TIME_IMPORT = """\
import time
start = time.perf_counter_ns()
import pyalias
print(time.perf_counter_ns() - start)
"""


TIME_FNMATCH = f"""\
import fnmatch, sys, time
lines = [line.split() for line in open(sys.argv[1], encoding="utf-8") if line.startswith("alias ")]
start = time.perf_counter_ns()
found = [module for _, pattern, module in lines if fnmatch.fnmatchcase({DEVICE!r}, pattern)]
print(time.perf_counter_ns() - start)
"""


@dataclass(frozen=True)
class Cost:
    """One thing that is paid once; ``measure`` gives nanoseconds."""

    name: str
    clock: str
    measure: Callable[[], int]


def costs(stage: Stage) -> list[Cost]:
    """List all costs that can be measured on this machine."""
    return [
        in_process("compile: AliasIndex.from_modules", compile_index, stage),
        in_process("save", save_index, stage),
        in_process("open: map and check the image", open_index, stage),
        in_process("libkmod: kmod_new + kmod_load_resources", open_libkmod, stage),
        Cost("import pyalias, in a fresh process", "wall", import_time),
        *(
            Cost(f"process: {name}", "wall", partial(wall_time, partial(run_command, command)))
            for name, command in commands(stage).items()
        ),
        Cost("python fnmatch over lines: the first lookup", "wall", partial(first_fnmatch_time, stage)),
    ]


def in_process(name: str, action: Callable[[Stage], None], stage: Stage) -> Cost:
    return Cost(name, "CPU", partial(cpu_time, partial(action, stage)))


def compile_index(stage: Stage) -> None:
    pyalias.AliasIndex.from_modules(stage.modules_directory)


def save_index(stage: Stage) -> None:
    with TemporaryDirectory(dir=stage.image.parent) as directory:
        stage.index.save(Path(directory) / "saved.pyalias")


def open_index(stage: Stage) -> None:
    with pyalias.AliasIndex.open(stage.image):
        pass


def open_libkmod(stage: Stage) -> None:
    LibkmodThroughCtypes(stage.modules_directory).close()


def import_time() -> int:
    """Time the import alone; the interpreter's own start is not ours."""
    return int(run_command([sys.executable, "-c", TIME_IMPORT]))


def first_fnmatch_time(stage: Stage) -> int:
    """Time the lookup that makes a regular expression of every pattern; later ones may find them cached."""
    return int(
        run_command([sys.executable, "-c", TIME_FNMATCH, str(stage.modules_directory / "modules.alias")])
    )


def commands(stage: Stage) -> dict[str, list[str]]:
    """List the commands that answer one lookup; modprobe where it is installed. All print the same."""
    # The command that belongs to this interpreter, not another one that PATH may hold.
    pyalias_command = str(Path(sys.executable).with_name("pyalias"))
    found = {"pyalias lookup": [pyalias_command, "lookup", "--modules", str(stage.modules_directory), DEVICE]}
    search = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    modprobe = shutil.which("modprobe", path=search)
    if modprobe:
        root = str(stage.modules_directory.parents[2])
        found["modprobe -R"] = [modprobe, "-C", "/dev/null", "-d", root, "-S", KERNEL, "-R", DEVICE]
    return found


def run_command(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout


def sizes(stage: Stage) -> dict[str, int]:
    """Give the bytes on disk of our image and of what it is made from or stands for."""
    return {
        "pyalias image": stage.image.stat().st_size,
        "modules.alias": (stage.modules_directory / "modules.alias").stat().st_size,
        "modules.alias.bin": (stage.modules_directory / "modules.alias.bin").stat().st_size,
    }
