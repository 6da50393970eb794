"""status.json: how a run stands, for whoever looks from outside."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from runexp.store.atomic import write_atomically

State = Literal["running", "completed", "stopped", "failed", "interrupted"]

STATUS = "status.json"


@dataclass(frozen=True, slots=True)
class Status:
    """How a run stands. `epoch` is None outside of epochs; times are ISO 8601, UTC; `ended` may be empty."""

    state: State
    pid: int
    host: str
    started: str
    ended: str = ""
    phase: str = ""
    epoch: int | None = None
    step: int = 0
    error: str = ""
    where: str = ""


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


class StatusFile:
    """Writes a run's status.json; the file is replaced whole each time."""

    def __init__(self, folder: Path, *, started: datetime, clock: Callable[[], datetime] = utc_now) -> None:
        self._path = folder / STATUS
        self._started = _iso(started)
        self._clock = clock
        self._pid = os.getpid()
        self._host = socket.gethostname()

    def update(
        self,
        state: State,
        *,
        phase: str = "",
        epoch: int | None = None,
        step: int = 0,
        error: str = "",
        where: str = "",
    ) -> None:
        """Say how the run stands now; any state but `running` also sets when it ended."""
        status = Status(
            state=state,
            pid=self._pid,
            host=self._host,
            started=self._started,
            ended="" if state == "running" else _iso(self._clock()),
            phase=phase,
            epoch=epoch,
            step=step,
            error=error,
            where=where,
        )
        write_atomically(self._path, json.dumps(_dump(status), indent=2) + "\n")


def read_status(folder: Path) -> Status | None:
    """The status of the run in `folder`; None where there is none that can be read."""
    try:
        return _load(json.loads((folder / STATUS).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _dump(status: Status) -> dict[str, Any]:
    failed = bool(status.error or status.where)
    return {
        "state": status.state,
        "position": {"phase": status.phase, "epoch": status.epoch, "step": status.step},
        "pid": status.pid,
        "host": status.host,
        "started": status.started,
        "ended": status.ended or None,
        "error": {"message": status.error, "where": status.where} if failed else None,
    }


def _load(data: dict[str, Any]) -> Status:
    error = data["error"] or {"message": "", "where": ""}
    return Status(
        state=data["state"],
        pid=data["pid"],
        host=data["host"],
        started=data["started"],
        ended=data["ended"] or "",
        phase=data["position"]["phase"],
        epoch=data["position"]["epoch"],
        step=data["position"]["step"],
        error=error["message"],
        where=error["where"],
    )


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
