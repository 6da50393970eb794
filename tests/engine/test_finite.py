"""A loss that is no finite number ends the run and says where."""

from __future__ import annotations

from array import array

import pytest

from runexp.engine.finite import NonFiniteLoss, check_finite
from runexp.engine.protocol import EpochRecord


def _record(**columns):
    values = {name: array("d", numbers) for name, numbers in columns.items()}
    return EpochRecord(array("q", [4] * len(next(iter(values.values())))), values)


def test_finite_losses_pass_whatever_the_learning_rate():
    check_finite(_record(ce=[1.0, 1e300], loss=[1.0, 1e300], lr=[float("inf")] * 2), "train", 0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")], ids=["nan", "inf"])
def test_the_first_broken_batch_of_any_loss_is_named(bad):
    record = _record(ce=[1.0, 1.0, bad], mse=[1.0, bad, bad], loss=[2.0, bad, bad])
    with pytest.raises(NonFiniteLoss, match=r"the loss `mse` is (nan|inf) in epoch 3, batch 1 of `train`"):
        check_finite(record, "train", 3)
