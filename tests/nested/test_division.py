"""What a fold learns from, divided once more: nothing of its held-out rows is in any inner part."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold

from nested.tables import N_ROWS, spec
from runexp.api.checking import check
from runexp.runtime.folds.divide import divide_folds

OUTER = st.sampled_from(
    [
        "folds: 3, data: {t: {group_by: group}}",
        "folds: 3, data: {t: {stratify_by: kind}}",
        "folds: 2, data: {t: {stratify_by: kind, group_by: group, val_size: 0.3}}, phases: [fit]",
        "folds: 2, repeats: 2, new_seed: true",
        "folds: {use: time_series, with: {n_splits: 3}}, data: {t: {order_by: x0}}",
        "folds: {use: leave_p_groups_out, with: {n_groups: 5}}, data: {t: {group_by: group}}",
        "folds: {use: shuffle_split, with: {n_splits: 2, test_size: 0.4}}, refit: true",
    ]
)


def folds_of(text, folder):
    return divide_folds(check(spec(folder, text, "null")).linked, folder=Path(folder))


def inner_of(outer):
    return "shuffle: false, folds: 3" if "order_by" in outer else "folds: 3"


@settings(max_examples=5, deadline=None)
@given(outer=OUTER, which=st.integers(0, 1))
def test_no_inner_part_has_a_row_that_its_fold_holds_out_and_no_group_is_on_both_sides(outer, which):
    """S-45: whatever divides the rows, outside and inside."""
    with TemporaryDirectory() as folder:
        fold = folds_of(f"{{{outer}}}", folder).folds[which]
        inside = folds_of(f"{{{outer}, inner: {{{inner_of(outer)}, of: {which}, rows: '{fold.digest}'}}}}", folder)
    rows = fold.rows["t"]
    held = next(part for name, part in rows.items() if name == ("test" if "val" in rows and len(rows) > 2 else "val"))
    learnt = np.setdiff1d(np.concatenate(list(rows.values())), held)
    assert len(inside.folds) == 3
    assert inside.refit is None
    for one in inside.folds:
        parts = one.rows["t"]
        everything = np.concatenate(list(parts.values()))
        assert len(np.unique(everything)) == len(everything)
        assert set(everything) <= set(learnt)
        if "order_by" not in outer:
            assert set(everything) == set(learnt)
        if "group_by" in outer:
            groups = [set(part // 4) for part in parts.values()]
            assert sum(map(len, groups)) == len(set.union(*groups))


def test_inner_folds_are_each_fold_s_own_and_the_same_whenever_they_are_made(tmp_path):
    """S-47, S-50."""

    def held(of):
        found = folds_of(f"{{folds: 2, inner: {{folds: 2, of: {of}}}}}", tmp_path)
        return [tuple(fold.rows["t"]["val"]) for fold in found.folds]

    assert held(0) == held(0)
    assert set(sum(held(0), ())).isdisjoint(sum(held(1), ()))
    assert len(set(sum(held(0), ()) + sum(held(1), ()))) == N_ROWS


def test_the_refit_is_divided_as_a_whole(tmp_path):
    """S-45."""
    found = folds_of("{folds: 2, refit: true, inner: {folds: 3, of: refit}}", tmp_path)
    assert sorted(np.concatenate([fold.rows["t"]["val"] for fold in found.folds])) == list(range(N_ROWS))


def test_a_column_divides_inside_where_it_says_so(tmp_path):
    """S-45: values that no row inside of a fold has are no fold."""
    data = "data: {t: {stratify_by: kind}}"
    found = folds_of(f"{{folds: 2, {data}, inner: {{data: {{t: {{column: group}}}}, of: 0}}}}", tmp_path)
    assert len(found.folds) == 12
    assert all(len(set(fold.rows["t"]["val"] // 4)) == 1 for fold in found.folds)


def test_inner_rows_are_those_of_scikit_learn(tmp_path):
    """S-45: rows keep their order inside of a fold, as `GridSearchCV` is given them."""
    splitter = "{use: k_fold, with: {n_splits: 3, shuffle: true, random_state: 7}}"
    found = folds_of(f"{{folds: {splitter}, inner: {{folds: {splitter}, of: 1}}}}", tmp_path)
    learnt = list(KFold(3, shuffle=True, random_state=7).split(range(N_ROWS)))[1][0]
    expected = [learnt[held] for _, held in KFold(3, shuffle=True, random_state=7).split(learnt)]
    assert [list(fold.rows["t"]["val"]) for fold in found.folds] == [sorted(part) for part in expected]


@pytest.mark.parametrize("of", [0, 1])
def test_a_fold_with_new_seeds_gives_its_inner_folds_seeds_of_their_own(tmp_path, of):
    """S-50."""
    found = folds_of(f"{{folds: 2, new_seed: true, inner: {{folds: 2, of: {of}}}}}", tmp_path)
    other = folds_of(f"{{folds: 2, new_seed: true, inner: {{folds: 2, of: {1 - of}}}}}", tmp_path)
    assert len({fold.seed for fold in (*found.folds, *other.folds)}) == 4
