"""Lines for people, on standard error."""

from __future__ import annotations

import sys


def print_message(text: str) -> None:
    """One line; a file name may hold anything, also ends of lines."""
    line = text.replace("\r", "\\r").replace("\n", "\\n")
    print(f"pyalias: {line}", file=sys.stderr)
