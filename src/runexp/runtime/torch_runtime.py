"""The runtime: data, graph and random numbers of one experiment, on one device."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from runexp.diagnostics import Diagnostic, SpecError
from runexp.engine.experiment_hooks import ExperimentCallback
from runexp.engine.live import Live
from runexp.engine.protocol import ExecutionContext
from runexp.engine.view import Callback
from runexp.plan.experiment import Plan
from runexp.plan.graph import NodePlan
from runexp.plan.phases import EvalPlan, FitPlan, Leaf, MadePlan, PhasePlan, TrainPlan
from runexp.runtime.callbacks import open_callback, open_experiment_callback
from runexp.runtime.callbacks.around import LiveExperiment
from runexp.runtime.callbacks.live import Folders, LivePhase
from runexp.runtime.data import FeatureSet, build_feature_set
from runexp.runtime.data.problems import collecting, stop_at
from runexp.runtime.evaluation import EvalProgram
from runexp.runtime.explaining import explained
from runexp.runtime.fitting import FitProgram
from runexp.runtime.folds.fold import Fold, Rows
from runexp.runtime.graph.graph import Graph
from runexp.runtime.graph.weights import check_weights, take_weights
from runexp.runtime.lanes.opening import Opening
from runexp.runtime.learning import PartialFitProgram
from runexp.runtime.pace import Pace
from runexp.runtime.randomness import seed_torch
from runexp.runtime.recorded.evaluation import Recording
from runexp.runtime.recorded.place import Records
from runexp.runtime.rehearsal import Rehearsal
from runexp.runtime.seeds import derive_seed
from runexp.runtime.settings import check_compiler
from runexp.runtime.state import (
    Captured,
    Restored,
    Snapshot,
    capture,
    read_checkpoint,
    read_weights,
    restore_snapshot,
    set_random_state,
    take_snapshot,
    write_checkpoint,
)
from runexp.runtime.streaming.opening import open_stream
from runexp.runtime.training import TrainProgram


class TorchRuntime:
    """Builds a plan and drives it, on the rows of a fold if one is given.

    Raises `SpecError` for data or shapes that cannot work.
    """

    def __init__(self, plan: Plan, *, folder: Path, fold: Fold | None = None) -> None:
        if plan.execution.threads:
            torch.set_num_threads(plan.execution.threads)
        self._device = choose_device(plan.execution.device)
        self.device = str(self._device)
        self._seed = plan.seed if fold is None else fold.seed
        if plan.execution.compile:
            check_compiler(self._device)
        self.sets = _build_sets(plan, folder, fold.rows if fold else {})
        self.graph = Graph(plan.nodes, self.sets, self._device, self._seed, folder=folder)
        self.graph.compiles = plan.execution.compile
        self.graph.build()
        self.tables = Opening(self.graph, self.sets, self._device, plan.seed)
        self.folders = Folders()
        self.records = Records()
        self.pace: Pace | None = None
        self._evaluations: dict[tuple[str, str, int], EvalProgram] = {}

    @property
    def fingerprints(self) -> dict[str, str]:
        """The content hash of every source, by feature set."""
        own = {name: features.fingerprint for name, features in self.sets.items()}
        matrices = (found for features in self.sets.values() for found in features.pairs.values())
        return own | {matrix.name: matrix.fingerprint for matrix in matrices}

    def seed(self, label: str) -> None:
        """Seed every random number generator for the phase of that label (S-50)."""
        seed = derive_seed(self._seed, "phase", label)
        seed_torch(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)

    def rehearse(self, phases: Iterable[PhasePlan]) -> None:
        """Make every phase ready that can be by now, and let go of it: what cannot work is a `SpecError` before
        anything starts. What depends on an estimator is found when that is fitted."""
        before = self.snapshot()
        found = [*Rehearsal(self.graph, self.sets, self._device, self._seed).run(phases)]
        self.restore(before)
        with collecting(found):
            self._check_handovers()
        stop_at(found)

    def open_train(self, plan: TrainPlan) -> TrainProgram | PartialFitProgram:
        """Make a train phase ready; evaluations of earlier phases are let go of."""
        self._evaluations.clear()
        if plan.learns:
            return PartialFitProgram(plan, self.graph, self.tables.table(plan), self._seed)
        program = TrainProgram(plan, self.graph, self.tables.table(plan), self._device, self._seed)
        program.pace = self.pace
        return program

    def open_eval(self, plan: EvalPlan) -> EvalProgram:
        """Make an evaluation ready; the same one is made once as long as no node is fitted or built anew."""
        key = (plan.label, plan.origin.path, self.graph.version)
        if key not in self._evaluations:
            stale = [known for known in self._evaluations if known[2] != self.graph.version]
            for known in stale:
                del self._evaluations[known]
            recording = Recording(self.records, self.sets) if plan.record and self.records.are_kept else None
            table = self.tables.table(plan)
            self._evaluations[key] = EvalProgram(plan, self.graph, table, self._device, recording)
        return self._evaluations[key]

    def open_callback(self, plan: MadePlan, program: TrainProgram) -> Callback:
        """The callback of a train phase, made ready; its files go below the phase's label and its name."""
        names = (*program.label.split("/"), plan.name)
        table = partial(self.records.file, label=program.label)
        live = LivePhase(program.label, self.graph, program, partial(self.folders.folder, *names), table)
        return open_callback(plan, live)

    def open_experiment_callback(self, plan: MadePlan) -> ExperimentCallback:
        """A callback around phases and groups, made ready; its files go below its name."""
        return open_experiment_callback(plan, LiveExperiment(self.graph, partial(self.folders.folder, plan.name)))

    def open_fit(self, plan: FitPlan) -> FitProgram:
        """Make a fit phase ready; evaluations of earlier phases are let go of."""
        self._evaluations.clear()
        return FitProgram(plan, self.graph, self.tables.columns(plan), self._seed)

    def hand_over(self, node: str, given: Snapshot | Path | None) -> None:
        """Give a node the weights that its plan says it takes once a phase is over: those of a snapshot, of a
        checkpoint in a folder, or of now. `SpecError` where they do not fit."""
        plan = self.graph.plans[node]
        if plan.weights is None or node not in self.graph.modules:
            raise SpecError([_unbuilt(plan)])
        if given is None:
            given = take_snapshot(self.graph, (plan.weights.node,))
        self._evaluations.clear()
        take_weights(plan, self.graph.modules[node], _flat(given))

    def _check_handovers(self) -> None:
        for plan in self.graph.plans.values():
            if plan.weights is None or plan.weights.kind != "phase":
                continue
            own, giver = self.graph.modules.get(plan.name), self.graph.modules.get(plan.weights.node)
            if own is not None and giver is not None:
                check_weights(plan, own, giver)

    def snapshot(self, nodes: tuple[str, ...] | None = None) -> Snapshot:
        """A copy of the state of `nodes`; None: of everything a phase may change."""
        return take_snapshot(self.graph, nodes)

    def restore(self, snapshot: Snapshot) -> None:
        """Set back what a snapshot holds, bit for bit."""
        self._evaluations.clear()
        restore_snapshot(self.graph, snapshot)

    def write_checkpoint(self, folder: Path, state: Mapping[str, Any], program: Mapping[str, Any] | None) -> None:
        """Write the state of this moment into an empty folder."""
        write_checkpoint(folder, self.graph, state, program)

    def capture_checkpoint(self, state: Mapping[str, Any], program: Mapping[str, Any] | None) -> Captured:
        """A copy of the state of this moment, which can be written while steps go on."""
        return capture(self.graph, state, program)

    def read_checkpoint(self, folder: Path, fits: Iterable[FitPlan]) -> Restored:
        """Set everything back to a checkpoint. An estimator that could not be written is fitted again by the last of
        `fits`, the fit phases that are over, that fits it."""
        restored = read_checkpoint(folder, self.graph)
        again = {name: fit for fit in fits for name in fit.nodes if name in restored.lost}
        for name in restored.lost:
            if name not in again:
                raise SpecError([_unkept(self.graph.plans[name])])
        for fit in dict.fromkeys(again.values()):
            self.seed(fit.label)
            program = self.open_fit(fit)
            for batches in program.draw():
                program.step(ExecutionContext(fit.label, 0, 0, batches))
        read_weights(folder, self.graph)
        set_random_state(restored.random)
        return restored

    def explained(self, error: Exception, phase: Leaf, live: Live) -> Exception:
        """The error of a phase; out of memory with what to change (S-52)."""
        return explained(error, phase, live, graph=self.graph, sets=self.sets, device=self._device)

    def set_random_state(self, state: Mapping[str, Any]) -> None:
        """Set every random number generator to where it stood at a checkpoint."""
        set_random_state(state)


