"""From a callback of the plan to the live one: a table by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runexp.engine.view import Callback
from runexp.plan.phases import BuiltInPlan, MadePlan
from runexp.runtime.callbacks.averaging import Ema, Swa
from runexp.runtime.callbacks.curves import Curves
from runexp.runtime.callbacks.guards import LossNotDecreasing, MemoryLimit, NanGuard, TimeLimit
from runexp.runtime.callbacks.holding import GradualUnfreezing, freeze, unfreeze
from runexp.runtime.callbacks.live import LivePhase
from runexp.runtime.callbacks.own import OwnCallback
from runexp.runtime.callbacks.recording import RecordedGradients, RecordedOutputs
from runexp.runtime.callbacks.reports import Histograms, LearningRateMonitor, Norms, Throughput
from runexp.runtime.callbacks.writing import ModelSummary, SaveBest

_BUILT_IN: Mapping[str, Callable[[BuiltInPlan, LivePhase], Callback]] = {
    "curves": Curves,
    "ema": Ema,
    "freeze": freeze,
    "gradual_unfreezing": GradualUnfreezing,
    "histograms": Histograms,
    "learning_rate_monitor": LearningRateMonitor,
    "loss_not_decreasing": LossNotDecreasing,
    "memory_limit": MemoryLimit,
    "model_summary": ModelSummary,
    "nan_guard": NanGuard,
    "norms": Norms,
    "record_gradients": RecordedGradients,
    "record_outputs": RecordedOutputs,
    "save_best": SaveBest,
    "swa": Swa,
    "throughput": Throughput,
    "time_limit": TimeLimit,
    "unfreeze": unfreeze,
}


def open_callback(plan: MadePlan, live: LivePhase) -> Callback:
    """The live callback. `SpecError` for options that cannot work, or code of the user's that fails."""
    if isinstance(plan, BuiltInPlan):
        return _BUILT_IN[plan.use](plan, live)
    return OwnCallback(plan, live)
