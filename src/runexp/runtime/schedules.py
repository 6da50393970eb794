"""The learning rate over a phase: curves as ratios of each group's own rate, a plateau, or a scheduler of torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch.optim import lr_scheduler

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.phases import SchedulePlan
from runexp.runtime.data.problems import first_line
from runexp.runtime.resolve import REFUSALS, keyword_arguments, resolve

Ratio = Callable[[int], float]
Curve = Callable[[int, float], float]


class RateSchedule(Protocol):
    """Sets the rates of an optimizer as a phase goes on. Made, it has set those of the first update."""

    def after_update(self) -> None:
        """Set the rates of the next update."""

    def after_epoch(self, measured: Mapping[str, float]) -> None:
        """Take note of the numbers of an epoch."""

    def rates(self, n_steps: int) -> tuple[float, ...]:
        """The first group's rate at each of the phase's updates, as far as it is known beforehand."""

    def state(self) -> Mapping[str, Any]:
        """What a continuation needs beside the rates, which the optimizer holds."""

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` told; the optimizer's own state has been put back before."""


def open_schedule(
    plan: SchedulePlan | None, optimizer: torch.optim.Optimizer, n_steps: int, n_steps_an_epoch: int
) -> RateSchedule | None:
    """The schedule of a phase; None where the rates stay as they are. `SpecError` for what torch refuses."""
    if plan is None:
        return None
    warmup = plan.warmup_steps or round(plan.warmup_epochs * n_steps_an_epoch)
    if plan.call is not None:
        return _TorchSchedule(plan, optimizer, warmup, n_steps_an_epoch)
    if plan.curve == "plateau":
        return _Plateau(plan, optimizer, warmup)
    return _Curved(optimizer, learning_rate_ratio(plan, n_steps, n_steps_an_epoch))


