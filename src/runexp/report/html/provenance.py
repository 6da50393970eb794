"""Where a run came from and where it went: earlier runs, guards, checkpoints, trackers and registries, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runexp.report.html.facts import PageFacts
from runexp.report.html.tables import HtmlTable, without_empty
from runexp.report.sizes import in_units
from runexp.report.wording import duration, plain
from runexp.results.run_record import RunRecord

_LIMITS = {"time": "wall-clock time", "memory": "memory of a process", "disk": "size of the run folder"}
_ON_NAN = {
    "stop": "the run ends",
    "warn": "it is told, the step is taken",
    "skip": "it is told, the step is left out",
}
_TRACKER_HEADS = ("tracker", "where", "experiment", "run", "state")


def lineage_of(record: RunRecord) -> list[HtmlTable]:
    """The runs and checkpoints that nodes began with, and the run that this one goes on with."""
    tables = []
    told = record.lock.get("lineage")
    rows = [tuple(_ancestor(one)) for one in (told if isinstance(told, list) else ()) if isinstance(one, Mapping)]
    if rows:
        heads = ("node", "began as", "of run", "checkpoint", "weights, SHA-256")
        tables.append(HtmlTable("weights from earlier runs", heads, tuple(rows), is_numeric=False))
    extends = record.lock.get("extends")
    if isinstance(extends, Mapping):
        run = plain(f"{extends.get('name')}/{extends.get('run')}")
        row = (run, plain(extends.get("changes") or ""))
        tables.append(HtmlTable("goes on with an earlier run", ("run", "with"), (row,), is_numeric=False))
    return tables


def _ancestor(one: Mapping[str, Any]) -> Iterator[str]:
    for said in (one.get("node"), one.get("of"), f"{one.get('name')}/{one.get('run')}", one.get("checkpoint")):
        yield plain(said)
    yield plain(str(one.get("sha256"))[:16])


def guards_of(page: PageFacts) -> HtmlTable | None:
    """The limits that the run was held to; None where it had none but the one it always has."""
    spec = page.record.spec or {}
    found = spec.get("guards")
    guards: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    rows = [(_LIMITS[name], plain(guards[name]), "the run ends") for name in _LIMITS if guards.get(name)]
    watched = guards.get("loss_not_decreasing")
    if isinstance(watched, Mapping):
        said = f"{watched.get('metric', 'train_loss')} no lower for {watched.get('epochs', 5)} epochs"
        rows.append(("loss that does not fall", plain(said), "it is told"))
    on_nan = str(guards.get("on_nan") or "stop")
    if rows or on_nan != "stop":
        rows.append(("loss that is not finite", "at once", _ON_NAN.get(on_nan, on_nan)))
    return HtmlTable("guards", ("what is watched", "limit", "then"), tuple(rows), is_numeric=False) if rows else None


def alerts_of(page: PageFacts) -> HtmlTable | None:
    """What the run was warned of or stopped by, and when."""
    rows = [(duration(one.seconds), plain(one.phase), one.kind, plain(one.message)) for one in page.alerts]
    heads, body = without_empty(("after", "phase", "kind", "what"), rows)
    return HtmlTable("alerts", heads, body, is_numeric=False) if rows else None


def checkpoints_of(page: PageFacts) -> HtmlTable | None:
    """The checkpoints that lie in the folder, the best and the last of each phase first."""
    ordered = sorted(page.checkpoints, key=lambda item: (not item.role, item.role != "best"))
    rows = []
    for item in ordered:
        saved = page.committed.get(item.name)
        epoch = str(saved.epoch) if saved and saved.epoch >= 0 else ""
        step = f"{saved.step:,}" if saved else ""
        rows.append((plain(item.name), item.role, epoch, step, in_units(item.n_bytes)))
    heads, body = without_empty(("checkpoint", "role", "epoch", "step", "size"), rows)
    return HtmlTable("checkpoints in the run folder", heads, body, is_numeric=False) if rows else None


def trackers_of(page: PageFacts) -> HtmlTable | None:
    """Where the numbers of the run were sent, and under which names."""
    rows = [
        (
            plain(name),
            plain(one.get("uri") or ""),
            plain(one.get("experiment") or ""),
            plain(one.get("run") or ""),
            "complete" if one.get("complete") else f"incomplete: {plain(one.get('problem') or '')}",
        )
        for name, one in page.tracked.items()
        if isinstance(one, Mapping)
    ]
    heads, body = without_empty(_TRACKER_HEADS, rows)
    return HtmlTable("trackers", heads, body, is_numeric=False) if rows else None


def model_of(page: PageFacts) -> str:
    """What became of the model, in a sentence; empty where it was not to be registered."""
    told = page.registered
    reasons = told.get("reasons")
    if not told.get("name") or not isinstance(reasons, list):
        return ""
    if reasons:
        return plain(f"The model was not registered as {told['name']}: {'; '.join(map(str, reasons))}.")
    alias = f" ({told['alias']})" if told.get("alias") else ""
    where = "MLflow" if told.get("registry") == "mlflow" else "the folder of runs"
    return plain(f"The model is {told['name']}, version {told.get('version')}{alias}, in the registry of {where}.")
