"""A sweep opened from its folder: what its trials found out, without running anything. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from runexp.results.trials import SweepResults, Trial, sweep_results_of
from runexp.store.index import as_it_stands
from runexp.store.run_files import read_record

RESULTS = "sweep.json"
BASE = "base.json"
"""Says that a folder is one of many runs, and which spec they are of."""

TRIALS = "trials"
BEST = "best.yaml"


TRIAL = "trial.json"
"""Says in the folder of a trial which one it is, and what it changes."""


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


def as_they_stand(folder: Path) -> tuple[SweepResults, int]:
    """The trials as they stand now, those that run with their newest numbers; and how many there will be, as far as
    that is known."""
    try:
        data = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        results, n_trials = sweep_results_of(data["results"], folder), int(data.get("n_trials", 0))
    except (OSError, ValueError, KeyError, TypeError):  # it was not written yet
        results, n_trials = SweepResults(folder.parent.name, "running", (), (), folder=folder), 0
    trials = {trial.number: trial for trial in results.trials if trial.status not in ("running", "interrupted")}
    running = [trial for trial in _begun(folder) if trial.number not in trials]
    trials |= {trial.number: trial for trial in running}
    status = as_it_stands(read_record(folder, "")).status
    ordered = tuple(trials[number] for number in sorted(trials))
    return replace(results, trials=ordered, status=status), max(n_trials, len(ordered))


def _begun(folder: Path) -> Iterator[Trial]:
    """Every trial that has a folder, as one that runs."""
    for path in (folder / TRIALS).glob(f"*/{TRIAL}"):
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            number, changes = int(told["trial"]), dict(told["changes"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        record = read_record(path.parent, "")
        place = f"{record.phase} {record.epoch + 1}" if record.epoch is not None else record.phase
        metrics = {f"{phase}.{name}": value for phase, of in record.metrics.items() for name, value in of.items()}
        yield Trial(number, path.parent.name, changes, "running", metrics=metrics, place=place)
