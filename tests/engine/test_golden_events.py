"""The event list of a plan, line by line; `RUNEXP_UPDATE_GOLDEN=1` writes them anew, for a person to look at."""

from pathlib import Path

import pytest

from engine.fakes import FakeRuntime, FakeStore
from engine.plans import UPDATES, plan_of, written
from runexp.engine.experiment import Experiment

GOLDEN = Path(__file__).parent / "golden"
VAL = [{"loss": loss, "ce": loss, "accuracy": 1 - loss} for loss in (0.6, 0.4, 0.5, 0.45, 0.3)]

STORIES = {
    "train-with-early-stopping": "train: {TRAIN, epochs: 9, callbacks: [stop, validate]}",
    "checkpoints": "train: {TRAIN, epochs: 4, callbacks: [validate], checkpoints: {monitor: val_loss, every_n: 2}}",
    "evaluation-before-the-first-epoch": """\
train: {TRAIN, epochs: 2, callbacks: [{use: evaluation, split: val, at_start: true, every_n_epochs: 2}]}
""",
    "fit-then-eval": "fit: {kind: fit, nodes: [pca]}\ntest: {kind: eval, split: test, losses: [ce], batch_size: 4}",
    "groups": """\
both:
  kind: group
  phases:
    inner: {kind: group, phases: {warm: {TRAIN, epochs: 1}}}
    tune: {TRAIN, epochs: 1}
test: {kind: eval, split: test, losses: [ce]}
""",
    "steps-with-accumulation": "train: {TRAIN, steps: 5, accumulate: 2}",
}


def runtime():
    numbers = {"train/validate": VAL, "train/evaluation": VAL, "test": VAL}
    return FakeRuntime(numbers)


def events_of(story):
    return list(Experiment(plan_of(STORIES[story]), runtime(), checkpoints=FakeStore()).run())


@pytest.mark.parametrize("story", STORIES)
def test_a_plan_gives_the_events_written_in_its_golden_file(story):
    text = written(events_of(story))
    path = GOLDEN / f"{story}.txt"
    if UPDATES:
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("story", STORIES)
def test_the_same_plan_gives_the_same_events(story):
    assert events_of(story) == events_of(story)
