"""Libraries that only some engines need, loaded when they are asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from pyalias.errors import MissingLibraryError


def load(module: str, extra: str) -> Any:
    """Import a library of an extra.

    Raises:
        MissingLibraryError: it is not installed; the message says how to get it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingLibraryError(
            f"{module} is not installed ({error}): install pyalias with its extra [{extra}]"
        ) from error
