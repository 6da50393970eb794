"""Which parameters a phase trains: the last rule that takes one in says whether it is frozen (S-12)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from runexp.diagnostics import Diagnostic, SpecError, did_you_mean
from runexp.plan.phases import TrainPlan
from runexp.runtime.graph.graph import Graph
from runexp.runtime.optim import matches


def trained_parameters(plan: TrainPlan, graph: Graph) -> dict[str, nn.Parameter]:
    """The parameters that the phase moves, by `<node>.<parameter>`.

    Raises `SpecError` for a rule of this phase that takes in no parameter, and where nothing is left to train.
    """
    every = {
        f"{name}.{key}": parameter for name in plan.trains for key, parameter in graph.modules[name].named_parameters()
    }
    known = [f"{name}.{key}" for name in graph.modules for key, _ in graph.modules[name].named_parameters()]
    for rule in plan.freezing:
        if rule.is_own and not any(matches(rule.pattern, name) for name in known):
            hint = did_you_mean(rule.pattern, known, kind="parameters")
            raise SpecError([_found(plan, f"`{rule.pattern}` takes in no parameter", hint)])
    trained = {name: parameter for name, parameter in every.items() if not is_frozen(plan, name)}
    if every and not trained:
        raise SpecError([_found(plan, f"`{plan.label}` has nothing to train: every parameter is frozen", "")])
    return trained


def is_frozen(plan: TrainPlan, name: str) -> bool:
    """Whether a parameter `<node>.<parameter>` stays as it is."""
    said = [rule.is_frozen for rule in plan.freezing if matches(rule.pattern, name)]
    return bool(said and said[-1])


def hold_frozen(plan: TrainPlan, graph: Graph, trained: Mapping[str, nn.Parameter]) -> None:
    """Stop gradients and statistics of what is frozen inside nodes that train: a part whose parameters are all
    frozen, such as a batch normalisation, keeps its statistics too."""
    moving = {id(parameter) for parameter in trained.values()}
    for name in plan.trains:
        for parameter in graph.modules[name].parameters():
            parameter.requires_grad_(id(parameter) in moving)
        for part in graph.modules[name].modules():
            own = list(part.parameters(recurse=False))
            if own and not any(parameter.requires_grad for parameter in own):
                part.training = False


def _found(plan: TrainPlan, message: str, hint: str) -> Diagnostic:
    return Diagnostic("wrong-value", message, plan.origin.span, help=hint, path=plan.origin.path)
