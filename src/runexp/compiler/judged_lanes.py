"""The rows an evaluation judges: one by one in their order, or drawn in roles where its losses ask for them (S-23)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runexp.compiler.findings import Path
from runexp.compiler.lanes import named_sampler
from runexp.compiler.roles import check_roles
from runexp.compiler.scope import Scope
from runexp.plan.graph import Feed, LossPlan, MetricPlan, NodePlan
from runexp.plan.lanes import BatchPlan, LaneFeed, LanePlan
from runexp.plan.samplers import SamplerPlan
from runexp.records import dataclass


@dataclass(frozen=True, slots=True)
class Judged:
    """What an evaluation reads: its nodes, its losses and metrics, and the feature sets they need."""

    nodes: tuple[str, ...]
    items: tuple[LossPlan | MetricPlan, ...]
    data: tuple[str, ...]
    split: str
    batch_size: int


def link_judged(
    scope: Scope, judged: Judged, sampler: str | None, around: Sequence[LanePlan], path: Path
) -> tuple[LanePlan, ...]:
    """The lane of an evaluation, if it needs one: drawn as `sampler` says, or as the train phase around it does."""
    plans = [scope.nodes[name] for name in judged.nodes]
    roles = _roles(judged, plans)
    named = named_sampler(scope, sampler, (*path, "sampler")) if sampler is not None else None
    drawn = {role for role in roles if role.partition(".")[0] not in scope.found.spec.bindings}
    weighed = any(route.source == "sampler" for item in judged.items for route in item.routes)
    found = named or (_sampler(scope, plans, around, drawn) if drawn or weighed else None)
    feeds = _feeds(plans, roles) if roles or weighed else ()
    lanes = (_lane(scope, judged, feeds, found, path),) if feeds else ()
    if found is not None and len(found.streams) > 1 and lanes:
        scope.found.not_yet("an evaluation of several streams", path)
        return ()
    check_roles(scope, plans, judged.items, lanes, path)
    return lanes


def _roles(judged: Judged, plans: Sequence[NodePlan]) -> set[str]:
    """The roles that losses, metrics and nodes name."""
    written = {route.role for item in judged.items for route in item.routes}
    written |= {feed.role for plan in plans for feed in plan.feeds}
    return written - {""}


def _sampler(
    scope: Scope, plans: Sequence[NodePlan], around: Sequence[LanePlan], roles: set[str]
) -> SamplerPlan | None:
    """The sampler of the phase around, or of a binding, that draws the roles asked for."""
    bindings = [scope.found.spec.bindings.get(feed.binding) for plan in plans for feed in plan.feeds]
    names = [binding.sampler for binding in bindings if binding is not None and binding.sampler is not None]
    candidates = [lane.sampler for lane in around] + [scope.samplers.get(name) for name in names]
    last = {role.rpartition(".")[2] for role in roles}
    return next((one for one in candidates if one is not None and last <= set(one.roles)), None)


def _feeds(plans: Sequence[NodePlan], roles: set[str]) -> tuple[LaneFeed, ...]:
    return tuple(
        LaneFeed(plan.name, index, option.name, option.key, "", call)
        for plan in plans
        for index, feed in enumerate(plan.feeds)
        if feed.source == "data"
        for option, call in _options(plan, feed, roles)
    )


def _lane(
    scope: Scope, judged: Judged, feeds: tuple[LaneFeed, ...], sampler: SamplerPlan | None, path: Path
) -> LanePlan:
    sets = [*(feed.data for feed in feeds), *_read(judged), *([sampler.data] if sampler else [])]
    fixed = replace(sampler, shuffle=False) if sampler else None
    plain = BatchPlan(judged.batch_size, False, False)
    name = sampler.name if sampler else feeds[0].data
    return LanePlan(name, tuple(dict.fromkeys(sets)), judged.split, plain, fixed, feeds, scope.found.origin(path))


def _options(plan: NodePlan, feed: Feed, roles: set[str]) -> list[tuple[Feed, str]]:
    """The binding of an input, or those of several whose rows are asked for by name."""
    others = [other for other in plan.others if other.argument == feed.argument and feed.binding]
    named = {role.partition(".")[0] for role in roles}
    asked = [(option, option.binding) for option in (feed, *others) if option.binding in named]
    return asked if others and asked else [(feed, "")]


def _read(judged: Judged) -> tuple[str, ...]:
    return tuple(route.name for item in judged.items for route in item.routes if route.source == "data")
