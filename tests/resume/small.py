"""A small run of two trainings in which checkpoints and callbacks vary, and ways to break it off."""

from __future__ import annotations

import shutil

from resume.runs import begin

SMALL = """\
runexp: 1
name: small
seed: 5
data:
  iris:
    source: sklearn.datasets.load_iris
    features: {x: ["sepal *", "petal *"]}
    targets: {y: target}
    splits: {train: 0.6, val: 0.2, test: 0.2}
nodes:
  body: {inputs: iris.x, layers: [torch.nn.Linear: {out_features: 6}, torch.nn.Dropout: {p: 0.2}]}
  head: {inputs: body, use: torch.nn.Linear, with: {out_features: 3}}
losses: {ce: {node: head, use: cross_entropy}}
callbacks:
  validate: {use: evaluation, split: val, metrics: [accuracy]}
EXTRA
phases:
  first:
    kind: train
    epochs: 3
    batches: {size: 30}
    losses: [ce]
    optimizer: {use: adam, with: {lr: 0.05}}
    schedule: {use: cosine}
    callbacks: [CALLBACKS]
    checkpoints: CHECKPOINTS
  both:
    kind: group
    phases:
      second: {kind: train, steps: 4, losses: [ce], batches: {size: 45}, optimizer: {use: sgd, with: {lr: 0.1}}}
  test: {kind: eval, split: test, losses: [ce]}
"""


def written(folder, *, callbacks="validate", checkpoints="{}", extra=""):
    """The spec in a file of a folder."""
    folder.mkdir(exist_ok=True, parents=True)
    text = SMALL.replace("CALLBACKS", callbacks).replace("CHECKPOINTS", checkpoints).replace("EXTRA", extra)
    (folder / "small.yaml").write_text(text)
    return folder / "small.yaml"


def cut(spec, folder, *, after):
    """Interrupt a run after so many batches, and let only the checkpoints that the spec asks for be left."""
    assert begin(spec, folder, after=after).status == "interrupted"
    shutil.rmtree(folder / "progress")


def saved(folder):
    """The names of the checkpoints."""
    root = folder / "checkpoints"
    return sorted(path.parent.relative_to(root).as_posix() for path in root.rglob("manifest.json"))
