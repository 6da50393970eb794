"""Earlier runs that a run takes weights from: found before anything starts, and recorded (S-14)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.experiment import Plan
from runexp.plan.graph import NodePlan, WeightsPlan
from runexp.store.checkpoints import CheckpointFolder
from runexp.store.find import AmbiguousRun, UnknownRun, find_run
from runexp.store.find_checkpoint import FINAL, find_checkpoint

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True, slots=True)
class Ancestor:
    """What a node began with: the checkpoint of a run, the node there, and the SHA-256 of the file of weights.

    `reference` is what was written, such as `first/last`; empty in what earlier versions recorded.
    """

    node: str
    run: str
    name: str
    folder: str
    checkpoint: str
    of: str
    sha256: str
    reference: str = ""


def default_runs() -> Path:
    """Where runs are looked for when nobody says: `RUNEXP_RUNS`, or `runs` in the folder one stands in."""
    return Path(os.environ.get("RUNEXP_RUNS") or "runs")


def traced(plan: Plan, runs: Path, before: Sequence[Ancestor] = ()) -> tuple[Plan, tuple[Ancestor, ...]]:
    """The plan with the files of earlier runs in the place of their references, and what they are.

    What is in `before` is taken as it was then: `last` may mean another run by now. `SpecError` with every run and
    checkpoint that there is not, or that is damaged.
    """
    found: list[Diagnostic] = []
    ancestors: list[Ancestor] = []
    for node, weights in _asked(plan):
        try:
            same = _same(node, weights, before)
            ancestors.append(_ancestor(node, weights, runs) if same is None else _found_again(same, runs))
        except (UnknownRun, AmbiguousRun, KeyError) as error:
            message = f"`{node.name}` cannot take its weights: {error.args[0] if error.args else error}"
            found.append(Diagnostic("wrong-weights", message, weights.origin.span, path=weights.origin.path))
    if found:
        raise SpecError(found)
    return _with_files(plan, {one.node: _file(one) for one in ancestors}), tuple(ancestors)


def recorded(plan: Plan, lock: Mapping[str, Any]) -> tuple[Plan, tuple[str, ...]]:
    """The plan with the files that a run began with, and the nodes whose file is not there any more, or is another:
    they have none."""
    files: dict[str, Path] = {}
    for ancestor in ancestors_of(lock):
        if _is_there(ancestor):
            files[ancestor.node] = _file(ancestor)
    lost = tuple(node.name for node, _ in _asked(plan) if node.name not in files)
    return _with_files(plan, files), lost


def ancestors_of(lock: Mapping[str, Any]) -> tuple[Ancestor, ...]:
    """What a run took, as its lock tells."""
    return tuple(Ancestor(**one) for one in lock.get("lineage") or ())


def told(ancestors: Iterable[Ancestor]) -> list[dict[str, str]]:
    """The lineage as lock.json has it."""
    return [asdict(ancestor) for ancestor in ancestors]


def lines_of(lock: Mapping[str, Any]) -> tuple[str, ...]:
    """The lineage that a lock tells, a line for each node, and the run it extends."""
    lines = []
    for one in lock.get("lineage") or ():
        if isinstance(one, Mapping):
            whose = f" of {one.get('of')}" if one.get("of") != one.get("node") else ""
            place = f"{one.get('name')}/{one.get('run')}, {one.get('checkpoint')}"
            lines.append(f"{one.get('node')} ← {place}{whose} ({str(one.get('sha256'))[:12]})")
    extends = lock.get("extends")
    if isinstance(extends, Mapping):
        lines.append(f"goes on with {extends.get('name')}/{extends.get('run')}: {extends.get('changes')}")
    return tuple(lines)


def _asked(plan: Plan) -> list[tuple[NodePlan, WeightsPlan]]:
    return [(node, node.weights) for node in plan.nodes if node.weights is not None and node.weights.kind == "run"]


def _ancestor(node: NodePlan, weights: WeightsPlan, runs: Path) -> Ancestor:
    folder, wanted = _run_of(weights, runs)
    checkpoints = CheckpointFolder(folder / "checkpoints")
    try:
        name = find_checkpoint(checkpoints, wanted or FINAL)
    except KeyError as error:
        raise KeyError(f"of the run {folder}: {error.args[0]}") from error
    if not checkpoints.verify(name):
        raise KeyError(f"the checkpoint `{name}` of the run {folder} is damaged")
    whole = folder.resolve()
    digest = checkpoints.digests(name)[WEIGHTS]
    of = weights.node or node.name
    return Ancestor(node.name, whole.name, whole.parent.name, str(whole), name, of, digest, _reference(weights))


def _reference(weights: WeightsPlan) -> str:
    return "/".join(part for part in (weights.giver, weights.checkpoint) if part)


def _same(node: NodePlan, weights: WeightsPlan, before: Sequence[Ancestor]) -> Ancestor | None:
    """What the node took before, by the reference that it has now."""
    wanted = (node.name, _reference(weights))
    return next((one for one in before if (one.node, one.reference or wanted[1]) == wanted), None)


def _found_again(ancestor: Ancestor, runs: Path) -> Ancestor:
    """Where the weights that were taken lie now; `KeyError` where they are gone, or are others."""
    if _is_there(ancestor):
        return ancestor
    try:
        moved = replace(ancestor, folder=str(find_run(runs, ancestor.run).resolve()))
    except (UnknownRun, AmbiguousRun):
        moved = ancestor
    if moved == ancestor or not _is_there(moved):
        taken = f"{ancestor.name}/{ancestor.run}, {ancestor.checkpoint}"
        raise KeyError(f"what it began with, {taken} ({ancestor.sha256[:12]}), is gone or has changed")
    return moved


def _run_of(weights: WeightsPlan, runs: Path) -> tuple[Path, str]:
    """The folder of the run that a reference means, and the checkpoint at its end: `run:digits/train/best`."""
    parts = weights.giver.split("/")
    if weights.checkpoint:
        return find_run(runs, weights.giver), weights.checkpoint
    for n_parts in range(min(len(parts), 2), 0, -1):
        try:
            return find_run(runs, "/".join(parts[:n_parts])), "/".join(parts[n_parts:])
        except UnknownRun:
            if n_parts == 1:
                raise
    raise UnknownRun(weights.giver)


def _is_there(ancestor: Ancestor) -> bool:
    checkpoints = CheckpointFolder(Path(ancestor.folder) / "checkpoints")
    try:
        is_same = checkpoints.digests(ancestor.checkpoint).get(WEIGHTS) == ancestor.sha256
    except (OSError, ValueError, LookupError):
        return False
    return is_same and checkpoints.verify(ancestor.checkpoint)


def _file(ancestor: Ancestor) -> Path:
    return Path(ancestor.folder) / "checkpoints" / ancestor.checkpoint / WEIGHTS


def _with_files(plan: Plan, files: Mapping[str, Path]) -> Plan:
    """The plan whose nodes take weights from these files; those that have none start as their initialiser says."""
    nodes: Sequence[NodePlan] = [
        node
        if node.weights is None or node.weights.kind != "run"
        else replace(node, weights=replace(node.weights, path=str(files[node.name])) if node.name in files else None)
        for node in plan.nodes
    ]
    return replace(plan, nodes=tuple(nodes))
