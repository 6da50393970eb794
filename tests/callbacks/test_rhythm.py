"""When an evaluation is made: by epochs, by updates, at the start and at the end (S-34); what early stopping counts."""

from __future__ import annotations

import json

import pytest

from callbacks.specs import SPEC, found_in, of, ran
from resume.runs import assert_same, begin, go_on

EVALUATION = "{use: evaluation, split: val, OPTIONS}"
GATHERED = SPEC.replace("losses: [ce]\n", "losses: [ce]\n    accumulate: 2\n", 1).replace("epochs: 4", "epochs: 2")
LONG = SPEC.replace("epochs: 4", "epochs: 6")


def evaluated(home, options, spec=SPEC, more=""):
    """The updates after which there was an evaluation; 90 rows in batches of 30 are 3 an epoch."""
    _, events = ran(home, EVALUATION.replace("OPTIONS", options) + more, spec=_without_validate(spec))
    return [(event["epoch"], event["step"]) for event in of("EvaluationFinished", events)], events


def _without_validate(spec):
    return spec.replace("callbacks:\n  validate: {use: evaluation, split: val, metrics: [accuracy]}\n", "")


@pytest.mark.parametrize(
    ("options", "spec", "expected"),
    [
        ("every_n_steps: 5", SPEC, [(1, 5), (3, 10)]),
        ("every_n_steps: 3, at_start: true", SPEC, [(-1, 0), (0, 3), (1, 6), (2, 9), (3, 12)]),
        ("every_n_steps: 5, at_end: true", SPEC, [(1, 5), (3, 10), (3, 12)]),
        ("every_n_epochs: 3, at_end: true", SPEC, [(2, 9), (3, 12)]),
        ("every_n_epochs: 2, at_end: true", SPEC, [(1, 6), (3, 12)]),
        ("every_n_steps: 1", GATHERED, [(0, 1), (0, 2), (1, 3), (1, 4)]),
    ],
)
def test_an_evaluation_is_made_when_it_was_asked_for(home, options, spec, expected):
    """Amid an epoch it counts updates, not batches."""
    assert evaluated(home, options, spec)[0] == expected


def test_what_is_evaluated_at_the_end_stands_among_the_final_numbers(home):
    _, events = evaluated(home, "every_n_epochs: 3, at_end: true")
    last = of("EvaluationFinished", events)[-1]["metrics"]["val_loss"]
    assert (
        next(event for event in of("PhaseFinished", events) if event["phase"] == "train")["metrics"]["val_loss"] == last
    )


def test_early_stopping_counts_evaluations_amid_an_epoch_and_restores_the_best(home):
    """S-35."""
    stop = ", {use: early_stopping, monitor: val_loss, patience: 2, min_delta: 10, restore_best: true}"
    made, events = evaluated(home, "every_n_steps: 2", LONG, stop)
    assert made == [(0, 2), (1, 4), (1, 6)]  # the first is the best, and two more are no better by so much
    (asked,) = of("StopRequested", events)
    assert "no better val_loss in 2 evaluations" in asked["reason"]
    (restored,) = of("WeightsRestored", events)
    assert restored["value"] == of("EvaluationFinished", events)[0]["metrics"]["val_loss"]


def test_a_run_with_evaluations_by_steps_goes_on_to_the_same_bits(home):
    """S-40."""
    stop = "{use: early_stopping, monitor: val_loss, patience: 3, restore_best: true}"
    callbacks = f"{EVALUATION.replace('OPTIONS', 'every_n_steps: 2, at_end: true')}, {stop}"
    text = _without_validate(LONG).replace("imports: [mine]\n", "").replace("CALLBACKS", callbacks)
    (home / "spec.yaml").write_text(text)
    begin(home / "spec.yaml", home / "whole")
    for after in (5, 10):
        begin(home / "spec.yaml", home / f"cut-{after}", after=after)
        go_on(home / f"cut-{after}")
        assert_same(home / f"cut-{after}", home / "whole")


def test_what_cannot_be_meant_is_refused(home):
    both = found_in(home, "validate, {use: evaluation, split: test, every_n_epochs: 2, every_n_steps: 3}")
    assert [code for code, _, _ in both] == ["exclusive-options"]
    late = "{use: evaluation, split: test, every_n_steps: 3}, {use: save_best, monitor: test_loss}"
    (found,) = found_in(home, f"validate, {late}")
    assert found[0] == "unknown-monitor"
    assert "measured by steps" in found[1]


def test_the_plan_tells_the_rhythm(home):
    finished, _ = ran(home, "validate, {use: evaluation, split: test, every_n_steps: 5, at_end: true}")
    plan = json.loads((finished.folder / "plan.json").read_text())
    assert '"every_n_steps": 5' in json.dumps(plan)
    assert '"at_end": true' in json.dumps(plan)
