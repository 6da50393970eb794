"""runexp: an ML experiment as a YAML spec, checked like a program and run like a loop."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from runexp.diagnostics import Diagnostic, SpecError
from runexp.version import __version__

if TYPE_CHECKING:  # what runs imports torch, so it is imported when it is asked for
    from runexp.api.experiment import Experiment, compile, load
    from runexp.api.exporting import export_model
    from runexp.api.models import load_model
    from runexp.api.opening import RunList, StoredRun, compare_runs, list_runs, open_run
    from runexp.api.running import Run
    from runexp.api.stored_sweep import open_sweep
    from runexp.results.trials import SweepResults
    from runexp.runtime.model import CannotLoad, CannotPredict, Ensemble, Model, Predictions

__all__ = [
    "CannotLoad",
    "CannotPredict",
    "Diagnostic",
    "Ensemble",
    "Experiment",
    "Model",
    "Predictions",
    "Run",
    "RunList",
    "SpecError",
    "StoredRun",
    "SweepResults",
    "__version__",
    "compare_runs",
    "compile",
    "export_model",
    "list_runs",
    "load",
    "load_model",
    "open_run",
    "open_sweep",
]

_LATE = {
    "CannotLoad": "runexp.runtime.model",
    "CannotPredict": "runexp.runtime.model",
    "Ensemble": "runexp.runtime.model",
    "Experiment": "runexp.api.experiment",
    "Model": "runexp.runtime.model",
    "Predictions": "runexp.runtime.model",
    "Run": "runexp.api.running",
    "RunList": "runexp.api.opening",
    "StoredRun": "runexp.api.opening",
    "SweepResults": "runexp.results.trials",
    "compare_runs": "runexp.api.opening",
    "compile": "runexp.api.experiment",
    "export_model": "runexp.api.exporting",
    "list_runs": "runexp.api.opening",
    "load": "runexp.api.experiment",
    "load_model": "runexp.api.models",
    "open_run": "runexp.api.opening",
    "open_sweep": "runexp.api.stored_sweep",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name not in _LATE:
        raise AttributeError(f"module `runexp` has no attribute `{name}`")
    return getattr(import_module(_LATE[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})
