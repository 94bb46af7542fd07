"""Where and with what a run was made."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shlex
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def describe() -> dict[str, object]:
    """Say all that a reader needs to judge the figures or to repeat the run."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "load average": [round(load, 2) for load in os.getloadavg()],
        "system": platform.platform(),
        "commit": first_line("git", "-C", str(PROJECT), "describe", "--always", "--dirty", "--abbrev=12"),
        "command": shlex.join(["python", *sys.argv]),
        "versions": versions(),
    }


def cpu_model() -> str:
    """Name the processor; not every architecture's /proc/cpuinfo does."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def slug(name: str) -> str:
    """Make a name fit for a directory."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "pyalias": version_of("pyalias-kmod"),
        "pyarrow": version_of("pyarrow"),
        "kmod": first_line("modprobe", "--version").removeprefix("kmod version "),
        "libc": " ".join(platform.libc_ver()),
        "compiler": first_line("cc", "--version"),
    }


def version_of(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def first_line(*command: str) -> str:
    """Run a command that may not be installed; return the first line that it prints."""
    try:
        ran = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return ran.stdout.splitlines()[0]
