"""Functions that arguments may be: `func: numpy.log1p` of a FunctionTransformer, `score_func` of a selection."""

from __future__ import annotations

from runexp.catalog.entry import Entry, Parameter, Range

_NUMPY = {
    "absolute": "the value without its sign",
    "arcsinh": "a logarithm that takes zero and negative numbers too; `sinh` takes it back",
    "cbrt": "the cube root",
    "ceil": "the next whole number above",
    "cos": "the cosine",
    "deg2rad": "degrees as radians",
    "exp": "e to the power of the value; takes `log` back",
    "exp2": "2 to the power of the value; takes `log2` back",
    "expm1": "exp(x) - 1; takes `log1p` back",
    "floor": "the next whole number below",
    "log": "the natural logarithm",
    "log10": "the logarithm to base 10",
    "log1p": "log(1 + x)",
    "log2": "the logarithm to base 2",
    "negative": "the value with the other sign",
    "rad2deg": "radians as degrees",
    "reciprocal": "1 / x",
    "rint": "the nearest whole number",
    "sign": "-1, 0 or 1",
    "sin": "the sine",
    "sinh": "the hyperbolic sine; takes `arcsinh` back",
    "sqrt": "the square root",
    "square": "the square; takes `sqrt` back",
    "tan": "the tangent",
    "tanh": "the hyperbolic tangent",
}
_SCORES = {
    "chi2": "how far classes and non-negative features are from independent",
    "f_classif": "the F value of each feature between classes",
    "f_regression": "the F value of each feature against a number",
    "mutual_info_classif": "the mutual information of each feature with classes",
    "mutual_info_regression": "the mutual information of each feature with a number",
    "r_regression": "Pearson's r of each feature with a number",
}


_NEIGHBOURS = Parameter(
    "n_neighbors", False, 3, "3", ("int",), (), (Range("int", 1),), "neighbours by which the information is estimated"
)


def _function(package: str, name: str, summary: str) -> Entry:
    parameters = (_NEIGHBOURS,) if name.startswith("mutual_info") else ()
    return Entry(f"{package}.{name}", f"{package}:{name}", "function", summary, parameters)


FUNCTIONS = {
    entry.name: entry
    for entry in (
        *(_function("numpy", name, summary) for name, summary in _NUMPY.items()),
        *(_function("sklearn.feature_selection", name, summary) for name, summary in _SCORES.items()),
    )
}

NUMPY_TARGETS = frozenset(f"numpy:{name}" for name in _NUMPY)
"""The functions of numpy that a spec can name: nothing else of that library is reached by name."""
