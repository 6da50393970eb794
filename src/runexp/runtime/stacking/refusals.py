"""What cannot be trained for several folds at once, found before anything starts."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.experiment import walk
from runexp.plan.likeness import INSTEAD
from runexp.plan.phases import BuiltInPlan, OwnCallbackPlan, PhasePlan, TrainPlan
from runexp.plan.values import Origin
from runexp.runtime.data.problems import collecting, first_line, problem, stop_at, wrong
from runexp.runtime.resolve import REFUSALS
from runexp.runtime.stacking.stack import Stack
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.runtime.training import TrainProgram

_SLOW = re.compile(r"batching rule for (\S+?)\.? ")


def check_stackable(runtime: TorchRuntime, phases: Iterable[PhasePlan], whose: str = "folds") -> None:
    """Take a step of every train phase that can be opened by now as folds, trials or repeats together would;
    `SpecError` with all that cannot. Everything is afterwards what it was."""
    found: list[Diagnostic] = []
    training = [phase for phase in walk(tuple(phases)) if isinstance(phase, TrainPlan)]
    before = runtime.snapshot()
    try:
        for phase in (one for one in training if runtime.graph.is_built(one.nodes)):
            with collecting(found):
                _check(runtime, phase, whose)
    finally:
        runtime.restore(before)
    stop_at(found)


def of_shapes(origin: Origin, message: str, whose: str) -> Diagnostic:
    """Folds whose networks differ, as where a transform fitted on their rows gives other columns."""
    return problem(origin, "not-vectorizable", f"the {whose} cannot be trained at once: {message}", hint=INSTEAD[whose])


def _check(runtime: TorchRuntime, phase: TrainPlan, whose: str) -> None:
    program = runtime.open_train(phase)
    if not isinstance(program, TrainProgram):  # an estimator's, which the spec's line is refused for
        return
    try:
        _check_callbacks(runtime, phase, program, whose)
        _try(runtime, phase, program, whose)
    finally:
        program.close()


def _check_callbacks(runtime: TorchRuntime, phase: TrainPlan, program: TrainProgram, whose: str) -> None:
    for item in phase.callbacks:
        if not isinstance(item, (BuiltInPlan, OwnCallbackPlan)):
            continue
        hooks = runtime.open_callback(item, program).hooks()
        batches = [hook for hook in hooks if "batch" in hook]
        if batches or program.watchers:
            when = f"has `{batches[0]}`" if batches else "looks at every update"
            message = f"`{item.name}` {when}, and batches of all {whose} are taken at once"
            raise wrong(item.origin, "not-vectorizable", message, hint=INSTEAD[whose])


def _try(runtime: TorchRuntime, phase: TrainPlan, program: TrainProgram, whose: str) -> None:
    batch = next(iter(program.draw(0)))
    stack = Stack([program])
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            stack.try_step([batch])
    except (*REFUSALS, SpecError) as error:  # the latter is what code of the user's raises, with what it raised
        raise _refused(runtime, phase, stack.at, _said(error.__cause__ or error), whose) from error
    slow = next((found for each in caught if (found := _SLOW.search(str(each.message)))), None)
    if slow:
        raise _refused(runtime, phase, stack.at, f"torch takes `{slow[1]}` one after the other", whose)


def _refused(runtime: TorchRuntime, phase: TrainPlan, name: str, reason: str, whose: str) -> Exception:
    losses = {loss.name: loss.origin for loss in phase.losses}
    plans = runtime.graph.plans
    origin = plans[name].origin if name in plans else losses.get(name, phase.origin)
    message = f"`{name or phase.label}` cannot be trained for all {whose} at once: {reason}"
    return wrong(origin, "not-vectorizable", message, hint=INSTEAD[whose])


def _said(error: BaseException) -> str:
    line = first_line(error)
    if "randomness" in line:
        return "it draws random numbers, and each of them draws its own"
    if "data-dependent" in line or "dynamic" in line or ".item()" in line:
        return "it decides by the numbers of its rows"
    return line
