"""The files of a bundle: all that a model needs, copied out of a run, and checked when they are read again."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runexp.api.fold_models import FINAL, Chosen, Place
from runexp.runtime.data.tokenizer import FOLDER as TOKENIZERS
from runexp.runtime.model import CannotLoad
from runexp.store.atomic import make_folders
from runexp.store.checkpoints import CheckpointFolder

BUNDLE = "model.json"
FORMAT = 1


def copy_files(run: Path, target: Path, chosen: Chosen, checkpoint: str) -> dict[str, str]:
    """Copy what the chosen models need; the SHA-256 of each file by its name in the bundle.

    A single model lies where that of a run without folds does, several below the labels of their folds.
    """
    found = dict(_files(run, chosen, checkpoint))
    for name, source in found.items():
        make_folders((target / name).parent)
        shutil.copyfile(source, target / name)
    return {name: _digest(target / name) for name in found}


def read_told(bundle: Path) -> Mapping[str, Any]:
    """What a bundle says of itself; each of its files has to be the one it was written with."""
    try:
        told: dict[str, Any] = json.loads((bundle / BUNDLE).read_text(encoding="utf-8"))
        files = told["files"]
        damaged = [name for name, digest in files.items() if _digest(bundle / name) != digest]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotLoad(f"{bundle} is no whole bundle: {error}") from error
    if told.get("format") != FORMAT:
        raise CannotLoad(f"{bundle} is a bundle of format {told.get('format')}, which this version cannot read")
    if damaged:
        raise CannotLoad(f"{damaged[0]} in {bundle} is not what was written")
    return told


def checkpoint_folder(run: Path, name: str) -> Path:
    """The folder of a checkpoint of a run, whole; `best` and `last` stand for what they point to."""
    folder = CheckpointFolder(run / "checkpoints")
    phase, _, role = name.rpartition("/")
    if phase and role in ("best", "last"):
        name = folder.pointers(phase).get(role, name)
    if not folder.verify(name):
        raise CannotLoad(f"{run} has no whole checkpoint `{name}`; there are {', '.join(folder.all_names()) or 'none'}")
    return folder.path(name)


def _files(run: Path, chosen: Chosen, checkpoint: str) -> Iterator[tuple[str, Path]]:
    """What belongs to a bundle: its name there, and where it lies in the run."""
    for name in ("plan.json", "resolved.yaml", "lock.json"):
        yield name, run / name
    for path in sorted((run / TOKENIZERS).glob("*.json")):
        yield f"{TOKENIZERS}/{path.name}", path
    for place in chosen.places:
        target = place if chosen.is_together else Place("")
        yield from _of_model(run, place, target, checkpoint)


def _of_model(run: Path, place: Place, target: Place, checkpoint: str) -> Iterator[tuple[str, Path]]:
    yield target.inputs, run / place.inputs
    kept = checkpoint_folder(run, place.checkpoint(checkpoint))
    for path in (kept / "weights.safetensors", *sorted(kept.glob("estimators/*.skops"))):
        yield f"checkpoints/{target.checkpoint(FINAL)}/{path.relative_to(kept).as_posix()}", path
    for folder in reversed(place.transforms):  # those of the fold have the last word
        for path in sorted((run / folder).glob("*/*")):
            yield f"{target.transforms[0]}/{path.relative_to(run / folder).as_posix()}", path


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
