"""The page in a real browser: its numbers, its pictures, its filters and orders, and hostile texts in it.

What is checked can fail: tests at the end break a page on purpose and are told of it.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.browser import Browser, open_browser
from support.reports import DEVICES, HOSTILE, newer_index, report_of, small_index, write_csv

import pyalias
from pyalias.fleet import diff_fleet
from pyalias.inventory import DeviceNames, open_inventory
from pyalias.report import build_report, render_page, report_diff
from pyalias.report.text import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PIL.Image import Image

    from pyalias.report import DiffReport, Report

TABLE = "#unclaimed-devices"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    """60 unclaimed devices of two classes and some bridges, on hosts of three sizes."""
    unclaimed = [
        f"pci:v00001234d{number:08X}sv00000000sd00000000bc0{1 + number % 2}sc00i00" for number in range(60)
    ]
    rows = [(f"h{host}", device) for host in range(40) for device in [*DEVICES[:-1], *unclaimed[: host + 20]]]
    rows += [("h0", "pci:v1["), ("h1", "")]
    return report_of(folder, write_csv(folder / "fleet.csv", rows))


@pytest.fixture(scope="module")
def page(report: Report, folder: Path) -> Path:
    path = folder / "page.html"
    path.write_bytes(render_page(report))
    return path


def visible_rows(browser: Browser, table: str = TABLE) -> list[list[str]]:
    script = (
        "return [...document.querySelectorAll(arguments[0] + ' tbody tr')].filter(r => r.offsetHeight)"
        ".map(r => [...r.cells].map(c => c.innerText.trim()))"
    )
    return browser.ask(script, table)


def part_of(browser: Browser, name: str, table: str = TABLE):
    """A control of a table."""
    frame = browser.driver.find_element("css selector", f".frame:has({table})")
    return frame.find_element("css selector", f".controls {name}")


# ---- numbers and pictures ----


def test_the_figures_are_the_summarys(browser: Browser, page: Path, report: Report):
    browser.open(page)
    script = (
        "return [...document.querySelectorAll('.figure')].map(f => [...f.children].map(c => c.innerText))"
    )
    figures = {name: value.split("\n") for name, value in browser.ask(script)}
    summary, totals, rest = report.summary, report.totals, report.totals_without_system
    assert figures == {
        "Devices claimed": [
            f"{summary.matched / summary.devices:.1%}", f"{summary.matched:,} of {summary.devices:,}"],
        "Claimed, system devices left out": [
            f"{rest.matched / rest.devices:.1%}", f"{rest.matched:,} of {rest.devices:,}"],
        "Hosts": ["40", "40 different sets of devices"],
        "Hosts with an unclaimed device": ["40", "100.0%"],
        "... other than system devices": [f"{rest.hosts_unmatched}", f"{rest.hosts_unmatched / 40:.1%}"],
        "Devices": [f"{summary.devices:,}", f"{summary.distinct:,} distinct"],
        "Unclaimed devices": [f"{summary.unmatched:,}", f"{report.unmatched.total} distinct"],
        "Modules that claim devices": [str(len(summary.modules))],
    }  # fmt: skip
    assert totals.devices == summary.devices
    assert browser.errors() == []


def test_every_table_is_the_reports(browser: Browser, page: Path, report: Report):
    """As the browser reads them, all rows, before anything is filtered."""
    browser.open(page)
    script = (
        "return [...document.querySelectorAll(arguments[0] + ' tbody tr')]"
        ".map(r => [...r.cells].map(c => c.textContent.trim()))"
    )
    modules = browser.ask(script, "#module-devices")
    assert modules == [
        [row.module, f"{row.hosts:,}", f"{row.devices:,}", f"{row.distinct:,}"] for row in report.modules.rows
    ]
    classes = browser.ask(script, "#class-coverage")
    expected = [
        [name, f"{c.matched / c.devices:.1%}", "", f"{c.devices:,}", f"{c.unmatched:,}", f"{c.hosts:,}",
         f"{c.hosts_unmatched:,}"]
        for name, c in report.classes.rows
    ]  # fmt: skip
    assert classes == expected
    unclaimed = browser.ask(script, TABLE)
    assert [row[1:] for row in unclaimed] == [
        [f"{row.hosts:,}", f"{row.devices:,}", row.device_class] for row in report.unmatched.rows
    ]


def share_of(picture: Image, box: tuple[float, ...], colour: tuple[int, int, int]) -> float:
    """Which share of a box has a colour, give or take the smoothing of edges."""
    left, top, width, height = box
    part = picture.crop((round(left), round(top), round(left + width), round(top + height)))
    near = np.abs(np.asarray(part, dtype=int) - colour).max(axis=2) <= 3
    return float(near.mean())


REGIONS = ("h1", "#overview .figures", TABLE, "#class-coverage", ".words")
PLOTS = ("#unclaimed .plot svg", "#classes .plot svg")


def faults(browser: Browser, report: Report) -> list[str]:
    """What is wrong with the page as it is seen: errors, parts that are missing, a bar of wrong lengths."""
    found = browser.errors()
    picture = browser.picture()
    if browser.ask("return document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        found.append("the page is wider than the window")
    if share_of(picture, (0, 0, 8, picture.height), browser.colour("body")) < 0.99:
        found.append("the edge of the page is not paper")
    bar, *boxes = browser.boxes(".whole .bar", *REGIONS)
    summary = report.summary
    for state, part in (("matched", summary.matched), ("unmatched", summary.unmatched)):
        share = share_of(picture, bar, browser.colour(f".whole .bar .{state}"))
        if abs(share - part / summary.devices) > 0.02:
            found.append(f"the bar has {share:.3f} of {state}")
    unclaimed = browser.colour(".whole .unmatched")
    # On a phone the plots give way to their tables.
    plots = () if picture.width < 640 else PLOTS
    for name, box in zip(plots, browser.boxes(*plots), strict=True):
        share = share_of(picture, box, unclaimed)
        if not 0.01 < share < 0.9:
            found.append(f"{name} has {share:.3f} of its bars' colour")
    for name, box in zip(REGIONS, boxes, strict=True):
        left, top, width, height = map(round, box)
        few = picture.crop((left, top, left + width, top + height)).getcolors(8)  # None where there are more
        if width < 100 or height < 20 or few:
            found.append(f"{name} is blank")
    return found


@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_picture(browser: Browser, page: Path, report: Report, width: int, dark: bool):
    browser.open(page, width=width, dark=dark)
    assert faults(browser, report) == []
    assert (sum(browser.colour("body")) < 3 * 64) == dark
    ink, paper = browser.colour("body", "color"), browser.colour("section")
    assert abs(sum(ink) - sum(paper)) > 3 * 128


def test_nothing_is_asked_of_a_network(browser: Browser, page: Path):
    browser.open(page)
    assert browser.requested() == {page.resolve().as_uri()}
    assert re.findall(rb"""(?:src|href|action|url)\s*[=(]\s*["']?(?!#)[^\s"'>]+""", page.read_bytes()) == []


def test_print_shows_no_controls(browser: Browser, page: Path):
    browser.open(page, dark=True)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.ask("return document.querySelector('.controls').offsetHeight") == 0
    assert browser.colour("body") == (255, 255, 255)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


# ---- filters and orders ----


def test_filter_by_words(browser: Browser, page: Path, report: Report):
    browser.open(page)
    field = part_of(browser, "[type=search]")
    field.send_keys("1234:00 PCI")
    wanted = [row for row in report.unmatched.rows if "1234:00" in row.name]
    assert part_of(browser, ".state").text == f"20 of {len(wanted)} rows"
    assert [row[0].split("\n")[1] for row in visible_rows(browser)] == [row.modalias for row in wanted[:20]]
    field.clear()
    field.send_keys("1234:0031")
    assert [row[0].split("\n")[0] for row in visible_rows(browser)] == ["pci 1234:0031"]
    assert part_of(browser, ".state").text == "1 of 1 rows"
    field.send_keys("no such words")
    assert visible_rows(browser) == []
    assert browser.errors() == []


def test_order_by_each_column_with_the_keyboard(browser: Browser, page: Path, report: Report):
    browser.open(page)
    part_of(browser, "[type=checkbox]").click()
    part_of(browser, ".more").click()
    heads = browser.driver.find_elements("css selector", f"{TABLE} thead button")
    assert [head.text for head in heads] == ["Device", "Hosts", "Devices", "Class"]
    every = [
        [row.name + row.modalias, row.hosts, row.devices, row.device_class] for row in report.unmatched.rows
    ]
    for column, head in enumerate(heads):
        number = column in (1, 2)
        for order in ("descending", "ascending") if number else ("ascending", "descending"):
            browser.ask("arguments[0].focus()", head)
            head.send_keys("\ue007" if order == "ascending" else " ")
            sorts = browser.ask(
                "return [...document.querySelectorAll(arguments[0] + ' thead th')].map(h => h.ariaSort)",
                TABLE,
            )
            assert sorts == [order if place == column else None for place in range(4)]
            rows = visible_rows(browser)
            assert len(rows) == report.unmatched.total
            cells = [row[column].replace("\n", "").replace(",", "").lower() for row in rows]
            values = [int(cell) if number else cell for cell in cells]
            expected = [row[column] if number else row[column].lower() for row in every]
            assert values == sorted(expected, reverse=order == "descending")
    assert browser.errors() == []


def test_system_devices_classes_and_all_rows(browser: Browser, page: Path, report: Report):
    browser.open(page)
    rest = [row for row in report.unmatched.rows if not row.system]
    bridges = report.unmatched.total - len(rest)
    assert bridges > 0
    assert part_of(browser, ".state").text == (
        f"20 of {len(rest)} rows; {bridges} bridges and system devices left out"
    )
    assert len(visible_rows(browser)) == 20
    part_of(browser, ".more").click()
    assert len(visible_rows(browser)) == len(rest)
    assert part_of(browser, ".more").text == "Show 20"
    part_of(browser, "[type=checkbox]").click()
    assert len(visible_rows(browser)) == report.unmatched.total
    part_of(browser, "[type=checkbox]").click()
    (option,) = [o for o in part_of(browser, "select").find_elements("css selector", "option")
                 if o.get_attribute("value") == "pci class 0600"]  # fmt: skip
    assert option.text == f"pci class 0600 ({bridges})"
    option.click()
    assert {row[3] for row in visible_rows(browser)} == {"pci class 0600"}
    assert len(visible_rows(browser)) == bridges
    assert browser.errors() == []


def test_tables_are_accessible(browser: Browser, page: Path):
    """Scopes, captions and labels; and what can be clicked is a button."""
    browser.open(page)
    assert browser.ask("return [...document.querySelectorAll('thead th')].every(h => h.scope === 'col')")
    assert browser.ask(
        "return [...document.querySelectorAll('tbody tr')].every(r => r.cells[0].tagName === 'TH'"
        " && r.cells[0].scope === 'row')"
    )
    assert browser.ask("return [...document.querySelectorAll('table')].every(t => t.caption.textContent)")
    assert browser.ask(
        "return [...document.querySelectorAll('input, select')].every(i => i.labels.length === 1)"
    )
    ids = browser.ask("return [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


# ---- the other pages ----


@pytest.fixture(scope="module")
def kernels_page(folder: Path) -> tuple[Path, Report]:
    """A fleet of three kernels, one of which is not in the set, with partial devices."""
    rows = [
        (f"h{host}", device, ("old", "new", "gone")[host % 3])
        for host in range(12)
        for device in [*DEVICES[:-1], "pci:v00008086d*sv*sd*bc02sc00i*"]
    ]
    path = write_csv(folder / "kernels.csv", rows, ("host", "modalias", "kernel"))
    kernels = pyalias.AliasIndexSet.from_kernels({"old": small_index(), "new": newer_index()})
    with open_inventory(path, partial=True) as inventory:
        report = build_report(kernels, inventory, index_name="set", names=DeviceNames([folder / "none"]))
    (folder / "kernels.html").write_bytes(render_page(report))
    return folder / "kernels.html", report


def test_several_kernels(browser: Browser, kernels_page: tuple[Path, Report]):
    page, report = kernels_page
    browser.open(page)
    assert [row[0] for row in visible_rows(browser, "#kernel-coverage")] == ["gone", "new", "old"]
    part_of(browser, "[type=checkbox]").click()
    part_of(browser, ".more").click()
    assert [row[-1] for row in visible_rows(browser)] == [
        ", ".join(row.kernels) for row in report.unmatched.rows
    ]
    states = [(row.state, row.kernels) for row in report.partial.rows]
    assert [row[-1] for row in visible_rows(browser, "#partial-devices")] == [
        ", ".join(kernels) for _, kernels in states
    ]
    assert faults(browser, report) == []


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
        part_of(browser, f"option[value={kind}]", "#changed-devices").click()
        seen = visible_rows(browser, "#changed-devices")
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
    part_of(browser, "[type=search]").send_keys("<script>")
    assert visible_rows(browser)
    assert browser.errors() == []


# ---- that these tests can fail ----


def broken(page: Path, old: str, new: str) -> Path:
    text = page.read_text("utf-8")
    assert old in text
    path = page.with_name("broken.html")
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("</script>", "\n</script>", "Content Security Policy"),
        ("</head>", "</head><script>document.title = 'owned'</script>", "Content Security Policy"),
        ("</body>", '<img src="http://example.invalid/x"></body>', "Content Security Policy"),
        ('<table id="unclaimed-devices">', '<table id="unclaimed-devices" hidden>', "is blank"),
        ("</style>", "body { visibility: hidden }</style>", "is blank"),
        ("</style>", ".bar .matched { max-width: 5% }</style>", "the bar has"),
        ("</style>", "section { width: 2000px }</style>", "wider than the window"),
    ],
)
def test_a_broken_page_is_found(browser: Browser, page: Path, report: Report, old: str, new: str, fault: str):
    browser.open(broken(page, old, new))
    assert any(fault in found for found in faults(browser, report)), faults(browser, report)


def test_an_error_in_a_script_is_found(browser: Browser, page: Path, report: Report):
    text = page.read_text("utf-8")
    policy = re.search(r'<meta http-equiv="Content-Security-Policy".*\n', text)
    assert policy is not None
    path = page.with_name("throws.html")
    path.write_text(
        text.replace(policy[0], "").replace("function setUp(frame) {", "function setUp(frame) { x.y;")
    )
    browser.open(path)
    assert any("x is not defined" in found for found in faults(browser, report))
