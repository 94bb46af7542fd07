"""The plots of a report, as SVG that stands in the page: drawn by Vega-Lite, without a browser or a network.

Colours are the page's own variables, so that a plot follows its light or dark style.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pyalias.report.libraries import load
from pyalias.report.model import STATES
from pyalias.report.text import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyalias.report.model import Coverage

# The figure of Vega-Lite's grammar in which these are written.
_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_WIDTH = 560
_CONFIG: dict[str, Any] = {
    "background": "transparent",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--ink)",
        "titleColor": "var(--muted)",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 0,
    },
}
_ORDER = {state: order for order, state in enumerate(STATES)}
_LONGEST_LABEL = 46
# Of a character in the widest of the usual fonts: the reader's may be wider than the one measured here.
_CHARACTER = 7.4


def plot_counts(rows: Sequence[tuple[str, int]], counted: str, colour: str) -> str:
    """A bar for each name and number; ``counted`` is what the numbers count."""
    labels = _labels(name for name, _ in rows)
    values = [{"label": label, "count": count} for label, (_, count) in zip(labels, rows, strict=True)]
    return _draw(
        values,
        {
            "y": _label_axis(labels),
            "x": {
                "field": "count",
                "type": "quantitative",
                "axis": {"title": counted, "tickMinStep": 1, "format": ",d"},
            },
            "color": {"value": f"var(--{colour})"},
        },
    )


def plot_coverage(rows: Sequence[Coverage]) -> str:
    """Bars of the same length: which share of each row's devices is in which state."""
    labels = _labels(row.name for row in rows)
    values = []
    for label, (_, counts) in zip(labels, rows, strict=True):
        values += [
            {"label": label, "state": words, "order": _ORDER[state], "count": count}
            for state, words, count in counts.parts
        ]
    found = {value["state"] for value in values}
    used = {words: f"var(--{state})" for state, words in STATES.items() if words in found}
    return _draw(
        values,
        {
            "y": _label_axis(labels),
            "x": {
                "field": "count",
                "type": "quantitative",
                "stack": "normalize",
                "axis": {"title": "share of the devices", "format": "%", "tickCount": 5},
            },
            "color": {
                "field": "state",
                "type": "nominal",
                "scale": {"domain": list(used), "range": list(used.values())},
                "legend": None,  # the page has its own
            },
            "order": {"field": "order", "type": "quantitative"},
        },
    )


def _labels(names: Iterable[str]) -> list[str]:
    """Texts for the axis, each once: rows of the same label would share a bar."""
    seen: Counter[str] = Counter()
    labels = []
    for name in map(_cut, map(plain_text, names)):
        seen[name] += 1
        labels.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return labels


def _cut(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}\u2026"


def _label_axis(labels: list[str]) -> dict[str, Any]:
    """In the order of the data."""
    room = round(_CHARACTER * max(map(len, labels))) + 8
    axis = {"title": None, "ticks": False, "domain": False, "labelPadding": 8}
    return {
        "field": "label",
        "type": "nominal",
        "sort": None,
        "axis": axis | {"minExtent": room, "maxExtent": room},
    }


def _draw(values: list[dict[str, Any]], encoding: dict[str, Any]) -> str:
    svg: str = load("vl_convert").vegalite_to_svg(
        {
            "$schema": _SCHEMA,
            "width": _WIDTH,
            "height": {"step": 22},
            "data": {"values": values},
            "mark": {"type": "bar", "height": {"band": 0.72}},
            "encoding": encoding,
            "config": _CONFIG,
        }
    )
    return svg
