"""Plan → outline: data and graph; the phases have a module of their own."""

from __future__ import annotations

from collections.abc import Mapping

from runexp.plan.data import (
    DataPlan,
    JoinPlan,
    KeyPlan,
    MatrixPlan,
    SourcePlan,
    SplitPlan,
    StreamPlan,
    TokenizerPlan,
    TransformPlan,
    WindowPlan,
)
from runexp.plan.experiment import ExecutionPlan, Plan
from runexp.plan.graph import Feed, NodePlan
from runexp.plan.guards import GuardsPlan
from runexp.plan.picture import Size
from runexp.plan.values import Call
from runexp.report.fold_outline import outline_folds
from runexp.report.mermaid import size_text
from runexp.report.outline import Branch, called, described, listed, literal
from runexp.report.phase_outline import outline_callback, outline_phase
from runexp.report.sweep_outline import outline_sweep
from runexp.report.tracking_outline import outline_tracking


def outline_plan(plan: Plan, sizes: Mapping[str, Size]) -> Branch:
    """The whole plan in the order it is read: data, graph with what is known of its sizes, phases, execution."""
    is_nested = plan.cv is not None and plan.cv.is_nested
    return Branch(
        plan.name,
        f"seed {plan.seed}" + (f" · {plan.description}" if plan.description else ""),
        (
            Branch("data", below=tuple(_data(data) for data in plan.data)),
            Branch("graph", "in the order it runs", tuple(_node(node, sizes.get(node.name)) for node in plan.nodes)),
            Branch("phases", "in the order they run", tuple(outline_phase(phase) for phase in plan.phases)),
            *((outline_folds(plan.cv),) if plan.cv is not None else ()),
            *((outline_sweep(plan.sweep, is_inside=is_nested),) if plan.sweep is not None else ()),
            *_around(plan),
            *_guards(plan.guards),
            *outline_tracking(plan),
            _execution(plan.execution),
        ),
    )


def _around(plan: Plan) -> tuple[Branch, ...]:
    below = tuple(outline_callback(callback) for callback in plan.callbacks)
    saved = plan.checkpoints
    return (
        *((Branch("experiment callbacks", "around phases and groups", below),) if below else ()),
        *((Branch("experiment checkpoints", described(saved)),) if saved else ()),
    )


def _guards(guards: GuardsPlan) -> tuple[Branch, ...]:
    """What the run is held to; nothing where only a loss that is not finite would end it."""
    if guards == GuardsPlan():
        return ()
    limits = {"time": guards.time, "memory": guards.memory, "disk": guards.disk}
    below = [Branch(name, f"ends the run above {limit.written}") for name, limit in limits.items() if limit]
    met = {"stop": "ends the run", "warn": "is told", "skip": "is told, and its step left out"}[guards.on_nan]
    below += [Branch("loss not finite", met)]
    below += [Branch("required", str(item)) for item in guards.require]
    return (Branch("guards", below=tuple(below)),)


def _data(data: DataPlan) -> Branch:
    domains = ("features", "targets", "tags")
    keyed = {domain: tuple(_key(key) for key in data.keys if key.domain == domain) for domain in domains}
    transforms = tuple(Branch(listed(item.keys), _transform(item)) for item in data.transforms)
    return Branch(
        data.name,
        below=(
            Branch("source", _source(data.source)),
            *(_joined(join) for join in data.joins),
            *((Branch("rows", _stream(data.stream)),) if data.stream else ()),
            *(Branch(domain, below=keys) for domain, keys in keyed.items() if keys),
            Branch("splits", _splits(data.splits)),
            *([Branch("tokenizer", _tokenizer(data.tokenizer))] if data.tokenizer else []),
            *([_windows(data.windows)] if data.windows else []),
            Branch("transforms", "" if transforms else "none", transforms),
            *(_matrix(matrix) for matrix in data.matrices),
        ),
    )


def _transform(transform: TransformPlan) -> str:
    details = (
        f"fitted on {transform.fit_on}",
        f"learns from {transform.target}" if transform.target else "",
        "one for all keys together" if transform.is_together and len(transform.keys) > 1 else "",
        f"into {transform.into}" if transform.into else "",
    )
    return ", ".join((called(transform.call), *(detail for detail in details if detail)))


def _joined(join: JoinPlan) -> Branch:
    matched = join.on if join.on == join.other else f"{join.on} = {join.other}"
    return Branch("join", f"{join.data} by {matched}")


def _matrix(matrix: MatrixPlan) -> Branch:
    matched = f"by the tag {matrix.id}" if matrix.id else "by their order"
    text = f"{_source(matrix.source)} · rows matched {matched} · {matrix.triangle}, diagonal {literal(matrix.diagonal)}"
    return Branch(f"pairs {matrix.name}", text)


def _source(source: SourcePlan) -> str:
    if source.call is not None:
        return called(source.call)
    if source.kind == "files":
        return listed(f"{split}: {part.path}" for split, part in source.parts.items())
    if source.is_stream:
        return f"text {source.path}, a row for each token"
    # The URL of a database may hold a password.
    return f"sql {source.query}" if source.kind == "sql" else f"{source.kind} {source.path}"


