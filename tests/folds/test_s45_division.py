"""Which rows a fold learns from and which it holds out (S-45)."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from folds.tables import N_ROWS, divided, spec, write_table
from runexp.api.checking import check
from runexp.diagnostics import SpecError
from runexp.runtime.folds.divide import divide_folds

KINDS = np.array([0 if row % 6 < 3 else 1 if row % 6 < 5 else 2 for row in range(N_ROWS)])
GROUPS = np.arange(N_ROWS) % 10


def held_once(folds, n_rows=N_ROWS, part="val"):
    return sorted(row for fold in folds for row in fold.rows["t"][part]) == list(range(n_rows))


def test_every_row_is_held_out_once_and_never_learnt_from_in_that_fold(tmp_path):
    folds = divided(tmp_path, "{folds: 7}")
    assert len(folds) == 7
    assert held_once(folds)
    for fold in folds:
        assert sorted([*fold.rows["t"]["train"], *fold.rows["t"]["val"]]) == list(range(N_ROWS))
        assert (fold.n_train, fold.n_held_out) == (len(fold.rows["t"]["train"]), len(fold.rows["t"]["val"]))


def test_folds_obey_the_seed_and_only_the_seed(tmp_path):
    first, again = divided(tmp_path, "{folds: 4}"), divided(tmp_path, "{folds: 4}")
    path = spec(tmp_path, "{folds: 4}")
    path.write_text(path.read_text().replace("seed: 3", "seed: 4"))
    other = divide_folds(check(path).linked, folder=tmp_path).folds
    rows = [[tuple(fold.rows["t"]["val"]) for fold in folds] for folds in (first, again, other)]
    assert rows[0] == rows[1]
    assert rows[0] != rows[2]


def test_without_shuffle_the_folds_are_those_of_scikit_learn_in_the_order_of_the_rows(tmp_path):
    folds = divided(tmp_path, "{folds: 3, shuffle: false}")
    assert [list(fold.rows["t"]["val"]) for fold in folds] == [list(range(i, i + 20)) for i in (0, 20, 40)]


def test_classes_keep_their_proportions(tmp_path):
    folds = divided(tmp_path, "{folds: 5, data: {t: {stratify_by: kind}}}")
    assert held_once(folds)
    assert all(Counter(KINDS[fold.rows["t"]["val"]]) == {0: 6, 1: 4, 2: 2} for fold in folds)


@pytest.mark.parametrize("stratify", ["", ", stratify_by: kind"], ids=["grouped", "stratified and grouped"])
def test_groups_never_straddle(tmp_path, stratify):
    folds = divided(tmp_path, f"{{folds: 5, data: {{t: {{group_by: group{stratify}}}}}}}")
    assert held_once(folds)
    for fold in folds:
        assert not set(GROUPS[fold.rows["t"]["train"]]) & set(GROUPS[fold.rows["t"]["val"]])


def test_repeats_are_other_folds_of_the_same_rows(tmp_path):
    folds = divided(tmp_path, "{folds: 3, repeats: 2}")
    assert [fold.name for fold in folds] == ["repeat 0"] * 3 + ["repeat 1"] * 3
    assert held_once(folds[:3]) and held_once(folds[3:])
    assert {tuple(fold.rows["t"]["val"]) for fold in folds[:3]} != {tuple(fold.rows["t"]["val"]) for fold in folds[3:]}


def test_each_group_is_left_out_once_and_gives_the_fold_its_name(tmp_path):
    folds = divided(tmp_path, "{folds: {use: leave_one_group_out}, data: {t: {group_by: group}}}")
    assert [fold.name for fold in folds] == [f"group g{number}" for number in range(10)]
    assert held_once(folds)


def test_p_rows_are_left_out_in_every_way(tmp_path):
    write_table(tmp_path, 7)
    folds = divided(tmp_path, "{folds: {use: leave_p_out, with: {p: 2}}}")
    assert len({tuple(fold.rows["t"]["val"]) for fold in folds}) == len(folds) == 21


def test_more_folds_than_anyone_waits_for_are_refused(tmp_path):
    with pytest.raises(SpecError, match="34,220 folds are more than 10,000"):
        divided(tmp_path, "{folds: {use: leave_p_out, with: {p: 3}}}")


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        pytest.param("", [10, 20, 30, 40, 50], id="expanding"),
        pytest.param(", max_train_size: 15", [10, 15, 15, 15, 15], id="sliding"),
        pytest.param(", gap: 4", [6, 16, 26, 36, 46], id="a gap between"),
    ],
)
def test_a_series_is_held_out_after_what_it_is_learnt_from(tmp_path, options, sizes):
    """The time of the table runs backwards: the rows of a fold follow the column, not the file."""
    cv = f"{{folds: {{use: time_series, with: {{n_splits: 5{options}}}}}, data: {{t: {{order_by: time}}}}}}"
    folds = divided(tmp_path, cv)
    time = N_ROWS - np.arange(N_ROWS)
    assert [fold.n_train for fold in folds] == sizes
    gap = 4 if "gap" in options else 0
    for fold in folds:
        train, held = fold.rows["t"]["train"], fold.rows["t"]["val"]
        assert time[train].max() + gap < time[held].min()


def test_the_inner_part_of_a_series_is_its_last_rows(tmp_path):
    cv = "{folds: {use: time_series, with: {n_splits: 3}}, data: {t: {order_by: time, val_size: 0.2}}}"
    time = N_ROWS - np.arange(N_ROWS)
    for fold in divided(tmp_path, cv, held_out="test", watched="val"):
        rows = fold.rows["t"]
        assert time[rows["train"]].max() < time[rows["val"]].min()
        assert time[rows["val"]].max() < time[rows["test"]].min()


def test_a_column_gives_the_folds_and_rows_without_a_value_are_always_learnt_from(tmp_path):
    folds = divided(tmp_path, "{data: {t: {column: fold}}}")
    assert [fold.name for fold in folds] == ["fold 0", "fold 1", "fold 2", "fold 3"]
    for number, fold in enumerate(folds):
        assert list(fold.rows["t"]["val"]) == [row for row in range(3, N_ROWS) if row % 4 == number]
        assert {0, 1, 2} <= set(fold.rows["t"]["train"])


def test_the_inner_part_comes_from_what_a_fold_learns_from_by_the_same_rules(tmp_path):
    cv = "{folds: 5, data: {t: {group_by: group, stratify_by: kind, val_size: 0.25}}}"
    folds = divided(tmp_path, cv, held_out="test", watched="val")
    assert held_once(folds, part="test")
    for fold in folds:
        parts = [set(GROUPS[fold.rows["t"][part]]) for part in ("train", "val", "test")]
        assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
        assert sum(len(rows) for rows in fold.rows["t"].values()) == N_ROWS


def test_what_is_not_pooled_stays_as_it_is(tmp_path):
    folds = divided(tmp_path, "{folds: 4, data: {t: {pool: [train, val]}}}", splits="{column: part}")
    test = [row for row in range(N_ROWS) if row % 10 == 9]
    assert all(list(fold.rows["t"]["test"]) == test for fold in folds)
    pooled = sorted(row for fold in folds for row in fold.rows["t"]["val"])
    assert pooled == [row for row in range(N_ROWS) if row % 10 != 9]


def test_the_splits_called_like_the_parts_are_pooled_where_nothing_is_said(tmp_path):
    folds = divided(tmp_path, "{folds: 4}", splits="{column: part}")
    assert set(folds[0].rows["t"]) == {"train", "val", "test"}
    assert sum(fold.n_held_out for fold in folds) == 54


def test_parts_of_a_split_that_is_pooled_do_not_survive(tmp_path):
    """They hold rows that a fold holds out."""
    splits = "{train: 0.8, test: 0.2, within: {train: {fit: 0.5, rest: 0.5}}}"
    folds = divided(tmp_path, "{folds: 2, data: {t: {pool: [train]}}}", splits=splits)
    assert set(folds[0].rows["t"]) == {"train", "val", "test"}
    checked = check(spec(tmp_path, "{folds: 2, data: {t: {pool: [train]}}}", splits=splits, held_out="fit"))
    assert [found.code for found in checked.diagnostics] == ["unknown-split"]


def test_a_splitter_is_given_a_seed_of_the_experiment_where_it_has_none(tmp_path):
    cv = "{folds: {use: shuffle_split, with: {n_splits: 3, test_size: 0.2}}}"
    first, again = divided(tmp_path, cv), divided(tmp_path, cv)
    assert [list(fold.rows["t"]["val"]) for fold in first] == [list(fold.rows["t"]["val"]) for fold in again]
    assert [fold.n_held_out for fold in first] == [12, 12, 12]


OTHER = """
  u:
    source: other.csv
    features: {z: z}
    tags: {id: id, group: group}
