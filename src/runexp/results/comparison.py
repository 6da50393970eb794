"""Runs side by side: what differs in their specs, environments and data, and their final numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runexp.results.run_record import MISSING, RunRecord, flat
from runexp.results.tables import html_table, show


@dataclass(frozen=True, slots=True)
class Row:
    """One address and what each run has there, in the order of the runs; `MISSING` where one has nothing."""

    address: str
    values: tuple[Any, ...]

    @property
    def is_same(self) -> bool:
        """Whether all runs have the same there; two NaNs are."""
        first = self.values[0]
        return all(value == first or (value != value and first != first) for value in self.values)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs, and what they have at each address: of spec, environment and data only what differs, of metrics all."""

    runs: tuple[RunRecord, ...]
    spec: tuple[Row, ...]
    environment: tuple[Row, ...]
    data: tuple[Row, ...]
    metrics: tuple[Row, ...]

    def _repr_html_(self) -> str:
        rows = [
            [section, row.address, *("" if value is MISSING else show(value) for value in row.values)]
            for section in ("spec", "environment", "data", "metrics")
            for row in getattr(self, section)
        ]
        return html_table(f"{len(self.runs)} runs", ["", "", *(run.id for run in self.runs)], rows)


def compare(runs: Sequence[RunRecord]) -> Comparison:
    """What differs between runs; their specs must be read."""
    return Comparison(
        tuple(runs),
        spec=_differing(runs, lambda run: run.spec or {}),
        environment=_differing(runs, _environment),
        data=_differing(runs, lambda run: run.lock.get("sources") or {}),
        metrics=_rows(runs, lambda run: run.metrics),
    )


def _environment(run: RunRecord) -> Mapping[str, Any]:
    """Versions, platform, code, commit, host and device; the rest of the lock follows from the spec, or is data."""
    made = run.lock.get("made")
    host = made.get("host") if isinstance(made, Mapping) else None
    kept = {
        name: run.lock.get(name) for name in ("python", "platform", "packages", "code", "git") if run.lock.get(name)
    }
    return kept | {name: value for name, value in (("host", host), ("device", run.device)) if value}


def _differing(runs: Sequence[RunRecord], part: Callable[[RunRecord], Mapping[str, Any]]) -> tuple[Row, ...]:
    return tuple(row for row in _rows(runs, part) if not row.is_same)


def _rows(runs: Sequence[RunRecord], part: Callable[[RunRecord], Mapping[str, Any]]) -> tuple[Row, ...]:
    columns = [{address: value for address, value in flat(part(run)) if address} for run in runs]
    addresses = dict.fromkeys(address for found in columns for address in found)
    return tuple(Row(address, tuple(found.get(address, MISSING) for found in columns)) for address in addresses)
