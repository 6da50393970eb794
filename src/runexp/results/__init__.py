"""Events → Results: what a run found out, addressed by axes. No torch, no numpy."""

from __future__ import annotations

from runexp.results.choices import Agreement, FoldChoice
from runexp.results.folds import CVResults, FoldFacts, RefitFacts, Spread
from runexp.results.groups import GroupResults
from runexp.results.lookup import UnknownNameError
from runexp.results.metrics import MetricStore, Reading
from runexp.results.paired import Comparison, NotComparable
from runexp.results.phases import Best, EvalResults, FitResults, PhaseResults, TrainResults
from runexp.results.recorder import Recorder, loss_nodes_of, record
from runexp.results.run import RunResults, Timings
from runexp.results.series import (
    AxisSeries,
    LossSeries,
    MetricSeries,
    TensorSeries,
    loss_series,
    metric_series,
    tensor_series,
)

__all__ = [
    "Agreement",
    "AxisSeries",
    "Best",
    "CVResults",
    "Comparison",
    "EvalResults",
    "FitResults",
    "FoldChoice",
    "FoldFacts",
    "GroupResults",
    "LossSeries",
    "MetricSeries",
    "MetricStore",
    "NotComparable",
    "PhaseResults",
    "Reading",
    "Recorder",
    "RefitFacts",
    "RunResults",
    "Spread",
    "TensorSeries",
    "Timings",
    "TrainResults",
    "UnknownNameError",
    "loss_nodes_of",
    "loss_series",
    "metric_series",
    "record",
    "tensor_series",
]
