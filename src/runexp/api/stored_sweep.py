"""A sweep opened from its folder: what its trials found out, without running anything. Imports no torch."""

from __future__ import annotations

import json
from pathlib import Path

from runexp.results.trials import SweepResults, sweep_results_of

RESULTS = "sweep.json"
BASE = "base.json"
"""Says that a folder is one of many runs, and which spec they are of."""

TRIALS = "trials"
BEST = "best.yaml"


class NoTrials(Exception):  # noqa: N818 - it reads as what happened
    """No trial of a sweep has ended, or nobody can read what they found."""


def is_sweep(folder: Path) -> bool:
    """Whether a folder holds the trials of a sweep, or repeats, rather than one run."""
    return (folder / BASE).is_file()


def open_sweep(folder: Path | str) -> SweepResults:
    """The results of a sweep, from its folder; `OSError` or `ValueError` where there are none that can be read."""
    path = Path(folder)
    data = json.loads((path / RESULTS).read_text(encoding="utf-8"))
    try:
        return sweep_results_of(data["results"], path)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path / RESULTS} holds no results of a sweep") from error


def require_sweep(folder: Path) -> SweepResults:
    """The same; `NoTrials` says why there are none."""
    try:
        return open_sweep(folder)
    except FileNotFoundError:
        raise NoTrials(f"{folder} has no trial that has ended") from None
    except (OSError, ValueError) as error:
        raise NoTrials(f"{folder / RESULTS} cannot be read: {error}") from error
