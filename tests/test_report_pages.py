"""The page on a move in a real browser; and hostile texts in all pages, which stay texts."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from support.browser import Browser, share_of
from support.reports import DEVICES, HOSTILE, newer_index, report_of, small_index, write_csv

import pyalias
from pyalias.fleet import diff_fleet
from pyalias.inventory import DeviceNames, open_inventory
from pyalias.report import build_report, render_page, report_diff
from pyalias.report.text import plain_text

if TYPE_CHECKING:
    from pathlib import Path

    from pyalias.report import DiffReport

TABLE = "#unclaimed-devices"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def page(folder: Path) -> Path:
    """Of a harmless fleet, with all that a page may have."""
    devices = [*DEVICES, "pci:v1[", "pci:v00008086d*sv*sd*bc02sc00i*"]
    path = write_csv(folder / "fleet.csv", [(f"h{host}", device) for host in range(3) for device in devices])
    (folder / "page.html").write_bytes(render_page(report_of(folder, path)))
    return folder / "page.html"


# ---- a move ----


@pytest.fixture(scope="module")
def diff_page(folder: Path) -> tuple[Path, DiffReport]:
    rows = [(f"h{host}", device) for host in range(30) for device in DEVICES[: host + 3]]
    with open_inventory(write_csv(folder / "move.csv", rows)) as inventory:
        found = diff_fleet(small_index(), newer_index(), [inventory])
    report = report_diff(found, old="old", new="new", source="move.csv", names=DeviceNames([folder / "none"]))
    (folder / "diff.html").write_bytes(render_page(report))
    return folder / "diff.html", report


@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_page_on_a_move(browser: Browser, diff_page: tuple[Path, DiffReport], width: int, dark: bool):
    page, report = diff_page
    browser.open(page, width=width, dark=dark)
    assert browser.errors() == []
    assert browser.requested() == {page.resolve().as_uri()}
    picture = browser.picture()
    bar, plot, *boxes = browser.boxes(
        ".whole .bar", "#causes .plot svg", "#changed-devices", "#module-aliases"
    )
    fleet = report.fleet
    assert fleet is not None
    for kind in ("lost", "changed", "gained"):
        wanted = fleet.kinds[kind].devices / fleet.total.devices
        assert wanted > 0
        assert abs(share_of(picture, bar, browser.colour(f".whole .{kind}")) - wanted) < 0.02
    if width > 640:
        assert 0.01 < share_of(picture, plot, browser.colour(".whole .changed")) < 0.9
    for left, top, width_, height in boxes:
        assert picture.crop(tuple(map(round, (left, top, left + width_, top + height)))).getcolors(8) is None
    assert not browser.ask(
        "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )


def test_filters_of_a_move(browser: Browser, diff_page: tuple[Path, DiffReport]):
    page, report = diff_page
    browser.open(page)
    fleet = report.fleet
    assert fleet is not None
    for kind in ("lost", "changed", "gained"):
        rows = [row for row in fleet.changes.rows if row.kind == kind]
        browser.control(f"option[value={kind}]", "#changed-devices").click()
        seen = browser.visible_rows("#changed-devices")
        assert [row[1:4] for row in seen] == [[f"{row.hosts}", f"{row.devices}", kind] for row in rows]
        assert [row[4].split("\n") for row in seen] == [
            [f"{' '.join(row.old_modules) or 'none'} \u2192 {' '.join(row.new_modules) or 'none'}",
             "; ".join(row.causes)]
            for row in rows
        ]  # fmt: skip
    assert browser.errors() == []


# ---- hostile texts ----


class Elements(HTMLParser):
    """The names of all elements and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """What the parser calls."""
        self.elements.append(tag)
        self.attributes += attrs


