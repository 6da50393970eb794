"""The lanes of a train phase: which bindings share a drawing, and how the drawings are put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from runexp.compiler.findings import Path
from runexp.compiler.roles import check_roles
from runexp.compiler.routes import data_of, graph_is_damaged
from runexp.compiler.samplers import link_sampler
from runexp.compiler.scope import Scope
from runexp.plan.graph import Feed, LossPlan, NodePlan
from runexp.plan.lanes import BatchPlan, LaneFeed, LanePlan, Wiring
from runexp.plan.phases import BatchSchedule
from runexp.plan.samplers import SamplerPlan
from runexp.records import dataclass
from runexp.spec.phases import Batches, PhaseInput, TrainPhase
from runexp.spec.samplers import Sampler


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a train phase draws; `lanes` are empty where all there is to say is `split`, `data` and `batches`."""

    split: str
    data: tuple[str, ...]
    batches: BatchPlan
    schedule: BatchSchedule
    lanes: tuple[LanePlan, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """How one binding is drawn: a split, a sampler (None: plain batches), a stream of it; where the split stands."""

    split: str
    sampler: SamplerPlan | None
    stream: str
    split_path: Path


@dataclass(frozen=True, slots=True)
class Use:
    """One input of a head, the feed that it has, the name of the call it is for, and how that is drawn."""

    node: str
    index: int
    feed: Feed
    call: str
    way: Way


def link_lanes(
    scope: Scope, phase: TrainPhase, nodes: tuple[str, ...], losses: Sequence[LossPlan], path: Path
) -> Drawing:
    """The lanes that feed the nodes of a phase; reports what cannot be drawn as it is written."""
    plans = [scope.nodes[name] for name in nodes]
    default = _default(scope, phase, path)
    chosen = _chosen(scope, phase, plans, path)
    uses = [use for plan in plans for use in _uses(scope, plan, chosen, default)]
    batches = phase.batches if isinstance(phase.batches, Batches) else Batches()
    plain = BatchPlan(batches.size, batches.shuffle, batches.drop_last)
    lanes = _grouped(scope, phase, uses, plain, path)
    lanes = _with_read(scope, lanes, plans, losses)
    for lane in lanes:
        where = next(use.way.split_path for use in uses if use.way.split == lane.split)
        scope.check_split(lane.split, lane.data, where)
    wiring = check_roles(scope, plans, losses, lanes, path)
    _check_schedule(scope, phase, len(wiring.strands), path)
    if not lanes:
        data = data_of(scope, tuple(dict.fromkeys(loss.node for loss in losses)), losses)
        scope.check_split(phase.split, data, (*path, "split"))
        return Drawing(phase.split, data, plain, "zip_strict", ())
    data = tuple(dict.fromkeys(name for lane in lanes for name in lane.data))
    if len(lanes) == 1 and lanes[0].sampler is None and not any(use.call for use in uses):
        return Drawing(lanes[0].split, data, plain, "zip_strict", ())
    if (phase.batch_schedule or "").startswith("alternate"):
        _check_in_turn(scope, wiring, losses, path)
    _check_judged(scope, wiring, losses, path)
    return Drawing(lanes[0].split, data, plain, phase.batch_schedule or "zip_strict", lanes)


def _default(scope: Scope, phase: TrainPhase, path: Path) -> Way:
    """How what says nothing of its own is drawn."""
    written, sampler = phase.batches, None
    if isinstance(written, Sampler):
        sampler = link_sampler(scope, written.use, written, (*path, "batches"))
    elif isinstance(written, str):
        sampler = named_sampler(scope, written, (*path, "batches"))
    return Way(phase.split, sampler, "", (*path, "split"))


def named_sampler(scope: Scope, name: str, path: Path) -> SamplerPlan | None:
    """The sampler of that name; None where it is broken or, which is reported, there is none."""
    if name not in scope.found.names("samplers"):
        scope.found.unknown("sampler", name, path, scope.found.names("samplers"))
        scope.found.doubt("samplers")
    return scope.samplers.get(name)


def _chosen(
    scope: Scope, phase: TrainPhase, plans: Sequence[NodePlan], path: Path
) -> dict[str, tuple[PhaseInput, Path]] | None:
    """The bindings a phase lists, with what it changes in them; None where it takes those that there are."""
    if phase.inputs is None:
        return None
    bound = [feed.binding for plan in plans for feed in (*plan.feeds, *plan.others) if feed.binding]
    known = scope.found.names("bindings")
    chosen: dict[str, tuple[PhaseInput, Path]] = {}
    for index, item in enumerate(phase.inputs):
        place = (*path, "inputs", index)
        written = PhaseInput(binding=item) if isinstance(item, str) else item
        where = place if isinstance(item, str) else (*place, "binding")
        if written.binding not in known:
            scope.found.unknown("binding", written.binding, where, known)
        elif written.binding in chosen:
            scope.found.error("wrong-value", f"the binding `{written.binding}` is listed twice", where)
        elif written.binding not in bound and plans and not graph_is_damaged(scope):
            node = scope.found.spec.bindings[written.binding].node if written.binding in known else ""
            message = f"the binding `{written.binding}` feeds `{node}`, which does not run in this phase"
            scope.found.error("wrong-node", message, where)
        else:
            chosen[written.binding] = (written, place)
    if len(chosen) == len(phase.inputs) and not scope.found.is_damaged(path):
        _check_left_out(scope, plans, chosen, path)
    return chosen


def _check_left_out(scope: Scope, plans: Sequence[NodePlan], chosen: Mapping[str, object], path: Path) -> None:
    for plan in plans:
        for feed in plan.feeds:
            options = [feed, *(other for other in plan.others if other.argument == feed.argument)]
            named = [option.binding for option in options if option.binding]
            if feed.binding and not any(name in chosen for name in named):
                scope.found.error(
                    "unbound-node",
                    f"`inputs` lists nothing that feeds the node `{plan.name}`",
                    (*path, "inputs"),
                    part="key",
                    help=f"bindings that do: {', '.join(named)}",
                )


def _uses(
    scope: Scope, plan: NodePlan, chosen: Mapping[str, tuple[PhaseInput, Path]] | None, default: Way
) -> Iterator[Use]:
    for index, feed in enumerate(plan.feeds):
        if feed.source != "data":
            continue
        options = [feed, *(other for other in plan.others if other.argument == feed.argument and feed.binding)]
        taken = [option for option in options if chosen is None or not option.binding or option.binding in chosen]
        for option in taken:
            listed = chosen.get(option.binding) if chosen else None
            way = _way(scope, option, listed, default)
            yield Use(plan.name, index, option, option.binding if len(taken) > 1 else "", way)


def _way(scope: Scope, feed: Feed, listed: tuple[PhaseInput, Path] | None, default: Way) -> Way:
    """What a phase says of a binding counts before what the binding says, and that before the phase's batches."""
    way = default
    binding = scope.found.spec.bindings.get(feed.binding)
    if binding is not None:
        way = _changed(scope, way, binding.split, binding.sampler, ("bindings", feed.binding))
        way = _with_stream(scope, way, binding.stream, ("bindings", feed.binding))
    if listed is not None:
        written, place = listed
        way = _changed(scope, way, written.split, written.sampler, place)
        way = _with_stream(scope, way, written.stream, place)
    return way


def _changed(scope: Scope, way: Way, split: str | None, sampler: str | None, path: Path) -> Way:
    if split is not None:
        way = replace(way, split=split, split_path=(*path, "split"))
    if sampler is not None:
        way = replace(way, sampler=named_sampler(scope, sampler, (*path, "sampler")), stream="")
    return way


def _with_stream(scope: Scope, way: Way, stream: str | None, path: Path) -> Way:
    if stream is None:
        return way
    known = tuple(name for name in way.sampler.streams if name) if way.sampler else ()
    if stream not in known and (way.sampler is not None or not scope.found.is_unsure("samplers")):
        scope.found.unknown("stream", stream, (*path, "stream"), known)
        return way
    return replace(way, stream=stream)


def _grouped(
    scope: Scope, phase: TrainPhase, uses: Sequence[Use], plain: BatchPlan, path: Path
) -> tuple[LanePlan, ...]:
    """One lane for what has the same split and sampler; with a schedule also the same source (S-08)."""
    groups: dict[tuple[str, str, str], list[Use]] = {}
    for use in uses:
        is_plain = use.way.sampler is None
        source = use.feed.name if is_plain and phase.batch_schedule is not None else ""
        sampler = use.way.sampler.origin.path if use.way.sampler else ""
        groups.setdefault((use.way.split, sampler, source), []).append(use)
    lanes: dict[str, LanePlan] = {}
    for (split, _, _), members in groups.items():
        sampler_plan = members[0].way.sampler
        data = tuple(dict.fromkeys([*(use.feed.name for use in members)]))
        if sampler_plan is not None and sampler_plan.data not in data:
            data = (*data, sampler_plan.data)
        feeds = tuple(_lane_feed(use, sampler_plan) for use in members)
        name = _name(sampler_plan.name if sampler_plan else data[0], split, lanes)
        lanes[name] = LanePlan(name, data, split, plain, sampler_plan, feeds, scope.found.origin(path))
    return tuple(lanes.values())


def _lane_feed(use: Use, sampler: SamplerPlan | None) -> LaneFeed:
    stream = use.way.stream or (sampler.streams[0] if sampler else "")
    return LaneFeed(use.node, use.index, use.feed.name, use.feed.key, stream, use.call)


def _name(wanted: str, split: str, taken: Mapping[str, object]) -> str:
    names = [wanted, f"{wanted}_{split}", *(f"{wanted}_{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


def _with_read(
    scope: Scope, lanes: tuple[LanePlan, ...], plans: Sequence[NodePlan], losses: Sequence[LossPlan]
) -> tuple[LanePlan, ...]:
    """Sets that only losses read lie beside those that feed the loss's node."""
    for loss in losses:
        heads = {name for name in scope.needed((loss.node,))}
        for route in loss.routes:
            if route.source != "data" or any(route.name in lane.data for lane in lanes):
                continue
            home = next((lane for lane in lanes if any(feed.node in heads for feed in lane.feeds)), None)
            lanes = tuple(replace(lane, data=(*lane.data, route.name)) if lane is home else lane for lane in lanes)
    return lanes


def _check_schedule(scope: Scope, phase: TrainPhase, n_strands: int, path: Path) -> None:
    if phase.batch_schedule is not None and n_strands == 1 and not graph_is_damaged(scope):
        scope.found.error(
            "wrong-value",
            "`batch_schedule` puts several drawings together, and this phase has one",
            (*path, "batch_schedule"),
            part="key",
            help="bindings of other feature sets, or with a `split` or `sampler` of their own, are drawn apart",
        )


def _check_in_turn(scope: Scope, wiring: Wiring, losses: Sequence[LossPlan], path: Path) -> None:
    """In turn, what takes rows of two strands never has both."""
    for loss in losses:
        strands = dict.fromkeys(strand for strand in _strands(wiring, loss))
        if len(strands) > 1:
            names = " and ".join(f"`{strand}`" for strand in strands)
            scope.found.error(
                "wrong-value",
                f"the loss `{loss.name}` takes rows of {names}, which come in turn and never together",
                (*path, "batch_schedule"),
                help="`zip_strict` or `zip_cycle` draw them side by side",
            )


def _check_judged(scope: Scope, wiring: Wiring, losses: Sequence[LossPlan], path: Path) -> None:
    judged = {strand for loss in losses for strand in _strands(wiring, loss)}
    for strand in wiring.strands:
        if strand not in judged and losses and not scope.found.has_errors:
            scope.found.error(
                "nothing-to-do", f"no loss of this phase reads the rows that `{strand}` draws", path, part="key",
                help="name a loss that does, or leave its binding out of `inputs:`",
            )  # fmt: skip


def _strands(wiring: Wiring, loss: LossPlan) -> Iterator[object]:
    for route in loss.routes:
        if route.source != "node":
            yield from (tap.strand for tap in wiring.taps_of(loss.node, route)[:1])
        elif route.role in wiring.calls(route.name):
            yield from (tap.strand for tap in wiring.taps(route.name, route.role))
