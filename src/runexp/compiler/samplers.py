"""The sampler pass: its columns linked to keys of the data, its roles and streams named."""

from __future__ import annotations

from collections.abc import Mapping

from runexp.compiler.findings import Part, Path
from runexp.compiler.sampler_options import check_options
from runexp.compiler.scope import Scope
from runexp.diagnostics import did_you_mean
from runexp.plan.samplers import MatchPlan, SamplerPlan
from runexp.plan.values import FrozenMap
from runexp.spec.samplers import Match, Sampler
from runexp.spec.shape import dotted

_ANCHOR = "anchor"
_ROLES = {"pairs": (_ANCHOR, "pair"), "triplets": (_ANCHOR, "positive", "negative")}
_EPISODE = ("support", "query")
_DOMAINS = ("features", "targets", "tags")


def link_samplers(scope: Scope) -> dict[str, SamplerPlan]:
    """Every sampler that could be linked, by name."""
    written = scope.found.spec.samplers.items()
    linked = {name: link_sampler(scope, name, sampler, ("samplers", name)) for name, sampler in written}
    return {name: plan for name, plan in linked.items() if plan is not None}


def link_sampler(scope: Scope, name: str, sampler: Sampler, path: Path) -> SamplerPlan | None:
    """The plan of a sampler; None where its feature set cannot be told or is broken, which has been reported."""
    data = _data(scope, sampler, path)
    check_options(scope.found, sampler, path)
    roles = _roles(scope, sampler, path)
    if data is None:
        return None
    return SamplerPlan(
        name=name,
        kind=sampler.use,
        data=data,
        size=sampler.size,
        shuffle=sampler.shuffle and sampler.use != "sequential",
        drop_last=sampler.drop_last,
        roles=roles,
        streams=_streams(sampler),
        origin=scope.found.origin(path),
        by=_key(scope, data, sampler.by, (*path, "by")),
        bins=sampler.bins or 0,
        mix=sampler.mix,
        match=_conditions(scope, data, sampler.match, (*path, "match")),
        mismatch=_conditions(scope, data, sampler.mismatch, (*path, "mismatch")),
        others=_others(scope, data, sampler, path),
        share=sampler.share,
        per_anchor=sampler.per_anchor,
        per_epoch=sampler.per_epoch or 0,
        n_way=sampler.n_way or 0,
        k_shot=sampler.k_shot or 0,
        n_queries=sampler.queries or 0,
        weight=_key(scope, data, sampler.weight, (*path, "weight")),
        closeness=sampler.closeness,
    )


def _data(scope: Scope, sampler: Sampler, path: Path) -> str | None:
    names = scope.found.names("data")
    if sampler.data is not None:
        if sampler.data not in names:
            scope.found.unknown("feature set", sampler.data, (*path, "data"), names)
        return sampler.data if sampler.data in scope.data else None
    if len(names) > 1 and scope.found.lacks(path, "data"):
        scope.found.error(
            "missing-key",
            f"`{dotted(path)}` lacks the key `data`",
            path,
            part="key",
            label="of which feature set?",
            help=f"feature sets: {', '.join(names)}",
        )
    return names[0] if len(names) == 1 and names[0] in scope.data else None


def _roles(scope: Scope, sampler: Sampler, path: Path) -> tuple[str, ...]:
    """The roles; reports names that are too many, too few or not their own."""
    if sampler.others:
        if _ANCHOR in sampler.others:
            place = (*path, "others", _ANCHOR)
            scope.found.error("name-clash", "`anchor` is the row that the others are drawn for", place, part="key")
        return (_ANCHOR, *sampler.others)
    roles = _ROLES.get(sampler.use, ("",))
    if not sampler.roles or roles == ("",):
        return roles
    if len(sampler.roles) != len(roles) or len(set(sampler.roles)) < len(roles):
        message = f"`{sampler.use}` has {len(roles)} roles of different names, in place of {', '.join(roles)}"
        scope.found.error("wrong-value", message, (*path, "roles"))
    return sampler.roles


def _streams(sampler: Sampler) -> tuple[str, ...]:
    return sampler.streams or (_EPISODE if sampler.queries else ("",))


def _others(scope: Scope, data: str, sampler: Sampler, path: Path) -> FrozenMap:
    return FrozenMap(
        [(role, _conditions(scope, data, matches, (*path, "others", role))) for role, matches in sampler.others.items()]
    )


def _conditions(scope: Scope, data: str, written: Mapping[str, Match], path: Path) -> tuple[MatchPlan, ...]:
    return tuple(
        MatchPlan(_key(scope, data, column, (*path, column), part="key"), match.same, match.within, match.beyond)
        for column, match in written.items()
    )


def _key(scope: Scope, data: str, reference: str | None, path: Path, *, part: Part = "value") -> str:
    """The key that `label`, `targets.label` or `digits.label` means; reports one that there is not."""
    if reference is None:
        return ""
    head, _, name = reference.rpartition(".")
    known = {key.name: key.domain for key in scope.data[data].keys}
    if head in ("", data) and name in known:
        return name
    if head in _DOMAINS and known.get(name) == head:
        return name
    if not scope.found.is_damaged(("data", data)):
        wanted = reference if head not in ("", data) else name
        scope.found.error(
            "unknown-data-key",
            f"`{dotted(path)}` names the data key `{wanted}`, which is not defined",
            path,
            part=part,
            label="no such data key",
            help=f"{did_you_mean(wanted, known, kind='data keys')}; what rows are only drawn by goes under `tags`",
        )
    return ""
