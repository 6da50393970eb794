"""S-05: classes and whole groups at once, quantiles, splits divided again, gaps in time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from data.plans import misread, miswritten, read
from runexp.api.checking import check
from runexp.runtime.data import membership
from runexp.runtime.data.shares import divide_grouped, divide_ordered, divide_stratified_grouped

SEEDS = st.integers(0, 2**32)
SHARES = st.lists(st.integers(1, 20), min_size=1, max_size=5).map(lambda parts: [part / sum(parts) for part in parts])
ROWS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=150).map(
    lambda rows: tuple(np.unique(column, return_inverse=True)[1] for column in np.asarray(rows).T)
)


def covers(parts, n_rows):
    return np.array_equal(np.sort(np.concatenate(parts)), np.arange(n_rows))


@given(rows=ROWS, shares=SHARES, seed=SEEDS)
def test_s05_groups_stay_whole_where_classes_are_kept_too(rows, shares, seed):
    groups, codes = rows
    parts = divide_stratified_grouped(codes, groups, shares, np.random.default_rng(seed))
    assert covers(parts, len(codes))
    owners = [set(groups[part].tolist()) for part in parts]
    assert sum(map(len, owners)) == len(np.unique(groups))
    if len(np.unique(groups)) >= len(shares):
        assert all(len(part) for part in parts)


@given(seed=SEEDS, n_groups=st.integers(20, 60))
def test_s05_single_row_groups_are_divided_as_rows_are_within_one_row_a_class_and_part(seed, n_groups):
    codes = np.random.default_rng(seed).integers(0, 2, n_groups)
    assume(len(np.unique(codes)) == 2)
    parts = divide_stratified_grouped(codes, np.arange(n_groups), [0.5, 0.5], np.random.default_rng(seed))
    for code in (0, 1):
        held = [np.count_nonzero(codes[part] == code) for part in parts]
        assert abs(held[0] - held[1]) <= 2


def test_s05_classes_are_kept_far_better_than_by_groups_alone():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 10)
    codes = (np.repeat(rng.random(60), 10) < 0.25).astype(int)

    def error(parts):
        return max(abs(codes[part].mean() - codes.mean()) for part in parts)

    shares = [0.6, 0.2, 0.2]
    both = [error(divide_stratified_grouped(codes, groups, shares, np.random.default_rng(s))) for s in range(20)]
    alone = [error(divide_grouped(groups, shares, np.random.default_rng(s))) for s in range(20)]
    assert np.mean(both) < np.mean(alone) / 3
    assert max(both) < 0.06


GROUPED = "g,kind,a,y,day\n" + "".join(
    f"g{i // 4},{'ab'[i % 4 == 0]},{i},{(i * 37) % 101 / 7:.4f},{i}\n" for i in range(200)
)
SETTING = """
source: t.csv
features: {{x: a}}
targets: {{kind: kind, y: y}}
splits: {splits}
"""


def divided(folder, splits, *, seed=1):
    return read(folder, SETTING.format(splits=splits), seed=seed, t__csv=GROUPED)


def test_s05_stratified_groups_obey_the_seed(tmp_path):
    written = "{train: 0.7, test: 0.3, stratify_by: kind, group_by: g}"
    first, again, other = (divided(tmp_path, written, seed=seed).splits["test"].tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_s05_a_split_is_divided_again_and_stays(tmp_path):
    rows = divided(tmp_path, "{train: 0.8, test: 0.2, within: {train: {fit: 0.9, inner: 0.1}}, stratify_by: kind}")
    sizes = {name: len(part) for name, part in rows.splits.items()}
    assert sizes == {"train": 160, "test": 40, "fit": 144, "inner": 16}
    inner = np.sort(np.concatenate([rows.splits["fit"], rows.splits["inner"]]))
    assert np.array_equal(inner, rows.splits["train"])
    assert abs(np.mean(rows.raw("kind")[rows.splits["inner"]]) - 0.25) < 0.07


def test_s05_parts_of_parts_keep_groups_together(tmp_path):
    written = "{train: 0.8, test: 0.2, group_by: g, within: {train: {fit: 0.8, inner: 0.2}, fit: {a: 0.5, b: 0.5}}}"
    rows = divided(tmp_path, written)
    groups = np.arange(200) // 4
    owners = [set(groups[rows.splits[name]]) for name in ("test", "inner", "a", "b")]
    assert sum(map(len, owners)) == len(set.union(*owners)) == 50


def test_s05_a_split_given_by_a_column_is_divided_again_by_shares(tmp_path):
    table = "a,part,g\n" + "".join(f"{i},{'train' if i < 40 else 'test'},{i // 4}\n" for i in range(50))
    rows = read(
        tmp_path,
        "source: t.csv\nfeatures: {x: a}\nsplits: {column: part, group_by: g, within: {train: {fit: 0.5, inner: 0.5}}}",
        t__csv=table,
    )
    groups = np.arange(50) // 4
    assert not set(groups[rows.splits["fit"]]) & set(groups[rows.splits["inner"]])


def test_s05_the_kept_table_shows_every_split_a_row_is_in(tmp_path):
    rows = divided(tmp_path, "{train: 0.8, test: 0.2, within: {train: {fit: 0.9, inner: 0.1}}}")
    (tmp_path / "splits.parquet").write_bytes(membership([rows]))
    table = pq.read_table(tmp_path / "splits.parquet").to_pylist()
    row = int(rows.splits["inner"][0])
    assert [line["split"] for line in table if line["row"] == row] == ["train", "inner"]


def test_s05_numbers_are_stratified_by_their_quantiles(tmp_path):
    rows = divided(tmp_path, "{train: 0.7, test: 0.3, stratify_by: y, stratify_bins: 5}")
    y = rows.raw("y").astype(float)
    edges = np.quantile(y, [0.2, 0.4, 0.6, 0.8])
    bins = np.searchsorted(edges, y, side="right")
    for code in range(5):
        share = np.count_nonzero(bins[rows.splits["test"]] == code) / np.count_nonzero(bins == code)
        assert abs(share - 0.3) < 0.04


def test_s05_numbers_are_no_classes_unless_they_are_cut(tmp_path):
    found = misread(tmp_path, SETTING.format(splits="{train: 0.7, test: 0.3, stratify_by: day}"), t__csv=GROUPED)
    assert (found.code, found.path) == ("wrong-value", "data.d.splits")
    assert "`day` has 200 different numbers in 200 rows" in found.message
    assert "stratify_bins" in found.help


def test_s05_words_are_not_cut_into_quantiles(tmp_path):
    written = "{train: 0.7, test: 0.3, stratify_by: g, stratify_bins: 5}"
    assert misread(tmp_path, SETTING.format(splits=written), t__csv=GROUPED).code == "wrong-value"


@given(n_rows=st.integers(0, 200), shares=SHARES, gap=st.integers(0, 12))
def test_s05_rows_of_a_gap_are_in_no_part_and_parts_follow_each_other(n_rows, shares, gap):
    parts = divide_ordered(np.arange(n_rows), shares, gap)
    held = [part for part in parts if len(part)]
    for before, after in pairwise(held):
        assert after[0] - before[-1] - 1 >= gap
    n_left = n_rows - sum(map(len, parts))
    assert n_left == min(n_rows, gap * (len(shares) - 1))


def test_s05_a_gap_keeps_days_between_training_and_test(tmp_path):
    rows = divided(tmp_path, "{order: day, train: 0.8, test: 0.2, gap: 10}")
    assert rows.splits["train"].tolist() == list(range(152))
    assert rows.splits["test"].tolist() == list(range(162, 200))
    inside = divided(tmp_path, "{order: day, train: 0.8, test: 0.2, gap: 10, within: {train: {fit: 0.5, inner: 0.5}}}")
    assert inside.splits["inner"][0] - inside.splits["fit"][-1] == 11


NESTED = """\
runexp: 1
name: nested
data:
  d:
    source: sklearn.datasets.load_diabetes
    features: {x: [age, bmi]}
    targets: {y: target}
    splits: {train: 0.8, test: 0.2, within: {train: {fit: 0.8, inner: 0.2}}}
    transforms: [{on: x, use: standard_scaler, fit_on: FITTED}]
