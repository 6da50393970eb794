"""Charts as Vega-Lite, each with a description in words; their colours are the page's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, isfinite, log10
from typing import Any

from runexp.report.characters import cleaned, clipped
from runexp.report.wording import number
from runexp.results.judged import Residuals

WIDTH = 392
HEIGHT = 246
_MOST_POINTS = 300
_LONGEST_LABEL = 28
_LOG_FROM = 50.0
_N_COLORS = 8
_FEW_POINTS = 12

Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """A curve: `points` in order of x. `slot` chooses its colour; a faint one stands behind that of its name."""

    name: str
    points: Sequence[tuple[float, float]]
    slot: int = 0
    is_faint: bool = False
    is_dashed: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture to be drawn: what it shows, in words too."""

    title: str
    description: str
    spec: Spec
    notes: tuple[str, ...] = field(default=())
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def is_wide(self) -> bool:
        """Whether it takes the whole width of a page."""
        return self.width > WIDTH


def line_chart(title: str, lines: Sequence[Line], *, x_title: str = "epoch", best: float | None = None) -> Chart | None:
    """Curves over x, with a rule at `best`; None where nothing is finite. Wide ranges get a logarithmic scale."""
    shown = [(line, [point for point in line.points if isfinite(point[1])]) for line in lines]
    levels = [y for _, points in shown for _, y in points]
    if not levels:
        return None
    is_log = min(levels) > 0 and max(levels) / min(levels) >= _LOG_FROM
    left_out = [line.name for line, points in shown if len(points) < len(line.points)]
    notes = tuple(f"{name} is not finite in places; they are left out" for name in dict.fromkeys(left_out))
    rows = [row for index, (line, points) in enumerate(shown) for row in _rows(index, line, points)]
    names = {_label(line): line for line, points in shown if points and not line.is_faint}
    spec = _lines(
        rows, names, x_title, is_log=is_log, best=best, n_x=len({x for _, points in shown for x, _ in points})
    )
    said = [_told(line, points, x_title) for line, points in shown if points and not line.is_faint]
    n_faint = sum(bool(points) and line.is_faint for line, points in shown)
    folds = f" Behind: {n_faint} curves, one a fold." if n_faint else ""
    scale = " The scale is logarithmic." if is_log else ""
    return Chart(title, cleaned(f"{title}: {'; '.join(said)}.{folds}{scale}"), spec, notes)


def band_chart(title: str, rows: Sequence[tuple[float, float, float, float]], *, x_title: str) -> Chart | None:
    """A mean with what lies between least and most: (x, mean, least, most)."""
    finite = [row for row in rows if all(map(isfinite, row))]
    if not finite:
        return None
    is_log = min(row[2] for row in finite) > 0 and max(row[3] for row in finite) / min(row[2] for row in finite) >= 1e3
    x = {"field": "x", "type": "quantitative", "title": x_title, "axis": {"tickMinStep": 1}, "scale": {"nice": False}}
    levels = [level for row in finite for level in row[2:]]
    y = {"type": "quantitative", "title": None, **scaled(levels, is_log=is_log)}
    spec = {
        "data": {"values": [dict(zip(("x", "y", "low", "high"), row, strict=True)) for row in finite]},
        "layer": [
            {
                "mark": {"type": "area", "color": "var(--s0)", "opacity": 0.22},
                "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "line", "color": "var(--s0)", "tooltip": {"content": "data"}},
                "encoding": {"x": x, "y": {**y, "field": "y"}},
            },
        ],
    }
    ends = f"from {number(finite[0][1])} to {number(finite[-1][1])}"
    return Chart(title, cleaned(f"{title}: the mean goes {ends}; the band is least to most."), spec)


def residual_charts(found: Residuals, title: str) -> Iterator[Chart]:
    """What was said against what was true, and how the differences are spread."""
    low = min(min(point) for point in found.points)
    high = max(max(point) for point in found.points)
    of_all = f"{len(found.points)} of {found.n_rows:,} rows" if len(found.points) < found.n_rows else ""
    x = {"field": "true", "type": "quantitative", "title": "true", "scale": {"zero": False}}
    y = {"field": "said", "type": "quantitative", "title": "predicted", "scale": {"zero": False}}
    points = {
        "data": {"values": [{"true": true, "said": said} for true, said in found.points]},
        "mark": {
            "type": "point", "filled": True, "size": 26, "opacity": 0.5, "color": "var(--s0)",
            "tooltip": {"content": "data"},
        },
        "encoding": {"x": x, "y": y},
    }  # fmt: skip
    diagonal = {
        "data": {"values": [{"true": low, "said": low}, {"true": high, "said": high}]},
        "mark": {"type": "line", "color": "var(--muted)", "strokeDash": [4, 3]},
        "encoding": {"x": x, "y": y},
    }
    numbers = ", ".join(f"{name} {number(value)}" for name, value in found.numbers.items())
    yield Chart(
        f"{title}: predicted against true",
        cleaned(f"{title}: predictions against true values, with the line on which they would agree. {numbers}."),
        {"layer": [diagonal, points]},
        (of_all,) if of_all else (),
    )
    bins = [
        {"from": start, "to": end, "rows": count}
        for start, end, count in zip(found.edges, found.edges[1:], found.counts, strict=False)
    ]
    yield Chart(
        f"{title}: residuals",
        cleaned(f"{title}: how predicted minus true is spread over {found.n_rows:,} rows. {numbers}."),
        {
            "data": {"values": bins},
            "mark": {"type": "bar", "color": "var(--s0)", "tooltip": {"content": "data"}},
            "encoding": {
                "x": {"field": "from", "type": "quantitative", "title": "predicted minus true", "bin": "binned"},
                "x2": {"field": "to"},
                "y": {"field": "rows", "type": "quantitative", "title": "rows"},
            },
        },
    )


