"""A line on the terminal that says how far the work is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS_BETWEEN = 0.1


class Progress:
    """Rewrites its line, ten times a second at most; ``fraction`` is asked each time."""

    def __init__(self, terminal: TextIO, fraction: Callable[[], float | None]) -> None:
        self._terminal = terminal
        self._fraction = fraction
        self._start = self._last = time.monotonic()

    def __call__(self, devices: int) -> None:
        """Show the number of devices so far."""
        now = time.monotonic()
        if now - self._last < _SECONDS_BETWEEN:
            return
        self._last = now
        rate = devices / (now - self._start)
        fraction = self._fraction()
        share = "" if fraction is None else f"  {fraction:4.0%}{_left(now - self._start, fraction)}"
        self._terminal.write(f"\r{devices:,} devices  {rate:,.0f}/s{share}\x1b[K")
        self._terminal.flush()

    def close(self) -> None:
        """Clear the line."""
        self._terminal.write("\r\x1b[K")
        self._terminal.flush()


def _left(elapsed: float, fraction: float) -> str:
    """The time that the rest will take at the rate so far; after the first second, which says little."""
    if elapsed < 1 or not 0 < fraction < 1:
        return ""
    seconds = round(elapsed * (1 - fraction) / fraction)
    return f"  {seconds // 60}:{seconds % 60:02} left"
