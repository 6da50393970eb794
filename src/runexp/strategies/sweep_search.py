"""Which trial comes next: Optuna, asked and told, with a storage that outlives the process."""

from __future__ import annotations

import importlib
import json
import math
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runexp.plan.sweeps import ParameterPlan, SweepPlan
from runexp.plan.values import thaw
from runexp.results.trials import Importance
from runexp.strategies.sweep_space import Point, drawn, grid, label_of, seed_of, varies

JOURNAL = "journal.log"
_SEED_OF_IMPORTANCE = 0
_FEWEST_FOR_IMPORTANCE = 4

Verdict = Literal["completed", "pruned", "failed"]


class StorageError(Exception):
    """The storage of a sweep cannot be used. The message tells no password."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A trial to run: its number, from 0, and what it changes."""

    number: int
    point: Point


@dataclass(frozen=True, slots=True)
class Remembered:
    """A trial that has ended, as the storage knows it."""

    number: int
    point: Point
    verdict: Verdict
    values: tuple[float, ...]
    error: str


class SweepSearch:
    """The trials of one sweep. What was running when a process was killed is asked again, under its number.

    `again`: trials that failed are run once more. `StorageError` where the storage cannot be opened.
    """

    def __init__(self, plan: SweepPlan, *, seed: int, study: Any, again: bool = False) -> None:  # noqa: ANN401 - Optuna's
        self._plan = plan
        self._seed = seed
        self._optuna = optuna()
        self._study = study
        self._open: dict[int, Any] = {}
        self._sign = 1.0 if plan.monitor_mode == plan.objectives[0].mode else -1.0
        self._take_up(again=again)

    @property
    def n_trials(self) -> int:
        """How many there will be, as far as that is known now."""
        return max(self._plan.n_trials if not self._is_listed else 0, len(self._by_number()))

    def ask(self) -> Asked | None:
        """The next trial, or None where none is left to begin."""
        by_number = self._by_number()
        has_waiting = any(trial.state.name == "WAITING" for trial in by_number.values())
        number = len(by_number)
        if not has_waiting:
            if self._is_listed or number >= self._plan.n_trials:
                return None
            self._study.sampler = _sampler(self._optuna, self._plan, seed_of(self._seed, number))
        trial = self._quietly(self._study.ask)
        number = trial.user_attrs.get("number", number)
        point = self._suggested(trial)
        trial.set_user_attr("number", number)
        trial.set_user_attr("point", json.dumps(point))
        self._open[number] = trial
        return Asked(number, point)

    def should_stop(self, number: int, step: int, value: float) -> bool:
        """Whether a running trial is to end early, given what it reports."""
        trial = self._open[number]
        self._quietly(trial.report, self._sign * value, step)
        return bool(self._quietly(trial.should_prune))

    def tell(self, number: int, verdict: Verdict, values: Sequence[float] = (), error: str = "") -> None:
        """How a trial ended."""
        trial = self._open.pop(number)
        state = self._optuna.trial.TrialState
        if error:
            trial.set_user_attr("error", error)
        if verdict == "completed":
            self._quietly(self._study.tell, trial, list(values))
        else:
            if verdict == "failed":
                trial.set_user_attr("is_final", True)
            self._quietly(self._study.tell, trial, state=state.PRUNED if verdict == "pruned" else state.FAIL)

    def remembered(self) -> Iterator[Remembered]:
        """The trials that have ended, by their numbers."""
        verdicts: Mapping[str, Verdict] = {"COMPLETE": "completed", "PRUNED": "pruned", "FAIL": "failed"}
        for number, trial in sorted(self._by_number().items()):
            if trial.state.name in verdicts:
                values = tuple(trial.values or ()) if trial.state.name == "COMPLETE" else ()
                error = trial.user_attrs.get("error", "")
                yield Remembered(number, _point(trial), verdicts[trial.state.name], values, error)

    def importance(self) -> Importance | None:
        """How much of an objective's variance each parameter explains; None where too little is known."""
        found: dict[str, dict[str, float]] = {}
        trials = [trial for trial in self._by_number().values() if trial.state.name == "COMPLETE"]
        if len(trials) < _FEWEST_FOR_IMPORTANCE or len(self._plan.parameters) < 2:
            return None
        for index, objective in enumerate(self._plan.objectives):
            evaluator = self._optuna.importance.FanovaImportanceEvaluator(seed=_SEED_OF_IMPORTANCE)
            try:
                shares = self._quietly(
                    self._optuna.importance.get_param_importances,
                    self._study,
                    evaluator=evaluator,
                    target=lambda trial, index=index: trial.values[index],
                )
            except (ValueError, RuntimeError):  # all trials alike: nothing explains what does not differ
                continue
            found[objective.address] = {name: float(share) for name, share in shares.items()}
        return Importance("fANOVA", found) if any(found.values()) else None

    @property
    def _is_listed(self) -> bool:
        return self._plan.sampler in ("grid", "random")

    def _take_up(self, *, again: bool) -> None:
        """Put what was begun and not ended back into the queue, and what a grid or chance lists."""
        for trial in self._study.get_trials(deepcopy=False):
            if trial.state.name == "RUNNING":
                self._put_back(trial)
        for number, trial in self._by_number().items():
            if trial.state.name == "FAIL" and (again or not trial.user_attrs.get("is_final")):
                self._enqueue(number, _point(trial))
        known = self._by_number()
        for number, point in enumerate(self._listed()):
            if number not in known:
                self._enqueue(number, point)

    def _put_back(self, trial: Any) -> None:  # noqa: ANN401 - Optuna's
        """Another attempt first, then the end of this one, so that a kill between the two loses nothing."""
        number = trial.user_attrs.get("number", len(self._by_number()))
        newest = self._by_number().get(number)
        if newest is None or newest.number == trial.number:
            self._quietly(self._study.enqueue_trial, dict(trial.params), user_attrs=_kept(trial, number))
        self._quietly(self._study.tell, trial.number, state=self._optuna.trial.TrialState.FAIL)

    def _enqueue(self, number: int, point: Point) -> None:
        labels = {
            one.address: label_of(point[one.address]) if one.values else point[one.address]
            for one in self._plan.parameters
            if one.address in point
        }
        attributes = {"number": number, "point": json.dumps(point)}
        self._quietly(self._study.enqueue_trial, labels, user_attrs=attributes)

    def _listed(self) -> Iterator[Point]:
        if self._plan.sampler == "grid":
            yield from grid(self._plan.parameters)
        elif self._plan.sampler == "random":
            yield from drawn(self._plan.parameters, seed=self._seed, n_trials=self._plan.n_trials)

    def _by_number(self) -> dict[int, Any]:
        """The newest attempt at each trial."""
        found: dict[int, Any] = {}
        for trial in self._study.get_trials(deepcopy=False):
            number = trial.user_attrs.get("number")
            if number is not None:
                found[number] = trial
        return found

    def _suggested(self, trial: Any) -> Point:  # noqa: ANN401 - Optuna's
        """What the trial changes: as it was listed, else as the sampler says, parameter by parameter."""
        listed = _point(trial)
        point: dict[str, Any] = {}
        for one in self._plan.parameters:
            if varies(one, listed or point):
                point[one.address] = self._quietly(_suggest, trial, one)
        return listed or point

    def _quietly(self, call: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any call of Optuna's
        """The call without Optuna's warnings, most of which are about choices that are made here."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call(*args, **kwargs)


def optuna() -> Any:  # noqa: ANN401 - a module that may be missing
    """Optuna; `ImportError` says how to get it."""
    try:
        module = importlib.import_module("optuna")
    except ImportError as error:
        message = "a sweep needs Optuna, which is not installed: `pip install 'runexp[sweep]'`"
        raise ImportError(message, name="optuna") from error
    module.logging.set_verbosity(module.logging.ERROR)
    return module


def open_study(plan: SweepPlan, *, name: str, folder: Path, url: str | None) -> Any:  # noqa: ANN401 - Optuna's
    """The study of a sweep: in a journal in its folder, which nobody else may have open, or in a database."""
    library = optuna()
    directions = ["maximize" if one.mode == "max" else "minimize" for one in plan.objectives]
    try:
        storage = _journal(library, folder / JOURNAL) if url is None else library.storages.RDBStorage(url)
        return library.create_study(
            study_name=name,
            storage=storage,
            directions=directions,
            pruner=_pruner(library, plan),
            load_if_exists=True,
        )
    except Exception as error:  # drivers raise what they like; the cause is left out, since it may hold a password
        what = type(error).__name__ if url is not None else f"{type(error).__name__}: {error}"
        raise StorageError(f"the storage of the sweep cannot be opened ({what})") from None


def _journal(library: Any, path: Path) -> Any:  # noqa: ANN401 - Optuna's
    """The journal, freed of what a killed process left: its lock, and a line that is not whole."""
    for lock in path.parent.glob(f"{path.name}.lock*"):
        lock.unlink(missing_ok=True)
    if path.exists():
        with path.open("rb+") as journal:
            content = journal.read()
            journal.truncate(content.rfind(b"\n") + 1)
            os.fsync(journal.fileno())
    backend = importlib.import_module("optuna.storages.journal").JournalFileBackend(str(path))
    return library.storages.JournalStorage(backend)


def _sampler(library: Any, plan: SweepPlan, seed: int) -> Any:  # noqa: ANN401 - Optuna's
    if plan.sampler == "cmaes":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return library.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
    return library.samplers.TPESampler(seed=seed)


def _pruner(library: Any, plan: SweepPlan) -> Any:  # noqa: ANN401 - Optuna's
    if plan.pruner == "median":
        return library.pruners.MedianPruner()
    if plan.pruner == "halving":
        return library.pruners.SuccessiveHalvingPruner()
    return library.pruners.NopPruner()


def _suggest(trial: Any, one: ParameterPlan) -> Any:  # noqa: ANN401 - any value of a spec
    if one.values:
        labels = {label_of(value): thaw(value) for value in one.values}
        return labels[trial.suggest_categorical(one.address, list(labels))]
    if one.integer:
        step = 1 if one.log else int(one.step or 1)
        return trial.suggest_int(one.address, int(one.low), int(one.high), step=step, log=one.log)
    value = float(trial.suggest_float(one.address, one.low, one.high, step=one.step or None, log=one.log))
    return value if math.isfinite(value) else one.low


def _point(trial: Any) -> Point:  # noqa: ANN401 - Optuna's
    written = trial.user_attrs.get("point")
    return json.loads(written) if written else {}


def _kept(trial: Any, number: int) -> dict[str, Any]:  # noqa: ANN401 - Optuna's
    point = trial.user_attrs.get("point")
    return {"number": number} | ({"point": point} if point else {})
