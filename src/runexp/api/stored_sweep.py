"""A sweep opened from its folder: what its trials found out, without running anything. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from runexp.report.aftermath import aftermath_of
from runexp.report.trials import shown
from runexp.results.run_record import RunRecord
from runexp.results.trials import SweepResults, Trial, sweep_results_of
from runexp.store.index import as_it_stands
from runexp.store.run_files import BASE as BASE
from runexp.store.run_files import read_object, read_record

RESULTS = "sweep.json"
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


def around_sweep(folder: Path) -> tuple[RunRecord, tuple[tuple[str, str], ...]]:
    """How a sweep stands, when and where it ran; and what else is known of it, who was told of it for instance."""
    record = as_it_stands(read_record(folder, ""))
    return record, aftermath_of({}, read_object(folder / "tracking.json"))


def standing_for(folder: Path) -> Path:
    """The run that is compared where a sweep is meant: its best trial. Other folders stand for themselves.

    `NoTrials` where there is no best, or where several objectives or none say which that would be.
    """
    if not is_sweep(folder):
        return folder
    results = require_sweep(folder)
    if len(results.objectives) != 1:
        front = ", ".join(f"{folder / TRIALS / trial.id}" for trial in results.front[:3]) if results.objectives else ""
        advice = f"compare trials of its front, such as {front}" if front else f"compare those below {folder / TRIALS}"
        raise NoTrials(f"{folder} has no best trial; {advice}")
    if results.best is None:
        raise NoTrials(f"no trial of {folder} completed")
    return folder / TRIALS / results.best.id


def trial_of(folder: Path) -> str:
    """Which trial of a sweep a run is, and what it changes, in a line; empty for any other run."""
    try:
        told = json.loads((folder / TRIAL).read_text(encoding="utf-8"))
        changes = ", ".join(f"{address} {shown(value)}" for address, value in dict(told["changes"]).items())
        return f"{told['trial']} of {told['sweep']}{f': {changes}' if changes else ''}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


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
