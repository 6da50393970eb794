"""What a transformer takes and whether it can be taken back, known from its name and arguments alone."""

from __future__ import annotations

from collections.abc import Iterator

from runexp import catalog
from runexp.plan.data import Inverse
from runexp.plan.values import Call

_KINDS = ("transform", "estimator")
_SIDE_BY_SIDE = {"ColumnTransformer": "transformers", "FeatureUnion": "transformer_list"}
_TAKE_LABELS = frozenset({"LabelEncoder", "LabelBinarizer"})
_TAKE_DOCUMENTS = frozenset({"CountVectorizer", "TfidfVectorizer", "HashingVectorizer"})
_CODE = frozenset({"OrdinalEncoder", "OneHotEncoder", "MultiLabelBinarizer"}) | _TAKE_LABELS | _TAKE_DOCUMENTS
_TAKE_WORDS = frozenset({"TargetEncoder", "FeatureHasher"}) | _CODE
_FILL_WORDS = frozenset({"most_frequent", "constant"})
_FILL_GAPS = frozenset({"SimpleImputer", "KNNImputer", "IterativeImputer", "MissingIndicator"})
_LEARN_TARGETS = frozenset(
    {
        "CCA",
        "GenericUnivariateSelect",
        "PLSCanonical",
        "PLSRegression",
        "PLSSVD",
        "RFE",
        "RFECV",
        "SelectFdr",
        "SelectFpr",
        "SelectFromModel",
        "SelectFwe",
        "SelectKBest",
        "SelectPercentile",
        "SequentialFeatureSelector",
        "TargetEncoder",
    }
)


def takes_words(call: Call) -> bool:
    """Whether text reaches it as it is."""
    return any(_label(part) in _TAKE_WORDS or _fills_words(part) for part in _first(call))


def fills_gaps(call: Call) -> bool:
    """Whether it takes missing values."""
    return any(_label(part) in _FILL_GAPS for part in _first(call))


def takes_column(call: Call) -> bool:
    """Whether it takes one value a row rather than a matrix, as text vectorizers do."""
    if _label(call) == "ColumnTransformer":
        return False  # it hands on columns, each as asked for
    return any(_label(part) in _TAKE_LABELS | _TAKE_DOCUMENTS for part in _first(call))


def learns_targets(call: Call) -> bool:
    """Whether it, or a part of it, cannot be fitted without targets."""
    return any(_label(part) in _LEARN_TARGETS or _needs_target(part) for part in _whole(call))


def can_transform(call: Call) -> bool:
    """Whether it can be applied to rows that it was not fitted on."""
    return _has_method(call, "transform")


def inverse_of(call: Call) -> Inverse:
    """Whether what it gives can be taken back to numbers in the units they had."""
    label = _label(call)
    if label in _SIDE_BY_SIDE:
        return "none"
    if label == "Pipeline":
        kinds = {inverse_of(part) for part in _steps(call, "steps")}
        return "none" if "none" in kinds else "codes" if "codes" in kinds else "numbers"
    if label in _CODE:
        return "codes"
    if label == "FunctionTransformer":
        is_open = call.arguments.get("func") is not None and call.arguments.get("inverse_func") is None
        return "none" if is_open else "numbers"
    return "numbers" if _has_method(call, "inverse_transform") else "none"


def _first(call: Call) -> Iterator[Call]:
    """The innermost transformers that are given the columns as they come in."""
    label = _label(call)
    if label == "Pipeline":
        for part in list(_steps(call, "steps"))[:1]:
            yield from _first(part)
    elif label in _SIDE_BY_SIDE:
        for part in _steps(call, _SIDE_BY_SIDE[label]):
            yield from _first(part)
    else:
        yield call


def _whole(call: Call) -> Iterator[Call]:
    """It and every transformer inside it; what a wrapper such as `SelectFromModel` holds is its own affair."""
    yield call
    label = _label(call)
    inner = "steps" if label == "Pipeline" else _SIDE_BY_SIDE.get(label, "")
    for part in _steps(call, inner) if inner else ():
        yield from _whole(part)


def _steps(call: Call, argument: str) -> Iterator[Call]:
    """The transformers in `[[name, transformer, …], …]`, without `drop` and `passthrough`."""
    for item in call.arguments.get(argument, ()):
        if isinstance(item, tuple):
            yield from (part for part in item[1:2] if isinstance(part, Call))


def _fills_words(call: Call) -> bool:
    return _label(call) == "SimpleImputer" and call.arguments.get("strategy") in _FILL_WORDS


def _has_method(call: Call, method: str) -> bool:
    """Whether its class has a method, as far as the catalog knows; of other classes only the rows can tell."""
    entry = catalog.lookup(call.name, _KINDS)
    return entry is None or "methods" not in entry.traits or method in entry.words("methods")


def _label(call: Call) -> str:
    return call.target.rpartition(":")[2]


def _needs_target(call: Call) -> bool:
    entry = catalog.lookup(call.name, _KINDS)
    return entry is not None and bool(entry.traits.get("needs_target"))
