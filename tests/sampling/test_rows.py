"""S-06, S-07: rows drawn alone, in batches that keep what they are told to keep."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runexp.runtime.sampling.whole import packed
from sampling.plans import batches, made, refused, units, weights

CODES = st.lists(st.integers(0, 5), min_size=1, max_size=90)
SIZES = st.integers(6, 20)
BOOLS = st.booleans()


def counts_by(codes, batch):
    return np.bincount(np.asarray(codes)[batch], minlength=max(codes) + 1)


@given(n_rows=st.integers(1, 200), size=st.integers(1, 50), seed=st.integers(0, 2**32), epoch=st.integers(0, 5))
def test_a_simple_sampler_draws_every_row_once_an_epoch(n_rows, size, seed, epoch):
    sampler = made("simple", n_rows=n_rows, size=size, seed=seed)
    assert sorted(units(sampler, epoch)) == list(range(n_rows))
    assert [len(batch) for batch in batches(sampler, epoch)] == sampler.sizes()


KINDS = [
    pytest.param("simple", {}, id="simple"),
    pytest.param("simple", {"per_epoch": 30}, id="some rows an epoch"),
    pytest.param("stratified", {"by": "label"}, id="stratified"),
    pytest.param("grouped", {"by": "group"}, id="grouped"),
    pytest.param("grouped", {"by": "group", "mix": False}, id="grouped apart"),
    pytest.param("weighted", {"by": "w"}, id="weighted"),
    pytest.param("class_balanced", {"by": "label"}, id="class_balanced"),
    pytest.param("length_bucketed", {"by": "w"}, id="length_bucketed"),
]
COLUMNS = {
    "label": np.arange(60) % 3,
    "group": np.repeat(np.arange(15), [1, 2, 3, 4, 5, 6, 7, 8, 4, 4, 4, 4, 4, 2, 2]),
    "w": np.arange(60) % 17 + 1.0,
}
every_kind = pytest.mark.parametrize(("kind", "options"), KINDS)


@every_kind
def test_each_epoch_has_an_order_of_its_own_that_seed_and_phase_decide(kind, options):
    """S-07."""
    draw = [batches(made(kind, COLUMNS, **options), epoch) for epoch in range(3)]
    assert draw[0] != draw[1] != draw[2] != draw[0]
    assert [batches(made(kind, COLUMNS, **options), epoch) for epoch in (2, 1, 0)] == draw[::-1]
    assert batches(made(kind, COLUMNS, seed=1, **options)) != draw[0]
    assert batches(made(kind, COLUMNS, phase="second", **options)) != draw[0]


@every_kind
def test_a_resumed_epoch_goes_on_with_the_batches_that_are_left(kind, options):
    """S-39: sampler positions."""
    sampler = made(kind, COLUMNS, **options)
    whole = batches(sampler, 3)
    for start in range(len(whole) + 1):
        assert batches(made(kind, COLUMNS, **options), 3, start=start) == whole[start:]


@every_kind
def test_sizes_are_known_without_drawing(kind, options):
    sampler = made(kind, COLUMNS, **options)
    for epoch in range(4):
        assert sampler.sizes(epoch) == [len(batch) for batch in batches(sampler, epoch)]
        assert len(sampler.sizes(epoch)) == len(sampler.sizes())
    assert sampler.n_rows == len(units(sampler))


@pytest.mark.parametrize(
    ("kind", "options"),
    [("sequential", {}), ("simple", {}), ("length_bucketed", {"by": "w"})],
)
def test_without_shuffling_all_epochs_are_the_same(kind, options):
    columns = {"w": np.arange(10.0)}
    first = batches(made(kind, columns, shuffle=False, **options))
    assert first == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]] == batches(made(kind, columns, shuffle=False, **options), 7)


def test_a_short_last_batch_is_dropped_where_that_is_asked():
    sampler = made("simple", n_rows=10, drop_last=True)
    assert sampler.sizes() == [4, 4]
    assert len(set(units(sampler))) == sampler.n_rows == 8


@given(codes=CODES, size=SIZES, shuffle=BOOLS, seed=st.integers(0, 99))
def test_stratified_batches_keep_the_share_of_each_class_within_one_row(codes, size, shuffle, seed):
    sampler = made("stratified", {"label": codes}, by="label", size=size, shuffle=shuffle, seed=seed)
    whole = counts_by(codes, range(len(codes)))
    assert sorted(units(sampler)) == list(range(len(codes)))
    for batch in batches(sampler):
        assert np.all(np.abs(counts_by(codes, batch) - whole * len(batch) / len(codes)) < 1)


def test_numbers_are_stratified_by_ranges_of_equally_many_rows():
    values = np.random.default_rng(0).normal(size=200) ** 3
    sampler = made("stratified", {"y": values}, by="y", bins=4, size=20)
    quarter = np.searchsorted(np.quantile(values, [0.25, 0.5, 0.75]), values)
    for batch in batches(sampler):
        assert counts_by(quarter, batch).tolist() == [5, 5, 5, 5]


@given(codes=CODES, size=SIZES, n=st.integers(1, 120), seed=st.integers(0, 99))
def test_balanced_batches_have_equally_many_of_each_class_and_of_a_class_all_rows_equally_often(codes, size, n, seed):
    codes = np.unique(codes, return_inverse=True)[1].tolist()
    sampler = made("class_balanced", {"label": codes}, by="label", size=size, per_epoch=n, seed=seed)
    drawn = units(sampler)
    assert len(drawn) == n
    n_classes = max(codes) + 1
    for batch in batches(sampler):
        assert np.all(np.abs(counts_by(codes, batch) - len(batch) / n_classes) < 1)
    often = np.bincount(drawn, minlength=len(codes))
    for code in range(n_classes):
        of_class = often[np.asarray(codes) == code]
        assert of_class.max() - of_class.min() <= 1


@given(codes=CODES, size=SIZES, seed=st.integers(0, 99))
def test_a_group_is_never_in_two_batches(codes, size, seed):
    sampler = made("grouped", {"g": codes}, by="g", size=size, seed=seed)
    groups = [set(np.asarray(codes)[batch].tolist()) for batch in batches(sampler)]
    assert sum(map(len, groups)) == len(set(codes))
    assert sorted(units(sampler)) == list(range(len(codes)))
    for batch, together in zip(batches(sampler), groups, strict=True):
        assert len(batch) <= size or len(together) == 1


@given(codes=CODES, size=st.integers(1, 20), drop_last=BOOLS, seed=st.integers(0, 99))
def test_groups_kept_apart_never_share_a_batch(codes, size, drop_last, seed):
    counts = Counter(codes)
    if drop_last and max(counts.values()) < size:
        return
    options = {"by": "g", "mix": False, "size": size, "drop_last": drop_last}
    sampler = made("grouped", {"g": codes}, seed=seed, **options)
    drawn = batches(sampler)
    assert all(len({codes[row] for row in batch}) == 1 for batch in drawn)
    assert all(len(batch) <= size for batch in drawn)
    served = {code: count // size * size if drop_last else count for code, count in counts.items()}
    assert Counter(codes[row] for row in units(sampler)) == Counter(served)
    assert len(set(units(sampler))) == len(units(sampler))


@given(sizes=st.lists(st.integers(1, 30), max_size=60), capacity=st.integers(1, 25))
def test_packing_fills_batches_beyond_half(sizes, capacity):
    sizes = sorted(sizes, reverse=True)
    slots = packed(sizes, capacity)
    full = np.bincount(slots, weights=sizes, minlength=int(slots.max(initial=-1)) + 1)
    assert np.all((full <= capacity) | (np.bincount(slots) == 1 if len(slots) else True))
    assert np.count_nonzero(2 * full <= capacity) <= 1


def test_weights_decide_how_often_a_row_is_drawn_and_0_is_never():
    drawn = np.bincount(units(made("weighted", {"w": [0.0, 1, 3, 0]}, by="w", per_epoch=40_000)), minlength=4)
    assert drawn[0] == drawn[3] == 0
    assert abs(drawn[2] / drawn[1] - 3) < 0.15


@given(lengths=st.lists(st.integers(0, 500), min_size=1, max_size=300), size=st.integers(1, 40), seed=st.integers(0, 9))
def test_bucketed_batches_draw_every_row_once(lengths, size, seed):
    sampler = made("length_bucketed", {"n": lengths}, by="n", size=size, seed=seed)
    assert sorted(units(sampler)) == list(range(len(lengths)))


def test_bucketed_batches_hold_similar_lengths_and_come_in_any_order():
    lengths = np.random.default_rng(0).integers(1, 1000, 5000)
    drawn = batches(made("length_bucketed", {"n": lengths}, by="n", size=50))
    padding = [np.ptp(lengths[batch]) for batch in drawn]
    plain = [np.ptp(lengths[batch]) for batch in batches(made("simple", {"n": lengths}, size=50))]
    assert np.mean(padding) * 10 < np.mean(plain)
    means = [lengths[batch].mean() for batch in drawn]
    assert np.count_nonzero(np.diff(means) > 0) in range(30, 70)


def test_dropping_the_short_batch_leaves_no_length_out_for_good():
    lengths = np.arange(22)
    sampler = made("length_bucketed", {"n": lengths}, by="n", size=5, drop_last=True)
    assert set().union(*(units(sampler, epoch) for epoch in range(30))) == set(range(22))


def test_the_length_of_a_text_is_its_number_of_letters():
    texts = ["a", "abcd", "ab", "abc"] * 4
    drawn = batches(made("length_bucketed", {"t": texts}, by="t", size=4))
    assert sorted(sorted(len(texts[row]) for row in batch) for batch in drawn) == [[n] * 4 for n in (1, 2, 3, 4)]


def test_a_column_of_weights_goes_with_the_rows():
    weigh = np.arange(10.0)
    sampler = made("simple", {"w": weigh}, weight="w")
    assert weights(sampler) == weigh[units(sampler)].tolist()


def test_batches_smaller_than_the_classes_are_refused():
    found = refused("wrong-value", "stratified", {"label": np.arange(9)}, by="label", size=8)
    assert "`size: 8` is less than the 9 classes of `label`" in found.message
    refused("wrong-value", "class_balanced", {"label": np.arange(9)}, by="label", size=8)


def test_columns_that_do_not_fit_are_refused_with_the_rows_at_fault():
    missing = refused("missing-values", "weighted", {"w": [1.0, np.nan, 2.0]}, by="w")
    assert missing.message == "the sampler `s`: `w` has no value in 1 of 3 rows: `1`"
    refused("missing-values", "grouped", {"g": ["a", "", "b"]}, by="g")
    refused("non-numeric-column", "weighted", {"w": ["a", "b"]}, by="w")
    refused("ragged-shape", "weighted", {"w": np.ones((3, 2))}, by="w")
    refused("wrong-value", "weighted", {"w": [1.0, -2.0]}, by="w")
    refused("nothing-to-draw", "weighted", {"w": [0.0, 0.0]}, by="w")


def test_asking_for_more_rows_than_there_are_is_refused():
    refused("wrong-value", "simple", n_rows=10, per_epoch=11)


def test_an_epoch_without_a_batch_is_refused():
    refused("no-batch", "simple", n_rows=3, drop_last=True)


def test_groups_that_are_larger_than_a_batch_are_told():
    (found,) = made("grouped", {"g": [0] * 5 + [1] * 3}, by="g").diagnostics
    assert (found.code, found.severity) == ("large-groups", "warning")
    assert "1 of 2 groups have more than `size: 4` rows: `0`" in found.message


def test_groups_too_small_for_a_full_batch_are_told():
    (found,) = made("grouped", {"g": ["a"] * 5 + ["b"] * 3}, by="g", mix=False, drop_last=True).diagnostics
    assert (found.code, found.severity) == ("undrawn-rows", "warning")
    assert "1 of 2 groups fill no batch and are never drawn: `b`" in found.message
