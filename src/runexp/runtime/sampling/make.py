"""A sampler made from its plan and the columns it draws by."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from runexp.diagnostics import Diagnostic
from runexp.plan.samplers import SamplerKind, SamplerPlan
from runexp.runtime.data.table import Array
from runexp.runtime.sampling.alone import ClassBalanced, Plain, Stratified, Weighted
from runexp.runtime.sampling.episodes import Episodes
from runexp.runtime.sampling.epochs import EpochSampler
from runexp.runtime.sampling.make_together import make_tuples
from runexp.runtime.sampling.protocol import RowSampler
from runexp.runtime.sampling.reading import Split, listed
from runexp.runtime.sampling.units import Scheme
from runexp.runtime.sampling.whole import GroupsApart, LengthBucketed, WholeGroups

Made = tuple[Scheme, list[Diagnostic]]


def make_sampler(
    plan: SamplerPlan, columns: Mapping[str, Array], n_rows: int, seed: int, phase: str, *, ids: Array | None = None
) -> RowSampler:
    """The sampler of a plan over the rows of one split.

    `columns` (n_rows, …) are those that `plan.columns` names, as they were read. `ids` (n_rows,) are what messages call
    the rows; left out: their positions. `SpecError` where nothing can be drawn, or where columns hold something else
    than the sampler needs; rows that can never be drawn are warned of in `diagnostics`.
    """
    split = Split(plan, columns, n_rows, np.arange(n_rows) if ids is None else ids)
    scheme, found = _MAKERS[plan.kind](split)
    row_weights = split.weights(plan.weight) if plan.weight else None
    sampler = EpochSampler(plan, scheme, row_weights, found, (seed, phase))
    for stream in sampler.streams:
        if not sampler.sizes(stream=stream):
            what = f" of the stream `{stream}`" if stream else ""
            raise split.wrong(
                "no-batch", f"no batch{what} is full, and short ones are dropped", hint="a smaller `size`"
            )
    return sampler


def _simple(split: Split) -> Made:
    plan = split.plan
    if plan.per_epoch > split.n_rows:
        message = f"`per_epoch: {plan.per_epoch}` is more than the {split.n_rows} rows there are"
        raise split.wrong("wrong-value", message, hint="`weighted` draws rows more than once")
    return Plain(split.n_rows, plan.per_epoch or split.n_rows, plan.size, plan.drop_last, plan.shuffle), []


def _stratified(split: Split) -> Made:
    return Stratified(split.classes(), split.plan.size, split.plan.drop_last, split.plan.shuffle), []


def _class_balanced(split: Split) -> Made:
    n_units = split.plan.per_epoch or split.n_rows
    return ClassBalanced(split.classes(), n_units, split.plan.size, split.plan.drop_last), []


def _weighted(split: Split) -> Made:
    n_units = split.plan.per_epoch or split.n_rows
    return Weighted(split.weights(split.plan.by), n_units, split.plan.size, split.plan.drop_last), []


def _grouped(split: Split) -> Made:
    plan, groups = split.plan, split.groups()
    names = split.columns[plan.by][groups.order[groups.starts]]
    if plan.mix:
        large = np.flatnonzero(groups.counts > plan.size)
        message = (
            f"{len(large)} of {groups.n_groups} groups have more than `size: {plan.size}` rows: {_named(names, large)}"
        )
        hint = f"their batches have up to {groups.counts.max(initial=0)} rows; `mix: false` cuts them"
        found = [split.warning("large-groups", message, hint=hint)] if len(large) else []
        return WholeGroups(groups, plan.size, shuffle=plan.shuffle), found
    small = np.flatnonzero(groups.counts < plan.size) if plan.drop_last else np.zeros(0, np.int64)
    message = f"{len(small)} of {groups.n_groups} groups fill no batch and are never drawn: {_named(names, small)}"
    found = [split.warning("undrawn-rows", message)] if len(small) else []
    return GroupsApart(groups, plan.size, drop_last=plan.drop_last, shuffle=plan.shuffle), found


def _length_bucketed(split: Split) -> Made:
    return LengthBucketed(split.lengths(), split.plan.size, split.plan.drop_last, split.plan.shuffle), []


def _episodes(split: Split) -> Made:
    plan, classes = split.plan, split.groups()
    n_taken = plan.k_shot + plan.n_queries
    able, small = np.flatnonzero(classes.counts >= n_taken), np.flatnonzero(classes.counts < n_taken)
    if len(able) < plan.n_way:
        message = f"`n_way: {plan.n_way}` needs as many classes of {n_taken} rows, and `{plan.by}` has {len(able)}"
        raise split.wrong("nothing-to-draw", message)
    names = split.columns[plan.by][classes.order[classes.starts]]
    message = (
        f"{len(small)} of {classes.n_groups} classes have fewer than {n_taken} rows and are never drawn: "
        f"{_named(names, small)}"
    )
    found = [split.warning("undrawn-rows", message)] if len(small) else []
    n_episodes = plan.per_epoch or max(1, split.n_rows // (plan.n_way * n_taken))
    return Episodes(classes, able, n_episodes, plan.n_way, plan.k_shot, plan.n_queries), found


def _n_way(split: Split) -> Made:
    return make_tuples(split) if split.plan.others else _episodes(split)


def _named(names: Array, chosen: Array) -> str:
    return listed([str(name) for name in names[chosen]])


_MAKERS: dict[SamplerKind, Callable[[Split], Made]] = {
    "simple": _simple,
    "sequential": _simple,
    "stratified": _stratified,
    "grouped": _grouped,
    "weighted": _weighted,
    "class_balanced": _class_balanced,
    "length_bucketed": _length_bucketed,
    "pairs": make_tuples,
    "triplets": make_tuples,
    "n_way": _n_way,
}
