"""Checking arguments against entries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runexp.catalog import KINDS, Entry, Parameter, Range, check_arguments, lookup, names

ENTRIES = [entry for kind in KINDS for name in names(kind) if (entry := lookup(name, kind)) is not None]


def codes(name, arguments, supplied=()):
    found = check_arguments(lookup(name), arguments, supplied=frozenset(supplied))
    return [(problem.code, problem.parameter) for problem in found]


@given(st.sampled_from(ENTRIES))
def test_an_entrys_own_defaults_are_never_wrong(entry):
    defaults = {found.name: found.default for found in entry.parameters if found.has_plain_default}
    required = frozenset(found.name for found in entry.parameters if found.required)
    assert check_arguments(entry, defaults, supplied=required) == ()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        pytest.param("pca", {"n_components": 32}, id="a count"),
        pytest.param("pca", {"n_components": 0.95}, id="or a fraction"),
        pytest.param("pca", {"n_components": "mle"}, id="or a word"),
        pytest.param("pca", {"n_components": None}, id="or null"),
        pytest.param("adamw", {"lr": 1}, id="a whole number for a float"),
        pytest.param("adamw", {"betas": [0.9, 0.99]}, id="a list for a tuple"),
        pytest.param("min_max_scaler", {"feature_range": [-1, 1]}, id="a list for a tuple in scikit-learn"),
        pytest.param("conv2d", {"out_channels": 8, "kernel_size": [3, 3]}, id="a list or a number"),
        pytest.param("cross_entropy", {"weight": [1.0, 2.0]}, id="a list for a tensor"),
        pytest.param("torch.nn.TransformerEncoder", {"encoder_layer": {"use": "x"}, "num_layers": 2}, id="nested"),
        pytest.param("function_transformer", {"func": {"use": "my.function"}}, id="a nested function"),
        pytest.param("function_transformer", {"func": "my.function"}, id="a dotted path for a function"),
        pytest.param("identity", {"whatever": 1}, id="anything where there is **kwargs"),
        pytest.param("simple_imputer", {"missing_values": -1}, id="anything where no type is known"),
        pytest.param("sklearn.svm.SVC", {"C": 10, "class_weight": {0: 2.0}}, id="a mapping"),
        pytest.param("huber", {"delta": object()}, id="what is not plain data"),
    ],
)
def test_what_the_class_takes_passes(name, arguments):
    assert codes(name, arguments, ["params", "in_channels", "in_features"]) == []


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        pytest.param("pca", {"n_components": "ten"}, [("bad-value", "n_components")], id="a word for a number"),
        pytest.param("linear", {"out_features": 3.5}, [("bad-value", "out_features")], id="half a feature"),
        pytest.param("linear", {"out_features": True}, [("bad-value", "out_features")], id="true is no number"),
        pytest.param("linear", {"out_features": "64"}, [("bad-value", "out_features")], id="a quoted number"),
        pytest.param("linear", {"out_features": None}, [("bad-value", "out_features")], id="null"),
        pytest.param("linear", {"out_features": 0}, [("bad-value", "out_features")], id="below the range"),
        pytest.param("dropout", {"p": 1.5}, [("bad-value", "p")], id="above the range"),
        pytest.param("adamw", {"lr": 0}, [("bad-value", "lr")], id="a rate that trains nothing"),
        pytest.param("adamw", {"lr": float("nan")}, [("bad-value", "lr")], id="nan"),
        pytest.param("adamw", {"weight_decay": "1e-2"}, [("bad-value", "weight_decay")], id="text for a float"),
        pytest.param("mse", {"reduction": "average"}, [("bad-value", "reduction")], id="not one of the choices"),
        pytest.param("relu", {"inplace": 1}, [("bad-value", "inplace")], id="1 is not true"),
        pytest.param("pca", {"n_components": 1.5}, [("bad-value", "n_components")], id="in none of two ranges"),
        pytest.param("pca", {"whiten": {"use": "x"}}, [("bad-value", "whiten")], id="an object for a flag"),
        pytest.param("cosine", {"min_ratio": 2}, [("bad-value", "min_ratio")], id="our own schedules"),
        pytest.param("sgd", {"learning_rate": 0.1}, [("unknown-parameter", "learning_rate")], id="unknown"),
        pytest.param("plateau", {}, [("missing-parameter", "monitor")], id="missing"),
        pytest.param("f1_macro", {"average": "micro"}, [("fixed-parameter", "average")], id="already set"),
        pytest.param("linear", {"out_feature": 3}, [("unknown-parameter", "out_feature")], id="one mistake, not two"),
    ],
)
def test_what_the_class_refuses_is_found(name, arguments, expected):
    kind = {"mse": "loss", "cosine": "schedule", "plateau": "schedule"}.get(name)
    found = check_arguments(lookup(name, kind), arguments, supplied=frozenset({"params", "in_features"}))
    assert [(problem.code, problem.parameter) for problem in found] == expected


def test_a_parameter_the_runtime_supplies_may_be_left_out_or_given():
    assert codes("linear", {"out_features": 3}) == [("missing-parameter", "in_features")]
    assert codes("linear", {"out_features": 3}, ["in_features"]) == []
    assert codes("linear", {"in_features": 2, "out_features": 3}, ["in_features"]) == []


def test_the_message_says_what_is_wrong_and_the_help_what_is_right():
    (problem,) = check_arguments(lookup("pca"), {"n_components": "ten"})
    assert problem.message == '`n_components` of `PCA` cannot be "ten"'
    assert problem.help == ("it takes a whole number of at least 0, a number above 0 and below 1, `mle` or null")


def test_the_nearest_name_or_choice_is_offered():
    (unknown,) = check_arguments(lookup("pca"), {"n_component": 3})
    assert unknown.help.startswith("did you mean `n_components`?")
    (choice,) = check_arguments(lookup("pca"), {"svd_solver": "ful"})
    assert choice.help.startswith("did you mean `full`?")
    (whole,) = check_arguments(lookup("pca"), {"n_components": 32.0})
    assert whole.help.startswith("did you mean `32`?")


def test_a_long_value_is_cut():
    (problem,) = check_arguments(lookup("pca"), {"copy": "x" * 10_000})
    assert len(problem.message) < 120


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(ENTRIES), st.dictionaries(st.text(), _VALUES, max_size=3), st.data())
def test_no_argument_whatever_raises(entry, arguments, data):
    if entry.parameters:
        name = data.draw(st.sampled_from([found.name for found in entry.parameters]))
        arguments |= {name: data.draw(_VALUES)}
    for problem in check_arguments(entry, arguments):
        assert problem.message


@given(st.floats(allow_nan=False) | st.integers())
def test_a_number_passes_if_it_lies_in_one_of_the_ranges(number):
    ranges = (Range("int", 1, 9), Range("float", 0, 1, includes_minimum=False))
    entry = Entry("x", "", "user", parameters=(Parameter("n", types=("int", "float"), ranges=ranges),))
    whole = isinstance(number, int)
    expected = 1 <= number <= 9 if whole else 0 < number <= 1
    assert (check_arguments(entry, {"n": number}) == ()) == expected
