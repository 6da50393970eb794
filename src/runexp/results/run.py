"""The results of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from runexp.results.folds import CVResults
from runexp.results.groups import GroupResults
from runexp.results.phases import PhaseResults, State


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds of the run and of each phase by label; None and left out where no times were given."""

    run: float | None
    phases: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RunResults:
    """What a run found out: phases and groups in `results`, numbers in `summary()`.

    `error` and `where` say what went wrong in which phase; `status` is `running` before the end. `cv` is there where
    the run is a cross-validation.
    """

    name: str
    seed: int
    device: str
    status: State
    error: str
    where: str
    results: GroupResults
    timings: Timings
    warnings: tuple[str, ...]
    cv: CVResults | None = None

    def __getitem__(self, label: str) -> PhaseResults | GroupResults:
        """The results of a phase or group by its label; `UnknownNameError` for another."""
        return self.results[label]

    def _repr_html_(self) -> str:
        took = f" in {self.timings.run:.1f} s" if self.timings.run is not None else ""
        head = f"<p>{escape(self.name)} {escape(self.status)}{took}</p>"
        error = f"<p>{escape(f'{self.where}: ' if self.where else '')}{escape(self.error)}</p>" if self.error else ""
        return head + error + (self.cv or self.results)._repr_html_()

    def summary(self) -> dict[str, dict[str, float]]:
        """The final numbers of each phase by its full label; phases without numbers are left out."""
        phases = self.results.flatten()
        return {label: dict(phase.numbers) for label, phase in phases.items() if phase.numbers}
