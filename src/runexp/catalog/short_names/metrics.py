"""Short names of metrics: a function of scikit-learn and the arguments the name stands for.

Every scorer name of scikit-learn works too (`neg_log_loss`, `roc_auc_ovr`, …): the shipped catalog has them.
"""

from __future__ import annotations

from runexp.catalog.entry import Json

_MACRO: dict[str, Json] = {"pos_label": None, "average": "macro"}
_MICRO: dict[str, Json] = {"pos_label": None, "average": "micro"}
_WEIGHTED: dict[str, Json] = {"pos_label": None, "average": "weighted"}

METRICS: dict[str, tuple[str, dict[str, Json]]] = {
    "accuracy": ("sklearn.metrics.accuracy_score", {}),
    "average_precision": ("sklearn.metrics.average_precision_score", {}),
    "balanced_accuracy": ("sklearn.metrics.balanced_accuracy_score", {}),
    "brier": ("sklearn.metrics.brier_score_loss", {}),
    "explained_variance": ("sklearn.metrics.explained_variance_score", {}),
    "f1_macro": ("sklearn.metrics.f1_score", _MACRO),
    "f1_micro": ("sklearn.metrics.f1_score", _MICRO),
    "f1_weighted": ("sklearn.metrics.f1_score", _WEIGHTED),
    "hamming": ("sklearn.metrics.hamming_loss", {}),
    "kappa": ("sklearn.metrics.cohen_kappa_score", {}),
    "log_loss": ("sklearn.metrics.log_loss", {}),
    "mae": ("sklearn.metrics.mean_absolute_error", {}),
    "mape": ("sklearn.metrics.mean_absolute_percentage_error", {}),
    "max_error": ("sklearn.metrics.max_error", {}),
    "mcc": ("sklearn.metrics.matthews_corrcoef", {}),
    "medae": ("sklearn.metrics.median_absolute_error", {}),
    "mse": ("sklearn.metrics.mean_squared_error", {}),
    "msle": ("sklearn.metrics.mean_squared_log_error", {}),
    "precision_macro": ("sklearn.metrics.precision_score", _MACRO),
    "precision_micro": ("sklearn.metrics.precision_score", _MICRO),
    "precision_weighted": ("sklearn.metrics.precision_score", _WEIGHTED),
    "r2": ("sklearn.metrics.r2_score", {}),
    "recall_macro": ("sklearn.metrics.recall_score", _MACRO),
    "recall_micro": ("sklearn.metrics.recall_score", _MICRO),
    "recall_weighted": ("sklearn.metrics.recall_score", _WEIGHTED),
    "rmse": ("sklearn.metrics.root_mean_squared_error", {}),
    "rmsle": ("sklearn.metrics.root_mean_squared_log_error", {}),
    "roc_auc": ("sklearn.metrics.roc_auc_score", {}),
    "top_k_accuracy": ("sklearn.metrics.top_k_accuracy_score", {}),
    "zero_one": ("sklearn.metrics.zero_one_loss", {}),
}