def learning_rate_ratio(plan: SchedulePlan, n_steps: int, n_steps_an_epoch: int) -> Ratio:
    """The ratio to the optimizer's own rate at each update, from 0.

    Warm-up is linear, reaching 1 at its last update; the curve then runs over the updates that are left, to
    reach its end one update after the last.
    """
    warmup = plan.warmup_steps or round(plan.warmup_epochs * n_steps_an_epoch)
    left = max(1, n_steps - warmup)
    curve = _CURVES[plan.curve](plan.options, n_steps_an_epoch)

    def ratio(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return curve(step - warmup, min(1.0, (step - warmup) / left))

    return ratio


class _Rates:
    """The groups of an optimizer and the rates they began with."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._groups = optimizer.param_groups
        self.bases = [float(group["lr"]) for group in self._groups]

    def scale(self, ratio: float) -> None:
        """Set every group's rate to its own base times `ratio`."""
        for group, base in zip(self._groups, self.bases, strict=True):
            group["lr"] = base * ratio


class _Curved:
    """A curve known beforehand."""

    def __init__(self, optimizer: torch.optim.Optimizer, ratio: Ratio) -> None:
        self._rates = _Rates(optimizer)
        self._ratio = ratio
        self._step = 0
        self._rates.scale(ratio(0))

    def after_update(self) -> None:
        self._step += 1
        self._rates.scale(self._ratio(self._step))

    def after_epoch(self, measured: Mapping[str, float]) -> None:
        return

    def rates(self, n_steps: int) -> tuple[float, ...]:
        return tuple(self._rates.bases[0] * self._ratio(step) for step in range(n_steps))

    def state(self) -> Mapping[str, Any]:
        return {"step": self._step}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._step = state["step"]
        self._rates.scale(self._ratio(self._step))  # of a phase that was made longer since, another


class _Plateau:
    """Falls whenever a number has stopped improving: torch's rule, on a stand-in whose rate is the ratio."""

    def __init__(self, plan: SchedulePlan, optimizer: torch.optim.Optimizer, warmup: int) -> None:
        options = plan.options
        self._monitor = str(options["monitor"])
        self._rates = _Rates(optimizer)
        self._warmup = warmup
        self._step = 0
        self._stand_in = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        self._rule = lr_scheduler.ReduceLROnPlateau(
            self._stand_in,
            mode=options["mode"],
            factor=options["factor"],
            patience=options["patience"],
            threshold=options["threshold"],
            cooldown=options["cooldown"],
            min_lr=options["min_ratio"],
        )
        self._set()

    def after_update(self) -> None:
        self._step += 1
        if self._step <= self._warmup:
            self._set()

    def after_epoch(self, measured: Mapping[str, float]) -> None:
        if self._monitor in measured:
            self._rule.step(measured[self._monitor])
            self._set()

    def rates(self, n_steps: int) -> tuple[float, ...]:
        return tuple(self._rates.bases[0] * self._warmed(step) for step in range(n_steps))

    def state(self) -> Mapping[str, Any]:
        return {"step": self._step, "ratio": self._stand_in.param_groups[0]["lr"], "rule": self._rule.state_dict()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._step = state["step"]
        self._stand_in.param_groups[0]["lr"] = state["ratio"]
        self._rule.load_state_dict(state["rule"])

    def _set(self) -> None:
        self._rates.scale(self._stand_in.param_groups[0]["lr"] * self._warmed(self._step))

    def _warmed(self, step: int) -> float:
        return (step + 1) / self._warmup if step < self._warmup else 1.0


class _TorchSchedule:
    """A scheduler of torch on the optimizer itself, stepped after every update or every epoch; it begins after
    the warm-up."""

    def __init__(
        self, plan: SchedulePlan, optimizer: torch.optim.Optimizer, warmup: int, n_steps_an_epoch: int
    ) -> None:
        self._plan = plan
        self._optimizer = optimizer
        self._warmup = warmup
        self._period = 1 if plan.interval == "step" else n_steps_an_epoch
        self._rates = _Rates(optimizer)
        self._step = 0
        self._scheduler = _scheduler(plan, optimizer)
        self._start = [float(group["lr"]) for group in optimizer.param_groups]
        if warmup:
            self._warm()

    def after_update(self) -> None:
        self._step += 1
        if self._step < self._warmup:
            self._warm()
        elif self._step == self._warmup:
            self._scale(1.0)
        elif (self._step - self._warmup) % self._period == 0:
            self._scheduler.step()

    def after_epoch(self, measured: Mapping[str, float]) -> None:
        return

    def rates(self, n_steps: int) -> tuple[float, ...]:
        """Played through on a stand-in with the same rate."""
        first = self._optimizer.param_groups[0]
        kept = {key: value for key, value in first.items() if key not in ("params", "lr", "initial_lr")}
        stand_in = torch.optim.SGD([torch.zeros(1)], lr=self._rates.bases[0])
        stand_in.param_groups[0].update({key: value for key, value in kept.items() if key in ("momentum", "betas")})
        played = _TorchSchedule(self._plan, stand_in, self._warmup, self._period)
        rates = []
        for _ in range(n_steps):
            rates.append(float(stand_in.param_groups[0]["lr"]))
            stand_in.step()
            played.after_update()
        return tuple(rates)

    def state(self) -> Mapping[str, Any]:
        return {"step": self._step, "scheduler": self._scheduler.state_dict()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._step = state["step"]
        self._scheduler.load_state_dict(state["scheduler"])

    def _warm(self) -> None:
        self._scale((self._step + 1) / self._warmup)

    def _scale(self, ratio: float) -> None:
        for group, start in zip(self._optimizer.param_groups, self._start, strict=True):
            group["lr"] = start * ratio


def _scheduler(plan: SchedulePlan, optimizer: torch.optim.Optimizer) -> Any:  # noqa: ANN401 - any class of torch
    call = plan.call
    assert call is not None  # a schedule of torch has one
    make = resolve(call)
    try:
        scheduler = make(optimizer, **keyword_arguments(call, make))
    except REFUSALS as error:
        message = f"the schedule refuses its arguments: {first_line(error)}"
        raise SpecError([Diagnostic("wrong-value", message, plan.origin.span, path=plan.origin.path)]) from error
    optimizer._opt_called = True  # type: ignore[attr-defined]  # noqa: SLF001 - updates go by its kernel, unseen by torch
    return scheduler


def _constant(options: Mapping[str, Any], n_steps_an_epoch: int) -> Curve:
    return lambda step, progress: 1.0


def _linear(options: Mapping[str, Any], n_steps_an_epoch: int) -> Curve:
    low = options["min_ratio"]
    return lambda step, progress: 1 - (1 - low) * progress


def _polynomial(options: Mapping[str, Any], n_steps_an_epoch: int) -> Curve:
    low, power = options["min_ratio"], options["power"]
    return lambda step, progress: float(low + (1 - low) * (1 - progress) ** power)


def _cosine(options: Mapping[str, Any], n_steps_an_epoch: int) -> Curve:
    low = options["min_ratio"]
    return lambda step, progress: low + (1 - low) * 0.5 * (1 + math.cos(math.pi * progress))


def _cosine_restarts(options: Mapping[str, Any], n_steps_an_epoch: int) -> Curve:
    """Half a cosine again and again (Loshchilov and Hutter, 2017), `n_cycles` times over the phase."""
    low, growth = options["min_ratio"], options["growth"]
    lengths = [growth**cycle for cycle in range(options["n_cycles"])]
    ends = [sum(lengths[: cycle + 1]) / sum(lengths) for cycle in range(len(lengths))]

    def curve(step: int, progress: float) -> float:
        cycle = _cycle_at(progress, ends)
        start = ends[cycle - 1] if cycle else 0.0
        along = min(1.0, (progress - start) / (ends[cycle] - start))
        return float(low + (1 - low) * 0.5 * (1 + math.cos(math.pi * along)))

    return curve


def _cycle_at(progress: float, ends: Sequence[float]) -> int:
    """The cycle that a part of the phase lies in; rounding must not put the first update of one into the last."""
    return next((index for index, end in enumerate(ends) if progress < end - 1e-9), len(ends) - 1)


def _one_cycle(options: Mapping[str, Any], n_steps_an_epoch: int) -> Curve:
    """Up from 1/25 by a half cosine, then down by another (Smith and Topin, 2018, as in torch's OneCycleLR)."""
    peak, low = options["peak_at"], options["min_ratio"]

    def curve(step: int, progress: float) -> float:
        start, end, along = (0.04, 1.0, progress / peak) if progress < peak else (1.0, low, _after(progress, peak))
        return float(end + (start - end) * 0.5 * (1 + math.cos(math.pi * along)))

    return curve


def _after(progress: float, peak: float) -> float:
    return (progress - peak) / (1 - peak) if peak < 1 else 1.0


def _step(options: Mapping[str, Any], n_steps_an_epoch: int) -> Curve:
    period = options["every_n_epochs"] * n_steps_an_epoch
    factor, low = options["factor"], options["min_ratio"]
    return lambda step, progress: max(low, float(factor ** (step // period)))


_CURVES: dict[str, Callable[[Mapping[str, Any], int], Curve]] = {
    "constant": _constant,
    "linear": _linear,
    "polynomial": _polynomial,
    "cosine": _cosine,
    "cosine_restarts": _cosine_restarts,
    "one_cycle": _one_cycle,
    "step": _step,
    "exponential": _step,
}