nodes: {n: {inputs: d.x, use: torch.nn.Linear, with: {out_features: 1}}}
losses: {mse: {node: n, use: mse}}
callbacks: {val: {use: evaluation, split: inner, losses: [mse]}}
phases:
  train: {kind: train, split: TRAINED, epochs: 1, losses: [mse], optimizer: {use: sgd}, callbacks: [val]}
"""


@pytest.mark.parametrize(
    ("fitted", "trained", "says"),
    [
        pytest.param("fit", "fit", "", id="all apart"),
        pytest.param("fit", "train", "which `train` learns from", id="trained on the whole"),
        pytest.param("train", "fit", "`data.d.transforms[0]` is fitted on", id="scaled by the whole"),
    ],
)
def test_s05_a_part_of_what_was_learned_from_is_no_held_out_split(tmp_path, fitted, trained, says):
    (tmp_path / "spec.yaml").write_text(NESTED.replace("FITTED", fitted).replace("TRAINED", trained))
    found = check(tmp_path / "spec.yaml").diagnostics
    assert [one.code for one in found] == (["training-rows"] if says else [])
    assert all(says in one.message for one in found)


@pytest.mark.parametrize(
    ("splits", "code", "says"),
    [
        pytest.param("{train: 0.7, test: 0.3, gap: 3}", "missing-key", "`gap` needs `order`", id="gap without order"),
        pytest.param("{train: 0.7, test: 0.3, stratify_bins: 3}", "missing-key", "needs `stratify_by`", id="bins"),
        pytest.param("{train: 1.0, within: {trian: {a: 1.0}}}", "unknown-split", "`trian`", id="no such split"),
        pytest.param("{train: 1.0, within: {train: {a: 0.5, b: 0.4}}}", "bad-shares", "add up to 0.9", id="shares"),
        pytest.param("{train: 1.0, within: {train: {train: 1.0}}}", "name-clash", "is a split already", id="clash"),
        pytest.param("{order: day, train: 1.0, group_by: g}", "exclusive-keys", "`order` and `group_by`", id="order"),
    ],
)
def test_s05_what_cannot_be_divided_so_is_found_before_rows_are_read(tmp_path, splits, code, says):
    found = miswritten(tmp_path, SETTING.format(splits=splits), t__csv=GROUPED)
    assert found.code == code
    assert says in found.message
