"""Callbacks that a runtime makes: those of the user's, and the built-in ones besides evaluation and early stopping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runexp.catalog import OwnCode
from runexp.compiler.findings import Path
from runexp.compiler.own_code import misfits
from runexp.compiler.scope import Scope
from runexp.diagnostics import Severity, did_you_mean
from runexp.plan.phases import BuiltInPlan, MadePlan, Mode, OwnCallbackPlan
from runexp.plan.values import Call, FrozenMap
from runexp.records import dataclass
from runexp.spec.base import Section
from runexp.spec.built_in_callbacks import (
    BuiltIn,
    Ema,
    Freeze,
    GradualUnfreezing,
    LearningRateMonitor,
    NanGuard,
    Norms,
    Swa,
    Throughput,
    Unfreeze,
)
from runexp.spec.callbacks import Custom

PHASE_HOOKS: Mapping[str, int] = {
    "on_phase_start": 1,
    "on_epoch_start": 1,
    "on_batch_start": 1,
    "on_batch_end": 1,
    "on_epoch_end": 1,
    "on_phase_end": 1,
    "on_exception": 2,
}
"""What a callback of a phase may have, with how many arguments each is called."""
EXPERIMENT_HOOKS: Mapping[str, int] = {
    "on_experiment_start": 1,
    "on_group_start": 1,
    "on_phase_start": 1,
    "on_phase_end": 1,
    "on_group_end": 1,
    "on_experiment_end": 1,
    "on_exception": 2,
}
"""The same of a callback of the experiment."""
_GLOB = frozenset("*?[")


def link_own(scope: Scope, name: str, callback: Custom, hooks: Mapping[str, int], path: Path) -> OwnCallbackPlan | None:
    """A callback class of the user's, its hooks checked by its source; None where it cannot be linked."""
    call = scope.found.custom(callback.use, callback.arguments, path)
    if call is None:
        return None
    own = scope.found.own_code(call.target)
    if isinstance(own, OwnCode):
        _check_hooks(scope, call, own, hooks, (*path, "use"))
    return OwnCallbackPlan(name, call, callback.on_error, scope.found.origin(path))


def link_experiment_callbacks(scope: Scope) -> tuple[MadePlan, ...]:
    """The callbacks around phases and groups, in the order written."""
    linked: list[MadePlan | None] = []
    for name, callback in scope.found.spec.experiment_callbacks.items():
        path = ("experiment_callbacks", name)
        if isinstance(callback, Custom):
            linked.append(link_own(scope, name, callback, EXPERIMENT_HOOKS, path))
        else:
            linked.append(link_built_in(scope, name, callback, (), path))
    return tuple(plan for plan in linked if plan)


def link_built_in(scope: Scope, name: str, callback: Section, produces: Sequence[str], path: Path) -> BuiltInPlan:
    """A built-in callback with every option."""
    options = callback.model_dump()
    use = str(options.pop("use"))
    return BuiltInPlan(name, use, FrozenMap(options), tuple(produces), scope.found.origin(path))


def produced(callback: BuiltIn | Custom, trains: Sequence[str]) -> dict[str, Mode | None]:
    """The numbers a callback of a phase that trains these nodes is known to report, and in which direction each
    improves."""
    match callback:
        case LearningRateMonitor():
            return {"lr_0": None}
        case Norms():
            parts = ("", *(f"_{node}" for node in trains if callback.by_node))
            return {f"{kind}{part}": "min" for kind in ("gradient_norm", "weight_norm") for part in parts}
        case Throughput():
            return {"rows_per_second": "max", "memory_mb": "min"}
        case NanGuard() if callback.on_nan != "stop":
            return {"nan_batches": "min"}
        case _:
            return {}


@dataclass(frozen=True, slots=True)
class Moving:
    """A train phase as far as it says what moves: its label, the nodes that train, its epochs where it counts them."""

    label: str
    trains: tuple[str, ...]
    n_epochs: int | None


def check_held(scope: Scope, callback: BuiltIn, phase: Moving, path: Path) -> None:
    """Report nodes that do not train in the phase, and epochs that it does not reach."""
    key: str = "nodes"
    patterns: tuple[str, ...] = ()
    epoch: tuple[str, int] | None = None
    match callback:
        case Swa():
            epoch = ("from_epoch", callback.from_epoch)
        case GradualUnfreezing():
            key, patterns = "order", callback.order or ()
        case Freeze() | Unfreeze():
            patterns, epoch = callback.nodes, ("epoch", callback.epoch)
        case _:
            return
    for index, pattern in enumerate(patterns):
        _check_node(scope, phase, pattern, (*path, key, index))
    n_epochs = phase.n_epochs
    if epoch and n_epochs is not None and epoch[1] >= n_epochs:
        scope.found.error(
            "idle-callback",
            f"`{callback.use}` waits for epoch {epoch[1]}, and the last of `{phase.label}` is {n_epochs - 1}",
            (*path, epoch[0]),
            help="the first epoch is 0",
            severity=Severity.WARNING,
        )


def check_averages(scope: Scope, callbacks: Mapping[int, tuple[str, object, Path]]) -> None:
    """Report a second average: an evaluation can take one only."""
    places = [place for _, callback, place in callbacks.values() if isinstance(callback, (Ema, Swa))]
    for place in places[1:]:
        scope.found.error(
            "exclusive-options",
            "a phase can have one average of weights, `ema` or `swa`",
            place,
            part="key",
            help="evaluations take the average, and there can be one only",
        )


def _check_node(scope: Scope, phase: Moving, pattern: str, path: Path) -> None:
    head = pattern.partition(".")[0]
    if _GLOB & set(head) or not phase.trains:
        return
    if head not in scope.nodes:
        scope.knows_node(head, path)
    elif head not in phase.trains:
        scope.found.error(
            "wrong-value",
            f"`{head}` does not train in `{phase.label}`",
            path,
            help=f"its nodes that train: {', '.join(phase.trains)}",
        )


def _check_hooks(scope: Scope, call: Call, own: OwnCode, hooks: Mapping[str, int], path: Path) -> None:
    if not own.is_class:
        message = f"`{call.name}` is a function, and a callback is a class with hooks"
        scope.found.error("wrong-use", message, path, label="not a callback", help=f"hooks are {', '.join(hooks)}")
        return
    wrong = [name for name in own.methods if name.startswith("on_") and name not in hooks]
    for name in wrong:
        scope.found.error(
            "wrong-use",
            f"`{call.name}` has a method `{name}`, and no hook is called so here",
            path,
            label="it would never be called",
            help=did_you_mean(name, tuple(hooks), kind="hooks"),
        )
    for name in hooks.keys() & own.methods.keys():
        shape = own.methods[name]
        if shape is not None:
            for one in misfits(shape, f"`{name}` of `{call.name}`", hooks[name], ()):
                given = "a view" if hooks[name] == 1 else "a view and the exception"
                scope.found.error(one.code, one.message, path, help=f"`{name}` is called with {given}")
    if not wrong and not own.ancestors and not hooks.keys() & own.methods.keys():
        scope.found.error(
            "wrong-use",
            f"`{call.name}` has none of the hooks of a callback",
            path,
            label="it would never be called",
            help=f"hooks are {', '.join(hooks)}",
        )
