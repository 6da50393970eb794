"""Confusion matrices for trackers that draw: written as files, of folds one each and their sum."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from runexp.observe.tracking.tensorboard import CONFUSION
from runexp.plan.experiment import Plan
from runexp.runtime.confusion import confusions
from runexp.runtime.torch_runtime import TorchRuntime

Write = Callable[[str, bytes], object]


def write_confusions(plan: Plan, runtime: TorchRuntime, write: Write) -> Sequence[str]:
    """Write `confusion/<phase>.json` for each eval phase that tells classes apart; gives why there are none, if so."""
    try:
        for found in confusions(plan, runtime):
            content = json.dumps({"labels": found.labels, "counts": found.counts}) + "\n"
            write(f"{CONFUSION}{found.phase}.json", content.encode())
    except Exception as error:  # the run is over and well: a picture of it is no reason to say otherwise
        return (f"there are no confusion matrices: {type(error).__name__}: {error}",)
    return ()


def written_confusions(folder: Path) -> Iterator[tuple[Path, str]]:
    """The matrices of a run, then those of its folds, each with the name it goes by: `fold-0/confusion/test.json`."""
    artifacts = folder / "artifacts"
    for pattern in (f"{CONFUSION}**/*.json", f"fold-*/{CONFUSION}**/*.json"):
        for path in sorted(artifacts.glob(pattern)):
            yield path, path.relative_to(artifacts).as_posix()


def add_up(folder: Path, write: Write) -> None:
    """Write the sum over folds of each phase whose folds tell the same classes apart."""
    summed: dict[str, tuple[list[str], list[list[int]]]] = {}
    uneven = set()
    for path in sorted((folder / "artifacts").glob(f"fold-*/{CONFUSION}**/*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        phase = path.as_posix().rpartition(f"/{CONFUSION}")[2]
        labels, counts = summed.setdefault(phase, (told["labels"], [[0] * len(row) for row in told["counts"]]))
        if labels != told["labels"]:
            uneven.add(phase)
            continue
        for row, more in zip(counts, told["counts"], strict=True):
            row[:] = [one + other for one, other in zip(row, more, strict=True)]
    for phase, (labels, counts) in summed.items():
        if phase not in uneven:
            write(f"{CONFUSION}{phase}", json.dumps({"labels": labels, "counts": counts}).encode() + b"\n")
