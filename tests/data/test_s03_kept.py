"""S-03: what was fitted is kept with the run, can be loaded back, and nothing foreign is loaded."""

from __future__ import annotations

import numpy as np
import pytest
import skops.io
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from data.plans import build, features, made, plan, specified, transform
from runexp.api.running import Place, run
from runexp.runtime.data import build_feature_set, load_transformer, transformer_files

DATA = """
source: t.csv
features: {x: {columns: [a, b]}, c: {columns: w, categorical: one_hot}}
transforms: [{on: x, use: simple_imputer}, {on: x, use: standard_scaler}]
"""
TABLE = "a,b,w\n1,2,u\n3,,v\n5,7,u\n"


def test_s03_fitted_transformers_are_in_the_run_folder_and_give_the_same_numbers_when_loaded(tmp_path):
    checked = specified(tmp_path, DATA, t__csv=TABLE)
    run(checked, Place(at=tmp_path / "run"), watch=lambda live: ())
    folder = tmp_path / "run" / "artifacts" / "transforms" / "d"
    assert sorted(path.name for path in folder.iterdir()) == ["c-0.skops", "x-0.skops", "x-1.skops"]
    rows = build_feature_set(checked.linked.data[0], seed=1, folder=tmp_path)
    values = rows.raw("x")
    for index in (0, 1):
        values = load_transformer(folder / f"x-{index}.skops").transform(values)
    assert np.allclose(values, rows.array("x"))
    assert load_transformer(folder / "c-0.skops").categories_[0].tolist() == ["u", "v"]


@pytest.mark.parametrize(
    "name", ["SplineTransformer", "KBinsDiscretizer", "PowerTransformer", "QuantileTransformer", "PolynomialFeatures"]
)
def test_s03_scikit_learns_own_transformers_are_trusted(tmp_path, name):
    step = transform(f"sklearn.preprocessing:{name}", "x", fit_on="all")
    rows = build(plan(made("load_wine"), features("alcohol"), transforms=(step,)))
    ((_, content),) = transformer_files([rows])
    (tmp_path / "t.skops").write_bytes(content)
    assert type(load_transformer(tmp_path / "t.skops")).__name__ == name


class Foreign(StandardScaler):
    """A class that no run can have made."""


def test_s03_a_file_that_holds_a_foreign_type_is_not_loaded(tmp_path):
    path = tmp_path / "t.skops"
    skops.io.dump(FunctionTransformer(Foreign), path)
    with pytest.raises(ValueError, match=r"types that are not trusted: .*Foreign"):
        load_transformer(path)
