"""The pass over a sweep: which addresses vary and between what, and which numbers are to improve."""

from __future__ import annotations

from runexp.compiler.execution_checks import check_execution, check_nesting
from runexp.compiler.final_numbers import FinalNumbers, check_number, final_numbers, trained_numbers
from runexp.compiler.findings import Path
from runexp.compiler.fold_stacking import check_stacked_trials
from runexp.compiler.scope import Scope
from runexp.compiler.sweep_ranges import check_address, check_range, check_when
from runexp.diagnostics import did_you_mean
from runexp.plan.phases import PhasePlan
from runexp.plan.sweeps import Direction, ObjectivePlan, ParameterPlan, SweepPlan
from runexp.plan.values import FrozenMap, freeze
from runexp.spec.strategies import Range, Sweep

_PATH: Path = ("sweep",)
_MOST_POINTS = 10_000


def link_sweep(scope: Scope, phases: tuple[PhasePlan, ...]) -> SweepPlan | None:
    """The plan of the `sweep` section; None where there is none."""
    sweep = scope.found.spec.sweep
    if sweep is None:
        return None
    written = {address: _as_range(values) for address, values in sweep.parameters.items()}
    for address, values in written.items():
        check_address(scope, address)
        check_range(scope, address, values, is_grid=sweep.sampler == "grid")
        check_when(scope, address, values, written)
    parameters = tuple(_parameter(scope, address, values) for address, values in written.items())
    _check_sampler(scope, sweep, parameters)
    check_stacked_trials(scope, phases)
    numbers = final_numbers(_in_fold(scope, phases))
    objectives = _objectives(scope, sweep, numbers)
    trained = trained_numbers(phases)
    is_known_late = scope.found.spec.cv is not None or not trained.modes  # a fold ends with all of them
    monitor, mode = _monitor(scope, sweep, objectives, numbers if is_known_late else trained)
    check_execution(scope, sweep)
    check_nesting(scope, sweep)
    return SweepPlan(
        parameters=parameters,
        sampler=sweep.sampler,
        n_trials=sweep.trials or 0,
        objectives=objectives,
        pruner=sweep.pruner,
        monitor=monitor,
        monitor_mode=mode,
        execution=sweep.execution,
        workers=sweep.workers or 0,
        is_stored_elsewhere=sweep.storage is not None,
        origin=scope.found.origin(_PATH),
        cluster=sweep.cluster or "",
    )


def _as_range(values: object) -> Range:
    return values if isinstance(values, Range) else Range.model_construct(values=values)


def _parameter(scope: Scope, address: str, values: Range) -> ParameterPlan:
    when = {
        name: tuple(wanted) if isinstance(wanted, tuple) else (wanted,) for name, wanted in (values.when or {}).items()
    }
    step = values.step or (1.0 if values.integer and not values.log else 0.0)
    return ParameterPlan(
        address=address,
        values=freeze(values.values or ()),
        low=values.low or 0.0,
        high=values.high or 0.0,
        step=step,
        log=values.log,
        integer=values.integer,
        origin=scope.found.origin(("sweep", "parameters", address)),
        when=FrozenMap(when),
    )


def _check_sampler(scope: Scope, sweep: Sweep, parameters: tuple[ParameterPlan, ...]) -> None:
    if sweep.sampler == "grid":
        _check_grid(scope, sweep, parameters)
        return
    if sweep.trials is None and not scope.found.is_damaged(_PATH):
        message = f"a sweep by `{sweep.sampler}` lacks the key `trials`"
        help = "`trials: 30`; a grid alone needs none, since it ends by itself"
        scope.found.error("missing-key", message, _PATH, part="key", label="how many is missing", help=help)
    n_ranges = sum(1 for one in parameters if not one.values and not one.when)
    if sweep.sampler == "cmaes" and n_ranges < 2:
        message = (
            f"`cmaes` searches two or more ranges together, and there {'is' if n_ranges == 1 else 'are'} {n_ranges}"
        )
        help = "lists, and what has `when`, are only drawn at random beside it; `tpe` learns from them too"
        scope.found.error("wrong-value", message, (*_PATH, "sampler"), help=help)


