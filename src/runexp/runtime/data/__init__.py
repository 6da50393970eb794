"""Feature sets: from a planned source to checked arrays, splits, transforms and views."""

from runexp.runtime.data.build import build_feature_set, refit
from runexp.runtime.data.feature_set import FeatureSet, FeatureSetView, SummaryRow
from runexp.runtime.data.keeping import load_transformer, transformer_files
from runexp.runtime.data.membership import membership

__all__ = [
    "FeatureSet",
    "FeatureSetView",
    "SummaryRow",
    "build_feature_set",
    "load_transformer",
    "membership",
    "refit",
    "transformer_files",
]