"""


def two_sets(folder, cv, rows):
    """A second set, whose rows stand in another order and need not be all of the first's."""
    path = spec(folder, cv)
    path.write_text(path.read_text().replace("nodes:", f"{OTHER.strip(chr(10))}\nnodes:", 1))
    lines = [f"r{row},{row}.5,g{row % 10}" for row in rows]
    (folder / "other.csv").write_text("\n".join(["id,z,group", *lines]) + "\n")
    return path


def test_sets_are_folded_together_by_their_ids(tmp_path):
    rows = [*range(N_ROWS - 1, -1, -1), *range(N_ROWS, N_ROWS + 5)]
    path = two_sets(tmp_path, "{folds: 4, data: {t: {}, u: {}}}", rows)
    folds = divide_folds(check(path).linked, folder=tmp_path).folds
    for fold in folds:
        ids = {part: {rows[row] for row in fold.rows["u"][part]} for part in ("train", "val")}
        assert {row for row in ids["val"] if row < N_ROWS} == set(fold.rows["t"]["val"])
        assert {row for row in ids["train"] if row < N_ROWS} == set(fold.rows["t"]["train"])
    held = sorted(rows[row] for fold in folds for row in fold.rows["u"]["val"])
    assert held == list(range(N_ROWS + 5))


def test_sets_are_folded_together_by_their_groups(tmp_path):
    path = two_sets(tmp_path, "{folds: 5, data: {t: {group_by: group}, u: {group_by: group}}}", range(15))
    for fold in divide_folds(check(path).linked, folder=tmp_path).folds:
        for part in ("train", "val"):
            assert set(fold.rows["u"][part] % 10) == set(GROUPS[fold.rows["t"][part]])


