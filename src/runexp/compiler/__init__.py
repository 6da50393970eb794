"""Spec → Plan: every name linked, every default filled in, every mistake reported at its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runexp.compiler.advice import advise
from runexp.compiler.checkpoints import link_run_checkpoints
from runexp.compiler.data import link_data
from runexp.compiler.findings import Findings
from runexp.compiler.folds import link_folds
from runexp.compiler.graph import link_graph
from runexp.compiler.guards import link_guards
from runexp.compiler.handovers import link_handovers
from runexp.compiler.losses import link_loss
from runexp.compiler.made_callbacks import link_experiment_callbacks
from runexp.compiler.outputs import check_outputs
from runexp.compiler.own_calls import check_imports
from runexp.compiler.phases import link_phases
from runexp.compiler.samplers import link_samplers
from runexp.compiler.scope import Scope
from runexp.compiler.streams import check_streams
from runexp.compiler.surroundings import check_surroundings
from runexp.compiler.sweeps import link_sweep
from runexp.compiler.tracking import link_register, link_tracking, with_histograms
from runexp.diagnostics import Diagnostic
from runexp.plan.experiment import ExecutionPlan, Plan
from runexp.records import dataclass
from runexp.spec import Parsed
from runexp.spec.later import unsupported


@dataclass(frozen=True, slots=True)
class Compiled:
    """The plan, or None where an error stands in its way, and everything found."""

    plan: Plan | None
    diagnostics: tuple[Diagnostic, ...]


def link(parsed: Parsed, *, folder: Path) -> Compiled:
    """Link a parsed spec; `folder` is the spec's own, which relative paths start from."""
    found = Findings(parsed, folder)
    check_imports(found)
    data = link_data(found, folder)
    nodes = link_graph(found, data)
    scope = Scope(found, data, {node.name: node for node in nodes}, {})
    linked = {name: link_loss(scope, name, loss, ("losses", name)) for name, loss in found.spec.losses.items()}
    scope = replace(scope, losses={name: loss for name, loss in linked.items() if loss})
    scope = replace(scope, samplers=link_samplers(scope))
    check_outputs(found, scope.samplers)
    phases = link_phases(scope)
    nodes = link_handovers(scope, nodes, phases)
    _check_sections(found)
    check_surroundings(scope, phases)
    sweep = link_sweep(scope, phases)
    tracking = link_tracking(found)
    phases = with_histograms(phases, tracking)
    register = link_register(found)
    cv = link_folds(scope, phases)
    check_streams(scope, phases)
    callbacks = link_experiment_callbacks(scope)
    checkpoints = link_run_checkpoints(scope, phases)
    guards = link_guards(found)
    for path, what in unsupported(found.spec):
        found.not_yet(what, path)
    advise(scope, phases)
    if found.has_errors:
        return Compiled(None, found.diagnostics)
    spec = found.spec
    said = spec.execution
    execution = ExecutionPlan(said.device, said.threads or 0, said.compile, said.deterministic, said.allocator)
    sets = tuple(data.values())
    around = (execution, cv, callbacks, guards, checkpoints, sweep, tracking, register)
    plan = Plan(spec.name, spec.description, spec.seed, sets, nodes, phases, *around)
    return Compiled(plan, found.diagnostics)


def _check_sections(found: Findings) -> None:
    for section in ("data", "nodes", "phases"):
        if not found.names(section) and section in found.document.plain() and not found.is_damaged((section,)):
            found.error("missing-key", f"the section `{section}` is empty", (section,), part="key")


__all__ = ["Compiled", "link"]
