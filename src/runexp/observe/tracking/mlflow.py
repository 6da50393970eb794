"""MLflow: parameters, metrics on one growing step, artifacts, a nested run for each fold, models under names."""

from __future__ import annotations

import fcntl
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from runexp.observe.tracking.tracker import Point, TrackedRun

DATABASE = "mlflow.db"
ARTIFACTS = "mlflow-artifacts"
GROUP = "runexp.group"
"""The tag of the run below which those of a group stand: the id of the group."""

_IDENTITY = "runexp.run"
_PARENT = "mlflow.parentRunId"
_INDEX = re.compile(r"\[(\d+)\]")
_REFUSED = re.compile(r"[^\w\-. :/]")  # in the name of a parameter
_LONGEST_VALUE = 6000
_MOST_PARAMETERS = 100
_STATUS = {"completed": "FINISHED", "stopped": "FINISHED", "failed": "FAILED"}
_SURROUNDINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}
"""What MLflow is told before it is imported: nothing goes anywhere else, and a server that is away is told so soon."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where MLflow is: an address, or empty for the database in a folder of runs, `home`."""

    uri: str
    home: Path

    @property
    def address(self) -> str:
        """What MLflow is given."""
        return self.uri or f"sqlite:///{(self.home / DATABASE).resolve()}"

    @property
    def is_there(self) -> bool:
        """Whether there is something to ask, as far as that can be told without asking."""
        return bool(self.uri) or (self.home / DATABASE).is_file()

    @property
    def artifacts(self) -> str | None:
        """Where files go; a server has a place of its own."""
        return None if self.uri else (self.home / ARTIFACTS).resolve().as_uri()


class MLflowTracker:
    """A run of MLflow's; `ImportError` where that is not installed. `run_id` is empty before the start."""

    def __init__(self, server: Server, experiment: str) -> None:
        self.run_id = ""
        self._server = server
        self.experiment = experiment
        self._library = library()
        self._client = client(server)
        self._folds: dict[str, str] = {}
        self._run = TrackedRun("", "", Path())
        self._experiment_id = ""

    def start(self, run: TrackedRun) -> Mapping[str, int]:
        """Make the run, or find that of a run that was resumed; its steps are those it has."""
        self._run = run
        with alone(self._server):
            self._experiment_id = _experiment(self._client, self._server, self.experiment)
        found = self._found(f"{run.name}/{run.id}") if run.is_resumed else None
        if found is not None:
            self.run_id = found.info.run_id
            self._client.update_run(self.run_id, status="RUNNING")
            return {metric.key: metric.step for metric in found.data.to_proto().metrics}
        self.run_id = self.run_id or self._made(run)  # a start that failed half-way is tried again
        self._tell_parameters(run)
        return {}

    def log(self, points: Sequence[Point]) -> None:
        """Log the numbers of each fold to its own run."""
        metric = self._library.entities.Metric
        for fold in dict.fromkeys(point.fold for point in points):
            metrics = [
                metric(point.name, point.value, round(point.time * 1000), point.step)
                for point in points
                if point.fold == fold
            ]
            self._client.log_batch(self._run_of(fold), metrics=metrics)

    def keep(self, path: Path, name: str) -> None:
        """Upload a file, or what is in a folder."""
        folder, _, file = name.rpartition("/")
        if path.is_dir():
            self._client.log_artifacts(self.run_id, str(path), name)
        elif path.name == file:
            self._client.log_artifact(self.run_id, str(path), folder or None)
        else:
            self._client.log_text(self.run_id, path.read_text(encoding="utf-8"), name)

    def finish(self, status: str) -> None:
        """Say how it ended; of its folds too."""
        for run_id in (*self._folds.values(), self.run_id):
            self._client.set_terminated(run_id, _STATUS.get(status, "KILLED"))

    def _made(self, run: TrackedRun) -> str:
        tags = {
            _IDENTITY: f"{run.name}/{run.id}",
            "mlflow.source.name": "runexp",
            "mlflow.source.type": "LOCAL",
            "mlflow.note.content": run.description,
            **run.tags,
        }
        if run.group:
            tags[_PARENT] = self._group(run.group)
        return self._create(run.id, {name: value for name, value in tags.items() if value})

    def _create(self, name: str, tags: Mapping[str, str]) -> str:
        began = round(self._run.started * 1000) or None
        made = self._client.create_run(self._experiment_id, start_time=began, run_name=name, tags=dict(tags))
        return str(made.info.run_id)

    def _group(self, group: str) -> str:
        """The run that those of a group stand below; the first of them makes it."""
        with alone(self._server):
            found = self._search(GROUP, group)
            return str(found.info.run_id) if found else self._create(group, {GROUP: group})

    def _run_of(self, fold: str) -> str:
        if not fold:
            return self.run_id
        if fold not in self._folds:
            self._folds[fold] = self._create(fold, {_PARENT: self.run_id, "runexp.fold": fold})
        return self._folds[fold]

    def _found(self, identity: str) -> Any:  # noqa: ANN401 - mlflow comes without types
        return self._search(_IDENTITY, identity)

    def _search(self, tag: str, value: str) -> Any:  # noqa: ANN401 - mlflow comes without types
        """The newest run with a tag, if there is one."""
        quoted = value.replace("'", "")
        found = self._client.search_runs(
            [self._experiment_id], f"tags.`{tag}` = '{quoted}'", max_results=1, order_by=["attributes.start_time DESC"]
        )
        return found[0] if found else None

    def _tell_parameters(self, run: TrackedRun) -> None:
        param = self._library.entities.Param
        told = {_INDEX.sub(r".\1", name): value for name, value in run.parameters.items()}
        parameters = [
            param(_REFUSED.sub("_", name), value[:_LONGEST_VALUE]) for name, value in told.items() if len(name) <= 250
        ]
        for first in range(0, len(parameters), _MOST_PARAMETERS):
            self._client.log_batch(self.run_id, params=parameters[first : first + _MOST_PARAMETERS])


def library() -> Any:  # noqa: ANN401 - mlflow may be missing
    """MLflow, silent about itself; `ImportError` where it is not installed."""
    for name, value in _SURROUNDINGS.items():
        os.environ.setdefault(name, value)
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return import_module("mlflow")


def client(server: Server) -> Any:  # noqa: ANN401 - mlflow may be missing
    """What speaks to a server or database; two processes that make a database at once take turns."""
    with alone(server):
        return library().MlflowClient(tracking_uri=server.address, registry_uri=server.address)


@contextmanager
def alone(server: Server) -> Iterator[None]:
    """Nobody else makes anything in the database of a folder of runs meanwhile; of a server that is its own concern."""
    if server.uri:
        yield
        return
    server.home.mkdir(parents=True, exist_ok=True)
    with open(server.home / f".{DATABASE}.lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _experiment(client: Any, server: Server, name: str) -> str:  # noqa: ANN401 - mlflow comes without types
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(name, artifact_location=server.artifacts))
    except Exception:  # another run may have made it meanwhile
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return str(found.experiment_id)
