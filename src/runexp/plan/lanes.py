"""The planned lanes of a phase: what is drawn together, which head it feeds, and how often a node is called for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from runexp.plan.graph import NodePlan, Route
from runexp.plan.samplers import SamplerPlan
from runexp.plan.values import Origin
from runexp.records import dataclass


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """How a split is drawn, every row once an epoch."""

    size: int
    shuffle: bool
    drop_last: bool


@dataclass(frozen=True, slots=True)
class LaneFeed:
    """An input of a head that a lane feeds: `index` counts the node's feeds; `stream` is empty where there is one.

    `call` names the call of the node it is for, where several bindings feed one input: the node runs once for each.
    """

    node: str
    index: int
    data: str
    key: str
    stream: str = ""
    call: str = ""


@dataclass(frozen=True, slots=True)
class LanePlan:
    """Feature sets side by side, a split, and one execution of a sampler; without one, plain `batches`."""

    name: str
    data: tuple[str, ...]
    split: str
    batches: BatchPlan
    sampler: SamplerPlan | None
    feeds: tuple[LaneFeed, ...]
    origin: Origin

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles in which its rows come; `("",)` where a row comes alone."""
        return self.sampler.roles if self.sampler else ("",)

    @property
    def size(self) -> int:
        """The rows, pairs or triplets of a batch."""
        return self.sampler.size if self.sampler else self.batches.size

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that are used, in the order in which the sampler has them."""
        used = {feed.stream for feed in self.feeds}
        known = self.sampler.streams if self.sampler else ("",)
        return tuple(stream for stream in known if stream in used) or ("",)


class Strand(NamedTuple):
    """One sequence of batches: a lane's, or one of its streams."""

    lane: str
    stream: str

    def __str__(self) -> str:
        return f"{self.lane}.{self.stream}" if self.stream else self.lane


class Tap(NamedTuple):
    """Where rows come from: a strand, and the role they have in it."""

    strand: Strand
    role: str


class Source(NamedTuple):
    """What one input of a call is given: a key in the rows of a tap, or what a node gives in one of its calls."""

    tap: Tap | None
    name: str
    key: str
    call: str


Calls = dict[str, tuple[Source, ...]]
"""The calls of a node by name, each with what its feeds give; the only one of most nodes has the name `""`."""


class Unfed(NamedTuple):
    """An input for which a call of a node has nothing: no such call of the node before it."""

    node: str
    feed: int
    call: str


class Wiring:
    """How lanes and nodes hang together in one phase: a node runs once for every role that reaches it."""

    def __init__(
        self, nodes: Sequence[NodePlan], lanes: Sequence[LanePlan], judged: Sequence[tuple[str, str]] | None = None
    ) -> None:
        """`judged` are the calls that losses and metrics read: no others run, but for those before them."""
        self.lanes = {lane.name: lane for lane in lanes}
        self.unfed: list[Unfed] = []
        self._feeds: dict[tuple[str, int], list[tuple[LanePlan, LaneFeed]]] = {}
        for lane in lanes:
            for feed in lane.feeds:
                self._feeds.setdefault((feed.node, feed.index), []).append((lane, feed))
        self._nodes: dict[str, NodePlan] = {}
        self._calls: dict[str, Calls] = {}
        for plan in nodes:
            self._nodes[plan.name] = plan
            self._calls[plan.name] = self._wire(plan)
        self._running = None if judged is None else self._before(judged)

    @property
    def strands(self) -> tuple[Strand, ...]:
        """Every sequence of batches, in the order of the lanes."""
        return tuple(Strand(lane.name, stream) for lane in self.lanes.values() for stream in lane.streams)

    def calls(self, node: str) -> Calls:
        """The calls of a node, by role; `{"": …}` of one that runs once."""
        return self._calls[node]

    def runs(self, node: str) -> tuple[str, ...]:
        """The calls of a node that run."""
        return tuple(call for call in self._calls[node] if self._running is None or (node, call) in self._running)

    def has_others(self, node: str) -> bool:
        """Whether several bindings feed one input of a node."""
        return bool(self._nodes[node].others)

    def taps(self, node: str, call: str) -> tuple[Tap, ...]:
        """Where the rows of a call come from, through all nodes before it."""
        found: dict[Tap, None] = {}
        for source in self._calls[node][call]:
            if source.tap is not None:
                found[source.tap] = None
            elif source.call in self._calls.get(source.name, ()):
                found.update(dict.fromkeys(self.taps(source.name, source.call)))
        return tuple(found)

    def taps_of(self, node: str, route: Route) -> tuple[Tap, ...]:
        """The taps that a column named in a loss on `node` may mean: one, if what is written is right."""
        near = [tap for tap, name in self._named(node) if self._fits(tap, name, route)]
        if near or route.source == "sampler":
            return tuple(dict.fromkeys(near))
        return tuple(dict.fromkeys(tap for tap, name in self._heads() if self._fits(tap, name, route)))

    def roles(self) -> tuple[str, ...]:
        """The names of all calls that any node has."""
        return tuple(dict.fromkeys(call for calls in self._calls.values() for call in calls if call))

    def _before(self, judged: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """These calls, and those of other nodes that they need."""
        needed: set[tuple[str, str]] = set()
        waiting = list(judged)
        while waiting:
            node, call = waiting.pop()
            if (node, call) not in needed and call in self._calls.get(node, ()):
                needed.add((node, call))
                waiting += [(source.name, source.call) for source in self._calls[node][call] if source.tap is None]
        return needed

    def _fits(self, tap: Tap, name: str, route: Route) -> bool:
        lane = self.lanes[tap.strand.lane]
        return (not route.role or route.role == name) and (route.source == "sampler" or route.name in lane.data)

    def _heads(self) -> Iterator[tuple[Tap, str]]:
        for calls in self._calls.values():
            for name, sources in calls.items():
                yield from ((source.tap, name) for source in sources if source.tap is not None)

    def _named(self, node: str) -> Iterator[tuple[Tap, str]]:
        """The taps before a node, each by the name of the call in which a head receives it."""
        for name, sources in self._calls[node].items():
            yield from ((source.tap, name) for source in sources if source.tap is not None)
        for feed in self._nodes[node].feeds:
            if feed.source == "node" and feed.name in self._calls:
                yield from self._named(feed.name)

    def _wire(self, plan: NodePlan) -> Calls:
        given = [self._given(plan, index) for index in range(len(plan.feeds))]
        names = list(dict.fromkeys(name for options in given for name in options if name)) or [""]
        calls: Calls = {}
        for name in names:
            sources = [options.get(name) or options.get("") for options in given]
            self.unfed += [Unfed(plan.name, index, name) for index, one in enumerate(sources) if one is None]
            calls[name] = tuple(one or Source(None, "", "", "") for one in sources)
        return calls

    def _given(self, plan: NodePlan, index: int) -> dict[str, Source]:
        """What may be given to one input, by the name of the call."""
        feed = plan.feeds[index]
        if feed.source == "node":
            calls = self._calls.get(feed.name, {"": ()})
            if feed.role:
                return {"": Source(None, feed.name, "", feed.role)} if feed.role in calls else {}
            return {name: Source(None, feed.name, "", name) for name in calls}
        return {
            ".".join(part for part in (fed.call, role) if part): Source(
                Tap(Strand(lane.name, fed.stream), role), fed.data, fed.key, ""
            )
            for lane, fed in self._feeds.get((plan.name, index), ())
            for role in lane.roles
        }
