import gc
import math
import tracemalloc
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runexp.events import BatchesRecorded, PhaseStarted
from runexp.results import UnknownNameError, loss_series, metric_series, record, tensor_series

finite = st.floats(-1e6, 1e6)
columns = st.lists(finite, min_size=1, max_size=5)
dense = st.lists(columns, min_size=1, max_size=4)
sparse = st.dictionaries(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from(["ce", "mse"])), finite, min_size=1
)


def recorded(rows_by_epoch):
    """A series as a run records it: an epoch a block, batches of 1, 2, 3 … rows."""
    events = [PhaseStarted("train", "train", "train", 1, 1, 1, 1)]
    for epoch, losses in enumerate(rows_by_epoch):
        rows = array("q", range(1, len(losses) + 1))
        events.append(BatchesRecorded("train", epoch, 0, rows, {"ce": array("d", losses), "mse": array("d", losses)}))
    return record(events).results.get_train_result()


def scattered(cells):
    weights = {place: float(place[1] + 1) for place in cells}
    return loss_series("loss", ("epoch", "batch", "label"), cells, weights)


@pytest.fixture(params=["blocks", "cells"])
def series(request):
    losses = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    if request.param == "blocks":
        return recorded(losses).losses("ce")
    cells = {(e, b): value for e, line in enumerate(losses) for b, value in enumerate(line)}
    return loss_series("ce", ("epoch", "batch"), cells, {place: place[1] + 1 for place in cells})


def close(first, second):
    return math.isclose(first, second, rel_tol=1e-9, abs_tol=1e-3)


@given(sparse)
def test_pinning_then_asking_equals_asking(cells):
    series = scattered(cells)
    for at, value in series:
        rest = {axis: at[axis] for axis in ("batch", "label")}
        assert series.where(epoch=at["epoch"]).at(**rest) == series.at(**at) == value


@given(dense)
def test_pinning_then_asking_equals_asking_in_recorded_blocks(rows_by_epoch):
    series = recorded(rows_by_epoch).losses()
    assert len(list(series)) == len(series) == 2 * sum(map(len, rows_by_epoch))
    for at, value in series:
        for axis in series.axes:
            rest = {name: coordinate for name, coordinate in at.items() if name != axis}
            assert series.where(**{axis: at[axis]}).at(**rest) == series.at(**at) == value


@given(dense)
def test_blocks_and_cells_hold_and_order_the_same(rows_by_epoch):
    blocks = recorded(rows_by_epoch).losses()
    cells = loss_series("loss", blocks.axes, {tuple(at.values()): value for at, value in blocks})
    assert cells.values() == blocks.values()
    for axis in blocks.axes:
        assert list(cells.axis_values(axis)) == list(blocks.axis_values(axis)) or axis == "batch"
        for reducer in ("first", "last", "sum"):
            assert dict_of(cells.collapse(axis, reducer)) == dict_of(blocks.collapse(axis, reducer))


def dict_of(series):
    return {tuple(at.values()): pytest.approx(value) for at, value in series}


@given(dense, st.sampled_from(["mean", "sum", "first", "last"]))
def test_a_pinned_series_collapses_to_what_the_whole_one_holds_there(rows_by_epoch, reducer):
    series = recorded(rows_by_epoch).losses("ce")
    whole = series.collapse("batch", reducer)
    for epoch in series.axis_values("epoch"):
        assert close(series.where(epoch=epoch).collapse("batch", reducer).item(), whole.at(epoch=epoch))


@given(sparse)
def test_sums_over_any_axes_in_any_order_are_the_sum_over_all(cells):
    series = scattered(cells)
    for order in (("epoch", "batch", "label"), ("label", "epoch", "batch"), ("batch", "label", "epoch")):
        left = series
        for axis in order:
            left = left.collapse(axis, "sum")
        assert left.axes == ()
        assert close(left.item(), sum(cells.values()))


@given(sparse)
def test_means_of_means_are_the_mean_over_all_rows(cells):
    rows = {place: place[1] + 1 for place in cells}
    expected = sum(value * rows[place] for place, value in cells.items()) / sum(rows.values())
    left = scattered(cells)
    for axis in ("label", "batch", "epoch"):
        left = left.collapse(axis, "mean")
    assert close(left.item(), expected)


@given(dense)
def test_the_mean_over_batches_weighs_every_row_alike(rows_by_epoch):
    means = recorded(rows_by_epoch).losses("ce").collapse("batch", "mean")
    for epoch, losses in enumerate(rows_by_epoch):
        rows = range(1, len(losses) + 1)
        assert close(means.at(epoch=epoch), sum(map(lambda v, n: v * n, losses, rows)) / sum(rows))


