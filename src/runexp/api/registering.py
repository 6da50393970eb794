"""What becomes of a trained model: a version under a name in MLflow's registry, or in the folder of runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from runexp.api.models import write_bundle
from runexp.api.tracking import Trackers
from runexp.observe.tracking.models import register
from runexp.plan.tracking import RegisterPlan
from runexp.results.requirements import judge
from runexp.runtime.model import CannotLoad
from runexp.store.registry import Registry
from runexp.store.run_folder import RunFolder

REGISTERED = "registered.json"


class Registering:
    """Registers the model of a run, if it may be; `told` says how that went once the trackers are done."""

    def __init__(self, plan: RegisterPlan, folder: RunFolder, runs: Path) -> None:
        self._plan = plan
        self._folder = folder
        self._runs = runs
        self._version = ""
        self._reasons: list[str] = []
        self._registry = "local"

    def begin(self, status: str, metrics: Mapping[str, Mapping[str, float]], trackers: Trackers) -> None:
        """Register it, or ask MLflow to; a run that was broken off or misses a threshold has no model to offer."""
        if status != "completed":
            self._reasons.append(f"the run is {status}")
            return
        self._reasons += [str(verdict) for verdict in judge(self._plan.only_if, metrics) if not verdict.is_met]
        if self._reasons:
            return
        try:
            if trackers.mlflow_host is None:
                self._register_here()
            else:
                self._ask_mlflow(trackers)
        except (CannotLoad, OSError, ValueError) as error:
            self._reasons.append(str(error))

    def told(self, trackers: Trackers) -> str:
        """A sentence for a person; the same is in registered.json."""
        if not self._version and not self._reasons and trackers.mlflow_host is not None:
            self._reasons.append(trackers.mlflow_host.problem or "MLflow did not take it")
        model = {"name": self._plan.name, "version": self._version, "alias": self._plan.alias}
        record = model | {"registry": self._registry, "reasons": self._reasons}
        with suppress(OSError):  # what happened did happen
            self._folder.write(REGISTERED, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
        if self._reasons:
            return f"not registered as `{self._plan.name}`: {'; '.join(self._reasons)}"
        alias = f" ({self._plan.alias})" if self._plan.alias else ""
        return f"registered as `{self._plan.name}`, version {self._version}{alias}"

    def _register_here(self) -> None:
        registry, name = Registry(self._runs), self._plan.name
        version = registry.add(name, self._write)
        if self._plan.alias:
            registry.set_alias(name, self._plan.alias, version)
        self._version = str(version)

    def _ask_mlflow(self, trackers: Trackers) -> None:
        """Write the bundle now, so that what cannot be loaded again is known; hand it over in the tracker's time."""
        self._registry = "mlflow"
        bundle = TemporaryDirectory(prefix="runexp-", ignore_cleanup_errors=True)
        self._write(Path(bundle.name))

        def hand_over() -> None:
            if trackers.mlflow is None or trackers.server is None:
                raise RuntimeError("MLflow was not started")
            plan = self._plan
            self._version = register(trackers.server, trackers.mlflow.run_id, Path(bundle.name), plan.name, plan.alias)
            bundle.cleanup()

        assert trackers.mlflow_host is not None
        trackers.mlflow_host.do(hand_over)

    def _write(self, folder: Path) -> None:
        write_bundle(self._folder.path, folder, nodes=self._plan.nodes or None)
