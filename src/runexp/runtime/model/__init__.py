"""A trained graph without its experiment: loaded from files, given a table, it predicts."""

from runexp.runtime.model.ensemble import Ensemble
from runexp.runtime.model.facts import facts_of
from runexp.runtime.model.loading import load_parts
from runexp.runtime.model.model import Model
from runexp.runtime.model.predictions import NodePredictions, Predictions
from runexp.runtime.model.problems import CannotLoad, CannotPredict

__all__ = [
    "CannotLoad",
    "CannotPredict",
    "Ensemble",
    "Model",
    "NodePredictions",
    "Predictions",
    "facts_of",
    "load_parts",
]
