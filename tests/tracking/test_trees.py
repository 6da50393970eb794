"""Trees of scikit-learn are kept in files and come back, and a file whose tree leads astray is refused."""

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from runexp.runtime.data import load_transformer
from runexp.runtime.data.trees import check_trees

X = np.random.default_rng(0).normal(size=(200, 4))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)


@pytest.mark.parametrize(
    "estimator",
    [
        DecisionTreeClassifier(),
        DecisionTreeClassifier(max_leaf_nodes=9),
        RandomForestClassifier(5),
        GradientBoostingRegressor(n_estimators=3),
        make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=1)),
    ],
    ids=lambda one: type(one).__name__,
)
def test_trees_come_back_from_a_file(estimator, tmp_path):
    estimator.fit(X, Y)
    path = tmp_path / "tree.skops"
    path.write_bytes(skops.io.dumps(estimator))
    assert (load_transformer(path).predict(X) == estimator.predict(X)).all()


@pytest.mark.parametrize(("field", "value"), [("left_child", 10**6), ("right_child", 0), ("feature", 99)])
def test_a_tree_that_leads_astray_is_refused(field, value):
    forest = RandomForestClassifier(3).fit(X, Y)
    tree = forest.estimators_[1].tree_
    state = tree.__getstate__()
    state["nodes"][field][0] = value
    tree.__setstate__(state)
    with pytest.raises(ValueError, match="a tree of `RandomForestClassifier` is damaged"):
        check_trees(forest)
