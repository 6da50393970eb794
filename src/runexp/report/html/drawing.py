"""Charts → SVG by vl-convert, which this module needs; and what an interactive page draws them with."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import escape
from typing import Any

import vl_convert

from runexp.report.html.charts import Chart

_FONT = "system-ui, sans-serif"
_AXIS = {
    "labelColor": "var(--muted)",
    "titleColor": "var(--muted)",
    "gridColor": "var(--line)",
    "domainColor": "var(--line)",
    "tickColor": "var(--line)",
    "labelFontSize": 11,
    "titleFontSize": 11,
    "titleFontWeight": "normal",
    "labelFont": _FONT,
    "titleFont": _FONT,
    "labelFlush": True,
    "tickCount": 5,
}
_CONFIG: Mapping[str, Any] = {
    "aria": False,  # the picture is described as a whole
    "background": None,
    "font": _FONT,
    "view": {"stroke": None},
    "axis": _AXIS,
    "legend": {
        "symbolOpacity": 1,
        "labelColor": "var(--text)",
        "labelFont": _FONT,
        "labelFontSize": 12,
        "symbolStrokeWidth": 2.5,
    },
    "bar": {"binSpacing": 1},
}
_START = re.compile(r"<svg [^>]*>")
# Draws each chart in the place of its picture. The charts are read without eval, which the page forbids.
_SCRIPT = """
for (const place of document.querySelectorAll('[data-chart]')) {
  const chart = JSON.parse(document.getElementById(place.dataset.chart).textContent);
  const fresh = document.createElement('div');
  vegaEmbed(fresh, chart, {
    ast: true, actions: false, renderer: 'svg', defaultStyle: false,
    tooltip: {disableDefaultStyle: true, theme: 'page'},
  }).then(() => { place.replaceChildren(fresh); });
}
"""


def draw_chart(chart: Chart) -> str:
    """The picture as SVG that takes its colours from the page around it."""
    svg = vl_convert.vegalite_to_svg(whole_spec(chart))
    head = (
        f'<svg class="chart" role="img" aria-label="{escape(chart.description)}" '
        f'width="{chart.width}" height="{chart.height}" viewBox="0 0 {chart.width} {chart.height}">'
    )
    return _START.sub(lambda _: head, svg, count=1)


def whole_spec(chart: Chart) -> dict[str, Any]:
    """The chart with its size, its looks and its description."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": chart.description,
        "width": chart.width,
        "height": chart.height,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": _CONFIG,
        **chart.spec,
    }


def embedded(chart: Chart) -> str:
    """The chart as JSON that may stand inside of an element `script`."""
    text = json.dumps(whole_spec(chart), separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def interactive_script() -> str:
    """All that an interactive page runs: Vega in one piece (0.9 MB), and what draws the charts."""
    code: str = vl_convert.javascript_bundle(_SCRIPT)
    return code.replace("</script", "<\\/script").replace("<!--", "<\\!--")
