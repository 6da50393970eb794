"""A small table, a small spec on it, and what a deep check says of them."""

from __future__ import annotations

import random
from pathlib import Path

from runexp.api.checking import check
from runexp.api.deep import check_deep
from runexp.diagnostics import Diagnostic

HEADER = "id,width,height,kind,mass"
SPEC = """\
runexp: 1
name: deep
data:
  d:
    source: {file}
    features: {features}
    targets: {targets}
    tags: {tags}
    splits: {splits}
nodes:
  head: {node}
losses:
  judged: {{node: head, use: {loss}, inputs: [outputs, targets.{target}]}}
phases:
  train: {{kind: train, split: train, batches: {batches}, epochs: 1, losses: [judged], optimizer: {{use: adam}}}}
  test: {{kind: eval, split: test, losses: [judged], metrics: {metrics}}}
"""
PARTS = {
    "file": "table.csv",
    "features": "{x: [width, height]}",
    "targets": "{kind: kind, mass: mass}",
    "tags": "{}",
    "splits": "{train: 0.7, test: 0.3}",
    "node": "{inputs: d.x, use: torch.nn.Linear, with: {out_features: 3}}",
    "loss": "cross_entropy",
    "target": "kind",
    "batches": "{size: 16}",
    "metrics": "[accuracy]",
}


def rows(n: int = 60) -> list[list[object]]:
    """Rows of the good table: an id, two measurements, a class of three, a mass."""
    chance = random.Random(1)
    return [
        [i, round(chance.random(), 3), round(chance.random(), 3), i % 3, round(chance.random(), 3)] for i in range(n)
    ]


def written(table: list[list[object]], header: str = HEADER) -> str:
    """The table as CSV."""
    return "\n".join([header, *(",".join(map(str, row)) for row in table)]) + "\n"


def deep(folder: Path, spec: str) -> tuple[Diagnostic, ...]:
    """All that is found in a spec in `folder`; what plain checking refuses is a mistake of the test."""
    path = folder / "spec.yaml"
    path.write_text(spec)
    before = sorted(folder.rglob("*"))
    checked = check(path)
    assert checked.is_valid, checked.diagnostics
    found = check_deep(checked).checked.diagnostics
    assert sorted(folder.rglob("*")) == before
    assert all(item.span is not None and item.span.file == str(path) for item in found)
    return found


def tried(folder: Path, table: str | bytes | None = None, /, **parts: str) -> tuple[Diagnostic, ...]:
    """What is found in the spec with some of its parts changed, on a table."""
    text = written(rows()) if table is None else table
    (folder / "table.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return deep(folder, SPEC.format(**{**PARTS, **parts}))


def the_one(found: tuple[Diagnostic, ...], code: str, path: str) -> Diagnostic:
    """The only diagnostic, which has that code and place."""
    assert [(item.code, item.path) for item in found] == [(code, path)], [item.message for item in found]
    return found[0]
