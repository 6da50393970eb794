"""Which estimators are fitted when: fit phases linked, and phases that come too early found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runexp import catalog
from runexp.compiler.findings import Path
from runexp.compiler.routes import only_target
from runexp.compiler.scope import Scope
from runexp.compiler.wrapped import deciding
from runexp.plan.graph import NodePlan
from runexp.plan.phases import FitPlan
from runexp.plan.values import FrozenMap
from runexp.spec.phases import FitPhase


class Fitted:
    """The estimators that phases so far have fitted."""

    def __init__(self, nodes: Mapping[str, NodePlan]) -> None:
        self._waiting = dict.fromkeys(name for name, node in nodes.items() if node.is_estimator)
        self._early: set[str] = set()

    @property
    def waiting(self) -> tuple[str, ...]:
        """The estimators no phase has fitted yet, in topological order."""
        return tuple(self._waiting)

    @property
    def is_early(self) -> bool:
        """Whether a phase came too early for estimators that none has fitted since, which has been reported."""
        return bool(self._early)

    def mark_early(self, names: Sequence[str]) -> None:
        """Note that a phase came too early for these; a fit phase behind it may well be the one that is meant."""
        self.mark(tuple(names))
        self._early |= set(names)

    def mark(self, names: tuple[str, ...]) -> None:
        """Note that a phase fits these."""
        for name in names:
            self._waiting.pop(name, None)
            self._early.discard(name)


def check_fitted(scope: Scope, nodes: tuple[str, ...], fitted: Fitted, path: Path) -> None:
    """Report estimators that a phase needs and no phase before it fits."""
    early = [name for name in nodes if name in fitted.waiting]
    if early and not scope.found.is_damaged(("phases",)):
        scope.found.error(
            "unfitted-node",
            f"the phase `{path[-1]}` needs the node `{early[0]}`, which no phase before it fits",
            path,
            part="key",
            help=f"put a fit phase before it: {{kind: fit, nodes: [{', '.join(early)}], split: train}}",
        )
        fitted.mark_early(early)


def link_fit(scope: Scope, phase: FitPhase, path: Path, label: str, fitted: Fitted) -> FitPlan | None:
    """A fit phase: its estimators in topological order and the targets they learn."""
    wanted = _wanted(scope, phase, path, fitted)
    nodes = tuple(name for name in scope.nodes if name in wanted)
    runs = scope.needed(nodes)
    upstream = tuple(name for name in runs if name not in nodes)
    check_fitted(scope, upstream, fitted, path)
    fitted.mark(nodes)
    data = scope.feeding(nodes)
    scope.check_split(phase.split, data, (*path, "split"))
    targets = {name: target for name in nodes if (target := link_target(scope, name, phase.targets, path))}
    for name in phase.targets:
        place = (*path, "targets", name)
        if scope.knows_node(name, place, part="key") and name not in nodes:
            scope.found.error("wrong-node", f"the phase `{label}` does not fit the node `{name}`", place, part="key")
    if not nodes:
        return None
    origin = scope.found.origin(path)
    return FitPlan(label, phase.split, data, nodes, runs, FrozenMap(targets), phase.freeze_after_fit, origin)


def _wanted(scope: Scope, phase: FitPhase, path: Path, fitted: Fitted) -> tuple[str, ...]:
    if phase.nodes is None:
        if not fitted.waiting and not fitted.is_early and not scope.found.is_damaged(("nodes",)):
            scope.found.error(
                "nothing-to-do",
                f"the fit phase `{path[-1]}` has no estimator to fit",
                path,
                part="key",
                help="a fit phase is for scikit-learn estimators; torch modules are trained in a train phase",
            )
        return fitted.waiting
    wanted = []
    for index, name in enumerate(phase.nodes):
        place = (*path, "nodes", index)
        if not scope.knows_node(name, place):
            fitted.mark(fitted.waiting)  # any of them may be meant
            continue
        if not scope.nodes[name].is_estimator:
            scope.found.error(
                "wrong-node",
                f"the node `{name}` is a torch module, and a fit phase fits scikit-learn estimators",
                place,
                help="train it in a phase of `kind: train`",
            )
            fitted.mark(fitted.waiting)  # any of them may be meant
            continue
        wanted.append(name)
    return tuple(wanted)


def link_target(scope: Scope, name: str, written: Mapping[str, str], path: Path) -> tuple[str, str] | None:
    """The (feature set, key) an estimator learns; None for one that needs none."""
    if name in written:
        return _written_target(scope, name, written[name], (*path, "targets", name))
    call = scope.nodes[name].calls[0]
    entry = catalog.lookup(call.name)
    if entry is None or not deciding(call, entry).traits.get("needs_target"):
        return None
    target = only_target(scope, name, (*path, "targets"))
    return (target.name, target.key) if target else None


def _written_target(scope: Scope, node: str, reference: str, path: Path) -> tuple[str, str] | None:
    wanted = reference.removeprefix("targets.")
    targets = [(data, key.name) for data in scope.feeding((node,)) for key in scope.targets_of(data)]
    for data, key in targets:
        if wanted in (key, f"{data}.{key}"):
            return data, key
    scope.found.unknown("target", wanted, path, [key for _, key in targets])
    return None
