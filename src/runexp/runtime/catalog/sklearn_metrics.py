"""Catalog entries of scikit-learn's scorers and of the metric functions that return one number."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from sklearn import metrics

from runexp.catalog.docstrings import first_sentence
from runexp.catalog.entry import Entry, Json, Parameter
from runexp.runtime.catalog.signatures import described_parameters, named_parameters, plain_default
from runexp.runtime.catalog.sklearn_constraints import constrained

# What the function's second argument is: labels, class probabilities, scores by which rows can be ranked,
# or values of a regression; and whether more is better. Clusterings are compared as labels.
_LABELS_UP = (
    "accuracy_score adjusted_mutual_info_score adjusted_rand_score balanced_accuracy_score cohen_kappa_score "
    "completeness_score f1_score fbeta_score fowlkes_mallows_score homogeneity_score jaccard_score "
    "matthews_corrcoef mutual_info_score normalized_mutual_info_score precision_score rand_score "
    "recall_score v_measure_score"
)
_TAKES: dict[str, tuple[str, bool]] = {
    **dict.fromkeys(_LABELS_UP.split(), ("labels", True)),
    **dict.fromkeys(["hamming_loss", "zero_one_loss"], ("labels", False)),
    **dict.fromkeys(["d2_brier_score", "d2_log_loss_score"], ("probabilities", True)),
    **dict.fromkeys(["brier_score_loss", "log_loss"], ("probabilities", False)),
    **dict.fromkeys(
        [
            "average_precision_score",
            "dcg_score",
            "label_ranking_average_precision_score",
            "ndcg_score",
            "roc_auc_score",
            "top_k_accuracy_score",
        ],
        ("scores", True),
    ),
    **dict.fromkeys(["coverage_error", "hinge_loss", "label_ranking_loss"], ("scores", False)),
    **dict.fromkeys(
        [
            "d2_absolute_error_score",
            "d2_pinball_score",
            "d2_tweedie_score",
            "explained_variance_score",
            "r2_score",
        ],
        ("values", True),
    ),
    **dict.fromkeys(
        [
            "max_error",
            "mean_absolute_error",
            "mean_absolute_percentage_error",
            "mean_gamma_deviance",
            "mean_pinball_loss",
            "mean_poisson_deviance",
            "mean_squared_error",
            "mean_squared_log_error",
            "mean_tweedie_deviance",
            "median_absolute_error",
            "root_mean_squared_error",
            "root_mean_squared_log_error",
        ],
        ("values", False),
    ),
}

# Functions that are public as scorers only.
_SCORED = {"positive_likelihood_ratio": ("labels", True), "negative_likelihood_ratio": ("labels", False)}


def metric_entries() -> Iterator[Entry]:
    """Every metric function that returns one number, and every scorer that has one behind it."""
    yield from (_function_entry(getattr(metrics, name), "sklearn.metrics") for name in sorted(_TAKES))
    for name in metrics.get_scorer_names():
        yield _scorer_entry(name)


def _function_entry(function: Any, package: str) -> Entry:  # noqa: ANN401 - a function with a `__name__`
    name = function.__name__
    takes, more_is_better = (_TAKES | _SCORED)[name]
    given = list(inspect.signature(function).parameters)[:2]
    return Entry(
        name=f"{package}.{name}",
        target=f"{package}:{name}",
        kind="metric",
        summary=first_sentence(function.__doc__),
        parameters=tuple(parameter for parameter in constrained_parameters(function) if parameter.name not in given),
        traits={"takes": takes, "higher_is_better": more_is_better, "inputs": given},
    )


def constrained_parameters(function: Any) -> tuple[Parameter, ...]:  # noqa: ANN401 - a validated function
    """Parameters of a function of scikit-learn, with the constraints it validates them by."""
    constraints = getattr(function, "_skl_parameter_constraints", {})
    described = described_parameters(named_parameters(function), function.__doc__)
    return tuple(constrained(parameter, constraints.get(parameter.name)) for parameter in described)


def _scorer_entry(name: str) -> Entry:
    """A scorer is its function, some of its arguments and a sign; it has no public attributes."""
    scorer = vars(metrics.get_scorer(name))
    score = scorer["_score_func"]
    function = _function_entry(score, "sklearn.metrics" if score.__name__ in _TAKES else score.__module__)
    fixed = {key: plain_default(value) for key, value in scorer["_kwargs"].items()}
    negated = scorer["_sign"] < 0
    traits: dict[str, Json] = {**function.traits}
    if negated:
        traits |= {"negated": True, "higher_is_better": True}
    if scorer["_response_method"] == "predict_proba":
        traits["takes"] = "probabilities"
    return Entry(
        name=name,
        target=function.target,
        kind="metric",
        summary=function.summary + (", negated" if negated else ""),
        parameters=tuple(parameter for parameter in function.parameters if parameter.name not in fixed),
        fixed=fixed,
        traits=traits,
    )
