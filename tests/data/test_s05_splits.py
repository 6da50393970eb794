"""S-05: splits are disjoint, cover, keep what they are told to keep, and obey the seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from data.plans import (
    build,
    csv_file,
    features,
    file,
    made,
    parquet_file,
    plan,
    refused,
    shared,
    splits,
    tag,
    target,
    the_one,
)
from runexp.runtime.data.shares import counts_of, divide_grouped, divide_plain, divide_stratified
from runexp.runtime.seeds import derive_seed

SPLITS = "data.d.splits"
SHARES = st.lists(st.integers(1, 20), min_size=1, max_size=5).map(lambda parts: [part / sum(parts) for part in parts])
CODES = st.lists(st.integers(0, 6), min_size=1, max_size=120).map(
    lambda codes: np.unique(codes, return_inverse=True)[1]
)
SEEDS = st.integers(0, 2**32)


def disjoint_and_covering(parts, n_rows):
    return sorted(np.concatenate(parts).tolist()) == list(range(n_rows))


@given(n_rows=st.integers(0, 500), shares=SHARES)
def test_counts_add_up_and_are_within_one_of_their_share(n_rows, shares):
    counts = counts_of(n_rows, shares)
    assert counts.sum() == n_rows
    assert np.all(np.abs(counts - np.asarray(shares) * n_rows) < 1)


@pytest.mark.parametrize(
    ("n_rows", "shares", "counts"),
    [(10, [0.7, 0.15, 0.15], [7, 2, 1]), (150, [0.7, 0.15, 0.15], [105, 23, 22]), (3, [0.5, 0.5], [2, 1])],
)
def test_the_largest_remainder_gets_the_row_left_over(n_rows, shares, counts):
    assert counts_of(n_rows, shares).tolist() == counts


@given(n_rows=st.integers(1, 300), shares=SHARES, seed=SEEDS)
def test_plain_splits_are_disjoint_cover_and_keep_the_order_of_the_source(n_rows, shares, seed):
    parts = divide_plain(n_rows, shares, np.random.default_rng(seed))
    assert disjoint_and_covering(parts, n_rows)
    assert all(np.all(np.diff(part) > 0) for part in parts)


@given(codes=CODES, shares=SHARES, seed=SEEDS)
def test_stratified_splits_are_within_one_row_a_class_of_proportional(codes, shares, seed):
    parts = divide_stratified(codes, shares, np.random.default_rng(seed))
    assert disjoint_and_covering(parts, len(codes))
    for code, size in enumerate(np.bincount(codes)):
        held = np.array([np.count_nonzero(codes[part] == code) for part in parts])
        assert np.all(np.abs(held - np.asarray(shares) * size) < 1)


def test_stratified_splits_have_the_right_sizes_too():
    parts = divide_stratified(np.repeat(np.arange(20), 10), [0.7, 0.15, 0.15], np.random.default_rng(0))
    assert [len(part) for part in parts] == [140, 30, 30]


@given(codes=CODES, shares=SHARES, seed=SEEDS)
def test_groups_never_straddle_and_no_part_is_over_full_by_more_than_a_group(codes, shares, seed):
    parts = divide_grouped(codes, shares, np.random.default_rng(seed))
    assert disjoint_and_covering(parts, len(codes))
    owners = [set(codes[part].tolist()) for part in parts]
    assert sum(len(groups) for groups in owners) == len(np.unique(codes))
    largest = np.bincount(codes).max()
    assert all(len(part) <= share * len(codes) + largest + 1e-6 for part, share in zip(parts, shares, strict=True))


@given(codes=CODES, shares=SHARES, seed=SEEDS)
def test_no_part_is_empty_where_there_are_groups_enough(codes, shares, seed):
    assume(len(np.unique(codes)) >= len(shares))
    assert all(len(part) for part in divide_grouped(codes, shares, np.random.default_rng(seed)))


WAYS = {
    "plain": splits("shares", train=0.6, test=0.4),
    "stratified": splits("shares", by="g", train=0.6, test=0.4),
    "grouped": splits("shares", groups="g", train=0.6, test=0.4),
}


def grouped_table(folder):
    rows = "".join(f"{i},g{i * i % 23},{i % 3}\n" for i in range(200))
    return csv_file(folder, "a,g,c\n" + rows)


@pytest.mark.parametrize("way", WAYS)
def test_every_split_obeys_the_seed(tmp_path, way):
    data = plan(grouped_table(tmp_path), features("a"), splits=WAYS[way])
    drawn = [build(data, seed=seed).splits["train"].tolist() for seed in range(8)]
    again = [build(data, seed=seed).splits["train"].tolist() for seed in range(8)]
    assert drawn == again
    assert len({tuple(rows) for rows in drawn}) >= 6


def test_groups_of_a_column_or_a_key_stay_together_near_their_shares(tmp_path):
    source = grouped_table(tmp_path)
    by_column = build(plan(source, features("a"), splits=WAYS["grouped"]))
    by_key = build(
        plan(
            source,
            features("a"),
            tag("g", name="k"),
            splits=splits("shares", groups="k", train=0.6, test=0.4),
        )
    )
    assert by_column.splits["train"].tolist() == by_key.splits["train"].tolist()
    groups = by_key.raw("k")
    assert not set(groups[by_key.splits["train"]]) & set(groups[by_key.splits["test"]])
    assert 100 <= len(by_key.splits["train"]) <= 140


def test_real_groups_stay_together():
    source = file(shared("hppc", "hppc.csv.gz"))
    way = splits("shares", groups="cell", train=0.7, val=0.15, test=0.15)
    rows = build(plan(source, features("v*"), tag("cell"), splits=way))
    owners = [set(rows.raw("t")[part]) for part in rows.splits.values()]
    assert sum(map(len, owners)) == len(set.union(*owners))


def test_one_split_holds_all_rows_where_none_are_asked_for():
    rows = build(plan(made("load_iris"), features("sepal*")))
    assert {name: len(part) for name, part in rows.splits.items()} == {"all": 150}


def test_a_column_names_the_split_of_each_row_and_a_row_without_a_name_is_in_none(tmp_path):
    source = csv_file(tmp_path, "a,s\n1,val\n2,train\n3,\n4,val\n")
    rows = build(plan(source, features("a"), splits=splits("column", column="s")))
    assert {name: part.tolist() for name, part in rows.splits.items()} == {"val": [0, 3], "train": [1]}
    assert list(rows.splits) == ["val", "train"]


@pytest.mark.parametrize("values", [[1, 0, None], [1.0, 0.0, None], ["1", "0", None]])
def test_the_numbers_of_folds_are_names_too(tmp_path, values):
    source = parquet_file(tmp_path, {"a": [1, 2, 3], "fold": values})
    rows = build(plan(source, features("a"), splits=splits("column", column="fold")))
    assert {name: part.tolist() for name, part in rows.splits.items()} == {"1": [0], "0": [1]}


def test_an_order_divides_from_first_to_last(tmp_path):
    source = csv_file(tmp_path, "a,day\n1,2024-03-01\n2,2024-01-01\n3,2024-02-01\n4,2024-01-01\n")
    by_time = build(plan(source, features("a"), splits=splits("order", column="day", train=0.5, test=0.5)))
    by_file = build(plan(source, features("a"), splits=splits("order", train=0.5, test=0.5)))
    assert {name: part.tolist() for name, part in by_time.splits.items()} == {"train": [1, 3], "test": [0, 2]}
    assert {name: part.tolist() for name, part in by_file.splits.items()} == {"train": [0, 1], "test": [2, 3]}


@pytest.mark.parametrize(
    ("way", "code", "says"),
    [
        pytest.param(splits("shares", train=0.7, test=0.2), "bad-shares", "add up to 0.9", id="too little"),
        pytest.param(splits("shares", train=0.7, test=0.4), "bad-shares", "add up to 1.1", id="too much"),
        pytest.param(
            splits("shares", train=0.99, test=0.01),
            "empty-split",
            "split `test` gets no rows of 4",
            id="empty",
        ),
        pytest.param(splits("shares", groups="one", train=0.5, test=0.5), "empty-split", "`test`", id="one group"),
        pytest.param(splits("shares", by="z", train=0.5, test=0.5), "unknown-column", "needs", id="unknown column"),
        pytest.param(splits("shares", by="s", train=0.5, test=0.5), "missing-values", "row 2 (line 4)", id="no class"),
        pytest.param(splits("order", column="s", train=0.5, test=0.5), "missing-values", "row 2", id="no time"),
        pytest.param(splits("column", column="none"), "empty-split", "names no split", id="no names"),
        pytest.param(splits("column", column="s", groups="g"), "group-straddle", "group `1` of `g`", id="straddle"),
    ],
)
def test_splits_that_cannot_be_made_are_located(tmp_path, way, code, says):
    source = csv_file(tmp_path, "a,s,g,one,none\n1,u,1,1,\n2,v,1,1,\n3,,2,1,\n4,u,2,1,\n")
    found = the_one(refused(plan(source, features("a"), target("a"), splits=way)), code, SPLITS)
    assert says.replace("needs", "need") in found.message


def test_a_share_of_nothing_may_be_empty():
    rows = build(plan(made("load_iris"), features("sepal*"), splits=splits("shares", train=1.0, test=0.0)))
    assert {name: len(part) for name, part in rows.splits.items()} == {"train": 150, "test": 0}


def test_seeds_differ_by_every_part_and_fit_in_63_bits():
    seeds = {derive_seed(*parts) for parts in [(1,), (2,), ("1",), (1, "split"), (1, "split", "d"), (1, "spl", "itd")]}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed(7, "split", "digits") == derive_seed(7, "split", "digits")
