"""The libraries that make a page, of the extra ``report``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from pyalias.errors import MissingLibraryError

_LIBRARIES = ("jinja2", "markupsafe", "vl_convert")


def load(name: str) -> Any:
    """A library.

    Raises:
        MissingLibraryError: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingLibraryError(f"a page needs {name}: pip install 'pyalias-kmod[report]'") from error


def check_libraries() -> None:
    """Load all of them: before a long scan, not after it.

    Raises:
        MissingLibraryError: one is not installed.
    """
    for name in _LIBRARIES:
        load(name)
