"""The libraries of the extra ``packages``, loaded when a file needs one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from pyalias.errors import MissingLibraryError

_DISTRIBUTIONS = {
    "asn1crypto.cms": "asn1crypto",
    "debian.arfile": "python-debian",
    "elftools.elf.elffile": "pyelftools",
    "lz4.block": "lz4",
    "lz4.frame": "lz4",
    "rpmfile": "rpmfile",
    "zstandard": "zstandard",
}


def load(module: str, purpose: str) -> Any:
    """Import a module of the extra.

    Raises:
        MissingLibraryError: it is not installed; the message names what to install.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingLibraryError(
            f"reading {purpose} needs {_DISTRIBUTIONS[module]}: pip install 'pyalias-kmod[packages]'"
        ) from error
