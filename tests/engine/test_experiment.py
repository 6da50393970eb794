"""How a run ends, what a preview leaves behind, which checkpoints stay."""

import math

import pytest

from engine.fakes import FakeRuntime, FakeStore
from engine.plans import plan_of
from runexp.engine.control import Control
from runexp.engine.experiment import Experiment
from runexp.events import BatchesRecorded, CheckpointSaved, PhaseFinished, RunFinished

TWO = "fit: {kind: fit, nodes: [pca]}\ntrain: {TRAIN, epochs: 3, checkpoints: {}}"


def test_an_exception_in_a_step_ends_the_run_once_and_says_where():
    experiment = Experiment(plan_of(TWO), FakeRuntime(fails_at=4))
    events = list(experiment.run())
    ends = [event for event in events if isinstance(event, RunFinished)]
    assert ends == [events[-1]] == [RunFinished("failed", "ValueError: the numbers are off", "train")]
    assert isinstance(experiment.error, ValueError)
    assert experiment.error.__notes__ == ["in phase `phases.train` (<stdin>:21)"]


def test_a_runtime_whose_phase_failed_is_left_as_after_a_phase_that_ended():
    runtime = FakeRuntime(fails_at=4)
    list(Experiment(plan_of(TWO), runtime).run())
    assert not runtime.is_training


def test_what_happened_before_a_failure_at_the_end_of_an_epoch_is_on_record():
    runtime = FakeRuntime({"train/validate": []})  # no number written down: the evaluation raises
    events = list(Experiment(plan_of("train: {TRAIN, epochs: 2, callbacks: [validate]}"), runtime).run())
    assert [len(event.n_rows) for event in events if isinstance(event, BatchesRecorded)] == [3]


def test_a_run_that_is_abandoned_at_the_start_of_a_phase_leaves_train_mode():
    runtime = FakeRuntime()
    events = Experiment(plan_of("train: {TRAIN, epochs: 2}"), runtime).run()
    assert [type(next(events)).__name__ for _ in range(2)] == ["RunStarted", "PhaseStarted"]
    events.close()
    assert not runtime.is_training


def test_an_interrupt_ends_the_run_after_the_current_batch():
    control = Control()
    runtime = FakeRuntime(during=lambda k: control.interrupt("SIGTERM") if k == 1 else None)
    events = list(Experiment(plan_of(TWO), runtime, control=control).run())
    assert runtime.n_taken == 2
    assert events[-1] == RunFinished("interrupted", "SIGTERM", "train")
    assert not any(isinstance(event, CheckpointSaved) for event in events)


def test_a_keyboard_interrupt_that_reaches_the_engine_ends_the_run_as_interrupted():
    def press(k):
        if k == 2:
            raise KeyboardInterrupt

    runtime = FakeRuntime(during=press)
    events = list(Experiment(plan_of(TWO), runtime).run())
    assert events[-1].status == "interrupted"
    assert not runtime.is_training


def test_an_evaluation_within_a_phase_is_finished_when_an_interrupt_comes():
    control = Control()
    numbers = {"train/evaluation": [{"loss": 0.5}] * 9}
    runtime = FakeRuntime(numbers, at_chunk=lambda k: control.interrupt("SIGINT") if k == 1 else None)
    plan = plan_of("train: {TRAIN, epochs: 9, callbacks: [{use: evaluation, split: val, batch_size: 2}]}")
    events = list(Experiment(plan, runtime, control=control).run())
    names = [type(event).__name__ for event in events][-4:]
    assert names == ["EvaluationFinished", "EpochFinished", "PhaseFinished", "RunFinished"]


def preview(runtime, **options):
    return Experiment(plan_of(TWO), runtime, checkpoints=FakeStore()).preview_phase("train", **options)


def test_a_preview_restores_the_runtime_after_it_ran():
    runtime = FakeRuntime()
    events = list(preview(runtime, n_steps=2, with_earlier=True))
    assert events[-1].status == "completed"
    assert (runtime.weight, runtime.estimators, runtime.n_taken) == (0, [], 2)


