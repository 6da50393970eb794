"""Parts of a plan: phases cut short, and what runs before a phase."""

from __future__ import annotations

from dataclasses import replace

from runexp.plan.experiment import walk
from runexp.plan.graph import LossPlan
from runexp.plan.phases import GroupPlan, PhasePlan, TrainPlan


def shortened(phase: PhasePlan, *, n_epochs: int, n_steps: int) -> PhasePlan:
    """The phase with its train phases cut to so many epochs or steps, on the curve of their full length."""
    if isinstance(phase, GroupPlan):
        parts = tuple(shortened(part, n_epochs=n_epochs, n_steps=n_steps) for part in phase.phases)
        return replace(phase, phases=parts)
    if not isinstance(phase, TrainPlan) or not (n_epochs or n_steps):
        return phase
    schedule = phase.schedule
    if schedule and not (schedule.n_epochs or schedule.n_steps):
        schedule = replace(schedule, n_epochs=phase.n_epochs, n_steps=phase.n_steps)
    losses = tuple(_at_full_length(loss, phase) for loss in phase.losses)
    if n_steps:
        return replace(phase, n_epochs=0, n_steps=n_steps, schedule=schedule, losses=losses)
    return replace(phase, n_epochs=n_epochs, n_steps=0, schedule=schedule, losses=losses)


def _at_full_length(loss: LossPlan, phase: TrainPlan) -> LossPlan:
    """The loss with the curve of its weight as long as in the phase that is cut."""
    if loss.curve is None or loss.curve.n_epochs or loss.curve.n_steps:
        return loss
    return replace(loss, curve=replace(loss.curve, n_epochs=phase.n_epochs, n_steps=phase.n_steps))


def earlier(phases: tuple[PhasePlan, ...], label: str) -> tuple[PhasePlan, ...]:
    """The phases that run before the one of that label, out of their groups."""
    leaves = [phase for phase in walk(phases) if not isinstance(phase, GroupPlan)]
    inside = [phase.label == label or phase.label.startswith(f"{label}/") for phase in leaves]
    return tuple(leaves[: inside.index(True)])
