"""A run folder → a record of the run. What is missing or damaged is told, never raised."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runexp.results.run_record import STATES, RunRecord
from runexp.store.annotations import read_annotations
from runexp.store.records import LOCK_FILE, SUMMARY
from runexp.store.status import STATUS

EVENTS = "events.jsonl"
BASE = "base.json"
"""Says that a folder is one of many runs, and which spec they are of."""

_LARGEST = 16 << 20
_HEAD = 64 << 10
_TAIL = 256 << 10
_ID_TIME = re.compile(r"(\d{8}-\d{6})-[0-9a-f]{4}")


def read_record(folder: Path, name: str) -> RunRecord:
    """What a run folder tells; numbers come from summary.json, or from the end of the event log where there is none."""
    problems: list[str] = []
    status = _mapping(folder / STATUS, problems, must_be=True)
    summary = _mapping(folder / SUMMARY, problems)
    lock = _mapping(folder / LOCK_FILE, problems)
    first, last = _ends_of_log(folder / EVENTS, tail=not summary)
    finished = last.get("finished", {})
    error = _inner(status, "error")
    annotations = read_annotations(folder)
    started = _text(status.get("started")) or _text(first.get("time")) or _time_of_id(folder.name)
    ended = _text(status.get("ended"))
    return RunRecord(
        folder=folder,
        name=name or _text(first.get("name")) or folder.resolve().parent.name,
        id=folder.name,
        kind=_kind(folder, first),
        status=_state(status.get("state") or finished.get("status")),
        started=started,
        ended=ended,
        seconds=_seconds(started, ended or _text(last.get("time"))),
        phase=_text(_inner(status, "position").get("phase")),
        epoch=_whole(_inner(status, "position").get("epoch")),
        host=_text(status.get("host")),
        seed=_whole(lock.get("seed", first.get("seed"))),
        device=_text(first.get("device")),
        error=_text(error.get("message")) or _text(finished.get("error")),
        failed_in=_text(error.get("where")) or _text(finished.get("where")),
        tags=annotations.tags,
        note=annotations.note,
        metrics=_metrics(summary.get("metrics") or last.get("metrics")),
        lock=lock,
        problems=tuple(problems),
    )


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is none that can be read."""
    return _mapping(path, [])


def _kind(folder: Path, first: Mapping[str, Any]) -> str:
    """`run`, `folds`, `sweep` or `repeats`, by what says that a folder holds many runs, and by the first event."""
    if (folder / BASE).is_file():
        return "repeats" if _mapping(folder / BASE, []).get("kind") == "replicates" else "sweep"
    labels = first.get("phases")
    is_folded = isinstance(labels, list) and bool(labels) and str(labels[0]).startswith("fold-0/")
    return "folds" if is_folded else "run"


def _mapping(path: Path, problems: list[str], *, must_be: bool = False) -> dict[str, Any]:
    """A JSON object; empty where there is none, and `problems` then says why."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("is too large")
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.extend([f"{path.name} is missing"] if must_be else [])
        return {}
    except (OSError, ValueError, RecursionError):
        problems.append(f"{path.name} cannot be read")
        return {}
    if not isinstance(data, dict):
        problems.append(f"{path.name} is no mapping")
        return {}
    return data


def _ends_of_log(path: Path, *, tail: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first event, and, from the last stretch of the log, the newest numbers of each phase and the end."""
    last: dict[str, Any] = {}
    try:
        with open(path, "rb") as log:
            first = next(_events(log.readline(_HEAD)), {})
            if not tail:
                return first, last
            size = os.fstat(log.fileno()).st_size
            log.seek(max(0, size - _TAIL))
            for event in _events(log.read(_TAIL)):
                _note(event, last)
    except OSError:
        return {}, last
    return first, last


def _events(lines: bytes) -> Iterator[dict[str, Any]]:
    """The whole lines that are events; of the torn ones nothing."""
    for line in lines.splitlines(keepends=True):
        if b'"BatchesRecorded"' in line[:120] or not line.endswith(b"\n"):
            continue
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            yield event


def _note(event: Mapping[str, Any], last: dict[str, Any]) -> None:
    last["time"] = event.get("time")
    if event.get("event") in ("EpochFinished", "PhaseFinished") and isinstance(event.get("phase"), str):
        last.setdefault("metrics", {})[event["phase"]] = event.get("metrics")
    elif event.get("event") == "RunFinished":
        last["finished"] = event


def _metrics(data: Any) -> dict[str, dict[str, float]]:  # noqa: ANN401 - whatever the file holds
    """Numbers by phase; null and the words stand for numbers that are not finite."""
    if not isinstance(data, Mapping):
        return {}
    return {
        str(phase): {str(name): _number(value) for name, value in numbers.items()}
        for phase, numbers in data.items()
        if isinstance(numbers, Mapping)
    }


def _number(value: Any) -> float:  # noqa: ANN401 - whatever the file holds
    try:
        return math.nan if value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _inner(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = data.get(key)
    return found if isinstance(found, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _state(value: object) -> str:
    return value if isinstance(value, str) and value in STATES else "unknown"


def _seconds(started: str, ended: str) -> float | None:
    try:
        return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()
    except (TypeError, ValueError):
        return None


def _time_of_id(run: str) -> str:
    match = _ID_TIME.fullmatch(run)
    try:
        moment = datetime.strptime(match[1], "%Y%m%d-%H%M%S").replace(tzinfo=UTC) if match else None
    except ValueError:
        return ""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else ""
