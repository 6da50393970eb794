"""Callbacks as plain Python: nothing here knows of runexp. Every hook takes a view; what it returns is kept."""

# ruff: noqa: ANN401 - a view is what runexp hands over

from __future__ import annotations

from typing import Any


class Movement:
    """How far the weights of a node move in an epoch; ends the phase when nothing moves any more."""

    def __init__(self, node: str, tolerance: float = 1e-3) -> None:
        self.node = node
        self.tolerance = tolerance
        self.before: dict = {}

    def on_epoch_end(self, view: Any) -> dict[str, float]:
        now = view.weights(self.node)
        moved = max((float((now[name] - self.before.get(name, 0)).abs().max()) for name in now), default=0.0)
        view.log("moved", moved)
        self.before = now
        if moved < self.tolerance:
            view.request_stop(f"no weight of `{self.node}` moved by {self.tolerance:g}")
        return {"rate": view.rates[0], "val_loss": view.measured["val_loss"]}

    def on_phase_end(self, view: Any) -> None:
        lines = [f"{name} {tuple(value.shape)}" for name, value in view.weights(self.node).items()]
        (view.folder / "weights.txt").write_text("\n".join(lines) + "\n")


class Diary:
    """A line for every phase, in a file of the run."""

    def on_phase_end(self, view: Any) -> None:
        numbers = ", ".join(f"{name} {value:.4f}" for name, value in view.results[view.where].items())
        with open(view.folder / "diary.txt", "a") as file:
            file.write(f"{view.where}: {numbers}\n")

    def on_exception(self, view: Any, error: Exception) -> None:
        (view.folder / "failed.txt").write_text(f"{view.where}: {error}\n")
