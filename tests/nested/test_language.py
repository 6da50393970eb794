"""`cv.inner`: what can be wrong with it is found before anything runs, at its line."""

from __future__ import annotations

import pytest

from nested.tables import CV, SWEEP, spec
from runexp.api.checking import check
from runexp.api.deep import check_deep
from runexp.diagnostics import SpecError
from runexp.runtime.folds.divide import divide_folds

WRONG = [
    pytest.param("{folds: 2, inner: {folds: 1}}", SWEEP, "wrong-value", "cv.inner.folds", id="one inner fold"),
    pytest.param(CV, "null", "missing-key", "cv.inner", id="nothing to choose"),
    pytest.param(
        CV, SWEEP.replace("score.accuracy", "score.acuracy"), "unknown-number", "sweep.objective", id="no such number"
    ),
    pytest.param(
        CV,
        SWEEP.replace("score.accuracy", "{score.accuracy: max, score.f1_macro: max}"),
        "exclusive-keys",
        "sweep.objective",
        id="several objectives",
    ),
    pytest.param(
        CV,
        SWEEP.replace("vars.neighbours: [1, 9]", "seed: [1, 2]"),
        "exclusive-keys",
        "sweep.parameters.seed",
        id="seed",
    ),
    pytest.param(
        CV.replace("folds: 2", "folds: 2, execution: vectorized", 1),
        SWEEP,
        "exclusive-keys",
        "cv.execution",
        id="stacked",
    ),
    pytest.param(
        CV.replace("folds: 2", "folds: 2, execution: processes", 1),
        SWEEP.replace("{sampler", "{execution: processes, sampler"),
        "exclusive-keys",
        "sweep.execution",
        id="processes in processes",
    ),
    pytest.param(
        "{folds: 2, data: {t: {}}, inner: {data: {t: {group_by: grup}}}}",
        SWEEP,
        "unknown-column",
        "cv.inner.data.t.group_by",
        id="no such column",
    ),
    pytest.param(
        "{folds: 2, data: {t: {group_by: group}}, inner: {folds: {use: k_fold}}}",
        SWEEP,
        "exclusive-keys",
        "cv.inner.folds",
        id="a splitter that parts groups",
    ),
    pytest.param(
        "{folds: 2, inner: {folds: {use: leave_one_group_out}}}",
        SWEEP,
        "missing-key",
        "cv.inner.folds",
        id="a splitter without its groups",
    ),
    pytest.param(
        "{folds: 2, data: {t: {group_by: group}}, inner: {data: {t: {column: id}}}}",
        SWEEP,
        "exclusive-keys",
        "cv.inner.data.t.column",
        id="a column that could part groups",
    ),
    pytest.param("{folds: 2, inner: {of: 2}}", SWEEP, "wrong-value", "cv.inner.of", id="no such fold"),
    pytest.param("{folds: 2, inner: {of: refit}}", SWEEP, "wrong-value", "cv.inner.of", id="no refit"),
    pytest.param("{folds: 2, inner: {rows: abc}}", SWEEP, "missing-key", "cv.inner.rows", id="rows of no fold"),
    pytest.param(
        "{folds: 2, data: {t: {}}, inner: {data: {u: {}}}}",
        SWEEP,
        "unknown-feature-set",
        "cv.inner.data.u",
        id="no such feature set",
    ),
]


@pytest.mark.parametrize(("cv", "sweep", "code", "path"), WRONG)
def test_a_mistake_of_inner_folds_is_one_diagnostic_at_its_line(tmp_path, cv, sweep, code, path):
    """S-45, S-48."""
    found = [one for one in check(spec(tmp_path, cv, sweep)).diagnostics if one.is_error]
    assert [one.path for one in found] == [path]
    assert found[0].code == code
    assert found[0].span.line in (20, 21)


@pytest.mark.parametrize(
    ("cv", "code", "words"),
    [
        ("{folds: 3, data: {t: {group_by: group}}, inner: {folds: 9}}", "bad-folds", "9 groups, and `group` has 8"),
        ("{folds: 2, data: {t: {stratify_by: kind}}, inner: {folds: 20}}", "bad-folds", "the rarest of `kind` has 12"),
        ("{folds: {use: shuffle_split, with: {n_splits: 3}}, inner: {of: 3}}", "wrong-value", "there is no fold 3"),
        ("{folds: 2, inner: {of: 1, rows: other}}", "wrong-value", "fold 1 holds out other rows"),
    ],
    ids=["groups", "classes", "fold", "rows"],
)
def test_inner_folds_that_the_rows_do_not_give_are_refused_before_anything_runs(tmp_path, cv, code, words):
    """S-45."""
    checked = check(spec(tmp_path, cv, "null" if "of:" in cv else SWEEP))
    with pytest.raises(SpecError) as refused:
        divide_folds(checked.linked, folder=tmp_path)
    (found,) = refused.value.diagnostics
    assert (found.code, found.path) == (code, "cv.inner")
    assert words in found.message


def test_validate_deep_finds_inner_folds_that_cannot_be(tmp_path):
    """S-45."""
    found = check_deep(check(spec(tmp_path, CV.replace("inner: {folds: 2}", "inner: {folds: 20}")))).checked.diagnostics
    assert [(one.code, one.span.line) for one in found] == [("bad-folds", 20)]