def _stream(stream: StreamPlan) -> str:
    ahead = f"{stream.prefetch} windows read ahead" if stream.prefetch else "read when they are needed"
    return f"streamed, mixed in windows of {stream.buffer:,} · {ahead}"


def _key(key: KeyPlan) -> Branch:
    if key.is_tokens:
        return Branch(key.name, f"{listed(key.columns)} · a code a row · dtype {key.dtype}")
    shape = "one value a column" if key.shape is None else f"shape {literal(key.shape)}"
    if key.is_made:
        return Branch(key.name, "made by a transform")
    dates = f" · dates as {listed(key.dates)}" if key.dates else ""
    return Branch(key.name, f"{listed(key.columns)} · {shape} · dtype {key.dtype or f'of {key.domain}'}{dates}")


def _splits(splits: SplitPlan) -> str:
    within = (
        f" · within {name}: {', '.join(f'{part} {share}' for part, share in shares.items())}"
        for name, shares in splits.within.items()
    )
    return _divided(splits) + "".join(within)


def _divided(splits: SplitPlan) -> str:
    shares = ", ".join(f"{name} {share}" for name, share in splits.shares.items())
    match splits.kind:
        case "whole":
            return "none: every row belongs to every phase"
        case "column":
            return f"by the column {splits.column}"
        case "files":
            return "a source for each"
        case "where":
            written = (f"{name} where {_where(conditions)}" for name, conditions in splits.where.items())
            return "; ".join(written) + (" · rows may be in several" if splits.allow_overlap else "")
        case "order":
            along = f" of {splits.column}" if splits.column else " of the rows"
            return f"{shares} · in order{along}" + (f", {splits.gap} rows left out between" if splits.gap else "")
        case "shares":
            groups = f", groups of {splits.group_by} kept together" if splits.group_by else ""
            bins = f" in {splits.n_bins} quantiles" if splits.n_bins else ""
            strata = f", stratified by {splits.stratify_by}{bins}" if splits.stratify_by else ""
            return f"{shares} · shuffled by the seed{strata}{groups}"


def _where(conditions: Mapping[str, Mapping[str, object]]) -> str:
    return " and ".join(
        f"{column} {comparison} {literal(value)}"
        for column, comparisons in conditions.items()
        for comparison, value in comparisons.items()
    )


def _tokenizer(tokenizer: TokenizerPlan) -> str:
    unknown = "refused" if tokenizer.unknown == "error" else "one more code"
    return f"{tokenizer.kind}, learnt on {tokenizer.fit_on}, unknown ones {unknown}"


def _windows(windows: WindowPlan) -> Branch:
    order = f"in order of {windows.order}" if windows.order else "in order of the rows"
    groups = f"within a group of {windows.group_by}" if windows.group_by else "in one group"
    text = f"{windows.size} rows, every {windows.stride} · {order} · {groups} and one split"
    cuts = windows.cuts.items()
    rows = (Branch(key, _rows_of(cut, windows, is_last=key in windows.rows_last)) for key, cut in cuts)
    return Branch("windows", text, tuple(rows))


def _rows_of(cut: tuple[int, int], windows: WindowPlan, *, is_last: bool) -> str:
    first, length = cut
    if length:
        axis = ", on the last axis" if is_last else ""
        return f"every row{axis}" if first == 0 else f"every row, {first} later{axis}"
    ahead = first - windows.size + 1
    return f"the value {ahead} rows after the last" if ahead else "the value of the last row"


def _node(node: NodePlan, size: Size | None) -> Branch:
    traits = [
        node.kind,
        size_text(size),
        f"method {node.method}" if node.method else "",
        f"gives {listed(node.outputs)}" if node.outputs and node.kind != "output" else "",
        "frozen" if node.freeze else "",
        f"init {literal(node.init)}" if node.init else "",
        f"weights of {node.weights}" if node.weights else "",
        f"{node.chunk_size} rows at a time" if node.chunk_size else "",
        "activations computed again" if node.checkpointing else "",
    ]
    feeds = listed((_feed(feed) for feed in node.feeds), nothing="nothing")
    others = f", or {listed(map(_feed, node.others))}" if node.others else ""
    text = " · ".join((f"← {feeds}{others}", *(trait for trait in traits if trait)))
    return Branch(node.name, text, tuple(_call(call) for call in node.calls))


def _feed(feed: Feed) -> str:
    return f"{feed.argument}={feed}" if feed.argument else str(feed)


def _call(call: Call) -> Branch:
    return Branch("", called(call))


def _execution(execution: ExecutionPlan) -> Branch:
    threads = str(execution.threads) if execution.threads else "as many as torch chooses"
    asked = [name for name in ("compile", "deterministic") if getattr(execution, name)]
    asked += [execution.allocator] if execution.allocator != "default" else []
    return Branch("execution", " · ".join([f"device {execution.device}", f"threads: {threads}", *asked]))
