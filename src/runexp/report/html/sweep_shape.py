"""How an objective depends on what was changed: a slice for each parameter, and all of them side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, log
from typing import Any

from runexp.report.characters import cleaned, clipped
from runexp.report.html.charts import Chart, Spec, scaled
from runexp.report.trials import shown
from runexp.report.wording import number
from runexp.results.trials import Objective, SweepResults, Trial, short_names

_MOST_SLICES = 24
_MOST_AXES = 9
_MOST_LINES = 300
_LOG_FROM = 30.0
_WIDTH, _HEIGHT = 860, 300
_BEST_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Axis:
    """A line of values from 0 to 1: where each trial stands on it, and what is written beside it."""

    name: str
    places: Mapping[int, float]
    marks: Sequence[tuple[float, str]]


def slice_charts(results: SweepResults) -> list[Chart]:
    """Each objective against each parameter that took more than one value."""
    found = [
        chart
        for index, objective in enumerate(results.objectives)
        for address in results.addresses
        if (chart := _slice(results, index, objective, address)) is not None
    ]
    return found[:_MOST_SLICES]


def _slice(results: SweepResults, index: int, objective: Objective, address: str) -> Chart | None:
    short = short_names(results.addresses)[address]
    there = [trial for trial in results.completed if address in trial.changes]
    values = [trial.changes[address] for trial in there]
    if len({shown(value) for value in values}) < 2:
        return None
    is_number = all(_is_number(value) for value in values)
    rows = [
        {
            "x": value if is_number else clipped(cleaned(shown(value)), 24),
            "y": trial.values[index],
            "trial": trial.number,
        }
        for trial, value in zip(there, values, strict=True)
    ]
    x: Spec = {"field": "x", "type": "quantitative" if is_number else "nominal", "title": cleaned(short)}
    if is_number:
        looks = scaled(values, is_log=_is_log(values)) if min(values) < max(values) else {}
        x = {**x, **looks, "scale": {**looks.get("scale", {}), "padding": 8}}
    else:
        x = {**x, "axis": {"labelAngle": 0, "labelLimit": 100}, "sort": None}
    dots = {"type": "point", "filled": True, "size": 42, "opacity": 0.75, "color": "var(--s0)"}
    y = {"field": "y", "type": "quantitative", "title": None, "scale": {"zero": False, "padding": 8}}
    spec = {
        "data": {"values": rows},
        "mark": {**dots, "tooltip": {"content": "data"}},
        "encoding": {"x": x, "y": y},
    }
    title = f"{objective.address} by {short}"
    return Chart(cleaned(title), cleaned(f"{title}, a point for each of {len(rows)} trials. {_ends(rows)}"), spec)


def _ends(rows: Sequence[Mapping[str, Any]]) -> str:
    low, high = min(rows, key=lambda row: row["y"]), max(rows, key=lambda row: row["y"])
    return f"Least {number(low['y'])} at {shown(low['x'])}, most {number(high['y'])} at {shown(high['x'])}."


def _is_number(value: Any) -> bool:  # noqa: ANN401 - any value of a spec
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _is_log(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) / min(values) >= _LOG_FROM


def parallel_chart(results: SweepResults) -> Chart | None:
    """All parameters and objectives side by side, a line a trial; None where there are too few of either."""
    trials = _ranked(results)[:_MOST_LINES]
    axes = list(_axes(results, trials)) if len(trials) > 2 else []
    if len(axes) < 3:
        return None
    n_best = max(1, round(_BEST_SHARE * len(trials)))
    kinds = {trial.number: "best quarter" if rank < n_best else "others" for rank, trial in enumerate(trials)}
    rows = [
        {"axis": at, "y": axis.places.get(trial.number), "trial": trial.number, "kind": kinds[trial.number]}
        for trial in reversed(trials)
        for at, axis in enumerate(axes)
    ]
    names = ", ".join(axis.name for axis in axes)
    described = (
        f"A line for each of {len(trials)} trials through {names}; in colour the best quarter by "
        f"{results.objectives[0].address}. It stops where a trial has no such parameter. The table of trials has "
        "the numbers."
    )
    return Chart("parameters and objectives", cleaned(described), _parallel(axes, rows), (), _WIDTH, _HEIGHT)


def _ranked(results: SweepResults) -> Sequence[Trial]:
    """The completed trials, the best by the first objective before the others."""
    if not results.objectives:
        return ()
    sign = -1.0 if results.objectives[0].mode == "max" else 1.0
    return sorted(results.completed, key=lambda trial: sign * trial.values[0])


def _axes(results: SweepResults, trials: Sequence[Trial]) -> Iterator[Axis]:
    """The parameters that vary, of very many the most telling; then the objectives."""
    short = short_names(results.addresses)
    shares = next(iter(results.importance.shares.values()), {}) if results.importance else {}
    varied = [
        address
        for address in results.addresses
        if len({shown(trial.changes[address]) for trial in trials if address in trial.changes}) > 1
    ]
    room = max(1, _MOST_AXES - len(results.objectives))
    kept = sorted(varied, key=lambda address: -shares.get(address, 0.0))[:room]
    for address in (one for one in varied if one in kept):
        yield _axis(short[address], {one.number: one.changes[address] for one in trials if address in one.changes})
    for index, objective in enumerate(results.objectives):
        yield _axis(objective.address, {trial.number: trial.values[index] for trial in trials})


def _axis(name: str, values: Mapping[int, Any]) -> Axis:
    name = clipped(cleaned(name), 22)
    if not all(map(_is_number, values.values())):
        words = sorted({shown(value) for value in values.values()})
        place = {word: index / max(1, len(words) - 1) for index, word in enumerate(words)}
        marks = [(place[word], clipped(cleaned(word.rpartition(".")[2]), 14)) for word in words[:12]]
        return Axis(name, {at: place[shown(value)] for at, value in values.items()}, marks)
    is_log = _is_log(list(values.values()))
    scaled = {at: log(value) if is_log else float(value) for at, value in values.items()}
    low, high = min(scaled.values()), max(scaled.values())
    span = high - low or 1.0
    ends = [(0.0, number(min(values.values()))), (1.0, number(max(values.values())))]
    return Axis(name, {at: (value - low) / span for at, value in scaled.items()}, ends)


def _parallel(axes: Sequence[Axis], rows: Sequence[Spec]) -> Spec:
    last = len(axes) - 1
    x = {
        "field": "axis",
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [-0.15, last + 0.45], "nice": False},
        "axis": None,
    }
    y = {"field": "y", "type": "quantitative", "axis": None, "scale": {"domain": [-0.04, 1.13], "nice": False}}
    colors = {
        "field": "kind",
        "type": "nominal",
        "legend": {"title": None, "orient": "top", "symbolType": "stroke"},
        "scale": {"domain": ["best quarter", "others"], "range": ["var(--s1)", "var(--s7)"]},
    }
    opacity = {"condition": {"test": "datum.kind == 'best quarter'", "value": 0.9}, "value": 0.35}
    names = [{"axis": at, "y": 1.1, "text": axis.name} for at, axis in enumerate(axes)]
    marks = [{"axis": at, "y": level, "text": text} for at, axis in enumerate(axes) for level, text in axis.marks]
    rules = [{"axis": at, "y": 0.0, "end": 1.0} for at in range(len(axes))]
    text = {"type": "text", "color": "var(--text)", "fontSize": 11}
    return {
        "layer": [
            {
                "data": {"values": list(rows)},
                "mark": {
                    "type": "line",
                    "strokeWidth": 1.6,
                    "invalid": "break-paths-filter-domains",
                    "tooltip": {"content": "data"},
                },
                "encoding": {"x": x, "y": y, "detail": {"field": "trial"}, "color": colors, "opacity": opacity},
            },
            {
                "data": {"values": rules},
                "mark": {"type": "rule", "color": "var(--muted)"},
                "encoding": {"x": x, "y": y, "y2": {"field": "end"}},
            },
            {
                "data": {"values": marks},
                "mark": {**text, "align": "left", "dx": 5, "baseline": "bottom", "dy": -2, "color": "var(--muted)"},
                "encoding": {"x": x, "y": y, "text": {"field": "text", "type": "nominal"}},
            },
            {
                "data": {"values": names},
                "mark": {**text, "fontWeight": 600},
                "encoding": {"x": x, "y": y, "text": {"field": "text", "type": "nominal"}},
            },
        ]
    }
