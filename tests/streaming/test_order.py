"""S-07 for streams: every row once an epoch, a new order each epoch, the same on every run, known to a resume."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from runexp.runtime.streaming.mixing import dealt, n_open, takes
from streaming.streams import batcher, streamed, write

ROWS = "source: rows.parquet\nfeatures: {x: x*, row: {columns: row, dtype: int64}}\n"


def rows_of(batches):
    return torch.cat([batch[0].flatten() for batch in batches]).tolist()


@settings(max_examples=25)
@given(
    n_rows=st.integers(1, 300),
    group=st.integers(1, 120),
    options=st.builds("{{buffer: {}, prefetch: {}}}".format, st.integers(1, 130), st.sampled_from([0, 1, 3])),
    batches=st.fixed_dictionaries({"size": st.integers(1, 40), "shuffle": st.booleans(), "drop_last": st.booleans()}),
    start=st.integers(0, 40),
)
def test_every_row_comes_once_and_from_any_batch_on_the_rest_is_the_same(n_rows, group, options, batches, start):
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "rows.parquet", n_rows, group=group)
        made = batcher(streamed(folder, ROWS, options=options), "row", "x", **batches)
        drawn, rest = list(made.draw(0)), list(made.draw(0, start=start))
    assert [len(row) for row, _ in drawn] == [len(x) for _, x in drawn] == made.sizes()
    seen = rows_of(drawn) if drawn else []
    n_dropped = n_rows % batches["size"] if batches["drop_last"] else 0
    assert len(seen) == len(set(seen)) == made.n_rows == n_rows - n_dropped
    assert batches["shuffle"] or seen == list(range(made.n_rows))
    assert len(rest) == max(0, made.n_batches - start)
    for one, other in zip(drawn[start:], rest, strict=True):
        assert all(map(torch.equal, one, other))


def test_rows_of_all_columns_stay_together(tmp_path):
    write(tmp_path / "rows.parquet", 300)
    features = streamed(tmp_path, ROWS + "targets: {y: y}", options="{buffer: 64}")
    for row, y in batcher(features, "row", "y").draw(1):
        assert torch.equal(row.flatten() % 3, y)


def test_the_order_is_new_each_epoch_and_the_same_on_a_new_run(tmp_path):
    write(tmp_path / "rows.parquet", 400)
    first, again = (batcher(streamed(tmp_path, ROWS, options="{buffer: 100}"), "row") for _ in range(2))
    epochs = [rows_of(first.draw(epoch)) for epoch in range(4)]
    assert [rows_of(again.draw(epoch)) for epoch in range(4)] == epochs
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_reading_ahead_changes_no_batch(tmp_path):
    write(tmp_path / "rows.parquet", 400)
    options = ["{buffer: 60, prefetch: 0}", "{buffer: 60, prefetch: 5}"]
    alone, ahead = (batcher(streamed(tmp_path, ROWS, options=option), "row") for option in options)
    assert rows_of(alone.draw(2)) == rows_of(ahead.draw(2))


def test_rows_of_a_sorted_source_are_mixed_over_many_groups(tmp_path):
    write(tmp_path / "rows.parquet", 1600, group=100)
    made = batcher(streamed(tmp_path, ROWS, options="{buffer: 160}"), "row", size=16)
    assert made.mixing.n_groups == 16
    for batch, *_ in made.draw(0):
        assert len(set((batch // 100).flatten().tolist())) > 5  # of 16 rows, drawn from 16 groups


def test_a_window_takes_from_few_groups_where_they_are_large():
    assert n_open(group_bytes=1 << 20, n_columns=20) == 16
    assert n_open(group_bytes=1 << 30, n_columns=20) == 2
    assert n_open(group_bytes=1 << 34, n_columns=2000) == 1


@given(counts=st.lists(st.integers(1, 10**12), min_size=1, max_size=8), n_windows=st.integers(1, 20))
def test_windows_are_full_and_take_all_rows(counts, n_windows):
    window = -(-sum(counts) // n_windows)
    taken = list(takes(counts, window))
    assert np.sum(taken, axis=0).tolist() == counts
    assert all(sum(taken[index]) == window for index in range(len(taken) - 1))
    assert all(min(part) >= 0 for part in taken)


@pytest.mark.parametrize(("n_groups", "n_hands"), [(1, 5), (7, 3), (3, 3)])
def test_groups_are_dealt_once(n_groups, n_hands):
    hands = dealt(list(range(n_groups)), n_hands)
    assert all(hands)
    assert sorted(group for hand in hands for group in hand) == list(range(n_groups))
