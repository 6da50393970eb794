"""A loss that is no finite number is named with where it was met, and ends the run unless guards say otherwise."""

from __future__ import annotations

from array import array

import pytest

from engine.fakes import FakeRuntime, FakeTraining
from engine.plans import plan_of
from runexp.engine.finite import LossWatch, NonFiniteLoss
from runexp.engine.protocol import EpochRecord

NAN, INF = float("nan"), float("inf")


def _record(**columns):
    values = {name: array("d", numbers) for name, numbers in columns.items()}
    return EpochRecord(array("q", [4] * len(next(iter(values.values())))), values)


def _watch(on_nan="stop", told=None, last=""):
    plan = plan_of("train: {TRAIN, epochs: 4}").phases[0]
    told = [] if told is None else told
    watch = LossWatch(plan, FakeTraining(plan, FakeRuntime(n_rows=12)), on_nan, told.append, lambda: last)
    watch.epoch = 3
    return watch


def test_finite_losses_pass_whatever_the_learning_rate():
    assert _watch().check(_record(ce=[1.0, 1e300], loss=[1.0, 1e300], lr=[INF] * 2)) == {}


@pytest.mark.parametrize("bad", [NAN, INF], ids=["nan", "inf"])
def test_the_first_broken_batch_of_any_loss_is_named(bad):
    """S-51."""
    record = _record(ce=[1.0, 1.0, bad], mse=[1.0, bad, bad], loss=[2.0, bad, bad])
    message = r"the loss `mse` is (nan|inf) in epoch 3, batch 1 of `train` \(rows: d 2, 3\); the last checkpoint is `c`"
    with pytest.raises(NonFiniteLoss, match=message):
        _watch(last="c").check(record)


@pytest.mark.parametrize("on_nan", ["warn", "skip"])
def test_training_that_goes_on_counts_the_batches(on_nan):
    record = _record(ce=[1.0, NAN, NAN, INF], mse=[1.0, NAN, 1.0, 1.0], loss=[2.0, NAN, NAN, INF])
    assert _watch(on_nan).check(record) == {"nan_batches": 3.0}


def test_what_is_met_is_told_with_its_rows_and_not_without_end():
    told = []
    watch = _watch("skip", told)
    for _ in range(30):
        watch.meet("ce", INF, 1)
    assert len(told) == 20
    assert (told[0].loss, told[0].batch, dict(told[0].rows), told[0].action) == ("ce", 1, {"d": (2, 3)}, "skip")