@given(dense)
def test_select_gives_the_values_that_where_leaves(rows_by_epoch):
    series = recorded(rows_by_epoch).losses("ce")
    assert [value for epoch in series.axis_values("epoch") for value in series.select(epoch=epoch)] == series.values()


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        pytest.param(lambda s: s.where(epok=0), "no axis `epok`; did you mean `epoch`? axes: epoch, batch", id="axis"),
        pytest.param(lambda s: s.where(epoch=7), "no epoch 7; there are 0 to 1", id="coordinate"),
        pytest.param(lambda s: s.at(epoch=0, batch=-1), "no batch -1; there are 0 to 2", id="negative"),
        pytest.param(lambda s: s.at(epoch=0), "`at` needs every axis; missing: batch", id="missing"),
        pytest.param(lambda s: s.where(epoch=0).where(epoch=1), "(pinned to 0)", id="pinned twice"),
        pytest.param(lambda s: s.collapse("batch", "median"), "reducers: mean, sum, first, last", id="reducer"),
        pytest.param(lambda s: s.collapse("fold", "mean"), "no axis `fold`", id="collapsed axis"),
        pytest.param(lambda s: s.axis_values("bach"), "did you mean `batch`?", id="axis values"),
        pytest.param(lambda s: s.item(), "`item` needs one value", id="item"),
    ],
)
def test_a_wrong_question_says_what_there_is(series, ask, says):
    with pytest.raises(LookupError) as caught:
        ask(series)
    assert isinstance(caught.value, UnknownNameError)
    assert says in str(caught.value)


def test_every_kind_has_its_own_reducers():
    metrics = metric_series("acc", ("epoch",), {(0,): 0.5, (1,): float("nan"), (2,): 0.25})
    assert metrics.collapse("epoch", "max").item() == 0.5
    assert metrics.collapse("epoch", "min").item() == 0.25
    with pytest.raises(UnknownNameError, match="reducers: first, last, min, max, mean"):
        metrics.collapse("epoch", "sum")
    with pytest.raises(UnknownNameError, match="reducers: first, last, concat"):
        tensor_series("out", ("epoch",), {(0,): [1]}).collapse("epoch", "mean")


@pytest.mark.parametrize("kind", [list, tuple, lambda values: array("d", values)])
def test_sequences_are_joined_in_their_own_kind(kind):
    series = tensor_series("out", ("epoch", "batch"), {(0, 0): kind([1, 2]), (0, 1): kind([3])})
    assert series.collapse("batch", "concat").at(epoch=0) == kind([1, 2, 3])


def test_arrays_are_joined_not_added():
    numpy = pytest.importorskip("numpy")
    series = tensor_series("out", ("batch",), {(0,): numpy.array([1, 2]), (1,): numpy.array([3, 4])})
    assert series.collapse("batch", "concat").item().tolist() == [1, 2, 3, 4]


def test_a_series_is_a_table_in_an_interpreter_and_in_a_notebook(series):
    assert repr(series).splitlines()[:2] == ["LossSeries `ce`: 2 epochs x 3 batches", "epoch  batch  ce"]
    assert series._repr_html_().count("<tr>") == 7
    assert "<b>" not in loss_series("<b>", ("epoch",), {(0,): 1.0})._repr_html_()


def test_columns_are_what_table_libraries_take(series):
    assert series.where(epoch=1).to_dict() == {"batch": [0, 1, 2], "ce": [4.0, 5.0, 6.0]}


def test_without_pandas_the_message_says_so(series, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ImportError, match="`to_pandas` needs pandas"):
        series.to_pandas()


def test_a_gap_between_blocks_of_two_labels_is_no_value():
    cells = {(0, 0, "ce"): 1.0, (0, 5, "ce"): 2.0, (0, 2, "mse"): 4.0}
    series = scattered(cells).collapse("label", "sum")
    assert dict_of(series) == {(0, 0): 1.0, (0, 5): 2.0, (0, 2): 4.0}


def test_a_million_batches_stay_typed_arrays():
    n_batches = 1_000_000
    gc.collect()
    tracemalloc.start()
    losses, rows = array("d", [0.5]) * n_batches, array("q", [64]) * n_batches
    run = record(
        [
            PhaseStarted("train", "train", "train", 1, 1, n_batches, n_batches),
            *(
                BatchesRecorded(
                    "train", 0, first, rows[first : first + 250_000], {"ce": losses[first : first + 250_000]}
                )
                for first in range(0, n_batches, 250_000)
            ),
        ]
    )
    del losses, rows
    series = run.results.get_train_result().losses("ce")
    assert series.where(epoch=0).at(batch=n_batches - 1) == 0.5
    assert series.where(epoch=0).collapse("batch", "mean").item() == pytest.approx(0.5)
    repr(series)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40e6
