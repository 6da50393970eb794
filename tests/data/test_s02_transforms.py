"""S-02, S-03: raw stays, nodes receive the transformed; fitted on one split, applied to all, inverted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import StandardScaler

from data.plans import (
    build,
    csv_file,
    features,
    file,
    made,
    parquet_file,
    plan,
    refused,
    scaled,
    shared,
    splits,
    tag,
    target,
    the_one,
    transform,
)
from runexp.diagnostics import SpecError

BY_SHARES = splits("shares", train=0.6, test=0.4)
SCALER = "sklearn.preprocessing:StandardScaler"
MINMAX = "sklearn.preprocessing:MinMaxScaler"


def wine(*transforms, keys=(), by=BY_SHARES):
    named = keys or (features("*", "-alcohol", name="x"), target("alcohol"))
    return plan(made("load_wine"), *named, splits=by, transforms=transforms)


def test_s02_raw_stays_beside_transformed_and_a_node_receives_the_transformed_alone():
    plain, rows = build(wine()), build(wine(scaled("x")))
    assert np.array_equal(rows.raw("x"), plain.raw("x"))
    assert np.array_equal(rows.array("x"), rows.transformed("x"))
    assert rows.array("x").shape == rows.raw("x").shape
    assert np.array_equal(plain.array("x"), plain.raw("x"))


def test_s03_a_transform_is_fitted_on_its_split_alone_and_applied_to_all_rows():
    rows = build(wine(scaled("x")))
    train = rows.array("x")[rows.splits["train"]]
    assert np.allclose(train.mean(axis=0), 0, atol=1e-6)
    assert np.allclose(train.std(axis=0), 1, atol=1e-5)
    assert not np.allclose(rows.array("x").mean(axis=0), 0, atol=1e-3)


def test_s03_rows_outside_of_the_split_do_not_leak_into_the_fit(tmp_path):
    table = "a,s\n1,train\n3,train\n{last},test\n"
    by = splits("column", column="s")
    near, far = (
        build(
            plan(
                csv_file(tmp_path, table.format(last=value)),
                features("a"),
                splits=by,
                transforms=(scaled("x"),),
            )
        )
        for value in (5, 5000)
    )
    assert near.array("x")[:2].tolist() == far.array("x")[:2].tolist() == [[-1], [1]]


def test_s03_numbers_equal_scikit_learns_own_in_double_precision():
    path = shared("sklearn", "digits.csv")
    keys = (features("x*"), target("y"))
    rows = build(plan(file(path), *keys, splits=splits("column", column="split"), transforms=(scaled("x"),)))
    assert {name: len(part) for name, part in rows.splits.items()} == {"train": 1079, "test": 359, "val": 359}
    table = np.genfromtxt(path, delimiter=",", skip_header=1, usecols=range(1, 65))
    expected = StandardScaler().fit(table[rows.splits["train"]]).transform(table).astype(np.float32)
    assert np.array_equal(rows.array("x"), expected)


def test_s03_a_target_of_one_number_stays_one_and_comes_back_in_its_units():
    rows = build(wine(scaled("y")))
    assert rows.shape_of("y") == ()
    assert np.allclose(rows.inverse("y", rows.array("y")), rows.raw("y"), rtol=1e-6)
    assert rows.inverse("y", rows.array("y")[:5, None]).shape == (5,)


def test_s03_whole_numbers_become_float32_once_they_are_scaled():
    rows = build(wine(scaled("label"), keys=(features("alcohol"), target("target", name="label"))))
    assert (rows.raw("label").dtype, rows.dtype_of("label")) == (np.int64, np.float32)


def test_s03_transforms_are_chained_in_order_and_taken_back_in_reverse():
    chain = (
        transform(MINMAX, "x", feature_range=[0, 1]),
        transform("sklearn.decomposition:PCA", "x", n_components=5),
    )
    rows = build(wine(*chain, keys=(features("*"),)))
    assert rows.shape_of("x") == (5,)
    assert [type(made_by).__name__ for made_by in rows.transformers("x")] == ["MinMaxScaler", "PCA"]
    assert rows.inverse("x", rows.array("x")).shape == rows.raw("x").shape


def test_s03_rows_of_several_axes_are_flattened_and_restored():
    keys = (features("pixel_*", shape=(8, 8)), features("pixel_*", name="flat"))
    rows = build(plan(made("load_digits"), *keys, splits=BY_SHARES, transforms=(scaled("x", "flat"),)))
    assert rows.shape_of("x") == (8, 8)
    assert np.array_equal(rows.array("x").reshape(-1, 64), rows.array("flat"))
    assert rows.inverse("x", rows.array("x")).shape == (1797, 8, 8)


def test_s03_every_key_has_its_own_transformer():
    rows = build(wine(scaled("x", "y")))
    (first,), (second,) = rows.transformers("x"), rows.transformers("y")
    assert first is not second
    assert first.n_features_in_ == 13
    assert rows.transformers("nothing") == ()


def test_s03_a_transformer_that_draws_numbers_obeys_the_seed():
    draws = transform("sklearn.kernel_approximation:RBFSampler", "x", n_components=4)
    data = wine(scaled("x"), draws, keys=(features("*"),))
    assert np.array_equal(build(data, seed=1).array("x"), build(data, seed=1).array("x"))
    train = build(data, seed=1).splits["train"]
    assert not np.array_equal(build(data, seed=1).array("x")[train], build(data, seed=2).array("x")[train])


def test_s03_sparse_results_are_made_dense():
    hot = transform("sklearn.preprocessing:OneHotEncoder", "label")
    rows = build(wine(hot, keys=(features("alcohol"), target("target", name="label"))))
    assert rows.shape_of("label") == (3,)
    assert np.array_equal(rows.array("label").argmax(axis=1), rows.raw("label"))


SCALERS = ["StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "PowerTransformer"]


@given(
    values=arrays(np.float32, (12, 2), elements=st.floats(-100, 100, width=32)),
    name=st.sampled_from(SCALERS[:4]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_s03_inverse_of_transform_is_the_value(tmp_path, values, name):
    source = parquet_file(tmp_path, {"a": values[:, 0], "b": values[:, 1]})
    step = transform(f"sklearn.preprocessing:{name}", "x", fit_on="all")
    rows = build(plan(source, features("a", "b", dtype="float64"), transforms=(step,)))
    assert np.allclose(rows.inverse("x", rows.array("x")), values, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("step", "code", "says"),
    [
        pytest.param(scaled("z"), "unknown-data-key", "no key `z`", id="unknown key"),
        pytest.param(scaled("x", fit_on="trian"), "unknown-split", "no split `trian`", id="unknown split"),
        pytest.param(transform(MINMAX, "x", feature_range=[1, 0]), "transform-failed", "feature range", id="bad value"),
        pytest.param(transform(SCALER, "x", with_meen=True), "transform-failed", "with_meen", id="unknown argument"),
        pytest.param(transform(SCALER, "x", with_mean="yes"), "transform-failed", "with_mean", id="bad type"),
        pytest.param(transform("sklearn.preprocessing:Scaler", "x"), "transform-failed", "Scaler", id="no such class"),
        pytest.param(transform("os:getcwd", "x"), "transform-failed", "outside of", id="another library"),
        pytest.param(
            transform("sklearn.feature_selection:SelectKBest", "x"),
            "transform-failed",
            "",
            id="wants targets",
        ),
    ],
)
def test_s03_a_transform_that_cannot_be_made_or_fitted_is_located(step, code, says):
    diagnostics = refused(wine(step))
    assert [(found.code, found.path) for found in diagnostics] == [(code, step.origin.path)]
    assert says in diagnostics[0].message


def test_s03_all_wrong_transforms_are_reported_at_once():
    steps = (
        transform(MINMAX, "x", feature_range=[1, 0]),
        transform(SCALER, "y", with_mean="no"),
        scaled("x"),
    )
    assert [found.code for found in refused(wine(*steps))] == ["transform-failed"] * 2


def test_s03_a_result_that_is_not_finite_is_refused(tmp_path):
    source = csv_file(tmp_path, "a\n0\n1\n-3\n")
    step = transform("sklearn.preprocessing:PowerTransformer", "x", fit_on="all", method="box-cox")
    assert refused(plan(source, features("a"), transforms=(step,)))[0].code == "transform-failed"


def test_s03_text_is_not_transformed(tmp_path):
    source = csv_file(tmp_path, "a,w\n1,u\n2,v\n")
    step = scaled("t", fit_on="all")
    the_one(
        refused(plan(source, features("a"), tag("w"), transforms=(step,))),
        "non-numeric-column",
        step.origin.path,
    )


def test_s03_a_transform_without_a_way_back_says_so():
    step = transform("sklearn.preprocessing:Normalizer", "x")
    rows = build(wine(step))
    with pytest.raises(SpecError) as caught:
        rows.inverse("x", rows.array("x"))
    the_one(caught.value.diagnostics, "no-inverse", step.origin.path)
