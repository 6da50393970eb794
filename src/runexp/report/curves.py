"""How the losses of a train phase went, an epoch a character."""

from __future__ import annotations

from math import isfinite

from rich.console import RenderableType

from runexp.report.page import indented, styled
from runexp.report.wording import number, plain, sparkline
from runexp.results.losses import TOTAL
from runexp.results.phases import TrainResults

_WIDEST = 60
_NARROWEST = 8


def curves_of(phase: TrainResults, width: int) -> list[RenderableType]:
    """A line for the training loss and each evaluated total, on one scale; nothing below two epochs."""
    curves = curve_values(phase)
    levels = [value for values in curves.values() for value in values if isfinite(value)]
    if not curves or not levels:
        return []
    label = max(len(plain(name)) for name in curves)
    ends = {name: f"{number(values[0])} → {number(values[-1])}" for name, values in curves.items()}
    room = min(_WIDEST, width - 2 - label - 2 - 2 - max(map(len, ends.values())))
    lines: list[RenderableType] = []
    for name, values in curves.items():
        bars = sparkline(values, room, low=min(levels), high=max(levels)) + "  " if room >= _NARROWEST else ""
        lines.append(indented(styled((f"{plain(name):{label}}  ", "dim"), (bars, "cyan"), ends[name])))
    return lines


def curve_values(phase: TrainResults) -> dict[str, list[float]]:
    """The numbers that tell how a training went, an epoch each, where there are at least two."""
    return {name: values for name in _names(phase) if len(values := _values(phase, name)) > 1}


def _names(phase: TrainResults) -> list[str]:
    evaluated = dict.fromkeys(name for event in phase.evaluations for name in event.metrics)
    return [
        "train_loss",
        *(name for name in evaluated if name.endswith(f"_{TOTAL}") and name != "train_loss"),
    ]


def _values(phase: TrainResults, name: str) -> list[float]:
    return phase.metrics.series(name).values() if name in phase.metrics else []
