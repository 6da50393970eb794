"""What a run folder tells of its run at a glance, and the paths by which its values are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

Steps = tuple[str | int, ...]

STATES = ("running", "completed", "stopped", "failed", "interrupted", "killed", "unknown")
"""`killed`: it says `running`, and nobody holds it. `unknown`: its status cannot be read."""

FACTS = (
    "id",
    "name",
    "kind",
    "status",
    "started",
    "ended",
    "seconds",
    "phase",
    "epoch",
    "host",
    "seed",
    "device",
    "error",
    "tags",
    "note",
    "folder",
)


class Missing:
    """Stands where a run has no such value."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run: how it stands, its final numbers by phase, its lock; `spec` is None until it is asked for.

    `kind` is `run`, `folds` of a cross-validation, `sweep` or `repeats`. Times are ISO 8601, UTC, empty where they are
    not known. `problems` says what of the folder cannot be read.
    """

    folder: Path
    name: str
    id: str
    kind: str = "run"
    status: str = "unknown"
    started: str = ""
    ended: str = ""
    seconds: float | None = None
    phase: str = ""
    epoch: int | None = None
    host: str = ""
    seed: int | None = None
    device: str = ""
    error: str = ""
    failed_in: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    lock: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    spec: Mapping[str, Any] | None = None

    def summary(self) -> dict[str, float]:
        """The final numbers by name alone; of a name that several phases have, the last phase's."""
        return {name: value for numbers in self.metrics.values() for name, value in numbers.items()}


def steps_of(path: str) -> Steps:
    """The steps of `phases.train.losses[0]`; text between backticks is one step, dots and all."""
    found = re.findall(r"`([^`]*)`|\[(\d+)\]|([^.\[\]`]+)", path)
    return tuple(int(index) if index else quoted or name for quoted, index, name in found)


def value_at(record: RunRecord, steps: Steps) -> Any:  # noqa: ANN401 - any value of a spec
    """The value at a path, or `MISSING`.

    Looked for, in this order: a fact of the run (`status`), `summary.<number>`, `<phase>.<number>`, a number by name
    alone, `lock.…`, `spec.…`, and an address of the spec as it stands (`vars.lr`).
    """
    head = steps[0] if steps else ""
    if len(steps) == 1 and head in FACTS:
        return _fact(record, str(head))
    for place in _places(record, str(head), steps):
        value = _descend(*place)
        if not isinstance(value, Missing):
            return value
    return MISSING


def paths_of(record: RunRecord) -> Iterator[str]:
    """Every path that has a value in a run, facts first."""
    yield from FACTS
    yield from (f"summary.{name}" for name in record.summary())
    yield from (f"{phase}.{name}" for phase, numbers in record.metrics.items() for name in numbers)
    yield from (address for address, _ in flat(record.spec or {}))
    yield from (f"lock.{address}" for address, _ in flat(record.lock))


def flat(value: Any, address: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - plain JSON data
    """Every leaf of plain data with its address; lists of plain values are leaves, so are empty mappings."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from flat(item, f"{address}.{_step(key)}" if address else _step(key))
    elif isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value):
        for index, item in enumerate(value):
            yield from flat(item, f"{address}[{index}]")
    else:
        yield address, value


def _step(key: object) -> str:
    text = str(key)
    return f"`{text}`" if re.search(r"[.\[\]\s]", text) else text


def _fact(record: RunRecord, name: str) -> Any:  # noqa: ANN401 - any fact
    value = str(record.folder) if name == "folder" else getattr(record, name)
    return MISSING if value is None or value == "" else value


def _places(record: RunRecord, head: str, steps: Steps) -> Iterator[tuple[Any, Steps]]:
    if head == "summary":
        yield record.summary(), steps[1:]
        yield record.metrics, steps[1:]
    yield record.metrics, steps
    if len(steps) == 1:
        yield record.summary(), steps
    if head == "lock":
        yield record.lock, steps[1:]
    if head == "spec":
        yield record.spec, steps[1:]
    yield record.spec, steps


def _descend(value: Any, steps: Steps) -> Any:  # noqa: ANN401 - plain JSON data
    """What lies at the steps; several of them may be one key that has dots in it."""
    if not steps:
        return value
    if isinstance(value, list) and isinstance(steps[0], int) and steps[0] < len(value):
        return _descend(value[steps[0]], steps[1:])
    if isinstance(value, Mapping):
        for taken in range(1, len(steps) + 1):
            key = ".".join(map(str, steps[:taken]))
            if key in value:
                return _descend(value[key], steps[taken:])
    return MISSING


def as_json(record: RunRecord) -> dict[str, Any]:
    """A run as plain JSON data, without its spec and its lock; numbers that are not finite are words."""
    return {
        **{name: json_value_at(record, name) for name in FACTS},
        "tags": list(record.tags),
        "metrics": {phase: jsonable(dict(numbers)) for phase, numbers in record.metrics.items()},
        "problems": list(record.problems),
    }


def json_value_at(record: RunRecord, path: str) -> Any:  # noqa: ANN401 - plain JSON data
    """The value at a path as JSON data; None where it is missing."""
    value = value_at(record, steps_of(path))
    return None if value is MISSING else jsonable(value)


def jsonable(value: Any) -> Any:  # noqa: ANN401 - plain JSON data
    """Plain data as JSON can hold it: numbers that are not finite become words."""
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    return [jsonable(item) for item in value] if isinstance(value, (list, tuple)) else value
