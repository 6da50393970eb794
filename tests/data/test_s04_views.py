"""S-04: a view is rows and keys over a feature set, without a copy; row -1 is masked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.plans import build, csv_file, features, made, plan, splits, tag, target
from runexp.runtime.data import FeatureSet

WINE = build(
    plan(
        made("load_wine"),
        features("*", "-target", name="x"),
        target("target"),
        splits=splits("shares", by="y", train=0.5, test=0.5),
    )
)
N = WINE.n_rows
ROWS = st.lists(st.integers(-1, N - 1), max_size=30)


def test_a_view_of_a_split_gives_its_rows():
    view = WINE.view("test")
    assert len(view) == len(WINE.splits["test"])
    assert np.array_equal(view.array("x"), WINE.array("x")[WINE.splits["test"]])
    assert view.mask().tolist() == [1.0] * len(view)
    assert view.ids.tolist() == WINE.splits["test"].tolist()


@given(rows=ROWS)
def test_a_masked_row_is_zeros_with_mask_zero(rows):
    view = WINE.view(rows)
    array, mask = view.array("x"), view.mask()
    assert mask.dtype == np.float32
    for position, row in enumerate(rows):
        expected = np.zeros(13) if row < 0 else WINE.array("x")[row]
        assert np.array_equal(array[position], expected)
        assert mask[position] == (row >= 0)


@given(rows=ROWS, data=st.data())
def test_a_view_of_a_view_is_a_view(rows, data):
    positions = data.draw(st.lists(st.integers(-1, len(rows) - 1), max_size=30))
    twice = WINE.view(rows).view(positions)
    once = WINE.view([rows[position] if position >= 0 else -1 for position in positions])
    assert np.array_equal(twice.rows, once.rows)
    assert np.array_equal(twice.array("y"), once.array("y"))


def test_views_copy_nothing_until_an_array_is_asked_for():
    view = WINE.view(WINE.splits["train"])
    assert view.rows is WINE.splits["train"] or np.shares_memory(view.rows, WINE.splits["train"])
    assert isinstance(view.source, FeatureSet)


def test_what_a_view_gives_does_not_write_through():
    before = WINE.array("x")[0].copy()
    WINE.view([0]).array("x")[:] = 7
    assert np.array_equal(WINE.array("x")[0], before)


def test_masked_text_is_empty(tmp_path):
    rows = build(plan(csv_file(tmp_path, "a,w\n1,u\n2,v\n"), features("a"), tag("w")))
    assert rows.view([1, -1]).array("t").tolist() == ["v", ""]


def test_a_view_holds_only_its_keys():
    view = WINE.view("train", ["y"])
    assert view.keys == ("y",)
    with pytest.raises(KeyError):
        view.array("x")
    with pytest.raises(KeyError):
        view.view([0], ["x"])
    with pytest.raises(KeyError):
        WINE.view("train", ["z"])


@pytest.mark.parametrize("rows", [[N], [-2], [0, 10**9]])
def test_rows_that_are_not_there_are_refused(rows):
    with pytest.raises(IndexError):
        WINE.view(rows)
    with pytest.raises(IndexError):
        WINE.view("train").view(rows)
