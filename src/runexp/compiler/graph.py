"""The graph pass: nodes linked to the catalog, to each other and to the data, and sorted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from runexp.catalog import Entry
from runexp.compiler.counts import check_counts, counted_feeds
from runexp.compiler.findings import Findings, Path
from runexp.compiler.layout import check_rows_first
from runexp.compiler.merging import check_no_merge, link_merge
from runexp.compiler.outputs import link_outputs, output_feed, outputs_of
from runexp.compiler.own_calls import check_forward
from runexp.compiler.several_keys import check_alone, link_keys
from runexp.compiler.weights import link_weights
from runexp.compiler.wrapped import deciding
from runexp.diagnostics import nearest
from runexp.plan.data import DataPlan
from runexp.plan.graph import Feed, NodePlan
from runexp.plan.values import Call, FrozenMap
from runexp.spec.nodes import Node
from runexp.spec.shape import dotted

Kind = Literal["module", "layers", "estimator"]
_ESTIMATORS = ("estimator", "transform")
_COUNTED = frozenset({"num_embeddings", "vocab_size"})


def link_graph(found: Findings, data: Mapping[str, DataPlan]) -> tuple[NodePlan, ...]:
    """The nodes in topological order; those that could not be linked are left out."""
    linked: dict[str, NodePlan] = {}
    joined, fed = _bound(found, data)
    given = dict(reversed(fed))  # the first binding of each node
    linked |= joined
    for name, node in found.spec.nodes.items():
        plan = _node(found, name, node, data, given.get(name))
        if plan is not None:
            linked[name] = plan
            linked |= {output.name: output for output in link_outputs(found, node, plan)}
    for name, feed in fed:
        if name in linked:
            linked[name] = _with_feed(linked[name], feed)
    check_forward(found, linked)
    bound = {binding.node for binding in found.spec.bindings.values()}
    for name, plan in linked.items():
        if name not in bound and plan.kind not in ("output", "keys"):
            _check_fed(found, name, plan, bound)
    return _sorted(found, linked)


def ancestors(nodes: Mapping[str, NodePlan], targets: tuple[str, ...]) -> tuple[str, ...]:
    """`targets`, with all their outputs, and all that feeds them, in topological order."""
    needed: set[str] = set()
    waiting = [name for name in targets if name in nodes]
    waiting += [name for name, plan in nodes.items() if plan.kind == "output" and plan.feeds[0].name in targets]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += [feed.name for feed in nodes[name].feeds if feed.source == "node" and feed.name in nodes]
    return tuple(name for name in nodes if name in needed)


def feeding_data(nodes: Mapping[str, NodePlan], targets: tuple[str, ...], *, others: bool = False) -> tuple[str, ...]:
    """The feature sets that feed `targets`, directly or through other nodes; with `others`, by any binding."""
    plans = [nodes[name] for name in ancestors(nodes, targets)]
    feeds = (feed for plan in plans for feed in (*plan.feeds, *(plan.others if others else ())))
    return tuple(dict.fromkeys(feed.name for feed in feeds if feed.source == "data"))


def _node(found: Findings, name: str, node: Node, data: Mapping[str, DataPlan], bound: Feed | None) -> NodePlan | None:
    path: Path = ("nodes", name)
    feeds = tuple(_feeds(found, node, path, data))
    made = _made(found, node, path, data, is_counted=counted_feeds((*feeds, *([bound] if bound else [])), data))
    if made is None:
        return None
    kind, calls, entry = made
    init = _init(found, node, path)
    decides = deciding(calls[0], entry) if entry and calls else entry
    method = _method(found, node, decides, path) if kind == "estimator" else _no_method(found, node, path)
    return NodePlan(
        name,
        kind,
        calls,
        feeds,
        method,
        node.freeze,
        FrozenMap(init),
        found.origin(path),
        weights=link_weights(found, node, path),
        chunk_size=node.chunk_size or 0,
        checkpointing=node.checkpoint_activations,
        outputs=node.outputs or (),
    )


def _made(
    found: Findings, node: Node, path: Path, data: Mapping[str, DataPlan], *, is_counted: bool
) -> tuple[Kind, tuple[Call, ...], Entry | None] | None:
    if node.merge is not None:
        call = link_merge(found, node, path)
        return ("module", (call,), None) if call else None
    check_no_merge(found, node, path)
    if node.use is not None and node.layers is not None:
        found.error("exclusive-keys", "`use` and `layers` exclude each other", (*path, "layers"), part="key")
        return None
    if node.layers is not None:
        calls = tuple(
            _layer(found, layer, (*path, "layers", index), data, is_counted=is_counted and index == 0)
            for index, layer in enumerate(node.layers)
        )
        return ("layers", tuple(call for call in calls if call), None) if all(calls) else None
    if node.use is None:
        if not found.is_damaged(path):
            found.error(
                "missing-key", f"the node `{path[1]}` has neither `use` nor `layers`", path, part="key",
                help="`use:` names a torch module or a scikit-learn estimator; `merge:` makes several inputs one",
            )  # fmt: skip
        return None
    supplied = _COUNTED if is_counted else frozenset()
    linked = found.call(node.use, node.arguments, path, kinds=("module", *_ESTIMATORS), supplied=supplied)
    check_counts(found, node.arguments, (*path, "with"), data)
    check_rows_first(found, node.arguments, (*path, "with"))
    if linked is None:
        return None
    call, entry = linked
    return ("estimator" if entry.kind in _ESTIMATORS else "module", (call,), entry)


def _init(found: Findings, node: Node, path: Path) -> dict[str, object]:
    """Pattern → an initialiser's name, or the call of a function of the user's."""
    path = (*path, "init")
    if isinstance(node.init, str):
        written = {"*": (node.init, path)}
    else:
        written = {pattern: (rule, (*path, pattern)) for pattern, rule in (node.init or {}).items()}
    rules: dict[str, object] = {}
    for pattern, (rule, place) in written.items():
        linked = found.call(rule, {}, place, kinds=("initialiser",), use_path=place) if "." in rule else None
        rules[pattern] = linked[0] if linked else rule
    return rules


def _layer(
    found: Findings, layer: object, path: Path, data: Mapping[str, DataPlan], *, is_counted: bool
) -> Call | None:
    supplied = _COUNTED if is_counted else frozenset()
    if isinstance(layer, Mapping):
        use, arguments = next(iter(layer.items()))
        inner = (*path, use)
        linked = found.call(
            use, arguments or {}, inner, kinds=("module",), supplied=supplied, use_path=inner, with_path=inner,
            use_part="key",
        )  # fmt: skip
        check_counts(found, arguments or {}, inner, data)
        check_rows_first(found, arguments or {}, inner)
    else:
        linked = found.call(
            str(layer), {}, path, kinds=("module",), supplied=supplied, use_path=path, with_path=path
        )  # fmt: skip
    return linked[0] if linked else None


def _method(found: Findings, node: Node, entry: Entry | None, path: Path) -> str:
    methods = entry.words("methods") if entry else ()
    if node.method is None:
        return "transform" if "transform" in methods else "predict"
    if methods and node.method not in methods:
        found.error(
            "wrong-value",
            f"`{node.use}` has no method `{node.method}`",
            (*path, "method"),
            help=f"it has: {', '.join(methods)}",
        )
    return node.method


def _no_method(found: Findings, node: Node, path: Path) -> str:
    if node.method is not None:
        found.error("wrong-value", "`method` is for scikit-learn estimators only", (*path, "method"), part="key")
    return ""


def _feeds(found: Findings, node: Node, path: Path, data: Mapping[str, DataPlan]) -> Iterator[Feed]:
    path = (*path, "inputs")
    if node.inputs is None:
        return
    if isinstance(node.inputs, str):
        written: list[tuple[str, str, Path]] = [("", node.inputs, path)]
    elif isinstance(node.inputs, Mapping):
        written = [(argument, reference, (*path, argument)) for argument, reference in node.inputs.items()]
    else:
        written = [("", reference, (*path, index)) for index, reference in enumerate(node.inputs)]
    for argument, reference, place in written:
        feed = _feed(found, reference, place, data)
        if feed is not None:
            yield replace(feed, argument=argument)


def _with_feed(plan: NodePlan, feed: Feed) -> NodePlan:
    """The node with one more binding: of an input that another binding feeds already, it is a further call."""
    if any(known.binding and known.argument == feed.argument for known in plan.feeds):
        return replace(plan, others=(*plan.others, feed))
    return replace(plan, feeds=(*plan.feeds, feed))


def _feed(found: Findings, reference: str, path: Path, data: Mapping[str, DataPlan]) -> Feed | None:
    names = found.names("nodes")
    head, _, role = reference.partition(".")
    if outputs_of(found.spec.nodes, head) and (not role or head not in found.names("data")):
        return output_feed(found, head, role, path)
    if role and head in names and head not in found.names("data"):
        return Feed("node", head, role=role)  # which roles there are, a phase tells
    if role:
        return data_feed(found, reference, path, data)
    if reference in names:
        return Feed("node", reference)
    if reference in data:
        _lacks_key(found, reference, path, data)
        return None
    found.unknown("node", reference, path, names)
    return None


def _lacks_key(found: Findings, name: str, path: Path, data: Mapping[str, DataPlan]) -> None:
    keys = [key.name for key in data[name].keys if key.domain == "features"]
    found.error(
        "missing-key",
        f"`{name}` is a feature set; a node is fed with one of its keys",
        path,
        help=" or ".join(f"`{name}.{key}`" for key in keys),
    )


def data_feed(found: Findings, reference: str, path: Path, data: Mapping[str, DataPlan]) -> Feed | None:
    """The feed that `<data>.<key>` names; reports what is unknown of it."""
    set_name, dot, key = reference.partition(".")
    if set_name in data and not dot:
        _lacks_key(found, set_name, path, data)
        return None
    if set_name not in found.names("data"):
        found.unknown("feature set", set_name, path, found.names("data"))
        return None
    written = found.spec.data.get(set_name)
    if written is not None and written.matrix is not None:
        message = f"`{set_name}` is a matrix between rows, which feeds no node"
        found.error("unknown-reference", message, path, help=f"a loss is given it as `{set_name}`")
        return None
    if set_name not in data or found.is_damaged(("data", set_name)):
        return Feed("data", set_name, key)
    known = [known_key.name for known_key in data[set_name].keys]
    if key not in known:
        found.unknown("data key", key, path, known, subject=f"`{dotted(path)}`")
        return None
    return Feed("data", set_name, key)


def _bound(found: Findings, data: Mapping[str, DataPlan]) -> tuple[dict[str, NodePlan], list[tuple[str, Feed]]]:
    """The nodes of bindings that have several keys, and what bindings feed to which node."""
    joined: dict[str, NodePlan] = {}
    fed: list[tuple[str, Feed]] = []
    check_alone(found)
    for name, binding in found.spec.bindings.items():
        path: Path = ("bindings", name)
        if binding.node not in found.names("nodes"):
            found.unknown("node", binding.node, (*path, "node"), found.names("nodes"))
            continue
        if binding.columns is not None:
            plan = link_keys(found, name, binding, lambda reference, place: data_feed(found, reference, place, data))
            if plan is not None:
                joined[plan.name] = plan
                fed.append((binding.node, Feed("node", plan.name, argument=binding.argument or "")))
            continue
        feed = data_feed(found, binding.data, (*path, "data"), data)
        if feed is not None:
            fed.append((binding.node, replace(feed, argument=binding.argument or "", binding=name)))
    return joined, fed


def _check_fed(found: Findings, name: str, plan: NodePlan, bound: Set[str]) -> None:
    node = found.spec.nodes[name]
    if plan.feeds or node.inputs is not None or found.is_damaged(("nodes", name)):
        return
    if found.is_damaged(("bindings",)) or nearest(name, bound - found.spec.nodes.keys()):
        return  # a binding likely means it
    found.error(
        "unbound-node",
        f"nothing feeds the node `{name}`",
        ("nodes", name),
        part="key",
        label="no inputs and no binding",
        help="`inputs:` takes a node or a key of the data (`digits.pixels`); a binding does the same",
    )


def _sorted(found: Findings, linked: dict[str, NodePlan]) -> tuple[NodePlan, ...]:
    edges = {
        name: [feed.name for feed in plan.feeds if feed.source == "node" and feed.name in linked]
        for name, plan in linked.items()
    }
    try:
        order = list(TopologicalSorter(edges).static_order())
    except CycleError as error:
        ring = list(reversed(error.args[1]))[:-1]
        first = min(ring, key=list(linked).index)
        start = ring.index(first)
        around = [*ring[start:], *ring[:start], first]
        found.error(
            "cycle",
            f"the nodes feed each other in a circle: {' → '.join(f'`{name}`' for name in around)}",
            ("nodes", around[0], "inputs"),
            label="part of the circle",
        )
        return tuple(linked.values())
    return tuple(linked[name] for name in order)
