"""Batch schedules: which batch of which lane at each step, and that who rests stays as it is (S-18, S-22)."""

from __future__ import annotations

import math
from itertools import count

import pytest
import torch

from lanes.specs import TWO, opened, run, same, state, steps, write_table
from runexp.events import BatchesRecorded, EpochFinished, PhaseStarted
from runexp.results.recorder import record as record_of
from runexp.runtime.lanes.schedule import steps_of


def two(schedule, *, more="", optimizer="{use: adam, with: {lr: 0.01}}"):
    return TWO + (
        f"  train: {{kind: train, split: all, epochs: 2, batches: {{size: 8}}, batch_schedule: {schedule}, "
        f"losses: [first, second], optimizer: {optimizer}{more}}}\n"
    )


@pytest.fixture
def tables(tmp_path):
    write_table(tmp_path / "a.csv", 32)
    write_table(tmp_path / "b.csv", 16, seed=1)
    return tmp_path


SCHEDULES = {
    "zip_strict": [{0: 0, 1: 0}, {0: 1, 1: 1}],
    "zip_cycle": [{0: 0, 1: 0}, {0: 1, 1: 1}, {0: 2, 1: 0}],
    "alternate_strict": [{0: 0}, {1: 0}, {0: 1}, {1: 1}],
    "alternate_cycle": [{0: 0}, {1: 0}, {0: 1}, {1: 1}, {0: 2}, {1: 0}],
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_three_and_two_batches_are_put_together_as_the_schedule_says(schedule):
    """S-22; the acceptance numbers."""
    assert [dict(step) for step in steps_of(schedule, [3, 2])] == SCHEDULES[schedule]


@pytest.mark.parametrize(
    ("schedule", "n_steps"), [("zip_strict", 1), ("zip_cycle", 3), ("alternate_strict", 3), ("alternate_cycle", 9)]
)
def test_three_samplers_of_unequal_length_begin_anew_each_for_itself(schedule, n_steps):
    """S-22."""
    found = [dict(step) for step in steps_of(schedule, [3, 1, 2])]
    assert len(found) == n_steps
    of_last = [step[2] for step in found if 2 in step]
    assert of_last == [0, 1, 0][: len(of_last)]


@pytest.mark.parametrize(
    ("schedule", "n_steps"), [("zip_strict", 2), ("zip_cycle", 4), ("alternate_strict", 4), ("alternate_cycle", 8)]
)
def test_a_phase_of_4_and_2_batches_takes_the_steps_of_its_schedule(schedule, n_steps, tables):
    """S-22."""
    plan, runtime = opened(tables, two(schedule))
    events = run(plan, runtime)
    started = next(event for event in events if isinstance(event, PhaseStarted))
    assert (started.n_batches, started.n_steps, started.n_rows) == (n_steps, 2 * n_steps, 48)
    records = [event for event in events if isinstance(event, BatchesRecorded)]
    assert [list(record.n_rows) for record in records] == [[8] * n_steps] * 2


def test_a_lane_that_begins_anew_gives_the_same_batches_again(tables):
    """S-22: of the shorter one, in one epoch; in the next they are others (S-07)."""
    plan, runtime = opened(tables, two("zip_cycle"))
    program = runtime.open_train(plan.phase("train"))
    epochs = [
        [tuple(value.sum().item() for value in step.batches.values) for step in steps(program, e)] for e in (0, 1)
    ]
    shorter = [{column for column in zip(*epoch, strict=True) if column[:2] == column[2:]} for epoch in epochs]
    assert [len(columns) for columns in shorter] == [2, 2]  # x and y of `b`
    assert shorter[0].isdisjoint(shorter[1])


OPTIMIZERS = [
    pytest.param("{use: adam, with: {lr: 0.05, weight_decay: 0.1}}", id="adam with weight decay"),
    pytest.param("{use: adamw, with: {lr: 0.05, weight_decay: 0.1}}", id="adamw"),
    pytest.param("{use: sgd, with: {lr: 0.05, momentum: 0.9, weight_decay: 0.1}}", id="sgd with momentum"),
    pytest.param("{use: rmsprop, with: {lr: 0.05, weight_decay: 0.1, momentum: 0.9}}", id="rmsprop by torch itself"),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_branch_that_rests_is_bit_identical_after_the_step_and_the_other_moves(optimizer, tables):
    """S-18: weights, BatchNorm's buffers and the optimizer's state, once both branches have moved before."""
    plan, runtime = opened(tables, two("alternate_cycle", optimizer=optimizer, more=", clip: {norm: 1.0}"))
    program = runtime.open_train(plan.phase("train"))
    numbers = count()
    for epoch in range(2):
        for step in steps(program, epoch):
            before = {node: state(runtime, program, node) for node in ("left", "right")}
            program.step(step)
            after = {node: state(runtime, program, node) for node in ("left", "right")}
            live, resting = ("left", "right") if next(numbers) % 2 == 0 else ("right", "left")
            assert same(before[resting], after[resting])
            assert not any(
                torch.equal(before[live][name], after[live][name])
                for name in ("0.weight", "2.weight", "1.running_mean", "1.num_batches_tracked")
            )


def test_each_branch_alone_ends_with_the_weights_it_has_when_the_other_trains_in_turn(tables):
    """S-18: nothing of one branch leaks into the other. The first lane has the order it has alone."""
    plan, runtime = opened(tables, two("alternate_cycle"))
    run(plan, runtime)
    together = {name: value.clone() for name, value in runtime.graph.modules["left"].state_dict().items()}
    alone = (
        two("alternate_cycle").replace("batch_schedule: alternate_cycle, ", "").replace("[first, second]", "[first]")
    )
    plan, runtime = opened(tables, alone)
    run(plan, runtime)
    assert same(together, dict(runtime.graph.modules["left"].state_dict()))


def test_a_loss_that_rests_does_not_count_in_its_mean_and_the_means_add_up(tables):
    """S-17: the epoch's number of a loss is the mean over the rows it saw, and `train_loss` their weighted sum."""
    plan, runtime = opened(tables, two("alternate_cycle"))
    events = run(plan, runtime)
    record = next(event for event in events if isinstance(event, BatchesRecorded))
    numbers = dict(next(event for event in events if isinstance(event, EpochFinished)).metrics)
    for name, other in (("first", "second"), ("second", "first")):
        seen = [value for value in record.columns[name] if not math.isnan(value)]
        resting = [math.isnan(value) for value in record.columns[other]]
        assert len(seen) == 4
        assert resting == [not math.isnan(value) for value in record.columns[name]]
        assert numbers[f"train_{name}"] == pytest.approx(sum(seen) / 4)
    assert numbers["train_loss"] == pytest.approx(numbers["train_first"] + numbers["train_second"])
    series = record_of(events).results["train"].losses("first").where(epoch=0)
    assert len(series) == 4  # batches in which it rested are no cells
    assert series.collapse("batch", "mean").item() == pytest.approx(numbers["train_first"])


def test_accumulated_steps_move_what_had_rows_in_any_of_their_batches(tables):
    plan, runtime = opened(tables, two("alternate_cycle", more=", accumulate: 2"))
    program = runtime.open_train(plan.phase("train"))
    assert program.n_steps_an_epoch == 4
    before = {node: state(runtime, program, node) for node in ("left", "right")}
    for step, _ in zip(steps(program), range(2), strict=False):
        program.step(step)
    assert not any(torch.equal(before[node]["0.weight"], state(runtime, program, node)["0.weight"]) for node in before)
