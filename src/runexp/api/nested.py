"""Nested cross-validation: the sweep inside of one fold, whose trials are cross-validations of what it learns from."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Generator
from dataclasses import replace

from runexp.api.choosing import InnerSweep
from runexp.api.lineage import ancestors_of, recorded
from runexp.api.sweeping import SweepPlace, lineage_of, opened
from runexp.api.trial_specs import spec_of, without_sweep
from runexp.api.trials import Trials, Undertaking
from runexp.engine.control import Control
from runexp.events import Event, InnerTrialFinished, ValuesChosen
from runexp.plan.experiment import Plan, digest
from runexp.plan.sweeps import SweepPlan
from runexp.plan.values import freeze
from runexp.results.trials import Objective, SweepResults, Trial
from runexp.runtime.folds.fold import Fold
from runexp.runtime.settings import share_threads
from runexp.store.records import read_lock_file
from runexp.strategies.sweep_run import Execution
from runexp.strategies.sweep_search import SweepSearch, open_study


class NothingChosen(Exception):  # noqa: N818 - it reads as what happened
    """No trial inside of a fold came to its end."""


def choose(asked: InnerSweep, fold: Fold, plan: Plan, control: Control) -> Generator[Event, None, Plan | None]:
    """Run the trials of a fold that have not ended yet, telling each; then the plan of the fold with the best values.

    `plan` is that of the fold with the values that are written. None where `control` was asked to stop.
    `NothingChosen` where no trial completed.
    """
    base, sweep = asked.base, asked.base.linked.sweep
    if sweep is None:
        raise ValueError("the spec has no section `sweep`")
    share_threads(plan.execution.threads)
    fixed = _fixed(base.linked, fold)
    place, told = SweepPlace(at=asked.folder(fold), save_every_s=asked.save_every_s), _Telling(fold)
    lock = read_lock_file(asked.path)
    with opened(base, place, f"sweep-{fold.label}", digest(base.linked), ancestors_of(lock)) as folder:
        study = open_study(sweep, name=fold.label, folder=folder.path, url=None)
        what = Undertaking(
            base,
            SweepSearch(sweep, seed=base.linked.seed, study=study),
            tuple(Objective(one.address, one.mode) for one in sweep.objectives),
            sweep.monitor if sweep.pruner != "none" else "",
            Execution(sweep.execution, sweep.workers),
            asked.save_every_s,
            lineage=lineage_of(folder.path),
            fixed=fixed,
        )
        results = yield from told.passed_on(Trials(what, folder, told, control).steps())
    if control.signal:
        return None
    best = _best(results)
    yield _chosen(fold, sweep, best, results)
    chosen = spec_of(base, best.changes, without_sweep(base)).require().linked
    found, _ = recorded(chosen, lock)
    found = found.in_refit() if fold.is_refit else found.in_fold()
    return replace(found, execution=plan.execution)


def _fixed(plan: Plan, fold: Fold) -> tuple[str, ...]:
    """What all trials inside of a fold have in common: the rows of that fold, and that nobody else is told of them."""
    of = '"refit"' if fold.is_refit else str(fold.index)
    untold = ("tracking=null",) if plan.tracking is not None else ()
    return ("sweep=null", f"cv.inner.of={of}", f"cv.inner.rows={json.dumps(fold.digest)}", *untold)


def _best(results: SweepResults) -> Trial:
    best = results.best
    if best is None:
        errors = [trial.error for trial in results.trials if trial.error]
        first = f"; the first failed of: {errors[0]}" if errors else ""
        raise NothingChosen(f"none of {len(results)} trials completed, so that nothing can be chosen{first}")
    return best


def _chosen(fold: Fold, sweep: SweepPlan, best: Trial, results: SweepResults) -> ValuesChosen:
    objective = sweep.objectives[0]
    n_failed = sum(trial.status == "failed" for trial in results.trials)
    changes = freeze(dict(best.changes))
    return ValuesChosen(
        fold.index, fold.label, changes, objective.address, objective.mode, best.values[0], len(results), n_failed
    )


class _Telling:
    """Watches the trials of a fold; gives those that have ended as events, each once."""

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        self._n_trials = 0
        self._objectives: tuple[str, ...] = ()
        self._ended: deque[Trial] = deque()

    def begin(self, results: SweepResults, n_trials: int) -> None:
        """Those that had ended before are told again."""
        self._n_trials = n_trials
        self._objectives = tuple(one.address for one in results.objectives)
        self._ended += results.trials

    def receive(self, trial: Trial, details: str = "") -> None:
        """Keep one that has ended."""
        if trial.status not in ("running", "interrupted"):
            self._ended.append(trial)

    def passed_on(self, steps: Generator[None, None, SweepResults]) -> Generator[Event, None, SweepResults]:
        """The events of the trials, as they end."""
        try:
            while True:
                next(steps)
                while self._ended:
                    yield self._event(self._ended.popleft())
        except StopIteration as ended:
            results: SweepResults = ended.value
        while self._ended:
            yield self._event(self._ended.popleft())
        return results

    def _event(self, trial: Trial) -> InnerTrialFinished:
        metrics = freeze({name: trial.metrics[name] for name in self._objectives if name in trial.metrics})
        status = trial.status if trial.status in ("completed", "pruned") else "failed"
        return InnerTrialFinished(
            self._fold.index,
            self._fold.label,
            trial.number,
            self._n_trials,
            freeze(dict(trial.changes)),
            status,
            metrics,
            trial.error,
        )
