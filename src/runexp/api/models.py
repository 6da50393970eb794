"""Models in use: loaded from runs, bundles and registries, and written as bundles."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, overload

from runexp.api.bundles import BUNDLE, FORMAT, checkpoint_folder, copy_files, read_told
from runexp.api.fold_models import FINAL, FoldChoice, Place, choose, choose_bundled
from runexp.observe.tracking.mlflow import Server
from runexp.observe.tracking.models import download
from runexp.plan.experiment import Plan
from runexp.plan.loading import load_plan
from runexp.plan.values import Call
from runexp.runtime.importing import OwnModules
from runexp.runtime.model import CannotLoad, Ensemble, Model, load_parts
from runexp.runtime.model.loading import Parts
from runexp.store.find import find_run
from runexp.store.registry import Registry
from runexp.version import __version__

_SCHEME = "models:/"


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which model of a folder is wanted, and how."""

    checkpoint: str = FINAL
    nodes: Sequence[str] | None = None
    fold: FoldChoice = None
    device: str = "cpu"
    allow_imports: Sequence[str] = ()


@overload
def load_model(
    reference: Path | str,
    *,
    fold: int | Literal["refit"],
    checkpoint: str = ...,
    nodes: Sequence[str] | None = ...,
    runs: Path | str = ...,
    uri: str = ...,
    device: str = ...,
    allow_imports: Sequence[str] = ...,
) -> Model: ...


@overload
def load_model(
    reference: Path | str,
    *,
    fold: FoldChoice = ...,
    checkpoint: str = ...,
    nodes: Sequence[str] | None = ...,
    runs: Path | str = ...,
    uri: str = ...,
    device: str = ...,
    allow_imports: Sequence[str] = ...,
) -> Model | Ensemble: ...


def load_model(
    reference: Path | str,
    *,
    fold: FoldChoice = None,
    checkpoint: str = FINAL,
    nodes: Sequence[str] | None = None,
    runs: Path | str = "runs",
    uri: str = "",
    device: str = "cpu",
    allow_imports: Sequence[str] = (),
) -> Model | Ensemble:
    """A trained model, ready to predict: of a run, meant as `open_run` does, of a bundle's folder, or by its name in a
    registry, `models:/digits@champion` or `models:/digits/3`.

    Of a cross-validation it is the refit where there is one, else an `Ensemble` of all folds; `fold` asks one by its
    number, `"all"` or `"refit"`. `checkpoint` is a name below checkpoints/ (of a fold, below its own folder there), or
    `<phase>/best` and `<phase>/last`; `nodes` the ones to be asked; `uri` the address of an MLflow server or database,
    else the registry in the folder of runs is looked into, then MLflow's there. `allow_imports` agrees to code that the
    spec names, by its prefixes. Reads none of the spec's data. Raises `CannotLoad`, or what `open_run` does for a run
    that is not there.
    """
    text = str(reference)
    asked = _Asked(checkpoint, nodes, fold, device, allow_imports)
    if text.startswith(_SCHEME):
        return _load_registered(text, Path(runs), uri, lambda folder: _load(folder, replace(asked, checkpoint=FINAL)))
    folder = Path(reference) if (Path(reference) / BUNDLE).is_file() else find_run(Path(runs), text)
    return _load(folder, asked)


def write_bundle(
    run: Path, target: Path, *, nodes: Sequence[str] | None, checkpoint: str = FINAL, fold: FoldChoice = None
) -> dict[str, Any]:
    """Write all that a model needs into an empty folder, and what it takes and gives as `model.json`; returns that.

    `CannotLoad` where the run has no model that could be loaded again: it is loaded before it is written.
    """
    plan = read_plan(run)
    model = _load(run, _Asked(checkpoint, nodes, fold, allow_imports=_imports(plan)))
    files = copy_files(run, target, choose(run, plan, fold), checkpoint)
    told = {
        "format": FORMAT,
        "runexp": __version__,
        "name": model.name,
        "run": run.resolve().name,
        "checkpoint": checkpoint,
        "kind": model.kind,
        "folds": list(model.members) if isinstance(model, Ensemble) else [],
        "nodes": list(model.outputs),
        "signature": model.signature(),
        "files": files,
    }
    (target / BUNDLE).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return told


