"""A plan's trackers: whether their libraries are there, opened for a run, and told its end."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from runexp.api.checking import Checked
from runexp.api.recording import resolved_yaml
from runexp.api.redaction import redacted, redacted_text
from runexp.diagnostics import Diagnostic
from runexp.events import Event, WarningRaised
from runexp.observe.tracking.host import Limits, TrackerHost
from runexp.observe.tracking.mlflow import MLflowTracker, Server
from runexp.observe.tracking.tensorboard import FOLDER, TensorBoardTracker
from runexp.observe.tracking.tracker import TrackedRun, Tracker
from runexp.plan.experiment import Plan
from runexp.plan.tracking import TrackingPlan
from runexp.plan.values import Origin
from runexp.runtime.resolve import make
from runexp.store.records import read_lock_file
from runexp.store.run_folder import RunFolder
from runexp.version import __version__

TRACKING = "tracking.json"
TENSORBOARD = "TensorBoard"
_WRITTEN = ("name", "description", "runexp", "data", "imports", "tracking", "register", "cv", "sweep", "guards")
"""Sections of a spec that hold no hyperparameters."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A library that a spec asks for and that is not installed."""

    module: str
    extra: str
    what: str
    origin: Origin


def missing_libraries(plan: Plan) -> tuple[Diagnostic, ...]:
    """What `tracking` needs and is not installed, where it is written. Imports nothing."""
    found = [item for item in _needed(plan) if find_spec(item.module) is None]
    return tuple(
        Diagnostic(
            "failed-import",
            f"{item.what} needs `{item.module}`, which is not installed",
            item.origin.span,
            help=f"`pip install 'runexp[{item.extra}]'`",
            path=item.origin.path,
        )
        for item in found
    )


def _needed(plan: Plan) -> Iterator[Missing]:
    tracking = plan.tracking
    if tracking is None:
        return
    if tracking.mlflow:
        yield Missing("mlflow", "mlflow", "tracking with MLflow", tracking.mlflow.origin)
    if tracking.tensorboard:
        yield Missing("tensorboard", "tensorboard", "tracking with TensorBoard", tracking.tensorboard.origin)
    if tracking.resources:
        yield Missing("psutil", "monitor", "measuring resources", tracking.origin)


@dataclass(frozen=True, slots=True)
class Member:
    """What a run is one of, such as a sweep: the id of that, the folder where trackers keep what all of its runs share,
    and what tells this run from the others, by address."""

    group: str
    runs: Path
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Home:
    """What trackers are told of beside the events: the folder of the run, that of its runs, what the run is one of."""

    folder: RunFolder
    runs: Path
    member: Member | None = None
    is_resumed: bool = False
    is_hurried: Callable[[], bool] = lambda: False


