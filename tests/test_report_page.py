"""The page in a real browser: its numbers, its pictures, its filters and orders, and hostile texts in it.

What is checked can fail: tests at the end break a page on purpose and are told of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from support.browser import share_of
from support.reports import DEVICES, newer_index, report_of, small_index, write_csv

import pyalias
from pyalias.inventory import DeviceNames, open_inventory
from pyalias.report import build_report, render_page

if TYPE_CHECKING:
    from pathlib import Path

    from support.browser import Browser

    from pyalias.report import Report

TABLE = "#unclaimed-devices"


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
    field = browser.control("[type=search]", TABLE)
    field.send_keys("1234:00 PCI")
    wanted = [row for row in report.unmatched.rows if "1234:00" in row.name]
    assert browser.control(".state", TABLE).text == f"20 of {len(wanted)} rows"
    assert [row[0].split("\n")[1] for row in browser.visible_rows(TABLE)] == [
        row.modalias for row in wanted[:20]
    ]
    field.clear()
    field.send_keys("1234:0031")
    assert [row[0].split("\n")[0] for row in browser.visible_rows(TABLE)] == ["pci 1234:0031"]
    assert browser.control(".state", TABLE).text == "1 of 1 rows"
    field.send_keys("no such words")
    assert browser.visible_rows(TABLE) == []
    assert browser.errors() == []


def test_order_by_each_column_with_the_keyboard(browser: Browser, page: Path, report: Report):
    browser.open(page)
    browser.control("[type=checkbox]", TABLE).click()
    browser.control(".more", TABLE).click()
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
            rows = browser.visible_rows(TABLE)
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
    assert browser.control(".state", TABLE).text == (
        f"20 of {len(rest)} rows; {bridges} bridges and system devices left out"
    )
    assert len(browser.visible_rows(TABLE)) == 20
    browser.control(".more", TABLE).click()
    assert len(browser.visible_rows(TABLE)) == len(rest)
    assert browser.control(".more", TABLE).text == "Show 20"
    browser.control("[type=checkbox]", TABLE).click()
    assert len(browser.visible_rows(TABLE)) == report.unmatched.total
    browser.control("[type=checkbox]", TABLE).click()
    (option,) = [o for o in browser.control("select", TABLE).find_elements("css selector", "option")
                 if o.get_attribute("value") == "pci class 0600"]  # fmt: skip
    assert option.text == f"pci class 0600 ({bridges})"
    option.click()
    assert {row[3] for row in browser.visible_rows(TABLE)} == {"pci class 0600"}
    assert len(browser.visible_rows(TABLE)) == bridges
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


# ---- several kernels ----


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
    assert [row[0] for row in browser.visible_rows("#kernel-coverage")] == ["gone", "new", "old"]
    browser.control("[type=checkbox]", TABLE).click()
    browser.control(".more", TABLE).click()
    assert [row[-1] for row in browser.visible_rows(TABLE)] == [
        ", ".join(row.kernels) for row in report.unmatched.rows
    ]
    states = [(row.state, row.kernels) for row in report.partial.rows]
    assert [row[-1] for row in browser.visible_rows("#partial-devices")] == [
        ", ".join(kernels) for _, kernels in states
    ]
    assert faults(browser, report) == []


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
