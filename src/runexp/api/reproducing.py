"""A run made again from what its folder holds, and compared with it number by number."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from runexp.api.checking import Checked, check
from runexp.api.lineage import ancestors_of
from runexp.api.opening import StoredRun
from runexp.api.recording import resolved_yaml
from runexp.api.running import Place, Run, Watch
from runexp.api.running import run as run_checked
from runexp.api.trust import allowing, distrusted
from runexp.engine.control import Control
from runexp.plan.experiment import digest
from runexp.results.agreement import Agreement, Weights, agree
from runexp.runtime.versions import library_versions
from runexp.store.annotations import Annotations, change_annotations
from runexp.store.checkpoints import MANIFEST
from runexp.store.run_spec import RESOLVED

FINAL = "checkpoints/final"


def recorded_spec(original: StoredRun) -> tuple[Checked, str]:
    """The spec of a run as it was understood, checked anew, and what to say of where its paths start.

    Defaults are left out, since some keys may only be written where they mean something; `differing_versions` tells
    where that makes another plan. Code of the user's is agreed to where the run folder itself is at home.
    """
    made = original.lock.get("made")
    written = made.get("folder") if isinstance(made, Mapping) else None
    folder = Path(written) if isinstance(written, str) else Path.cwd()
    told = ""
    if not isinstance(written, str):
        told = "the run does not say where its spec lay: relative paths start in this folder"
    elif not folder.is_dir():
        folder, told = Path.cwd(), f"{written} is not here: relative paths start in this folder"
    recorded = check(original.folder / RESOLVED, folder=folder)
    if recorded.parsed is None:
        return recorded, told
    checked = check("-", stdin=resolved_yaml(recorded, with_defaults=False).encode(), folder=folder)
    at_home = () if distrusted(recorded) else recorded.parsed_spec.imports
    return allowing(checked, at_home), told


def differing_versions(original: StoredRun, checked: Checked) -> list[str]:
    """What differs between the environment of a run and this one, a line each. Imports the libraries."""
    lock = original.lock
    now = {"python": platform.python_version(), **library_versions()}
    then = {"python": lock.get("python"), **_mapping(lock.get("packages"))}
    lines = [
        f"{name} was {then.get(name, 'missing')}, is {now.get(name, 'missing')}"
        for name in dict.fromkeys((*then, *now))
        if then.get(name) != now.get(name) and then
    ]
    machine, here = _mapping(lock.get("platform")).get("machine"), platform.machine()
    lines += [f"machine was {machine}, is {here}"] if machine not in (None, here) else []
    if lock.get("plan") not in (None, digest(checked.linked)):
        lines.append("the plan is another: this version of runexp understands the spec otherwise")
    return lines


def differing_data(original: StoredRun, fingerprints: Mapping[str, str]) -> list[str]:
    """The feature sets whose data is not what it was, a line each."""
    then = _mapping(original.lock.get("sources"))
    return [
        f"the data of `{name}` has changed since" if name in then else f"`{name}` is not in the run's lock"
        for name, found in fingerprints.items()
        if then.get(name) != found
    ]


def run_again(
    original: StoredRun, checked: Checked, place: Place, *, watch: Watch, tell: Callable[[str], None], control: Control
) -> Run:
    """Run the recorded spec, with the weights of earlier runs that it took; `tell` is given each line about data that
    differs before anything starts."""

    def built(fingerprints: Mapping[str, str]) -> None:
        for line in differing_data(original, fingerprints):
            tell(line)

    as_then = replace(place, lineage=ancestors_of(original.lock))
    finished = run_checked(checked, as_then, watch=watch, control=control, built=built)
    if finished.folder is not None:
        said = Annotations(note=f"reproduction of {original.name}/{original.id}")
        change_annotations(finished.folder, lambda _: said)
    return finished


def compared(original: StoredRun, again: StoredRun, *, tolerance: float) -> Agreement:
    """Whether a run and its repetition agree, in every number recorded and in the final weights."""
    return agree(
        original.rows(),
        again.rows(),
        weights=_weights(original.folder, again.folder),
        tolerance=tolerance,
        may_end_early=original.status != "completed",
    )


def _weights(first: Path, second: Path) -> Weights:
    """By the hashes of the final checkpoints."""
    try:
        manifests = [(folder / FINAL / MANIFEST).read_bytes() for folder in (first, second)]
    except OSError:
        return "unknown"
    return "identical" if manifests[0] == manifests[1] else "different"


def _mapping(found: Any) -> Mapping[str, Any]:  # noqa: ANN401 - whatever the file holds
    return found if isinstance(found, Mapping) else {}
