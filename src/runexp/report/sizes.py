"""How much a spec would take, in a few lines or as JSON data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from runexp.records import dataclass
from runexp.report.characters import cleaned

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


@dataclass(frozen=True, slots=True)
class DataFacts:
    """Rows of a feature set and its bytes in memory."""

    name: str
    n_rows: int
    n_bytes: int
    is_estimate: bool


@dataclass(frozen=True, slots=True)
class PhaseFacts:
    """Parameters that a phase trains, and bytes; `peak` counts data and weights too."""

    label: str
    n_trainable: int
    gradients: int
    optimizer: int
    activations: int
    peak: int


@dataclass(frozen=True, slots=True)
class SizeFacts:
    """The sizes of a spec, in bytes where nothing else is said; `memory` is the machine's, 0 if unknown."""

    path: str
    data: tuple[DataFacts, ...]
    n_parameters: int
    weights: int
    phases: tuple[PhaseFacts, ...]
    memory: int
    notes: tuple[str, ...]


def size_lines(facts: SizeFacts) -> str:
    """A short summary: a line a feature set, one for the parameters, one for the phase that takes most."""
    lines = [
        f"  {cleaned(item.name)}: {_about(item)}{item.n_rows:,} rows, {in_units(item.n_bytes)}" for item in facts.data
    ]
    lines.append(f"  parameters: {facts.n_parameters:,}, {in_units(facts.weights)}")
    largest = max(facts.phases, key=lambda phase: phase.peak, default=None)
    if largest is not None:
        kept = f"optimizer state {in_units(largest.optimizer)}, " if largest.optimizer else ""
        there = f" of {in_units(facts.memory)}" if facts.memory else ""
        parts = f"{kept}activations of a batch {in_units(largest.activations)}"
        lines.append(f"  {cleaned(largest.label)}: about {in_units(largest.peak)}{there} ({parts})")
    return "\n".join([*lines, *(f"  note: {cleaned(note)}" for note in facts.notes)])


def sizes_as_json(facts: SizeFacts) -> dict[str, Any]:
    """The same as plain data."""
    return asdict(facts)


def in_units(n_bytes: int) -> str:
    """Bytes in the unit that reads best: `460 kB`."""
    size = float(n_bytes)
    for unit in _UNITS:
        if size < 1000 or unit == _UNITS[-1]:
            break
        size /= 1000
    return f"{size:.3g} {unit}"


def _about(item: DataFacts) -> str:
    return "about " if item.is_estimate else ""
