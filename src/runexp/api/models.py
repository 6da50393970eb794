"""Models in use: loaded from runs, bundles and registries, and written as bundles."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from runexp.api.recording import INPUTS
from runexp.observe.tracking.mlflow import Server
from runexp.observe.tracking.models import download
from runexp.plan.experiment import Plan
from runexp.plan.loading import load_plan
from runexp.plan.values import Call
from runexp.runtime.importing import OwnModules
from runexp.runtime.model import CannotLoad, Model, load_parts
from runexp.runtime.model.loading import Parts
from runexp.store.atomic import make_folders
from runexp.store.checkpoints import CheckpointFolder
from runexp.store.find import find_run
from runexp.store.registry import Registry
from runexp.version import __version__

BUNDLE = "model.json"
_SCHEME = "models:/"
_FORMAT = 1
FINAL = "final"


def load_model(
    reference: Path | str,
    *,
    checkpoint: str = FINAL,
    nodes: Sequence[str] | None = None,
    runs: Path | str = "runs",
    uri: str = "",
    device: str = "cpu",
    allow_imports: Sequence[str] = (),
) -> Model:
    """A trained model, ready to predict: of a run, meant as `open_run` does, of a bundle's folder, or by its name in a
    registry, `models:/digits@champion` or `models:/digits/3`.

    `checkpoint` is a name below checkpoints/, or `<phase>/best` and `<phase>/last`; `nodes` the ones to be asked; `uri`
    the address of an MLflow server or database, else the registry in the folder of runs is looked into, then MLflow's
    there. `allow_imports` agrees to code that the spec names, by its prefixes. Reads none of the spec's data. Raises
    `CannotLoad`, or what `open_run` does for a run that is not there.
    """
    text = str(reference)
    if text.startswith(_SCHEME):
        return _load_registered(
            text, Path(runs), uri, lambda folder: _load(folder, FINAL, nodes, device, allow_imports)
        )
    folder = Path(reference) if (Path(reference) / BUNDLE).is_file() else find_run(Path(runs), text)
    return _load(folder, checkpoint, nodes, device, allow_imports)


def write_bundle(run: Path, target: Path, *, nodes: Sequence[str] | None, checkpoint: str = FINAL) -> dict[str, Any]:
    """Write all that a model needs into an empty folder, and what it takes and gives as `model.json`; returns that.

    `CannotLoad` where the run has no model that could be loaded again: it is loaded before it is written.
    """
    kept = checkpoint_folder(run, checkpoint)
    model = _load(run, checkpoint, nodes, "cpu", _imports(_plan(run)))
    for source, name in _files(run, kept):
        make_folders((target / name).parent)
        shutil.copyfile(source, target / name)
    told = {
        "format": _FORMAT,
        "runexp": __version__,
        "name": model.name,
        "run": run.resolve().name,
        "checkpoint": kept.relative_to(run / "checkpoints").as_posix(),
        "nodes": list(model.outputs),
        "signature": model.signature(),
        "files": {name: _digest(target / name) for _, name in _files(run, kept)},
    }
    (target / BUNDLE).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return told


def _load(
    folder: Path, checkpoint: str, nodes: Sequence[str] | None, device: str, allow_imports: Sequence[str]
) -> Model:
    is_bundle = (folder / BUNDLE).is_file()
    if is_bundle:
        told = _checked(folder)
        nodes = told["nodes"] if nodes is None else nodes
        checkpoint = FINAL
    plan = _plan(folder)
    if plan.cv is not None:
        raise CannotLoad(f"{folder} is a cross-validation: it has a model for each fold, and none of all rows")
    try:
        facts = json.loads((folder / INPUTS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CannotLoad(f"{folder} does not tell what its model reads: {error}") from error
    kept = folder / "checkpoints" / FINAL if is_bundle else checkpoint_folder(folder, checkpoint)
    modules = _modules(folder, plan, allow_imports)
    return load_parts(Parts(folder, kept, plan, facts, modules), nodes=nodes, device=device)


def _load_registered(text: str, runs: Path, uri: str, load: Callable[[Path], Model]) -> Model:
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


def _plan(folder: Path) -> Plan:
    try:
        return load_plan(json.loads((folder / "plan.json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise CannotLoad(f"the plan in {folder} cannot be read: {error}") from error


def checkpoint_folder(run: Path, name: str) -> Path:
    """The folder of a checkpoint of a run, whole; `best` and `last` stand for what they point to."""
    folder = CheckpointFolder(run / "checkpoints")
    phase, _, role = name.rpartition("/")
    if phase and role in ("best", "last"):
        name = folder.pointers(phase).get(role, name)
    if not folder.verify(name):
        known = sorted(
            path.parent.relative_to(run / "checkpoints").as_posix()
            for path in (run / "checkpoints").rglob("manifest.json")
        )
        raise CannotLoad(f"{run} has no whole checkpoint `{name}`; there are {', '.join(known) or 'none'}")
    return folder.path(name)


def _checked(bundle: Path) -> Mapping[str, Any]:
    """What a bundle says of itself; each of its files has to be the one it was written with."""
    try:
        told: dict[str, Any] = json.loads((bundle / BUNDLE).read_text(encoding="utf-8"))
        files = told["files"]
        damaged = [name for name, digest in files.items() if _digest(bundle / name) != digest]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotLoad(f"{bundle} is no whole bundle: {error}") from error
    if told.get("format") != _FORMAT:
        raise CannotLoad(f"{bundle} is a bundle of format {told.get('format')}, which this version cannot read")
    if damaged:
        raise CannotLoad(f"{damaged[0]} in {bundle} is not what was written")
    return told


def _files(run: Path, checkpoint: Path) -> Iterator[tuple[Path, str]]:
    """What belongs to a bundle: where it lies in the run, and its name."""
    yield run / "plan.json", "plan.json"
    yield run / "resolved.yaml", "resolved.yaml"
    yield run / "lock.json", "lock.json"
    yield run / INPUTS, INPUTS
    yield checkpoint / "weights.safetensors", f"checkpoints/{FINAL}/weights.safetensors"
    for path in sorted(checkpoint.glob("estimators/*.skops")):
        yield path, f"checkpoints/{FINAL}/estimators/{path.name}"
    for path in sorted((run / "artifacts" / "transforms").glob("*/*")):
        yield path, path.relative_to(run).as_posix()


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
