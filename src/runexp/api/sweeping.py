"""A spec run many times: with the values that its sweep asks for, or with other seeds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from runexp.api.checking import Checked
from runexp.api.lineage import Ancestor, ancestors_of, told, traced
from runexp.api.recording import resolved_yaml
from runexp.api.running import SAVE_EVERY_S, build, placed
from runexp.api.stored_sweep import BASE
from runexp.api.sweep_tracking import SweepTrackers
from runexp.api.trial_specs import judged, mistakes_of_grid, unstackable
from runexp.api.trials import Trials, Undertaking, Watcher
from runexp.api.trust import distrusted, own_modules
from runexp.diagnostics import SpecError
from runexp.engine.control import Control
from runexp.plan.experiment import digest, dump
from runexp.plan.sweeps import SweepPlan
from runexp.results.trials import Objective, SweepResults
from runexp.runtime.randomness import kept_randomness
from runexp.runtime.settings import settled
from runexp.runtime.stacking.refusals import check_stackable
from runexp.store.run_folder import FolderInUse, RunFolder
from runexp.store.status import utc_now
from runexp.strategies.clusters import check_cluster, site_of_trials
from runexp.strategies.listed_search import ListedSearch, repeated_seeds
from runexp.strategies.sweep_run import IN_TURN, Execution
from runexp.strategies.sweep_search import SweepSearch, open_study

LINEAGE = "lineage.json"
_WHAT_A_SEARCH_IS = ("parameters", "sampler", "objectives", "monitor", "pruner")


@dataclass(frozen=True, slots=True)
class SweepPlace:
    """Where a sweep goes: its own folder below `runs`, or exactly `at`.

    `again`: trials that failed are run once more. Every `save_every_s` seconds a trial saves what it would go on from.
    """

    runs: Path = field(default_factory=lambda: Path("runs"))
    at: Path | None = None
    again: bool = False
    save_every_s: float = SAVE_EVERY_S

    @property
    def home(self) -> Path:
        """Where what runs share lies: the folder of runs, or the sweep's own where that was given exactly."""
        return self.at or self.runs


def run_sweep(checked: Checked, place: SweepPlace, *, watcher: Watcher, control: Control | None = None) -> SweepResults:
    """Run the trials that a spec's `sweep` asks for and that have not ended yet; the others are not run again.

    `SpecError` for a grid that would run a wrong spec, before anything is written; `FolderInUse`; `StorageError`;
    `ImportError` without Optuna; `SpecChanged` where the spec changes meanwhile, `ClusterGone` and `BlindCluster` where
    the cluster cannot go on: what ended until then is kept.
    """
    plan = checked.require().linked
    sweep = plan.sweep
    if sweep is None:
        raise ValueError("the spec has no section `sweep`")
    how = Execution(sweep.execution, sweep.workers)
    _refuse(checked, sweep, how)
    placed(checked, check_cluster, site_of_trials(plan))
    base = digest(plan)
    with _together(checked, how), _opened(checked, place, f"sweep-{base[:8]}") as folder:
        url = checked.spec.sweep.storage if checked.spec.sweep is not None else None
        study = open_study(sweep, name=f"{plan.name}-{base[:8]}-{_digest(sweep)[:8]}", folder=folder.path, url=url)
        what = Undertaking(
            checked,
            SweepSearch(sweep, seed=plan.seed, study=study, again=place.again),
            tuple(Objective(one.address, one.mode) for one in sweep.objectives),
            sweep.monitor if sweep.pruner != "none" else "",
            how,
            place.save_every_s,
            place.runs,
            place.home,
            _lineage(folder.path),
            site_of_trials(plan),
        )
        return _carried_out(what, folder, watcher, control or Control())