@pytest.fixture(scope="module")
def hostile_page(folder: Path) -> Path:
    """Hostile texts as hosts, devices, modules and names of all kinds."""
    evil = folder / "evil"
    evil.mkdir()
    names = [f"{0x5000 + number:04x}  {text}" for number, text in enumerate(HOSTILE)]
    (evil / "pci.ids").write_text("\n".join([*names, f"C 03  {HOSTILE[0]}", ""]), encoding="utf-8")
    named = [f"pci:v{0x5000 + number:08X}d00000001sv*sd*bc03sc00i00" for number in range(len(HOSTILE))]
    rows = [(text, device) for text in HOSTILE for device in [*HOSTILE, *named, f"claimed{text}"]]
    path = write_csv(folder / "<img src=x onerror=alert(1)>.csv", rows)
    # A module's name has no control characters.
    modules = [text for text in HOSTILE if text.isascii() and text.isprintable()]
    index = pyalias.AliasIndex.compile([("claimed*", text) for text in modules])
    with open_inventory(path) as inventory:
        report = build_report(index, inventory, index_name=HOSTILE[2], names=DeviceNames([evil]))
    assert {row.module for row in report.modules.rows} == {text.replace("-", "_") for text in modules}
    assert report.totals.hosts == len(HOSTILE)
    path = folder / "hostile.html"
    path.write_bytes(render_page(report))
    return path


@pytest.fixture(scope="module")
def hostile_diff_page(folder: Path) -> Path:
    """And as kernels that a fleet moves between."""
    modules = [text for text in HOSTILE if text.isascii() and text.isprintable()]
    old = pyalias.AliasIndex.compile([("claimed*", text) for text in modules])
    new = pyalias.AliasIndex.compile([("claimed*", text + "2") for text in modules])
    path = write_csv(folder / "move.csv", [(text, f"claimed{text}") for text in HOSTILE])
    with open_inventory(path) as inventory:
        found = diff_fleet(old, new, [inventory])
    report = report_diff(found, old=HOSTILE[0], new=HOSTILE[2], source=HOSTILE[3])
    path = folder / "hostile-move.html"
    path.write_bytes(render_page(report))
    return path


@pytest.mark.parametrize("which", ["scan", "move"])
def test_hostile_texts_stay_texts(
    which: str, hostile_page: Path, hostile_diff_page: Path, page: Path, diff_page: tuple[Path, DiffReport]
):
    """There are no elements and no attributes but those of the page of a harmless fleet."""
    hostile, other = (hostile_page, page) if which == "scan" else (hostile_diff_page, diff_page[0])
    found, harmless = Elements(), Elements()
    found.feed(hostile.read_text("utf-8"))
    harmless.feed(other.read_text("utf-8"))
    assert found.elements.count("script") == 1
    assert set(found.elements) <= set(harmless.elements)
    assert {name for name, _ in found.attributes} <= {name for name, _ in harmless.attributes}
    assert {value for name, value in found.attributes if name in ("href", "src")} <= {
        value for name, value in harmless.attributes if name in ("href", "src")
    }


def test_hostile_moves_in_the_browser(browser: Browser, hostile_diff_page: Path):
    browser.open(hostile_diff_page)
    assert browser.errors() == []
    assert browser.ask("return document.title") == f"From {HOSTILE[0]} to {HOSTILE[2]}"
    assert browser.requested() == {hostile_diff_page.resolve().as_uri()}


def test_hostile_texts_in_the_browser(browser: Browser, hostile_page: Path):
    browser.open(hostile_page)
    assert browser.errors() == []
    assert "owned" not in browser.ask("return document.title").replace("onerror", "")
    assert browser.requested() == {hostile_page.resolve().as_uri()}
    shown = browser.ask(f"return document.querySelector('{TABLE}').textContent")
    assert [text for text in HOSTILE if plain_text(text) not in shown] == []
    # The options of the class are made by the script, of texts that are in the page.
    options = browser.ask(
        f"return [...document.querySelectorAll('.frame:has({TABLE}) option')].map(o => o.text)"
    )
    assert any(option.startswith(HOSTILE[0]) for option in options)
    browser.control("[type=search]", TABLE).send_keys("<script>")
    assert browser.visible_rows(TABLE)
    assert browser.errors() == []
