"""Feature sets: from a planned source to checked arrays, splits, transforms and views."""

from runexp.runtime.data.build import build_feature_set, refit
from runexp.runtime.data.feature_set import FeatureSet, FeatureSetView
from runexp.runtime.data.keeping import load_transformer, loaded_transformer, transformer_files
from runexp.runtime.data.membership import membership
from runexp.runtime.data.summary import Summary, SummaryRow
from runexp.runtime.data.tokenizer import Tokenizer, load_tokenizer, tokenizer_files

__all__ = [
    "FeatureSet",
    "FeatureSetView",
    "Summary",
    "SummaryRow",
    "Tokenizer",
    "build_feature_set",
    "load_tokenizer",
    "load_transformer",
    "loaded_transformer",
    "membership",
    "refit",
    "tokenizer_files",
    "transformer_files",
]
