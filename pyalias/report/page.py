"""The page: one file of HTML that refers to nothing outside itself.

All texts come from a fleet's inventory and are hostile until shown otherwise: Jinja escapes each, and the
page's own policy lets the browser run no script but the one that it is written with, and fetch nothing.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any

from pyalias.report.diff import DiffReport
from pyalias.report.libraries import load
from pyalias.report.plots import plot_counts, plot_coverage
from pyalias.report.text import plain_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyalias.report.model import Report

_TOP_DEVICES = 20
_TOP_CLASSES = 15


def render_page(report: Report | DiffReport) -> bytes:
    """The page as UTF-8.

    Raises:
        MissingLibraryError: Jinja2 or vl-convert-python is not installed (``pip install
            'pyalias-kmod[report]'``).
    """
    if isinstance(report, DiffReport):
        return _render("diff.html", _diff_plots(report), report=report, has_hosts=_has_hosts(report))
    return _render(
        "scan.html",
        _plots(report),
        report=report,
        summary=report.summary,
        totals=report.totals,
        has_hosts=report.totals.hosts > 0,
        has_partial=report.summary.partial > 0,
        several_kernels=report.summary.kernels is not None,
    )


def _render(template: str, plots: Mapping[str, str], **context: Any) -> bytes:
    jinja2, markupsafe = load("jinja2"), load("markupsafe")

    def shown(value: Any) -> Any:
        """What stands between braces in a template, before it is escaped."""
        return plain_text(value) if type(value) is str else value

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pyalias.report", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": _count, "share": _share, "width": _width}
    script = _own_file("page.js")
    text = environment.get_template(template).render(
        context,
        plots={name: markupsafe.Markup(svg) for name, svg in plots.items()},
        style=markupsafe.Markup(_own_file("page.css")),
        script=markupsafe.Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        top_devices=_TOP_DEVICES,
        top_classes=_TOP_CLASSES,
    )
    return bytes(text, "utf-8")


def _own_file(name: str) -> str:
    return resources.files("pyalias.report").joinpath("page", name).read_text("utf-8")


def _plots(report: Report) -> dict[str, str]:
    """Those that there is something to plot for."""
    devices = [row for row in report.unmatched.rows if not row.system][:_TOP_DEVICES]
    plots = {}
    if devices:
        by_hosts = report.totals.hosts > 0
        bars = [(row.name or row.modalias, row.hosts if by_hosts else row.devices) for row in devices]
        plots["devices"] = plot_counts(bars, "hosts" if by_hosts else "devices", "unmatched")
    if report.classes.rows:
        plots["classes"] = plot_coverage(report.classes.rows[:_TOP_CLASSES])
    if report.summary.kernels:
        plots["kernels"] = plot_coverage(report.kernels.rows[:_TOP_CLASSES])
    return plots


def _has_hosts(report: DiffReport) -> bool:
    return report.fleet is not None and report.fleet.total.hosts > 0


def _diff_plots(report: DiffReport) -> dict[str, str]:
    causes = report.fleet.causes.rows[:_TOP_CLASSES] if report.fleet else ()
    if not causes:
        return {}
    by_hosts = _has_hosts(report)
    bars = [(f"{row.kind}, {row.cause}", row.hosts if by_hosts else row.devices) for row in causes]
    return {"causes": plot_counts(bars, "hosts" if by_hosts else "devices", "changed")}


def _count(number: int) -> str:
    return f"{number:,}"


def _share(part: int, whole: int) -> str:
    """As the terminal's summary has it."""
    return f"{part / whole:.1%}" if whole else "-"


def _width(part: int, whole: int) -> str:
    """For a style, so with a point in any locale."""
    return f"{100 * part / whole:.3f}%" if whole else "0"
