"""How the trials of a sweep did: by their number, against each other, and what explains the difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, combinations
from math import ceil, isfinite

from runexp.report.characters import cleaned, clipped
from runexp.report.html.charts import HEIGHT, Chart, Spec
from runexp.report.wording import number
from runexp.results.trials import Importance, Objective, SweepResults, short_names

_MOST_NUMBERS = 12
_MOST_PAIRS = 6
_MOST_BARS = 20
_BAR = 22
_MOST_TICKS = 8
_ROOM = {"zero": False, "padding": 8}
"""Points stand off from the edge, so that they are whole."""

Points = Sequence[tuple[int, float]]


def trial_charts(results: SweepResults, names: Sequence[str], word: str) -> list[Chart]:
    """Each number over the trials, with the best so far of an objective, or the mean of repeats; `word` names one."""
    modes = {one.address: one.mode for one in results.objectives}
    charts = []
    for name in names[:_MOST_NUMBERS]:
        told = [(trial.number, trial.metrics.get(name)) for trial in results.completed]
        points = [(at, value) for at, value in told if value is not None and isfinite(value)]
        if len(points) > 1:
            charts.append(_over_trials(name, points, modes.get(name, ""), word))
    return charts


def _over_trials(name: str, points: Points, mode: str, word: str) -> Chart:
    values = [value for _, value in points]
    if mode:
        best = list(accumulate(values, max if mode == "max" else min))
        second = "best so far"
        said = f"the best so far goes from {number(best[0])} to {number(best[-1])}"
    else:
        mean = sum(values) / len(values)
        best, second, said = [mean] * len(values), "mean", f"mean {number(mean)}"
    dots = [{"x": at, "y": value, "what": word} for at, value in points]
    line = [{"x": at, "y": value, "what": second} for (at, _), value in zip(points, best, strict=True)]
    ticks = list(range(points[0][0], points[-1][0] + 1, max(1, ceil((points[-1][0] - points[0][0]) / _MOST_TICKS))))
    axis = {"values": ticks, "format": "d"}
    x = {"field": "x", "type": "quantitative", "title": word, "axis": axis, "scale": {**_ROOM, "nice": False}}
    y = {"field": "y", "type": "quantitative", "title": None, "scale": _ROOM}
    color = _coloured("what", [word, second])
    spec = {
        "layer": [
            {
                "data": {"values": line},
                "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2, "tooltip": {"content": "data"}},
                "encoding": {"x": x, "y": y, "color": color},
            },
            {
                "data": {"values": dots},
                "mark": {"type": "point", "filled": True, "size": 42, "tooltip": {"content": "data"}},
                "encoding": {"x": x, "y": y, "color": color},
            },
        ]
    }
    told = f"{name} of {len(points)} {word}s: from {number(min(values))} to {number(max(values))}; {said}."
    return Chart(cleaned(f"{name} over {word}s"), cleaned(told), spec)


def pareto_charts(results: SweepResults) -> list[Chart]:
    """Two objectives against each other, each pair of them, with the trials that none beats."""
    pairs = list(combinations(enumerate(results.objectives), 2))[:_MOST_PAIRS]
    return list(_pairs(results, pairs)) if len(results.completed) > 1 else []


def _pairs(
    results: SweepResults, pairs: Sequence[tuple[tuple[int, Objective], tuple[int, Objective]]]
) -> Iterator[Chart]:
    front = {trial.number for trial in results.front}
    for (first, one), (second, other) in pairs:
        rows: list[Spec] = [
            {
                "x": trial.values[first],
                "y": trial.values[second],
                "what": "front" if trial.number in front else "beaten",
                "trial": trial.number,
            }
            for trial in results.completed
        ]
        x, y = (
            {"field": field, "type": "quantitative", "title": f"{each.address} ({each.mode})", "scale": _ROOM}
            for field, each in (("x", one), ("y", other))
        )
        line = sorted((row for row in rows if row["what"] == "front"), key=lambda row: row["x"])
        steps: list[Spec] = [] if len(results.objectives) > 2 else [
            {
                "data": {"values": line},
                "mark": {"type": "line", "color": "var(--s1)", "strokeDash": [4, 3]},
                "encoding": {"x": x, "y": y},
            }
        ]  # fmt: skip
        dots = {
            "data": {"values": rows},
            "mark": {"type": "point", "filled": True, "size": 56, "tooltip": {"content": "data"}},
            "encoding": {"x": x, "y": y, "color": _coloured("what", ["beaten", "front"])},
        }
        told = "; ".join(f"trial {row['trial']} {number(row['x'])} and {number(row['y'])}" for row in line)
        title = f"{one.address} against {other.address}"
        yield Chart(
            cleaned(title), cleaned(f"{title}, {len(rows)} trials. The front: {told}."), {"layer": [*steps, dots]}
        )


def importance_charts(importance: Importance | None) -> list[Chart]:
    """How much of an objective each parameter explains, the most telling first."""
    charts = []
    for address, shares in (importance.shares if importance else {}).items():
        short = short_names(shares)
        ranked = sorted(shares.items(), key=lambda item: -item[1])[:_MOST_BARS]
        rows = [{"name": clipped(cleaned(short[name]), 28), "share": share} for name, share in ranked]
        spec = {
            "data": {"values": rows},
            "mark": {"type": "bar", "color": "var(--s0)", "tooltip": {"content": "data"}},
            "encoding": {
                "y": {"field": "name", "type": "nominal", "title": None, "sort": None, "axis": {"labelLimit": 170}},
                "x": {
                    "field": "share",
                    "type": "quantitative",
                    "title": "share of the variance",
                    "scale": {"zero": True},
                },
            },
        }
        told = ", ".join(f"{short[name]} {share:.2f}" for name, share in ranked)
        evaluator = importance.evaluator if importance else ""
        title = f"what explains {address}"
        height = min(HEIGHT, 60 + _BAR * len(rows))
        charts.append(Chart(cleaned(title), cleaned(f"{title}: {told}."), spec, (evaluator,), height=height))
    return charts


def _coloured(field: str, domain: Sequence[str]) -> Spec:
    legend = {"title": None, "orient": "top", "symbolType": "circle", "symbolStrokeWidth": 0, "offset": 6}
    scale = {"domain": list(domain), "range": [f"var(--s{slot})" for slot in range(len(domain))]}
    return {"field": field, "type": "nominal", "legend": legend, "scale": scale}