def test_a_preview_restores_the_runtime_after_an_exception():
    runtime = FakeRuntime(fails_at=2)
    assert list(preview(runtime, with_earlier=True))[-1].status == "failed"
    assert (runtime.weight, runtime.estimators) == (0, [])


@pytest.mark.parametrize("n_events", [1, 2, 4, 6, 8])
def test_a_preview_restores_the_runtime_when_nobody_listens_any_more(n_events):
    runtime = FakeRuntime()
    events = preview(runtime, with_earlier=True)
    for _ in range(n_events):
        next(events)
    events.close()
    assert (runtime.weight, runtime.estimators, runtime.is_training) == (0, [], False)


def test_a_preview_saves_no_checkpoint_and_a_run_after_it_does():
    store = FakeStore()
    experiment = Experiment(plan_of(TWO), FakeRuntime(), checkpoints=store)
    list(experiment.preview_phase("train"))
    assert store.kept == []
    list(experiment.run())
    assert store.kept == ["train/epoch-0000", "train/epoch-0001", "train/epoch-0002"]


def test_a_preview_can_be_shortened_to_epochs():
    finished = [event for event in preview(FakeRuntime(), n_epochs=1) if isinstance(event, PhaseFinished)]
    assert [(event.n_epochs, event.n_steps) for event in finished] == [(1, 3)]


def test_every_phase_is_seeded_by_its_label_before_it_is_opened():
    runtime = FakeRuntime()
    list(Experiment(plan_of(TWO), runtime).run())
    assert runtime.seeded == ["", "fit", "train"]  # what the experiment's own callbacks draw comes first


CHECKPOINTS = [
    pytest.param("every_n: 2", "1 3 5", "", id="every second"),
    pytest.param("every_n: 4", "3 5", "", id="every fourth, and the last"),
    pytest.param("max_to_keep: 2", "4 5", "", id="the newest two"),
    pytest.param("max_to_keep: 2, monitor: val_loss", "2 4 5", "2", id="the newest two and the best"),
    pytest.param("max_to_keep: 1, monitor: val_loss", "2 5", "2", id="the newest and the best"),
    pytest.param("max_to_keep: 1, monitor: val_accuracy", "1 5", "1", id="the best where more is better"),
    pytest.param("monitor: val_loss", "0 1 2 3 4 5", "2", id="all"),
]


@pytest.mark.parametrize(("rule", "kept", "best"), CHECKPOINTS)
def test_the_checkpoints_that_stay_are_the_newest_and_the_best(rule, kept, best):
    values = [(0.9, 0.1), (0.5, 0.8), (0.3, 0.7), (math.nan, math.nan), (0.4, 0.5), (0.6, 0.8)]
    numbers = [{"loss": loss, "ce": loss, "accuracy": accuracy} for loss, accuracy in values]
    store = FakeStore()
    plan = plan_of(f"train: {{TRAIN, epochs: 6, callbacks: [validate], checkpoints: {{{rule}}}}}")
    list(Experiment(plan, FakeRuntime({"train/validate": numbers}), checkpoints=store).run())
    assert store.kept == [f"train/epoch-000{epoch}" for epoch in kept.split()]
    assert store.pointers == {"last": "train/epoch-0005"} | ({"best": f"train/epoch-000{best}"} if best else {})


def test_a_phase_that_is_stopped_early_keeps_its_final_state_as_the_last():
    store = FakeStore()
    text = "train: {TRAIN, epochs: 6, callbacks: [validate, stop], checkpoints: {every_n: 5}}"
    numbers = [{"loss": loss, "ce": loss, "accuracy": 0.5} for loss in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)]
    events = list(Experiment(plan_of(text), FakeRuntime({"train/validate": numbers}), checkpoints=store).run())
    (finished,) = [event for event in events if isinstance(event, PhaseFinished)]
    assert 0 < finished.n_epochs < 5
    assert store.pointers == {"last": f"train/epoch-000{finished.n_epochs - 1}"}