def run_replicates(
    checked: Checked,
    n: int,
    place: SweepPlace,
    *,
    watcher: Watcher,
    control: Control | None = None,
    execution: Execution = IN_TURN,
) -> SweepResults:
    """Run a spec with `n` seeds, of which the first is its own; those that have ended are not run again, however they
    were run.

    `FolderInUse` and `SpecChanged` as `run_sweep`.
    """
    plan = checked.require().linked
    _refuse(checked, None, execution)
    search = ListedSearch([{"seed": seed} for seed in repeated_seeds(plan.seed, n)])
    with _together(checked, execution), _opened(checked, place, f"replicates-{digest(plan)[:8]}") as folder:
        what = Undertaking(
            checked,
            search,
            execution=execution,
            save_every_s=place.save_every_s,
            runs=place.runs,
            home=place.home,
            lineage=_lineage(folder.path),
        )
        return _carried_out(what, folder, watcher, control or Control())


def _carried_out(what: Undertaking, folder: RunFolder, watcher: Watcher, control: Control) -> SweepResults:
    """Run the trials, and tell the trackers of all of them together."""
    trackers = SweepTrackers(what.checked, folder, what.home, control)
    trials = Trials(what, folder, watcher, control)
    trackers.begin()
    try:
        return trials.run()
    finally:
        trackers.finish(trials.results)


def _lineage(folder: Path) -> tuple[Ancestor, ...]:
    """The earlier runs that trials take weights from: those that were meant when the first began."""
    path = folder / LINEAGE
    return ancestors_of(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else ()


def _refuse(checked: Checked, sweep: SweepPlan | None, how: Execution) -> None:
    """Raise `SpecError` for code that nobody agreed to, for a grid with a spec that is not valid, and for what is to be
    trained at once and cannot be."""
    found = distrusted(checked)
    if not found and sweep is None:
        found = unstackable(checked, how, "repeats")
    if not found and sweep is not None and sweep.sampler == "grid":
        found = mistakes_of_grid(checked, sweep.parameters, lambda one: judged(one, how, "trials"))
    if found:
        raise SpecError(found)
    if how.manner == "vectorized":
        _try_at_once(checked, "trials" if sweep is not None else "repeats")


def _try_at_once(checked: Checked, whose: str) -> None:
    """Take a step of the spec itself as trials together would; `SpecError` for what cannot be."""
    with own_modules(checked), settled(checked.linked.execution), kept_randomness():
        runtime = build(checked)
        placed(checked, check_stackable, runtime, checked.linked.phases, whose)


@contextmanager
def _together(checked: Checked, how: Execution) -> Iterator[None]:
    """What runs in each other's midst has one environment: it is put back when all are over."""
    if how.manner != "vectorized":
        yield
        return
    with own_modules(checked), settled(checked.linked.execution):
        yield


def _opened(checked: Checked, place: SweepPlace, name: str) -> RunFolder:
    """The folder of these trials, new or gone on with; `FolderInUse` where it is held, or holds something else.

    `SpecError` for an earlier run that there is not.
    """
    plan = checked.linked
    path = place.at or place.runs / plan.name / name
    _, lineage = placed(checked, traced, plan, place.runs, _lineage(path))
    base = {"base": digest(plan), "kind": name.partition("-")[0]}
    if not path.is_dir() or not any(path.iterdir()):
        folder = RunFolder.create(place.runs, plan.name, now=utc_now(), at=path)
    elif _written(path) in (base, None if place.at is None else base):
        folder = RunFolder.reopen(path)
    else:
        raise FolderInUse(f"{path} holds something else than the trials of this spec as it is now")
    folder.write(BASE, json.dumps(base) + "\n")
    if lineage:
        folder.write(LINEAGE, json.dumps({"lineage": told(lineage)}, indent=1) + "\n")
    folder.write("spec.yaml", checked.files.get(checked.path) or next(iter(checked.files.values())))
    folder.write("resolved.yaml", resolved_yaml(checked))
    folder.status.update("running")
    return folder


def _written(path: Path) -> object:
    """What the folder says that its trials are made of; None where it was broken off before it could."""
    try:
        return json.loads((path / BASE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _digest(sweep: SweepPlan) -> str:
    """What tells one search from another in a storage: not how many trials it has, nor how they are run."""
    body = dump(sweep)
    text = json.dumps([_bare(body[name]) for name in _WHAT_A_SEARCH_IS], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _bare(value: object) -> object:
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items() if key != "origin"}
    return [_bare(item) for item in value] if isinstance(value, list) else value
