"""The Python face of runexp: load a spec, compile it, run it, preview a phase."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from runexp.api.checking import Checked, check
from runexp.api.describing import read_set, set_names
from runexp.api.previewing import Length, Preview, labels
from runexp.api.running import Place, Run
from runexp.api.running import run as run_checked
from runexp.api.sweeping import SweepPlace, run_replicates, run_sweep
from runexp.api.trials import Unwatched
from runexp.api.trust import allowing
from runexp.diagnostics import did_you_mean
from runexp.plan.experiment import Plan
from runexp.results import GroupResults, PhaseResults, UnknownNameError
from runexp.results.trials import SweepResults
from runexp.runtime.data import FeatureSet
from runexp.spec import Spec
from runexp.strategies.sweep_run import Execution, Manner


def load(path: Path | str, *, overrides: Mapping[str, object] | None = None) -> Checked:
    """Read and check a spec; `overrides` maps addresses to values, as `--set` does. Raises `SpecError`."""
    written = [f"{address}={json.dumps(value, default=str)}" for address, value in (overrides or {}).items()]
    return check(path, overrides=written).require()


def compile(checked: Checked, *, allow_imports: Sequence[str] = ()) -> Experiment:
    """The experiment a checked spec describes.

    `allow_imports` agrees to code that a spec from outside of the current project would run, by its prefixes.
    """
    return Experiment(allowing(checked, allow_imports))


class Experiment:
    """An experiment that can be run any number of times; `history` keeps every run of this session."""

    def __init__(self, checked: Checked) -> None:
        self._checked = checked.require()
        self._history: list[Run] = []

    def __repr__(self) -> str:
        return f"Experiment({self.plan.name!r}, {len(self.plan.phases)} phases, {len(self._history)} runs)"

    @property
    def spec(self) -> Spec:
        """The spec as written."""
        return self._checked.spec

    @property
    def plan(self) -> Plan:
        """The experiment as it will run."""
        return self._checked.linked

    def data(self, name: str) -> FeatureSet:
        """A feature set as phases receive it, read anew: arrays, views, tables. `SpecError` for what is wrong in it."""
        if name not in set_names(self._checked):
            known = did_you_mean(name, set_names(self._checked), kind="feature sets")
            raise UnknownNameError(f"there is no feature set `{name}`; {known}")
        return read_set(self._checked, name)

    @property
    def history(self) -> tuple[Run, ...]:
        """The runs so far, oldest first, failed ones too."""
        return tuple(self._history)

    @property
    def last_run(self) -> Run | None:
        """The newest run, if there is one."""
        return self._history[-1] if self._history else None

    def run(self, *, runs: Path | str = "runs", run_dir: Path | str | None = None) -> Run:
        """Execute the plan into a new folder below `runs`, or exactly `run_dir`.

        `SpecError` for data or shapes that cannot work, before anything is written; an error of the run is
        raised after it is on record.
        """
        place = Place(Path(runs), Path(run_dir) if run_dir is not None else None)
        finished = run_checked(self._checked, place, watch=lambda live: ())
        self._history.append(finished)
        if finished.error is not None:
            raise finished.error
        return finished

    def sweep(
        self, *, runs: Path | str = "runs", run_dir: Path | str | None = None, retry_failed: bool = False
    ) -> SweepResults:
        """Run the trials of the spec's `sweep` that have not ended yet, in a folder of their own.

        `SpecError` for a grid with a value that makes a wrong spec; what single trials fail of is in the results.
        """
        place = SweepPlace(Path(runs), Path(run_dir) if run_dir is not None else None, retry_failed)
        return run_sweep(self._checked, place, watcher=Unwatched())

    def replicate(
        self,
        n: int,
        *,
        runs: Path | str = "runs",
        run_dir: Path | str | None = None,
        execution: Manner = "sequential",
        workers: int = 0,
    ) -> SweepResults:
        """Run the plan with `n` seeds, the first its own: numbers with their spread. None is repeated.

        `workers` at a time in processes, or trained at once; 0: as many as fit.
        """
        place = SweepPlace(Path(runs), Path(run_dir) if run_dir is not None else None)
        how = Execution(execution, workers)
        return run_replicates(self._checked, n, place, watcher=Unwatched(), execution=how)

    def preview_phase(
        self, label: str, *, n_epochs: int = 0, n_steps: int = 0, with_earlier: bool = False
    ) -> PhaseResults | GroupResults:
        """Run one phase or group and put everything back; nothing is written. An error of the phase is raised."""
        if label not in labels(self._checked):
            known = did_you_mean(label, labels(self._checked), kind="phases")
            raise UnknownNameError(f"no phase is labelled `{label}`; {known}")
        preview = Preview(self._checked, label)
        tried = preview.run(Length(n_epochs, n_steps, with_earlier), watch=lambda live: ())
        if tried.error is not None:
            raise tried.error
        return tried.results.results[label]
