"""Columns: whatever a column is made of, its batches are the rows of its whole."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from runexp.runtime.lanes.column import Held

SERIES = torch.arange(40.0)
WINDOWS = SERIES.unfold(0, 5, 2)  # (18, 5), a view
COLUMNS = {
    "plain": Held(SERIES),
    "a split": Held(SERIES, torch.tensor([3, 39, 0, 7, 8, 9, 21, 20])),
    "windows": Held(WINDOWS),
    "a split of windows": Held(WINDOWS, torch.tensor([17, 2, 2, 9, 11, 0])),
    "changed": Held(SERIES, torch.arange(10, 30)).changed(lambda batch: batch.unsqueeze(-1)).changed(Tensor.double),
}


@given(st.sampled_from(sorted(COLUMNS)), st.lists(st.lists(st.integers(-1, 5), min_size=1, max_size=4), min_size=1))
def test_batches_are_rows_of_the_whole_and_a_masked_row_is_zero(name: str, drawn: list[list[int]]) -> None:
    """S-04."""
    column, rows = COLUMNS[name], torch.tensor([row for batch in drawn for row in batch])
    batches = list(column.batches(rows, [len(batch) for batch in drawn], masked=True))
    whole = column.whole()
    for batch, given_rows in zip(batches, drawn, strict=True):
        for value, row in zip(batch, given_rows, strict=True):
            assert torch.equal(value, whole[row] if row >= 0 else torch.zeros_like(whole[0]))


@given(st.sampled_from(sorted(COLUMNS)), st.integers(0, 6), st.integers(0, 6))
def test_neighbouring_rows_are_the_same_rows(name: str, start: int, n: int) -> None:
    column, rows = COLUMNS[name], range(start, min(start + n, 6))
    (batch,) = column.batches(rows, [len(rows)])
    assert torch.equal(batch, column.whole()[rows.start : rows.stop])


@given(st.sampled_from(sorted(COLUMNS)))
def test_a_column_says_what_its_whole_is(name: str) -> None:
    column = COLUMNS[name]
    whole = column.whole()
    assert (len(column), column.dtype, column.row_shape) == (len(whole), whole.dtype, tuple(whole.shape[1:]))
    assert torch.equal(torch.cat(list(column.parts())), whole)
    assert torch.equal(column.first(3), whole[:3])
    assert torch.equal(column.gathered().whole(), whole)


def test_windows_are_not_copied_before_they_are_drawn() -> None:
    column = Held(WINDOWS)
    assert column.whole().data_ptr() == SERIES.data_ptr()
    assert next(iter(column.batches(range(2, 4), [2]))).data_ptr() == SERIES[4:].data_ptr()


def test_a_masked_row_is_zero_though_its_neighbour_is_not_finite() -> None:
    column = Held(torch.tensor([float("nan"), 1.0]))
    (batch,) = column.batches(torch.tensor([-1, 1]), [2], masked=True)
    assert batch.tolist() == [0.0, 1.0]