def _flat(given: Snapshot | Path) -> Mapping[str, torch.Tensor]:
    if isinstance(given, Path):
        return load_file(given / "weights.safetensors")
    return {f"{name}.{key}": value for name, tensors in given.tensors.items() for key, value in tensors.items()}


def _unbuilt(plan: NodePlan) -> Diagnostic:
    message = f"`{plan.name}` is not built yet when it is given weights: what it stands on is not fitted"
    return Diagnostic("wrong-weights", message, plan.origin.span, path=plan.origin.path)


def choose_device(wanted: str) -> torch.device:
    """The device of that name; `auto` is CUDA where there is one. `SpecError` where it is not there."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(wanted)
    missing_cuda = device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()
    missing_mps = device.type == "mps" and not torch.backends.mps.is_available()
    if missing_cuda or missing_mps:
        found = Diagnostic(
            "missing-device",
            f"there is no device `{wanted}` here",
            help=f"torch sees {torch.cuda.device_count()} CUDA devices; `auto` takes what there is",
            path="execution.device",
        )
        raise SpecError([found])
    return device


def _unkept(node: NodePlan) -> Diagnostic:
    message = f"what `{node.name}` has learned so far could not be kept, so that nothing can go on from it"
    return Diagnostic("unfittable", message, node.origin.span, path=node.origin.path)


def _build_sets(plan: Plan, folder: Path, given: Rows) -> dict[str, FeatureSet]:
    """Every feature set; the mistakes of all of them together."""
    sets: dict[str, FeatureSet] = {}
    found: list[Diagnostic] = []
    for data in plan.data:
        try:
            if data.stream:
                sets[data.name] = open_stream(data, seed=plan.seed, folder=folder)
                continue
            rows = given.get(data.name)
            sets[data.name] = build_feature_set(data, seed=plan.seed, folder=folder, given=rows)
        except SpecError as error:
            found += error.diagnostics
    if found:
        raise SpecError(found)
    return sets