class Trackers:
    """The trackers of one run; none of them can stop it or change how it ends."""

    def __init__(self, checked: Checked, home: Home) -> None:
        plan = checked.linked.tracking
        self._folder = home.folder
        self._document = checked.document
        self.mlflow: MLflowTracker | None = None
        self.mlflow_host: TrackerHost | None = None
        self.server: Server | None = None
        self.hosts = tuple(self._hosted(plan, tracked(checked, home), home)) if plan and plan.has_trackers else ()

    def warnings(self) -> Iterator[Event]:
        """What a person should hear of by now."""
        for host in self.hosts:
            for event in host.warnings():
                message = event.message if isinstance(event, WarningRaised) else ""
                yield WarningRaised("", redacted_text(message, self._document))

    def settle(self) -> None:
        """Wait until everyone has been told all so far, or has refused it once more."""
        for host in self.hosts:
            host.settle()

    def keep(self, path: Path, name: str) -> None:
        """Hand a file of the run, or what is in a folder, to everyone."""
        for host in self.hosts:
            host.keep(path, name)

    def finish(self, status: str) -> tuple[str, ...]:
        """Tell everyone the end, and again what was refused before; what they still lack, a sentence each."""
        for host in self.hosts:
            host.finish(status)
        told = {
            host.name: {"complete": not host.problem, "problem": redacted_text(host.problem, self._document)}
            | self._whereabouts(host)
            for host in self.hosts
        }
        if told:
            with suppress(OSError):  # a full disk is told where it matters
                self._folder.write(TRACKING, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
        return tuple(
            f"{name} lacks a part of the run: {one['problem']}" for name, one in told.items() if one["problem"]
        )

    def _whereabouts(self, host: TrackerHost) -> dict[str, str]:
        """Where a tracker has put the run, and under which name; nothing of those that do not tell."""
        if host.name == TENSORBOARD:
            return {"uri": FOLDER}
        if host is not self.mlflow_host or self.server is None or self.mlflow is None or not self.mlflow.run_id:
            return {}
        uri = redacted_text(self.server.address, self._document)
        return {"uri": uri, "experiment": self.mlflow.experiment, "run": self.mlflow.run_id}

    def _hosted(self, plan: TrackingPlan, run: TrackedRun, home: Home) -> Iterator[TrackerHost]:
        limits = replace(Limits(), is_hurried=home.is_hurried)
        if plan.tensorboard:
            made: Callable[[], Tracker] = TensorBoardTracker
            yield TrackerHost(TENSORBOARD, made, run, per_batch=plan.tensorboard.per_batch, limits=limits)
        if plan.mlflow:
            self.server = Server(plan.mlflow.uri, home.runs)
            made = partial(self._make_mlflow, self.server, plan.mlflow.experiment)
            self.mlflow_host = TrackerHost("MLflow", made, run, per_batch=plan.mlflow.per_batch, limits=limits)
            yield self.mlflow_host
        for other in plan.others:
            yield TrackerHost(
                f"tracker `{other.name}`", partial(make, other.call), run, per_batch=other.per_batch, limits=limits
            )

    def _make_mlflow(self, server: Server, experiment: str) -> MLflowTracker:
        self.mlflow = MLflowTracker(server, experiment)
        return self.mlflow


def tracked(checked: Checked, home: Home) -> TrackedRun:
    """What trackers are told of a run. No secret is among it."""
    plan, document, folder = checked.linked, checked.document, home.folder
    resolved = redacted(checked.parsed_spec.model_dump(mode="json", by_alias=True, exclude_none=True), document)
    written = redacted(checked.parsed_spec.model_dump(mode="json", by_alias=True, exclude_unset=True), document)
    return TrackedRun(
        name=plan.name,
        id=folder.id,
        folder=folder.path,
        parameters={name: _text(value) for name, value in _flat(resolved)},
        chosen=dict(_chosen(written)) | (varied(home.member.changes) if home.member else {}),
        tags=_tags(plan, folder),
        spec=resolved_yaml(checked, with_defaults=False),
        description=plan.description,
        group=home.member.group if home.member else "",
        is_resumed=home.is_resumed,
        started=time.time(),
    )


def _tags(plan: Plan, folder: RunFolder) -> dict[str, str]:
    """What tells one run from another beside its parameters."""
    with suppress(OSError, ValueError):  # a run is told of without its lock as well
        git = read_lock_file(folder.path).get("git") or {}
        commit = {"mlflow.source.git.commit": str(git["commit"])} if git.get("commit") else {}
        return _made(plan) | commit
    return _made(plan)


def _made(plan: Plan) -> dict[str, str]:
    return {"runexp.version": __version__, "runexp.host": platform.node(), "runexp.seed": str(plan.seed)}


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - plain JSON data
    """Every leaf by its address; a list is a leaf unless mappings are in it."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value):
        for index, item in enumerate(value):
            yield from _flat(item, f"{path}.{index}")
    elif path:
        yield path, value


def _text(value: Any) -> str:  # noqa: ANN401 - plain JSON data
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def varied(changes: Mapping[str, Any]) -> dict[str, str | float | bool]:
    """What tells a run from the others of its kind, by address; lists and mappings as JSON."""
    return {address: _simple(value) for address, value in changes.items()}


def _simple(value: Any) -> str | float | bool:  # noqa: ANN401 - plain JSON data
    if isinstance(value, (str, bool)):
        return value
    return float(value) if isinstance(value, (int, float)) else json.dumps(value, ensure_ascii=False)


def _chosen(written: Mapping[str, Any]) -> Iterator[tuple[str, str | float | bool]]:
    for name, value in _flat({key: item for key, item in written.items() if key not in _WRITTEN}):
        if isinstance(value, (str, bool, int, float)):
            yield name, _simple(value)
