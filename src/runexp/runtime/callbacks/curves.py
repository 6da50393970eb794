"""The curves of a phase as one SVG picture, drawn anew while it trains."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from runexp.engine.view import View
from runexp.plan.phases import BuiltInPlan
from runexp.runtime.callbacks.live import Hooks, LivePhase

CURVES = "curves.svg"
_WIDTH, _HEIGHT = 760, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 250, 28, 24
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # told apart by colour-blind readers too

Points = Sequence[tuple[int, float]]


class Curves:
    """Notes the numbers of every epoch, and draws them."""

    measures = False

    def __init__(self, plan: BuiltInPlan, live: LivePhase) -> None:
        self.name = plan.name
        self._live = live
        self._chosen = plan.options["metrics"]
        self._every = int(plan.options["every_n_epochs"])
        self._series: dict[str, list[tuple[int, float]]] = {}

    def hooks(self) -> Hooks:
        """The ends of epochs and of the phase."""
        return {"on_epoch_end": self._note, "on_phase_end": self._draw}

    def state(self) -> Mapping[str, Any]:
        """The numbers so far."""
        return {"series": {name: [list(point) for point in points] for name, points in self._series.items()}}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self._series = {
            name: [(int(epoch), float(value)) for epoch, value in points] for name, points in state["series"].items()
        }

    def _note(self, view: View) -> None:
        for name, value in view.measured.items():
            if self._chosen is None or name in self._chosen:
                self._series.setdefault(name, []).append((view.epoch, value))
        if (view.epoch + 1) % self._every == 0:
            self._draw(view)

    def _draw(self, view: View) -> None:
        if not self._series:
            return
        prefixes = ("train_", *(plan.prefix for plan in view.evaluations.values()))
        folder = self._live.folder()
        aside = folder / f".{CURVES}.tmp"
        aside.write_text(picture(view.phase, panels(self._series, prefixes)), encoding="utf-8")
        os.replace(aside, folder / CURVES)


def panels(series: Mapping[str, Points], prefixes: Sequence[str]) -> dict[str, dict[str, Points]]:
    """What is drawn together: `train_loss` and `val_loss` as `loss`, what has no such beginning by itself."""
    found: dict[str, dict[str, Points]] = {}
    for name, points in series.items():
        title = next((name.removeprefix(one) for one in prefixes if name.startswith(one)), name)
        found.setdefault(title, {})[name] = points
    return found


def picture(phase: str, found: Mapping[str, Mapping[str, Points]]) -> str:
    """One panel below the other."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT * len(found)}" role="img" '
        f'font-family="sans-serif" font-size="12"><title>{escape(phase)}: {escape(", ".join(found))}</title>',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, (title, lines) in enumerate(found.items()):
        parts += [f'<g transform="translate(0 {number * _HEIGHT})">', *_panel(title, lines), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(title: str, lines: Mapping[str, Points]) -> Iterator[str]:
    """Its axes with their ends, and every line with its name and newest value. What is not finite is left out."""
    finite = {name: [point for point in points if math.isfinite(point[1])] for name, points in lines.items()}
    epochs = [epoch for points in lines.values() for epoch, _ in points]
    values = [value for points in finite.values() for _, value in points] or [0.0]
    x = _scale((min(epochs), max(epochs)), (_LEFT, _WIDTH - _RIGHT))
    y = _scale((min(values), max(values)), (_HEIGHT - _BOTTOM, _TOP))
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    yield f'<text x="{_LEFT}" y="16" font-weight="bold">{escape(title)}</text>'
    yield f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="#888"/>'
    for value in dict.fromkeys((min(values), max(values))):
        yield f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.4g}</text>'
    for epoch in dict.fromkeys((min(epochs), max(epochs))):
        yield f'<text x="{x(epoch):.1f}" y="{bottom + 16}" text-anchor="middle">{epoch}</text>'
    for number, (name, points) in enumerate(finite.items()):
        color = _COLORS[number % len(_COLORS)]
        line = " ".join(f"{x(epoch):.1f},{y(value):.1f}" for epoch, value in points)
        yield f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="1.5"/>'
        for epoch, value in points[-1:]:  # a line of one point could not be seen
            yield f'<circle cx="{x(epoch):.1f}" cy="{y(value):.1f}" r="3" fill="{color}"/>'
        newest = f" {points[-1][1]:.4g}" if points else ""
        yield f'<text x="{right + 8}" y="{_TOP + 12 + 16 * number}" fill="{color}">{escape(name)}{newest}</text>'


def _scale(values: tuple[float, float], places: tuple[float, float]) -> Callable[[float], float]:
    """From values to places on the picture; where all values are one, to the middle."""
    (low, high), (start, end) = values, places
    if high == low:
        return lambda _: (start + end) / 2
    return lambda value: start + (value - low) / (high - low) * (end - start)
