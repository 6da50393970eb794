"""How the losses of a train phase went, an epoch a character."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite

from rich.console import RenderableType

from runexp.report.page import indented, named, styled
from runexp.report.wording import number, plain, sparkline
from runexp.results.folds import CVResults
from runexp.results.losses import TOTAL
from runexp.results.phases import TrainResults

_WIDEST = 60
_NARROWEST = 8


def curves_of(phase: TrainResults, width: int) -> list[RenderableType]:
    """A line for the training loss and each evaluated total, on one scale; nothing below two epochs."""
    return _drawn(curve_values(phase), width)


def _drawn(curves: Mapping[str, Sequence[float]], width: int) -> list[RenderableType]:
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


def curves_of_folds(cv: CVResults, width: int) -> list[list[RenderableType]]:
    """The same for each train phase of a cross-validation: the mean over its folds."""
    blocks = []
    for phase, curves in mean_curves(cv).items():
        lines = _drawn(curves, width)
        if lines:
            blocks.append([styled(named(phase), ("  mean over the folds, while all of them train", "dim")), *lines])
    return blocks


def mean_curves(cv: CVResults) -> dict[str, dict[str, list[float]]]:
    """By train phase and number, the mean over the folds of each epoch that all of them have, two or more."""
    found: dict[str, dict[str, list[list[float]]]] = {}
    for label, phase in _trainings(cv):
        for name, values in curve_values(phase).items():
            found.setdefault(label, {}).setdefault(name, []).append(values)
    means = {
        label: {name: [sum(epoch) / len(epoch) for epoch in zip(*each, strict=False)] for name, each in curves.items()}
        for label, curves in found.items()
    }
    return {
        label: {name: values for name, values in curves.items() if len(values) > 1} for label, curves in means.items()
    }


def _trainings(cv: CVResults) -> Iterator[tuple[str, TrainResults]]:
    """The train phases of all folds, by their labels inside of them."""
    for facts in cv.facts:
        there = cv.get_fold(facts.index).flatten() if facts.label in cv.results else {}
        for phase in there.values():
            if isinstance(phase, TrainResults):
                yield phase.label.removeprefix(f"{facts.label}/"), phase


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
