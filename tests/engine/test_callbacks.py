"""What evaluations, early stopping and stop requests do to a phase."""

import json
import math
import os
from pathlib import Path

import pytest

from engine.fakes import FakeRuntime
from engine.plans import plan_of
from runexp.engine.control import Control
from runexp.engine.experiment import Experiment
from runexp.engine.live import Live
from runexp.engine.phases import Surroundings, TrainPhase
from runexp.events import (
    BatchesRecorded,
    BatchFinished,
    EpochFinished,
    EvaluationFinished,
    PhaseFinished,
    StopRequested,
    WeightsRestored,
)


def losses(*values):
    return {"train/validate": [{"loss": value, "ce": value, "accuracy": 0.5} for value in values]}


def run(phases, measured=None, **options):
    runtime = FakeRuntime(measured)
    return runtime, list(Experiment(plan_of(phases), runtime, **options).run())


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


class Recording:
    """Notes every hook it is called at; acts at some of them."""

    name = "recording"
    measures = False

    def __init__(self, acts=None):
        self.seen = []
        self._acts = acts or {}

    def hooks(self):
        names = ("phase_start", "epoch_start", "batch_start", "batch_end", "epoch_end", "phase_end")
        return {f"on_{name}": lambda view, name=name: self._note(name, view) for name in names}

    def _note(self, name, view):
        where = {"epoch": [view.epoch], "batch": [view.epoch, view.batch]}.get(name.partition("_")[0], [])
        self.seen.append([name, *where])
        act = self._acts.get((name, *where))
        if act:
            act(view)


def drive(callback, phases="train: {TRAIN, epochs: 2}", n_rows=6):
    """The phase after all its steps, taken by hand."""
    plan = plan_of(phases).phase("train")
    runtime = FakeRuntime(n_rows=n_rows)
    program = runtime.open_train(plan)
    around = Surroundings(Control(), Live(), lambda plan: {}, runtime.snapshot, runtime.restore, wants_batches=False)
    phase = TrainPhase(plan, program, around, [callback], None)
    for context in phase.iter_execution():
        if context is not None:
            program.step(context)
    return phase


def semantics():
    shared = Path(os.environ.get("RUNEXP_SHARED") or Path(__file__).resolve().parents[3] / "shared")
    path = shared / "acceptance" / "phase_semantics.json"
    if not path.exists():
        pytest.skip(f"the reference is absent: {path} (set RUNEXP_SHARED)")
    return json.loads(path.read_text())


def test_hooks_come_in_the_order_of_the_reference():
    callback = Recording()
    drive(callback)
    assert callback.seen == semantics()["hook_order_2ep"]


def test_evaluations_happen_at_the_epochs_of_the_reference():
    for written, expected in semantics()["evaluation_epochs"].items():
        every, at_start = written.replace("n=", "").replace("run_on_start=", "").split(",")
        evaluation = f"{{use: evaluation, split: val, every_n_epochs: {every}, at_start: {at_start.lower()}}}"
        numbers = {"train/evaluation": [{"loss": 0.5}] * 9}
        _, events = run(f"train: {{TRAIN, epochs: 5, callbacks: [{evaluation}]}}", numbers)
        epochs = [None if event.epoch < 0 else event.epoch for event in of(EvaluationFinished, events)]
        assert epochs == expected, written


@pytest.mark.parametrize("order", ["validate, stop", "stop, validate"])
def test_early_stopping_sees_this_epochs_evaluation_whatever_the_order_written(order):
    _, events = run(f"train: {{TRAIN, epochs: 9, callbacks: [{order}]}}", losses(0.5, 0.6, 0.7, 0.8))
    assert [event.epoch for event in of(StopRequested, events)] == [2]


def test_an_epoch_end_hook_sees_the_epochs_mean_of_training():
    means = {}
    drive(Recording({("epoch_end", 1): lambda view: means.update(view.measured)}))
    assert means["train_loss"] == pytest.approx((0.97 + 0.96 + 0.95) / 3)


def test_numbers_of_the_epoch_before_are_gone_when_an_epoch_starts():
    seen = []
    drive(Recording({("epoch_start", 1): lambda view: seen.append(dict(view.measured))}))
    assert seen == [{}]


def test_the_mean_of_an_epoch_weighs_a_short_batch_by_its_rows():
    phase = drive(Recording(), "train: {TRAIN, epochs: 1}", n_rows=5)
    assert phase.final["train_loss"] == pytest.approx((2 * 1.0 + 2 * 0.99 + 0.98) / 5)


def test_patience_counts_measurements_and_not_epochs():
    callbacks = "[{use: evaluation, split: val, every_n_epochs: 3}, stop]"
    numbers = {"train/evaluation": [{"loss": value} for value in (0.5, 0.6, 0.7, 0.8)]}
    _, events = run(f"train: {{TRAIN, epochs: 30, callbacks: {callbacks}}}", numbers)
    assert [event.epoch for event in of(StopRequested, events)] == [8]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf], ids=str)