def _load(folder: Path, asked: _Asked) -> Model | Ensemble:
    plan = read_plan(folder)
    if (folder / BUNDLE).is_file():
        told = read_told(folder)
        chosen = choose_bundled(folder, told, asked.fold)
        asked = replace(asked, nodes=told["nodes"] if asked.nodes is None else asked.nodes, checkpoint=FINAL)
    else:
        chosen = choose(folder, plan, asked.fold)
    models = {place.label: _load_one(folder, plan, place, asked) for place in chosen.places}
    return Ensemble(models, chosen.kind) if chosen.is_together else next(iter(models.values()))


def _load_one(folder: Path, plan: Plan, place: Place, asked: _Asked) -> Model:
    try:
        facts = json.loads((folder / place.inputs).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CannotLoad(f"{folder} does not tell what its model reads: {error}") from error
    name = place.checkpoint(asked.checkpoint)
    is_bundle = (folder / BUNDLE).is_file()
    kept = folder / "checkpoints" / name if is_bundle else checkpoint_folder(folder, name)
    transforms = tuple(folder / one for one in place.transforms)
    modules = _modules(folder, plan, asked.allow_imports)
    parts = Parts(folder, kept, transforms, plan.in_fold(), facts, modules, place.kind)
    return load_parts(parts, nodes=asked.nodes, device=asked.device)


def _load_registered(text: str, runs: Path, uri: str, load: Callable[[Path], Model | Ensemble]) -> Model | Ensemble:
    name, _, which = text.removeprefix(_SCHEME).replace("@", "/").partition("/")
    registry = Registry(runs)
    if not uri and registry.versions(name):
        try:
            return load(registry.path(name, which))
        except LookupError as error:
            raise CannotLoad(str(error)) from error
    server = Server(uri, runs)
    if not uri and not server.is_there:
        raise CannotLoad(f"no model `{name}` is registered in {runs}")
    with TemporaryDirectory(prefix="runexp-") as folder:
        try:
            return load(download(server, name, which, Path(folder)))
        except LookupError as error:
            raise CannotLoad(str(error)) from error


def read_plan(folder: Path) -> Plan:
    try:
        return load_plan(json.loads((folder / "plan.json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise CannotLoad(f"the plan in {folder} cannot be read: {error}") from error


def _modules(folder: Path, plan: Plan, allowed: Sequence[str]) -> Callable[[], AbstractContextManager[object]]:
    """What makes code that the plan names importable, if whoever loads has agreed to it."""
    wanted = _imports(plan)
    lacking = [name for name in wanted if not any(name == one or name.startswith(f"{one}.") for one in allowed)]
    if lacking:
        message = f"the model is made of code of yours, `{lacking[0]}`: read it, then load with `allow_imports`"
        raise CannotLoad(message)
    if not wanted:
        return nullcontext
    made = json.loads((folder / "lock.json").read_text(encoding="utf-8")).get("made", {})
    roots = (Path(str(made.get("folder") or ".")), Path.cwd())
    return lambda: OwnModules(roots, [name.partition(".")[0] for name in wanted])


def _imports(plan: Plan) -> tuple[str, ...]:
    """The modules of the user's that nodes and transforms are made of."""
    calls = [call for node in plan.nodes for call in node.calls]
    calls += [transform.call for data in plan.data for transform in data.transforms]
    return tuple(dict.fromkeys(_own(calls)))


def _own(calls: Iterable[Any]) -> Iterator[str]:
    for call in calls:
        if isinstance(call, Call):
            if call.code is not None and call.code.by == "imports":
                yield call.target.partition(":")[0]
            yield from _own(call.arguments.values())
        elif isinstance(call, (tuple, list)):
            yield from _own(call)
        elif isinstance(call, Mapping):
            yield from _own(call.values())
