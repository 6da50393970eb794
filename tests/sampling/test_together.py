"""S-06: pairs, triplets and other tuples; S-07: a new drawing each epoch, the same on every re-run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runexp.runtime.sampling import make_sampler
from sampling.plans import batches, made, match, plan, refused, units, weights

SAME = (match("label", same=True),)
NEAR = (match("x", within=1.0),)
OTHERS = {"near": NEAR, "far": (match("x", beyond=3.0),)}
LABELS = st.lists(st.integers(0, 4), min_size=2, max_size=60)
COLUMNS = {"label": np.arange(40) % 4, "x": np.arange(40) / 4}
SIMILAR = ("similar", "dissimilar")

KINDS = [
    pytest.param("pairs", {"match": SAME}, id="pairs"),
    pytest.param("pairs", {"match": SAME, "share": 0.5}, id="pairs with a share"),
    pytest.param("pairs", {"match": SAME, "streams": SIMILAR}, id="two streams"),
    pytest.param("pairs", {}, id="any pairs"),
    pytest.param("triplets", {"match": SAME}, id="triplets"),
    pytest.param("n_way", {"others": OTHERS}, id="others"),
    pytest.param("n_way", {"by": "label", "n_way": 3, "k_shot": 2}, id="episodes"),
    pytest.param(
        "n_way",
        {"by": "label", "n_way": 3, "k_shot": 2, "n_queries": 3, "streams": ("support", "query")},
        id="episodes with queries",
    ),
]
every_kind = pytest.mark.parametrize(("kind", "options"), KINDS)


def all_streams(sampler, epoch, **options):
    return [batches(sampler, epoch, stream=stream, **options) for stream in sampler.streams]


@every_kind
def test_each_epoch_is_drawn_anew_and_alike_on_every_re_run(kind, options):
    """S-07."""
    draw = [all_streams(made(kind, COLUMNS, **options), epoch) for epoch in range(3)]
    assert draw[0] != draw[1] != draw[2] != draw[0]
    assert [all_streams(made(kind, COLUMNS, **options), epoch) for epoch in (2, 1, 0)] == draw[::-1]
    assert all_streams(made(kind, COLUMNS, seed=1, **options), 0) != draw[0]
    assert all_streams(made(kind, COLUMNS, phase="second", **options), 0) != draw[0]


@every_kind
def test_sizes_are_known_and_a_resumed_epoch_goes_on_with_what_is_left(kind, options):
    sampler = made(kind, COLUMNS, **options)
    assert sampler.n_rows == sum(len(units(sampler, stream=stream)) for stream in sampler.streams)
    for stream in sampler.streams:
        whole = batches(sampler, 2, stream=stream)
        assert [len(batch) for batch in whole] == sampler.sizes(2, stream=stream) == sampler.sizes(stream=stream)
        for start in range(len(whole) + 1):
            assert batches(made(kind, COLUMNS, **options), 2, start=start, stream=stream) == whole[start:]


@given(labels=LABELS, seed=st.integers(0, 99), per_anchor=st.integers(1, 4))
def test_every_row_with_a_match_is_an_anchor_equally_often_however_uneven_the_matches(labels, seed, per_anchor):
    counts = Counter(labels)
    served = [row for row, label in enumerate(labels) if counts[label] > 1]
    if not served:
        return
    sampler = made("pairs", {"label": labels}, match=SAME, per_anchor=per_anchor, seed=seed)
    drawn = units(sampler)
    assert all(labels[first] == labels[second] and first != second for first, second in drawn)
    assert Counter(first for first, _ in drawn) == dict.fromkeys(served, per_anchor)
    if per_anchor <= min(counts[labels[row]] for row in served) - 1:
        assert len(set(drawn)) == len(drawn)


@given(labels=LABELS, seed=st.integers(0, 99))
def test_triplets_have_a_positive_that_matches_and_a_negative_that_does_not(labels, seed):
    counts = Counter(labels)
    served = [row for row, label in enumerate(labels) if 1 < counts[label] < len(labels)]
    if not served:
        return
    drawn = units(made("triplets", {"label": labels}, match=SAME, seed=seed))
    assert sorted(anchor for anchor, _, _ in drawn) == served
    for anchor, positive, negative in drawn:
        assert labels[anchor] == labels[positive] != labels[negative]
        assert anchor != positive


@given(labels=LABELS, share=st.floats(0, 1), size=st.integers(1, 9), seed=st.integers(0, 99))
def test_the_share_of_pairs_that_match_holds_in_each_batch_within_one(labels, share, size, seed):
    counts = Counter(labels)
    if max(counts.values()) < 2 or len(counts) < 2:
        return
    sampler = made("pairs", {"label": labels}, match=SAME, share=share, size=size, seed=seed)
    alike = [[labels[first] == labels[second] for first, second in batch] for batch in batches(sampler)]
    n_units = sum(map(len, alike))
    n_alike = sum(map(sum, alike))
    assert n_alike == (round(share * n_units) if share < 1 else n_units)
    assert all(abs(sum(batch) - len(batch) * n_alike / n_units) < 1 for batch in alike)


def test_a_share_leaves_every_row_an_anchor_where_all_can_match_and_differ():
    drawn = units(made("pairs", COLUMNS, match=SAME, share=0.3))
    assert sorted(first for first, _ in drawn) == list(range(40))


def test_rows_that_can_only_differ_do_and_the_share_still_holds():
    labels = np.array([0] * 10 + [1, 2, 3, 4, 5])
    drawn = units(made("pairs", {"label": labels}, match=SAME, share=0.5))
    alike = [labels[first] == labels[second] for first, second in drawn]
    assert (len(drawn), sum(alike)) == (15, 8)
    assert sorted(first for first, _ in drawn) == list(range(15))
    mostly = units(made("pairs", {"label": labels}, match=SAME, share=0.8))
    assert sum(labels[first] == labels[second] for first, second in mostly) == 12


def test_two_streams_hold_what_matches_and_what_does_not():
    labels = COLUMNS["label"]
    sampler = made("pairs", COLUMNS, match=SAME, streams=SIMILAR)
    for stream, is_alike in zip(SIMILAR, (True, False), strict=True):
        drawn = units(sampler, stream=stream)
        assert sorted(first for first, _ in drawn) == list(range(40))
        assert all((labels[first] == labels[second]) == is_alike for first, second in drawn)


def test_two_streams_of_a_share_are_of_uneven_length():
    sampler = made("pairs", COLUMNS, match=SAME, streams=SIMILAR, share=0.25)
    assert sampler.sizes(stream="similar") == [4, 4, 2]
    assert sampler.sizes(stream="dissimilar") == [4] * 7 + [2]
    anchors = [first for stream in SIMILAR for first, _ in units(sampler, stream=stream)]
    assert sorted(anchors) == list(range(40))


def test_what_does_not_match_can_have_conditions_of_its_own():
    """Hard negatives: close in `x`, and of another class."""
    hard = (match("label", same=False), match("x", within=0.5))
    labels, x = COLUMNS["label"], COLUMNS["x"]
    for anchor, positive, negative in units(made("triplets", COLUMNS, match=SAME, mismatch=hard)):
        assert labels[anchor] == labels[positive] != labels[negative]
        assert abs(x[anchor] - x[negative]) <= 0.5
    sampler = made("pairs", COLUMNS, match=SAME, mismatch=hard, streams=SIMILAR)
    assert all(abs(x[first] - x[second]) <= 0.5 for first, second in units(sampler, stream="dissimilar"))


def test_conditions_in_several_columns_hold_together():
    labels, x = COLUMNS["label"], COLUMNS["x"]
    for first, second in units(made("pairs", COLUMNS, match=(*SAME, match("x", within=2.0)))):
        assert labels[first] == labels[second]
        assert abs(x[first] - x[second]) <= 2


def test_roles_of_ones_own_each_meet_their_conditions_with_the_anchor():
    sampler = made("n_way", COLUMNS, others=OTHERS)
    assert sampler.roles == ("anchor", "near", "far")
    for anchor, near, far in units(sampler):
        assert abs(anchor - near) <= 4
        assert abs(anchor - far) >= 12


def test_so_many_an_epoch_takes_anchors_in_turn():
    drawn = Counter(first for first, _ in units(made("pairs", COLUMNS, match=SAME, per_epoch=100)))
    assert sum(drawn.values()) == 100
    assert set(drawn.values()) == {2, 3}


def test_without_shuffling_anchors_come_in_order_with_new_partners():
    sampler = made("pairs", COLUMNS, match=SAME, shuffle=False)
    assert [first for first, _ in units(sampler)] == list(range(40))
    assert units(sampler, 0) != units(sampler, 1)


def test_closeness_weighs_pairs_by_their_distance():
    x = COLUMNS["x"]
    sampler = made("pairs", COLUMNS, match=(match("x", within=2.0),), closeness=True, share=0.5)
    for (first, second), weight in zip(units(sampler), weights(sampler), strict=True):
        apart = abs(x[first] - x[second])
        assert weight == pytest.approx(1 - apart / 2 if apart <= 2 else 1, abs=1e-6)


def test_the_weight_of_a_pair_is_the_product_of_its_rows():
    weigh = np.arange(40.0)
    sampler = made("pairs", COLUMNS | {"w": weigh}, match=SAME, weight="w")
    assert weights(sampler) == [weigh[first] * weigh[second] for first, second in units(sampler)]


def test_rows_without_a_match_are_told_by_their_ids_and_the_others_are_served():
    columns = {"label": np.array([0, 0, 1, 2]), "x": np.array([0.0, 0.1, np.nan, 9.0])}
    sampler = made("pairs", columns, match=NEAR)
    (found,) = sampler.diagnostics
    assert (found.code, found.severity) == ("undrawn-rows", "warning")
    assert found.message == (
        "the sampler `s`: of 4 rows, 1 lacks a value in a column of its conditions (`2`), 1 lacks a match (`3`)"
    )
    assert sorted(units(sampler)) == [(0, 1), (1, 0)]


def test_no_match_at_all_is_refused():
    found = refused("nothing-to-draw", "triplets", {"label": [0, 1, 2]}, match=SAME)
    assert found.message == "the sampler `s`: no row has a match"
    refused("nothing-to-draw", "triplets", {"label": [0, 0, 0]}, match=SAME)
    refused("nothing-to-draw", "n_way", {"label": [0, 0, 0, 1]}, by="label", n_way=2, k_shot=2)


def test_distances_between_texts_are_refused():
    refused("non-numeric-column", "pairs", {"x": ["a", "b"]}, match=NEAR)
    refused("ragged-shape", "pairs", {"x": np.zeros((4, 2))}, match=NEAR)


def test_distances_between_times_are_in_seconds():
    times = np.array(["2024-01-01T00:00:00", "2024-01-01T00:01:00", "2024-01-02"], "datetime64[s]")
    assert sorted(units(made("pairs", {"x": times}, match=(match("x", within=60.0),)))) == [(0, 1), (1, 0)]


@given(labels=LABELS, n_way=st.integers(2, 4), k=st.integers(1, 3), queries=st.integers(0, 3), seed=st.integers(0, 99))
def test_an_episode_has_so_many_different_rows_of_so_many_different_classes(labels, n_way, k, queries, seed):
    able = {label for label, count in Counter(labels).items() if count >= k + queries}
    if len(able) < n_way:
        return
    streams = ("support", "query") if queries else ("",)
    options = {"n_way": n_way, "k_shot": k, "n_queries": queries, "streams": streams, "per_epoch": 12}
    sampler = made("n_way", {"label": labels}, by="label", seed=seed, **options)
    drawn = list(zip(*all_streams(sampler, 0), strict=True))
    assert len(drawn) == 12
    for episode in drawn:
        rows = [row for stream in episode for row in stream]
        assert len(set(rows)) == len(rows) == n_way * (k + queries)
        classes = [[labels[row] for row in stream] for stream in episode]
        assert classes[0][::k] == list(dict.fromkeys(classes[0]))
        assert classes[0] == [label for label in classes[0][::k] for _ in range(k)]
        assert set(classes[0]) <= able
        if queries:
            assert classes[1] == [label for label in classes[0][::k] for _ in range(queries)]
    taken = Counter(labels[row] for (support, *_) in drawn for row in support[::k])
    in_lap = len(able) // n_way * n_way
    assert max(taken.values()) <= -(-12 * n_way // in_lap)


def test_episodes_are_as_many_as_the_rows_fill_and_small_classes_are_told():
    sampler = made("n_way", {"label": [0] * 9 + [1] * 9 + [2] * 2}, by="label", n_way=2, k_shot=3)
    assert sampler.sizes() == [6, 6, 6]
    (found,) = sampler.diagnostics
    assert "1 of 3 classes have fewer than 3 rows and are never drawn: `2`" in found.message


def test_two_samplers_of_one_phase_draw_apart():
    """What feeds two branches of a graph is not paired by chance in the same way each epoch."""
    first, second = (make_sampler(replace(plan("simple"), name=name), {}, 40, 0, "train") for name in "ab")
    assert units(first) != units(second)