@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_number_that_is_not_finite_is_never_best(bad, mode):
    stop = f"{{use: early_stopping, monitor: val_loss, mode: {mode}, patience: 2, restore_best: true}}"
    _, events = run(f"train: {{TRAIN, epochs: 3, callbacks: [validate, {stop}]}}", losses(bad, 0.5, bad))
    assert [(event.epoch, event.value) for event in of(WeightsRestored, events)] == [(1, 0.5)]


def test_numbers_that_are_never_finite_stop_the_phase_and_say_so():
    _, events = run("train: {TRAIN, epochs: 9, callbacks: [validate, stop]}", losses(math.nan, math.nan))
    assert [event.reason for event in of(StopRequested, events)] == [
        "val_loss was never a finite number in 2 evaluations"
    ]


def test_the_best_weights_and_their_numbers_are_restored_when_nothing_stopped_the_phase_too():
    runtime, events = run("train: {TRAIN, epochs: 3, callbacks: [validate, stop]}", losses(0.5, 0.2, 0.9))
    finished = of(PhaseFinished, events)[0]
    assert runtime.weight == 6
    assert (finished.status, finished.n_epochs, finished.metrics["val_loss"]) == ("completed", 3, 0.2)


def test_the_best_is_restored_when_it_was_before_the_first_epoch():
    callbacks = "[{use: evaluation, split: val, at_start: true}, stop]"
    numbers = {"train/evaluation": [{"loss": value} for value in (0.1, 0.5, 0.6)]}
    runtime, events = run(f"train: {{TRAIN, epochs: 9, callbacks: {callbacks}}}", numbers)
    assert runtime.weight == 0
    assert [(event.epoch, event.value) for event in of(WeightsRestored, events)] == [(-1, 0.1)]
    assert [(event.epoch, event.reason) for event in of(StopRequested, events)] == [
        (1, "no better val_loss in 2 evaluations; best 0.1 before the first epoch")
    ]


def test_the_last_epoch_is_not_restored_when_it_is_the_best():
    runtime, events = run("train: {TRAIN, epochs: 2, callbacks: [validate, stop]}", losses(0.5, 0.4))
    assert runtime.weight == 6
    assert of(WeightsRestored, events) == []


def test_an_improvement_must_exceed_min_delta():
    stop = "{use: early_stopping, monitor: val_loss, patience: 2, min_delta: 0.1}"
    _, events = run(f"train: {{TRAIN, epochs: 9, callbacks: [validate, {stop}]}}", losses(0.5, 0.45, 0.41, 0.1))
    assert [event.epoch for event in of(StopRequested, events)] == [2]


@pytest.mark.parametrize(("at", "n_batches"), [("batch", 2), ("epoch", 3)])
def test_a_stop_request_is_honoured_at_the_end_of_the_batch_or_of_the_epoch(at, n_batches):
    callback = Recording({("batch_end", 0, 1): lambda view: view.request_stop("me", "enough", at=at)})
    phase = drive(callback)
    assert (phase.stopped_by, phase.step) == ("me", n_batches)
    assert callback.seen[-2:] == [["epoch_end", 0], ["phase_end"]]


def test_a_phase_stopped_at_a_batch_does_not_halt_the_next_one():
    control = Control()
    runtime = FakeRuntime(losses(0.5, 0.6, 0.7))
    plan = plan_of("train: {TRAIN, epochs: 9, callbacks: [validate, stop]}\nmore: {TRAIN, epochs: 2}")
    events = list(Experiment(plan, runtime, control=control).run())
    assert [(event.status, event.n_epochs) for event in of(PhaseFinished, events)] == [("stopped", 3), ("completed", 2)]


def test_updates_are_counted_rightly_when_a_phase_stops_amid_accumulation():
    callback = Recording({("batch_end", 0, 2): lambda view: view.request_stop("me", "enough", at="batch")})
    assert drive(callback, "train: {TRAIN, epochs: 1, accumulate: 2}", n_rows=10).step == 1


def test_batch_events_change_no_other_event():
    phases, numbers = "train: {TRAIN, epochs: 2, callbacks: [validate]}", losses(0.5, 0.4)
    _, plain = run(phases, numbers)
    _, watched = run(phases, losses(0.5, 0.4), wants=frozenset({BatchFinished}))
    assert len(of(BatchFinished, watched)) == 6
    assert [event for event in watched if not isinstance(event, BatchFinished)] == plain


def test_an_interrupt_keeps_the_record_of_the_batches_that_ran():
    control = Control()
    runtime = FakeRuntime(during=lambda k: control.interrupt("SIGINT") if k == 4 else None)
    events = list(
        Experiment(plan_of("train: {TRAIN, epochs: 9}\nmore: {TRAIN, epochs: 1}"), runtime, control=control).run()
    )
    finished = of(PhaseFinished, events)[0]
    assert [len(event.n_rows) for event in of(BatchesRecorded, events)] == [3, 2]
    assert (finished.status, finished.by, finished.n_epochs, finished.n_steps) == ("interrupted", "SIGINT", 1, 5)
    assert finished.metrics == of(EpochFinished, events)[0].metrics
    assert len(of(PhaseFinished, events)) == 1