REFUSED = [
    pytest.param("{folds: 11, data: {t: {group_by: group}}}", "bad-folds", "11 folds need 11 groups", id="groups"),
    pytest.param("{folds: 11, data: {t: {stratify_by: kind}}}", "bad-folds", "rarest of `kind` has 10", id="classes"),
    pytest.param("{folds: 61}", "bad-folds", "61 folds need as many rows", id="rows"),
    pytest.param("{folds: 3, data: {t: {column: fold}}}", "wrong-value", "`fold` has 4 values", id="column"),
    pytest.param("{folds: {use: time_series, with: {n_splits: 80}}}", "bad-folds", "cannot be divided", id="series"),
    pytest.param("{data: {t: {group_by: fold}}}", "missing-values", "`fold` has no value in row 0", id="missing"),
    pytest.param("{data: {t: {val_size: 0.001}}}", "empty-split", "`val` of fold 0 gets no rows", id="inner part"),
]


@pytest.mark.parametrize(("cv", "code", "message"), REFUSED)
def test_what_cannot_be_divided_is_refused_where_it_is_written(tmp_path, cv, code, message):
    checked = check(spec(tmp_path, cv, held_out="test" if "val_size" in cv else "val"))
    assert checked.is_valid, checked.diagnostics
    with pytest.raises(SpecError) as refused:
        divide_folds(checked.linked, folder=tmp_path)
    (found,) = refused.value.diagnostics
    assert found.code == code
    assert message in found.message
    assert found.span is not None and found.span.line == 25


@given(
    groups=st.lists(st.integers(0, 8), min_size=12, max_size=60).filter(lambda codes: len(set(codes)) >= 4),
    n_folds=st.integers(2, 4),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=30, deadline=None)
def test_any_groups_are_kept_whole_and_held_out_once(tmp_path_factory, groups, n_folds, seed):
    folder = tmp_path_factory.mktemp("groups")
    lines = [f"{row},{group}" for row, group in enumerate(groups)]
    (folder / "table.csv").write_text("\n".join(["x,g", *lines]) + "\n")
    path = folder / "spec.yaml"
    path.write_text(
        f"runexp: 1\nname: a\nseed: {seed}\ndata: {{t: {{source: table.csv, features: {{x: x}}, targets: {{y: g}}}}}}\n"
        "nodes: {head: {inputs: t.x, use: torch.nn.Linear, with: {out_features: 9}}}\n"
        "phases: {score: {kind: eval, split: val, losses: [{node: head, use: cross_entropy}]}}\n"
        f"cv: {{folds: {n_folds}, data: {{t: {{group_by: g}}}}}}\n"
    )
    folds = divide_folds(check(path).linked, folder=folder).folds
    assert held_once(folds, len(groups))
    codes = np.array(groups)
    for fold in folds:
        assert not set(codes[fold.rows["t"]["train"]]) & set(codes[fold.rows["t"]["val"]])
