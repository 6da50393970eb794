"""An optimizer at work: gradients of what it moves, bounds on them, the update, the rates after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from runexp.plan.phases import ClipPlan, OptimizerPlan, TrainPlan
from runexp.runtime.fused import update_of
from runexp.runtime.optim import build_optimizer
from runexp.runtime.precision import Precision
from runexp.runtime.schedules import RateSchedule, open_schedule
from runexp.runtime.state import load_optimizer


class UpdateWatcher(Protocol):
    """Stands around every update of the weights."""

    def before_update(self) -> bool:
        """Gradients are complete, not yet clipped; False leaves the update out."""

    def after_update(self) -> None:
        """The weights have moved."""


class Mover:
    """Moves some parameters of a phase. `SpecError` where its optimizer or the schedule refuses its options."""

    def __init__(
        self,
        optimizer: OptimizerPlan,
        parameters: Mapping[str, nn.Parameter],
        plan: TrainPlan,
        n_steps_an_epoch: int,
        precision: Precision,
    ) -> None:
        self.optimizer = build_optimizer(optimizer, parameters)
        self._names = {id(parameter): name.partition(".")[0] for name, parameter in parameters.items()}
        self._bases = [float(group["lr"]) for group in self.optimizer.param_groups]
        self._schedule = _open_schedule(plan, self, n_steps_an_epoch)
        self._parameters = list(parameters.values())
        self._move = update_of(self.optimizer)
        self._clip = plan.clip
        self._clips = bool(plan.clip.norm or plan.clip.value)
        self._scaler = precision.scaler()
        self._n_skipped = 0
        self.watchers: Sequence[UpdateWatcher] = ()

    @property
    def is_scaled(self) -> bool:
        """Whether losses are scaled before the backward pass, so that steps may be skipped."""
        return self._scaler is not None

    @property
    def rate(self) -> float:
        """The rate of its first group now."""
        return float(self.optimizer.param_groups[0]["lr"])

    def backward(self, total: Tensor) -> None:
        """Gradients of everything that trains."""
        if self._scaler is None:
            total.backward()
        else:
            self._scaler.scale(total).backward()

    def backward_into_own(self, total: Tensor) -> None:
        """Gradients of what it moves and of nothing else."""
        scaled = total if self._scaler is None else self._scaler.scale(total)
        scaled.backward(inputs=self._parameters)

    def update(self, *, is_left_out: bool = False) -> None:
        """Move the parameters by their gradients unless this one is left out, and set the rates of the next update."""
        if self._scaler is not None:
            self._scaler.unscale_(self.optimizer)
        if is_left_out or (self.watchers and self._is_refused()):
            self._let_go()
            return
        if self._clips:
            self._clip_gradients()
        if self._scaler is None:
            self._move()
        else:
            self._move_scaled()
        for parameter in self._parameters:
            parameter.grad = None
        if self._schedule:
            self._schedule.after_update()
        for watcher in self.watchers:
            watcher.after_update()

    @property
    def clip(self) -> ClipPlan:
        """The bounds on gradients."""
        return self._clip

    @property
    def follows_curve(self) -> bool:
        """Whether its rates change over the phase."""
        return self._schedule is not None

    def after_joint_update(self) -> None:
        """Set the rates of the next update; the parameters were moved together with those of others."""
        if self._schedule:
            self._schedule.after_update()

    def take_skipped(self) -> int:
        """How many updates were skipped since the last call because a gradient overflowed."""
        taken, self._n_skipped = self._n_skipped, 0
        return taken

    def groups(self) -> list[tuple[str, float, int]]:
        """Each group: its nodes, its own rate, its number of parameters."""
        return [
            (
                ", ".join(dict.fromkeys(self._names[id(parameter)] for parameter in group["params"])),
                base,
                sum(parameter.numel() for parameter in group["params"]),
            )
            for group, base in zip(self.optimizer.param_groups, self._bases, strict=True)
        ]

    def rates(self, n_steps: int) -> tuple[float, ...]:
        """The first group's rate at every update of the phase."""
        return self._schedule.rates(n_steps) if self._schedule else (self._bases[0],)

    def after_epoch(self, measured: Mapping[str, float]) -> None:
        """Let the schedule see the numbers of an epoch."""
        if self._schedule:
            self._schedule.after_epoch(measured)

    def progress(self) -> Mapping[str, Any]:
        """What a continuation needs beside the state of the optimizer: the schedule's, and updates skipped so far."""
        return {"schedule": self._schedule.state() if self._schedule else None, "n_skipped": self._n_skipped}

    def load_state(self, optimizer: Mapping[str, Any], progress: Mapping[str, Any]) -> None:
        """Go on from what `state` and `progress` told."""
        load_optimizer(self.optimizer, optimizer)
        if self._scaler is not None:
            self._scaler.load_state_dict(optimizer["scaler"])
        if self._schedule:
            self._schedule.load_state(progress["schedule"])
        self._n_skipped = progress["n_skipped"]

    def state(self) -> Mapping[str, Any]:
        """The optimizer's state dict, and under `scaler` that of the scaler where there is one."""
        state: Mapping[str, Any] = self.optimizer.state_dict()
        return state if self._scaler is None else {**state, "scaler": self._scaler.state_dict()}

    def _clip_gradients(self) -> None:
        if self._clip.norm:
            nn.utils.clip_grad_norm_(self._parameters, self._clip.norm)
        if self._clip.value:
            nn.utils.clip_grad_value_(self._parameters, self._clip.value)

    def _is_refused(self) -> bool:
        """Whether a callback wants this update left out; each of them sees the gradients."""
        return not all([watcher.before_update() for watcher in self.watchers])

    def _let_go(self) -> None:
        """Leave an update out; the learning rate follows its curve all the same."""
        for parameter in self._parameters:
            parameter.grad = None
        if self._scaler is not None:
            self._scaler.update()
        if self._schedule:
            self._schedule.after_update()

    def _move_scaled(self) -> None:
        """The scaler leaves the update out where a gradient is not finite, and then lowers its scale."""
        scaler = self._scaler
        assert scaler is not None  # only called with one
        before = scaler.get_scale()
        scaler.step(self.optimizer)
        scaler.update()
        self._n_skipped += scaler.get_scale() < before


def _open_schedule(plan: TrainPlan, mover: Mover, n_steps_an_epoch: int) -> RateSchedule | None:
    length = plan.schedule if plan.schedule and (plan.schedule.n_epochs or plan.schedule.n_steps) else plan
    n_steps = length.n_steps or length.n_epochs * n_steps_an_epoch
    return open_schedule(plan.schedule, mover.optimizer, n_steps, n_steps_an_epoch)
