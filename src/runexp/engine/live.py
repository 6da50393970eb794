"""Where the engine stands right now, for a display that polls it from its own thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


def _nothing() -> Mapping[str, float]:
    return {}


@dataclass(slots=True)
class Live:
    """The position of the running phase. Plain assignments only: reading it never stops the loop.

    `batch` counts the batches finished in this epoch; `n_batches` 0 means that nothing is counted.
    `latest` gives the newest loss and learning rate.
    """

    phase: str = ""
    epoch: int = 0
    n_epochs: int = 0
    batch: int = 0
    n_batches: int = 0
    latest: Callable[[], Mapping[str, float]] = _nothing