def thinned(points: Sequence[tuple[float, float]], most: int = _MOST_POINTS) -> list[tuple[float, float]]:
    """As many points as can be told apart, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    step = (len(points) - 1) / (most - 1)
    return [points[round(index * step)] for index in range(most)]


def _rows(index: int, line: Line, points: Sequence[tuple[float, float]]) -> Iterator[dict[str, Any]]:
    for x, y in thinned(points):
        yield {"x": x, "y": y, "curve": _label(line), "line": f"{_label(line)} {index}", "faint": line.is_faint}


def _label(line: Line) -> str:
    return clipped(cleaned(line.name), _LONGEST_LABEL) or "?"


def _lines(
    rows: Sequence[Spec], names: Mapping[str, Line], x_title: str, *, is_log: bool, best: float | None, n_x: int
) -> Spec:
    encoding = _encoding(rows, names, x_title, is_log=is_log)
    mark = {"type": "line", "strokeWidth": 2, "tooltip": {"content": "data"}}
    layers: list[Spec] = []
    behind, front = ([row for row in rows if row["faint"] is faint] for faint in (True, False))
    if behind:
        thin = {**mark, "strokeWidth": 1, "opacity": 0.35}
        layers.append({"data": {"values": behind}, "mark": thin, "encoding": encoding})
    if best is not None:
        rule = {"type": "rule", "color": "var(--muted)", "strokeDash": [2, 3]}
        layers.append({"data": {"values": [{"x": best}]}, "mark": rule, "encoding": {"x": encoding["x"]}})
    if front:
        dotted = {"point": {"size": 36}} if n_x <= _FEW_POINTS else {}
        layers.append({"data": {"values": front}, "mark": {**mark, **dotted}, "encoding": encoding})
    return {"layer": layers}


def _encoding(rows: Sequence[Spec], names: Mapping[str, Line], x_title: str, *, is_log: bool) -> Spec:
    """Colours and dashes by curve, under one legend; a learning rate alone needs none."""
    domain = list(names) or list(dict.fromkeys(row["curve"] for row in rows))
    colors = [f"var(--s{(names[name].slot if name in names else 0) % _N_COLORS})" for name in domain]
    dashes = [[5, 3] if name in names and names[name].is_dashed else [1, 0] for name in domain]
    looks: Spec = {"title": None, "orient": "top", "labelLimit": 150, "symbolType": "stroke", "offset": 6}
    legend = None if domain == ["lr"] else {**looks, "columns": _columns(domain)}
    curve = {"field": "curve", "type": "nominal", "legend": legend}
    x_axis = {"tickMinStep": 1, "format": "~s"}
    y_looks = scaled([row["y"] for row in rows], is_log=is_log)
    return {
        "x": {"field": "x", "type": "quantitative", "title": x_title, "scale": {"nice": False}, "axis": x_axis},
        "y": {"field": "y", "type": "quantitative", "title": None, **y_looks},
        "color": {**curve, "scale": {"domain": domain, "range": colors}},
        "strokeDash": {**curve, "scale": {"domain": domain, "range": dashes}},
        "detail": {"field": "line"},
    }


def _columns(labels: Sequence[str]) -> int:
    """As many labels in a line as fit."""
    return max(1, min(len(labels), 46 // (max(map(len, labels), default=1) + 5)))


def scaled(levels: Sequence[float], *, is_log: bool) -> Spec:
    """The scale of y; a logarithmic one has a line at each power of ten, or at 1, 2 and 5 where those are few."""
    low, high = min(levels), max(levels)
    if not is_log and low == high:  # Vega would round the one level there is
        return {"scale": {"domain": [low - (abs(low) or 1.0) / 10, low + (abs(low) or 1.0) / 10]}}
    if not is_log:
        return {"scale": {"zero": False}}
    powers = range(floor(log10(low)) - 1, ceil(log10(high)) + 1)
    for steps in ((1,), (1, 2, 5)):
        values = [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]
        if len(values) > 2:
            break
    return {"scale": {"type": "log", "nice": False}, "axis": {"values": values, "format": "~g"}}


def _told(line: Line, points: Sequence[tuple[float, float]], x_title: str) -> str:
    (first_x, first), (last_x, last) = points[0], points[-1]
    low, high = min(points, key=lambda point: point[1]), max(points, key=lambda point: point[1])
    if len(points) == 1:
        return f"{line.name} {number(first)} at {x_title} {first_x:g}"
    return (
        f"{line.name} goes from {number(first)} at {x_title} {first_x:g} to {number(last)} at {last_x:g}, "
        f"least {number(low[1])} at {low[0]:g}, most {number(high[1])} at {high[0]:g}"
    )
