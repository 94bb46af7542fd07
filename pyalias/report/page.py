"""The page: one file of HTML that refers to nothing outside itself.

All texts come from a fleet's inventory and are hostile until shown otherwise: Jinja escapes each, and the
page's own policy lets the browser run no script but the one that it is written with, and fetch nothing.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any

from pyalias.errors import MissingLibraryError
from pyalias.report.plots import plot_coverage, plot_devices
from pyalias.report.text import plain_text

if TYPE_CHECKING:
    from pyalias.report.model import Report

_TOP_DEVICES = 20
_TOP_CLASSES = 15


def render_page(report: Report) -> bytes:
    """The page as UTF-8.

    Raises:
        MissingLibraryError: Jinja2 or vl-convert-python is not installed (``pip install
            'pyalias-kmod[report]'``).
    """
    try:
        import jinja2  # noqa: PLC0415 - an extra
        import markupsafe  # noqa: PLC0415 - what Jinja2 escapes with
    except ImportError as error:
        raise MissingLibraryError("the page needs Jinja2: pip install 'pyalias-kmod[report]'") from error

    def shown(value: Any) -> Any:
        """What stands between braces in the template, before it is escaped."""
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
    text = environment.get_template("page.html").render(
        report=report,
        plots={name: markupsafe.Markup(svg) for name, svg in _plots(report).items()},  # noqa: S704 see plots
        style=markupsafe.Markup(_own_file("page.css")),  # noqa: S704 a file of ours
        script=markupsafe.Markup(script),  # noqa: S704 a file of ours
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        top_devices=_TOP_DEVICES,
        top_classes=_TOP_CLASSES,
    )
    return text.encode("utf-8")


def _own_file(name: str) -> str:
    return resources.files("pyalias.report").joinpath("page", name).read_text("utf-8")


def _plots(report: Report) -> dict[str, str]:
    """Those that there is something to plot for."""
    devices = [row for row in report.unmatched.rows if not row.system][:_TOP_DEVICES]
    plots = {}
    if devices:
        plots["devices"] = plot_devices(devices, by_hosts=report.totals.hosts > 0)
    if report.classes.rows:
        plots["classes"] = plot_coverage(report.classes.rows[:_TOP_CLASSES])
    if len(report.kernels.rows) > 1:
        plots["kernels"] = plot_coverage(report.kernels.rows[:_TOP_CLASSES])
    return plots


def _count(number: int) -> str:
    return f"{number:,}"


def _share(part: int, whole: int) -> str:
    """As the terminal's summary has it."""
    return f"{part / whole:.1%}" if whole else "-"


def _width(part: int, whole: int) -> str:
    """For a style, so with a point in any locale."""
    return f"{100 * part / whole:.3f}%" if whole else "0"
