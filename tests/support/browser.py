"""A real browser: Debian's chromium, driven by its own chromedriver.

Whatever a page does wrong is kept: errors of scripts and of its policy, and every address that it asks for.
"""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from PIL.Image import Image

PROGRAMS = ("chromium", "chromedriver")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


class Box(NamedTuple):
    """Where an element stands on the page, in pixels."""

    left: float
    top: float
    width: float
    height: float


class Browser:
    """One window of a given size; ``open`` a page, then look at it."""

    def __init__(self) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which(PROGRAMS[0]) or ""
        for flag in _FLAGS:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which(PROGRAMS[1])))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.driver.quit()

    def open(self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Load a page afresh."""
        self.driver.get("about:blank")
        self.errors()
        self.driver.get_log("performance")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get(path.resolve().as_uri())

    def errors(self) -> list[str]:
        """What the console has got since it was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requested(self) -> set[str]:
        """The addresses that the page asked for since it was opened."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        asked = (message for message in messages if message["method"] == "Network.requestWillBeSent")
        return {message["params"]["request"]["url"] for message in asked}

    def ask(self, script: str, *arguments: Any) -> Any:
        """The value of a function's body."""
        return self.driver.execute_script(script, *arguments)

    def visible_rows(self, table: str) -> list[list[str]]:
        """The texts of the rows of a table that can be seen."""
        script = (
            "return [...document.querySelectorAll(arguments[0] + ' tbody tr')].filter(r => r.offsetHeight)"
            ".map(r => [...r.cells].map(c => c.innerText.trim()))"
        )
        rows: list[list[str]] = self.ask(script, table)
        return rows

    def control(self, name: str, table: str) -> Any:
        """A control of a table, by a selector."""
        frame = self.driver.find_element("css selector", f".frame:has({table})")
        return frame.find_element("css selector", f".controls {name}")

    def picture(self) -> Image:
        """The whole page."""
        from PIL import Image

        width, height = self.ask("const e = document.documentElement; return [e.clientWidth, e.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        taken = self.driver.execute_cdp_cmd(
            "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip}
        )
        return Image.open(io.BytesIO(base64.b64decode(taken["data"]))).convert("RGB")

    def boxes(self, *selectors: str) -> list[Box]:
        """Where the first element of each is."""
        script = (
            "return [...arguments].map(s => document.querySelector(s).getBoundingClientRect())"
            ".map(r => [r.x + scrollX, r.y + scrollY, r.width, r.height])"
        )
        return [Box(*box) for box in self.ask(script, *selectors)]

    def colour(self, selector: str, name: str = "background-color") -> tuple[int, int, int]:
        """A colour as the browser computes it."""
        script = (
            "return getComputedStyle(document.querySelector(arguments[0])).getPropertyValue(arguments[1])"
        )
        numbers = self.ask(script, selector, name).partition("(")[2].rstrip(")").split(",")
        red, green, blue = map(int, numbers[:3])
        return red, green, blue


def share_of(picture: Image, box: Sequence[float], colour: tuple[int, int, int]) -> float:
    """Which share of a box has a colour, give or take the smoothing of edges."""
    import numpy as np

    left, top, width, height = box
    part = picture.crop((round(left), round(top), round(left + width), round(top + height)))
    near = np.abs(np.asarray(part, dtype=int) - colour).max(axis=2) <= 3
    return float(near.mean())


def open_browser() -> Browser:
    """A browser; PYALIAS_REQUIRE_CHROMIUM=1 turns its absence from a skip into a failure."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        reason = f"no browser (Debian: chromium, chromium-driver): {', '.join(missing)} not found"
        if os.environ.get("PYALIAS_REQUIRE_CHROMIUM") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return Browser()
