"""Optimizers and schedules of a train phase, linked to the catalog and to what the phase measures."""

from __future__ import annotations

from fnmatch import fnmatchcase

from runexp import catalog
from runexp.compiler.callbacks import Numbers, monitored
from runexp.compiler.findings import Path
from runexp.compiler.routes import graph_is_damaged
from runexp.compiler.scope import Scope
from runexp.diagnostics import Severity
from runexp.plan.phases import OptimizerPlan, SchedulePlan
from runexp.plan.values import FrozenMap
from runexp.spec.phases import Optimizer, Schedule
from runexp.spec.shape import dotted


def link_optimizer(
    scope: Scope, written: Optimizer | None, trains: tuple[str, ...], path: Path
) -> OptimizerPlan | None:
    """The optimizer of a phase with its groups; reports its absence."""
    if written is None:
        _check_present(scope, path)
        return None
    made = scope.found.call(written.use, written.arguments, path, kinds=("optimizer",), supplied=frozenset({"params"}))
    for name in written.groups:
        _check_group(scope, written, name, trains, path)
    if made is None:
        return None
    if written.decay == "matrices" and "weight_decay" not in {item.name for item in made[1].parameters}:
        message = f"`{written.use}` has no weight decay that `decay` could be about"
        scope.found.error("unused-key", message, (*path, "decay"), part="key", severity=Severity.WARNING)
    return OptimizerPlan(made[0], FrozenMap(written.groups), scope.found.origin(path), written.decay)


def link_schedule(scope: Scope, written: Schedule | None, numbers: Numbers, path: Path) -> SchedulePlan | None:
    """The learning rate over a phase; None where nothing is said about it, or nothing that could be linked."""
    if written is None:
        return None
    if written.warmup_steps and written.warmup_epochs is not None:
        message = "`warmup_steps` and `warmup_epochs` exclude each other"
        scope.found.error("exclusive-keys", message, (*path, "warmup_epochs"), part="key")
    entry = catalog.lookup(written.use, ("schedule",))
    if entry is None or not entry.traits.get("own"):
        return _of_torch(scope, written, path)
    if written.epochs and written.steps:
        message = "`epochs` and `steps` exclude each other"
        scope.found.error("exclusive-keys", message, (*path, "steps"), part="key")
    if written.use == "plateau":
        _check_no_length(scope, written, path)
    options = frozenset(item.name for item in entry.parameters)
    _check_options(scope, written, options - {"warmup_steps", "warmup_epochs"}, path)
    read = {name: getattr(written, name) for name in sorted(options & set(_OPTIONS))}
    if written.use == "plateau":
        read |= _watched(scope, written, numbers, path)
    return SchedulePlan(
        entry.name, written.warmup_steps, written.warmup_epochs or 0.0, FrozenMap(read), scope.found.origin(path),
        n_epochs=written.epochs or 0, n_steps=written.steps or 0,
    )  # fmt: skip


def _check_no_length(scope: Scope, written: Schedule, path: Path) -> None:
    for name in ("epochs", "steps"):
        if name in written.model_fields_set:
            message = f"`{name}` is the length of a curve, and `{written.use}` has none"
            scope.found.error("exclusive-keys", message, (*path, name), part="key")


def _of_torch(scope: Scope, written: Schedule, path: Path) -> SchedulePlan | None:
    made = scope.found.call(
        written.use, written.arguments, path, kinds=("schedule",), supplied=frozenset({"optimizer"})
    )
    if made is None:
        return None
    call, entry = made
    _check_no_length(scope, written, path)
    if entry.traits.get("steps_on") == "metric":
        help = "`use: plateau` follows torch's rule: `{use: plateau, monitor: val_loss, factor: 0.5, patience: 3}`"
        scope.found.error("wrong-use", f"`{written.use}` has to be told a metric", (*path, "use"), help=help)
        return None
    for name in _OPTIONS:
        if name in written.model_fields_set:
            message = f"`{name}` is for runexp's own curves; `{written.use}` takes its arguments under `with`"
            scope.found.error("exclusive-keys", message, (*path, name), part="key")
    return SchedulePlan(
        entry.name,
        written.warmup_steps,
        written.warmup_epochs or 0.0,
        FrozenMap(),
        scope.found.origin(path),
        call,
        written.interval or "epoch",
    )


def _check_options(scope: Scope, written: Schedule, options: frozenset[str], path: Path) -> None:
    """Warn of options that the curve does not read; `with` and `interval` are for torch's own."""
    for name in _OPTIONS:
        if name in written.model_fields_set and name not in options:
            reads = ", ".join(f"`{option}`" for option in _OPTIONS if option in options)
            message = f"`{name}` changes nothing in a `{written.use}` schedule"
            help = f"`{written.use}` reads {reads or 'the warm-up only'}"
            scope.found.error("unused-key", message, (*path, name), part="key", help=help, severity=Severity.WARNING)
    for field, name in (("arguments", "with"), ("interval", "interval")):
        if field in written.model_fields_set:
            message = f"`{name}` is for schedulers of torch; what `{written.use}` reads stands beside `use`"
            scope.found.error("exclusive-keys", message, (*path, name), part="key")


def _watched(scope: Scope, written: Schedule, numbers: Numbers, path: Path) -> dict[str, str]:
    if written.monitor is None:
        if not scope.found.is_damaged(path):
            help = "`monitor: val_loss`, measured by an evaluation of the phase"
            message = f"`{dotted(path)}` lacks `monitor`, the number that has to stop improving"
            scope.found.error("missing-key", message, path, part="key", help=help)
        return {"monitor": "", "mode": "min"}
    mode = monitored(scope, written.monitor, written.mode, numbers, (*path, "monitor"))
    return {"monitor": written.monitor, "mode": mode}


def _check_present(scope: Scope, path: Path) -> None:
    several = scope.found.document.find((*path[:-1], "optimizers"))
    if several is None and scope.found.lacks(path[:-1], "optimizer"):
        scope.found.error(
            "missing-key",
            f"`{dotted(path[:-1])}` lacks the key `optimizer`",
            path[:-1],
            part="key",
            label="`optimizer` is missing",
            help="a torch optimizer: `optimizer: {use: adamw, with: {lr: 1e-3}}`",
        )


def _check_group(scope: Scope, written: Optimizer, name: str, trains: tuple[str, ...], path: Path) -> None:
    """A group names a node that trains, or a pattern of parameters that may take in some of it."""
    place = (*path, "groups", name)
    is_pattern = any(sign in name for sign in ".*?[")
    about = [node for node in scope.nodes if fnmatchcase(node, name.partition(".")[0])]
    if not about or not is_pattern:
        if not scope.knows_node(name.partition(".")[0] if is_pattern else name, place, part="key"):
            return
        about = [name]
    if trains and not set(about) & set(trains) and not graph_is_damaged(scope):
        scope.found.error(
            "untrained-group",
            f"the node `{about[0]}` does not train in this phase",
            place,
            part="key",
            help=f"nodes that do: {', '.join(trains)}",
        )
    if catalog.lookup(written.use, ("optimizer",)) is not None:
        scope.found.call(
            written.use,
            written.groups[name],
            place,
            kinds=("optimizer",),
            supplied=frozenset({"params"}),
            with_path=place,
        )


_OPTIONS = (
    "min_ratio", "every_n_epochs", "factor", "peak_at", "n_cycles", "growth", "power",
    "monitor", "mode", "patience", "threshold", "cooldown",
)  # fmt: skip