def _check_grid(scope: Scope, sweep: Sweep, parameters: tuple[ParameterPlan, ...]) -> None:
    if sweep.trials is not None:
        message = "`trials` and `sampler: grid` exclude each other"
        help = "a grid has as many trials as points; `sampler: random` draws some of them"
        scope.found.error("exclusive-keys", message, (*_PATH, "trials"), part="key", help=help)
    n_points = 1
    for one in parameters:
        n_points *= len(one.values) or (int((one.high - one.low) / one.step + 1e-9) + 1 if one.step else 1)
    if n_points > _MOST_POINTS:
        message = f"the grid has {n_points:,} points, and at most {_MOST_POINTS:,} can be run"
        scope.found.error("wrong-value", message, (*_PATH, "parameters"), part="key", help="`sampler: random`")


def _objectives(scope: Scope, sweep: Sweep, numbers: FinalNumbers) -> tuple[ObjectivePlan, ...]:
    path: Path = (*_PATH, "objective")
    if isinstance(sweep.objective, str):
        check_number(scope, sweep.objective, numbers, path)
        mode = sweep.mode or numbers.modes.get(sweep.objective)
        if mode is None and sweep.objective in numbers:
            _unknown_mode(scope, sweep.objective, path)
        return (ObjectivePlan(sweep.objective, mode or "min"),)
    if sweep.mode is not None:
        message = "`mode` and objectives with modes of their own exclude each other"
        scope.found.error("exclusive-keys", message, (*_PATH, "mode"), part="key")
    for address in sweep.objective:
        check_number(scope, address, numbers, (*path, address), part="key")
    if len(sweep.objective) > 1:
        _check_several(scope, sweep)
    return tuple(ObjectivePlan(address, mode) for address, mode in sweep.objective.items())


def _check_several(scope: Scope, sweep: Sweep) -> None:
    if sweep.pruner != "none":
        message = "a pruner ends trials by one number, and there are several objectives"
        scope.found.error("exclusive-keys", message, (*_PATH, "pruner"), part="key", help="leave the pruner out")
    if sweep.sampler == "cmaes":
        help = "`tpe` can improve several"
        scope.found.error("wrong-value", "`cmaes` improves one objective", (*_PATH, "sampler"), help=help)


def _monitor(
    scope: Scope, sweep: Sweep, objectives: tuple[ObjectivePlan, ...], watched: FinalNumbers
) -> tuple[str, Direction]:
    """What the pruner watches: a number that is known while a trial still runs."""
    first = objectives[0]
    path: Path = (*_PATH, "monitor")
    if sweep.pruner == "none":
        if sweep.monitor is not None:
            message = "`monitor` is what a pruner watches, and there is none"
            help = "`pruner: median`, or leave `monitor` out"
            scope.found.error("exclusive-keys", message, path, part="key", help=help)
        return "", first.mode
    if sweep.monitor is None and first.address not in watched:
        if not scope.found.has_errors:
            message = f"`{first.address}` is known only when a trial has ended: a pruner cannot watch it"
            help = did_you_mean("", watched.modes, kind="name one with `monitor:` that is known earlier")
            scope.found.error("missing-key", message, (*_PATH, "pruner"), part="key", help=help)
        return first.address, first.mode
    if sweep.monitor is None or sweep.monitor == first.address:
        return first.address, first.mode
    check_number(scope, sweep.monitor, watched, path)
    if sweep.monitor in watched and watched.modes.get(sweep.monitor) is None:
        _unknown_mode(scope, sweep.monitor, path)
    return sweep.monitor, watched.modes.get(sweep.monitor) or first.mode


def _unknown_mode(scope: Scope, address: str, path: Path) -> None:
    scope.found.error(
        "missing-key",
        f"whether more or less of `{address}` is better is not known",
        path,
        label="in which direction?",
        help=f"`objective: {{{address}: max}}`, or `min`" if path[-1] == "objective" else "watch another number",
    )


def _in_fold(scope: Scope, phases: tuple[PhasePlan, ...]) -> tuple[PhasePlan, ...]:
    cv = scope.found.spec.cv
    chosen = cv.phases if cv is not None else None
    return tuple(phase for phase in phases if chosen is None or phase.label in chosen)
