"""What a run took of the machine: a row for each phase, and how it went over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite

from runexp.report.characters import cleaned, clipped
from runexp.report.html.charts import Chart, Spec, thinned
from runexp.report.html.facts import Measured
from runexp.report.html.tables import HtmlTable, without_empty
from runexp.report.sizes import in_units
from runexp.report.wording import number, plain

_MB = 1_000_000
_MOST_PHASES = 40
_N_COLORS = 8
_FEW_POINTS = 40
_CLOCKS = ((7200.0, 3600.0, "hours"), (300.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))
_CHARTS: Mapping[str, tuple[str, str]] = {
    "CPU, % of one core": ("cpu_percent", ""),
    "memory, MB": ("memory_mb", ""),
    "GPU, % busy": ("gpu_", "_percent"),
    "GPU memory, MB": ("gpu_", "_memory_mb"),
    "rows a second": ("samples_per_second", ""),
    "waiting for rows, % of training": ("data_wait_percent", ""),
    "memory of the machine, % in use": ("system_memory_percent", ""),
}
_HEADS = (
    "phase",
    "CPU, mean",
    "memory, most",
    "GPU, mean",
    "GPU memory, most",
    "rows/s",
    "steps/s",
    "waiting for rows",
)

Points = list[tuple[float, float]]


def resource_table(measured: Sequence[Measured]) -> HtmlTable | None:
    """What each phase took: means, and the most memory; None where nothing was measured."""
    phases = list(dict.fromkeys(one.phase for one in measured))[:_MOST_PHASES]
    rows = [_row(phase, list(map(_numbers, (one for one in measured if one.phase == phase)))) for phase in phases]
    heads, body = without_empty(_HEADS, rows)
    return HtmlTable("what each phase took of the machine", heads, body) if rows else None


def resource_charts(measured: Sequence[Measured]) -> list[Chart]:
    """How each number went over the time of the run; none of what was measured only once in each phase."""
    last = max((one.seconds for one in measured), default=0.0)
    scale, unit = next((scale, unit) for least, scale, unit in _CLOCKS if last >= least)
    charts = (_chart(title, _lines(measured, *ends, scale), unit) for title, ends in _CHARTS.items())
    return [chart for chart in charts if chart is not None]


def _numbers(one: Measured) -> Mapping[str, float]:
    return {name: value for name, value in one.numbers.items() if isfinite(value)}


def _row(phase: str, looks: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
    def all_of(start: str, end: str = "") -> list[float]:
        return [value for look in looks for name, value in look.items() if _is_meant(name, start, end)]

    return (
        plain(phase),
        _mean(all_of("cpu_percent"), " %"),
        _most(all_of("memory_mb")),
        _mean(all_of("gpu_", "_percent"), " %"),
        _most(all_of("gpu_", "_memory_mb")),
        _mean(all_of("samples_per_second")),
        _mean(all_of("steps_per_second")),
        _mean(all_of("data_wait_percent"), " %"),
    )


def _is_meant(name: str, start: str, end: str) -> bool:
    return name.startswith(start) and name.endswith(end) if end else name == start


def _mean(values: Sequence[float], unit: str = "") -> str:
    if not values:
        return ""
    mean = sum(values) / len(values)
    return f"{mean:,.0f}{unit}" if mean >= 10 or unit else f"{number(mean)}"


def _most(values: Sequence[float]) -> str:
    return in_units(round(max(values) * _MB)) if values else ""


def _lines(measured: Sequence[Measured], start: str, end: str, scale: float) -> dict[str, Points]:
    """A line a phase, and, of several GPUs, a line each."""
    found: dict[str, Points] = {}
    for one in measured:
        for name, value in _numbers(one).items():
            if _is_meant(name, start, end):
                which = f" {name.removesuffix(end).replace('gpu_', 'GPU ')}" if end else ""
                found.setdefault(f"{plain(one.phase)}{which}", []).append((one.seconds / scale, value))
    return found


def _chart(title: str, lines: Mapping[str, Points], unit: str) -> Chart | None:
    if not any(len(points) > 1 for points in lines.values()):
        return None
    shown = (
        lines if len(lines) <= _N_COLORS else {"all phases": sorted(at for points in lines.values() for at in points)}
    )
    rows = [
        {"x": round(x, 4), "y": value, "phase": clipped(cleaned(name), 28)}
        for name, points in shown.items()
        for x, value in thinned(points)
    ]
    description = f"{title} over the {unit} of the run: {'; '.join(_told(shown))}"
    return Chart(title, cleaned(description), _spec(rows, unit, is_alone=len(shown) == 1))


def _told(lines: Mapping[str, Points]) -> Iterator[str]:
    for name, points in lines.items():
        values = [value for _, value in points]
        mean = sum(values) / len(values)
        yield f"{name} {number(min(values))} to {number(max(values))}, mean {number(mean)}"


def _spec(rows: Sequence[Spec], unit: str, *, is_alone: bool) -> Spec:
    domain = list(dict.fromkeys(row["phase"] for row in rows))
    legend = (
        None if is_alone else {"title": None, "orient": "top", "symbolType": "stroke", "columns": 3, "labelLimit": 110}
    )
    dotted = {"point": {"size": 24}} if len(rows) <= _FEW_POINTS else {}
    return {
        "data": {"values": list(rows)},
        "mark": {"type": "line", "strokeWidth": 1.6, "tooltip": {"content": "data"}, **dotted},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "title": f"{unit} from the start", "scale": {"zero": True}},
            "y": {"field": "y", "type": "quantitative", "title": None, "scale": {"zero": not _is_far(rows)}},
            "color": {
                "field": "phase",
                "type": "nominal",
                "legend": legend,
                "scale": {"domain": domain, "range": [f"var(--s{slot % _N_COLORS})" for slot in range(len(domain))]},
            },
        },
    }


def _is_far(rows: Iterable[Spec]) -> bool:
    """Whether all values lie so far from 0 that what they do could not be seen from there."""
    values = [float(row["y"]) for row in rows]
    return min(values) > 0 and max(values) - min(values) < 0.2 * max(values)
