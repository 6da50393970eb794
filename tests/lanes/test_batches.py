"""Plain batches: every row once an epoch, in an order known from seed, phase and epoch (S-07)."""

import torch

from runexp.plan.lanes import BatchPlan
from runexp.runtime.batching import Batcher
from runexp.runtime.lanes.column import Held


def drawn(**options):
    plan = BatchPlan(**{"size": 7, "shuffle": True, "drop_last": False} | options)
    batcher = Batcher([Held(torch.arange(50)), Held(torch.arange(50) * 2)], plan, 9, "train")
    return lambda epoch: [tuple(column.tolist() for column in batch) for batch in batcher.draw(epoch)]


def test_every_epoch_has_a_new_order_of_all_rows_and_the_same_one_on_every_re_run():
    epochs = [[row for batch, _ in drawn()(epoch) for row in batch] for epoch in range(4)]
    again = [[row for batch, _ in drawn()(epoch) for row in batch] for epoch in reversed(range(4))]
    assert len({tuple(order) for order in epochs}) == 4
    assert all(sorted(order) == list(range(50)) for order in epochs)
    assert epochs == again[::-1]


def test_the_columns_of_a_batch_are_of_the_same_rows():
    assert all(second == [2 * row for row in first] for first, second in drawn()(3))


def test_without_shuffling_rows_come_in_their_order_and_drop_last_leaves_out_the_rest():
    batches = drawn(shuffle=False, drop_last=True)(0)
    assert [len(first) for first, _ in batches] == [7] * 7
    assert [row for first, _ in batches for row in first] == list(range(49))
