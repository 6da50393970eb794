"""What cannot be trained for several folds at once, found before anything starts."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.experiment import walk
from runexp.plan.phases import BuiltInPlan, OwnCallbackPlan, PhasePlan, TrainPlan
from runexp.plan.values import Origin
from runexp.runtime.data.problems import collecting, first_line, problem, stop_at, wrong
from runexp.runtime.resolve import REFUSALS
from runexp.runtime.stacking.stack import Stack
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.runtime.training import TrainProgram

_HINT = "`cv: {execution: processes}` trains the folds side by side"
_SLOW = re.compile(r"batching rule for (\S+?)\.? ")


def check_stackable(runtime: TorchRuntime, phases: Iterable[PhasePlan]) -> None:
    """Take a step of every train phase that can be opened by now as folds together would; `SpecError` with all that
    cannot. Everything is afterwards what it was."""
    found: list[Diagnostic] = []
    training = [phase for phase in walk(tuple(phases)) if isinstance(phase, TrainPlan)]
    before = runtime.snapshot()
    try:
        for phase in (one for one in training if runtime.graph.is_built(one.nodes)):
            with collecting(found):
                _check(runtime, phase)
    finally:
        runtime.restore(before)
    stop_at(found)


def of_shapes(origin: Origin, message: str) -> Diagnostic:
    """Folds whose networks differ, as where a transform fitted on their rows gives other columns."""
    return problem(origin, "not-vectorizable", f"the folds cannot be trained at once: {message}", hint=_HINT)


def _check(runtime: TorchRuntime, phase: TrainPlan) -> None:
    program = runtime.open_train(phase)
    if not isinstance(program, TrainProgram):  # an estimator's, which the spec's line is refused for
        return
    try:
        _check_callbacks(runtime, phase, program)
        _try(runtime, phase, program)
    finally:
        program.close()


def _check_callbacks(runtime: TorchRuntime, phase: TrainPlan, program: TrainProgram) -> None:
    for item in phase.callbacks:
        if not isinstance(item, (BuiltInPlan, OwnCallbackPlan)):
            continue
        hooks = runtime.open_callback(item, program).hooks()
        batches = [hook for hook in hooks if "batch" in hook]
        if batches or program.watchers:
            when = f"has `{batches[0]}`" if batches else "looks at every update"
            message = f"`{item.name}` {when}, and batches of all folds are taken at once"
            raise wrong(item.origin, "not-vectorizable", message, hint=_HINT)


def _try(runtime: TorchRuntime, phase: TrainPlan, program: TrainProgram) -> None:
    batch = next(iter(program.draw(0)))
    stack = Stack([program])
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            stack.try_step([batch])
    except (*REFUSALS, SpecError) as error:  # the latter is what code of the user's raises, with what it raised
        raise _refused(runtime, phase, stack.at, _said(error.__cause__ or error)) from error
    slow = next((found for each in caught if (found := _SLOW.search(str(each.message)))), None)
    if slow:
        raise _refused(runtime, phase, stack.at, f"torch takes `{slow[1]}` one fold after the other")


def _refused(runtime: TorchRuntime, phase: TrainPlan, name: str, reason: str) -> Exception:
    losses = {loss.name: loss.origin for loss in phase.losses}
    plans = runtime.graph.plans
    origin = plans[name].origin if name in plans else losses.get(name, phase.origin)
    message = f"`{name or phase.label}` cannot be trained for all folds at once: {reason}"
    return wrong(origin, "not-vectorizable", message, hint=_HINT)


def _said(error: BaseException) -> str:
    line = first_line(error)
    if "randomness" in line:
        return "it draws random numbers, and each fold draws its own"
    if "data-dependent" in line or "dynamic" in line or ".item()" in line:
        return "it decides by the numbers of its rows"
    return line
