"""What each kind of sampler reads, what it needs, and which of its options contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from runexp.compiler.findings import Findings, Path
from runexp.spec.samplers import Matches, Sampler
from runexp.spec.shape import dotted

_BATCHES = ("size", "shuffle", "drop_last")
_TUPLES = (*_BATCHES, "per_anchor", "per_epoch")
_READS = {
    "simple": (*_BATCHES, "per_epoch"),
    "sequential": _BATCHES,
    "stratified": (*_BATCHES, "by", "bins"),
    "grouped": (*_BATCHES, "by", "mix"),
    "weighted": ("size", "drop_last", "by", "per_epoch"),
    "class_balanced": ("size", "drop_last", "by", "bins", "per_epoch"),
    "length_bucketed": (*_BATCHES, "by"),
    "pairs": (*_TUPLES, "match", "mismatch", "roles", "streams", "share", "closeness"),
    "triplets": (*_TUPLES, "match", "mismatch", "roles", "closeness"),
    "n_way": ("by", "n_way", "k_shot", "queries", "streams", "per_epoch"),
    "n_way of others": (*_TUPLES, "others"),
}
_ALWAYS = ("use", "data", "weight")
_NEEDS = {
    "stratified": ("by",),
    "grouped": ("by",),
    "weighted": ("by",),
    "class_balanced": ("by",),
    "length_bucketed": ("by",),
    "triplets": ("match",),
    "n_way": ("by", "n_way", "k_shot"),
}
_EXAMPLES = {
    "by": "the column of the data it draws by: `by: label`",
    "match": "what the rows have in common: `match: {label: {same: true}}`",
    "n_way": "classes a batch: `n_way: 5`",
    "k_shot": "rows of each class: `k_shot: 4`",
    "queries": "more rows of each class, for the second stream: `queries: 15`",
}


def check_options(found: Findings, sampler: Sampler, path: Path) -> None:
    """Report options that the kind does not read, that it lacks, and that exclude each other."""
    kind = "n_way of others" if sampler.others else sampler.use
    reads = _READS[kind]
    for name in Sampler.model_fields:
        if name in sampler.model_fields_set and name not in (*_ALWAYS, *reads):
            _exclude(found, name, f"use: {sampler.use}", path, help=f"`{kind}` reads {_listed(reads)}")
    if kind == "n_way" and not sampler.by and found.lacks(path, "by") and found.lacks(path, "others"):
        _lack(found, "by", path, "classes by a column: `by: label`, or `others:` with conditions by role")
    else:
        for name in _NEEDS.get(kind, ()):
            if not getattr(sampler, name) and found.lacks(path, name):
                _lack(found, name, path, _EXAMPLES[name])
    _check_together(found, sampler, path)
    _check_streams(found, sampler, path)
    for place, matches in _matches(sampler, path):
        _check_matches(found, matches, place)


def _check_together(found: Findings, sampler: Sampler, path: Path) -> None:
    if sampler.use == "sequential" and sampler.shuffle and "shuffle" in sampler.model_fields_set:
        _exclude(found, "shuffle", "use: sequential", path, help="`simple` draws every row once in a new order")
    if sampler.use == "grouped" and sampler.mix and sampler.drop_last:
        _exclude(found, "drop_last", "mix: true", path, help="whole groups seldom fill a batch: all would be left out")
    if sampler.per_epoch and "per_anchor" in sampler.model_fields_set:
        _exclude(found, "per_anchor", "per_epoch", path, help="anchors come in turn until there are `per_epoch`")
    for name in ("share", "mismatch") if sampler.use == "pairs" else ():
        if name in sampler.model_fields_set and not sampler.match and found.lacks(path, "match"):
            _lack(found, "match", path, f"`{name}` needs it: {_EXAMPLES['match']}")
            break
    if sampler.mismatch and sampler.use == "pairs" and sampler.share is None and not sampler.streams:
        _lack(found, "share", path, "all pairs match, so that `mismatch` draws none: `share: 0.5`, or two `streams`")
    if sampler.closeness and sampler.match and all(match.within is None for match in sampler.match.values()):
        _exclude(found, "closeness", "match", path, help="it weighs by a distance: `match` lacks a `within`")


def _check_streams(found: Findings, sampler: Sampler, path: Path) -> None:
    if not sampler.streams or sampler.use not in ("pairs", "n_way") or sampler.others:
        return
    if len(set(sampler.streams)) != 2 or len(sampler.streams) != 2:
        what = "pairs that match and pairs that do not" if sampler.use == "pairs" else "support and query rows"
        found.error("wrong-value", f"`{sampler.use}` has two streams: {what}", (*path, "streams"))
    needed = "match" if sampler.use == "pairs" else "queries"
    if not getattr(sampler, needed) and found.lacks(path, needed) and sampler.share is None and not sampler.mismatch:
        _lack(found, needed, path, _EXAMPLES[needed])


def _matches(sampler: Sampler, path: Path) -> Iterator[tuple[Path, Matches]]:
    yield (*path, "match"), sampler.match
    yield (*path, "mismatch"), sampler.mismatch
    for role, matches in sampler.others.items():
        yield (*path, "others", role), matches


def _check_matches(found: Findings, matches: Matches, path: Path) -> None:
    """Conditions that say nothing, or that nothing can meet."""
    for column, match in matches.items():
        place = (*path, column)
        distances = [name for name in ("within", "beyond") if getattr(match, name) is not None]
        if match.same is None and not distances and not found.is_damaged(place):
            help = "`{same: true}`, `{same: false}`, `{within: 0.1}` or `{beyond: 0.5}`"
            found.error("missing-key", f"the condition on `{column}` says nothing", place, part="key", help=help)
        elif match.same and distances:
            message = f"`same` and `{distances[0]}` exclude each other"
            found.error("exclusive-keys", message, (*place, distances[0]), part="key")
        elif match.within is not None and match.beyond is not None and match.beyond > match.within:
            message = f"nothing is within {match.within:g} and beyond {match.beyond:g}"
            found.error("wrong-value", message, (*place, "beyond"))


def _exclude(found: Findings, name: str, other: str, path: Path, *, help: str) -> None:
    message = f"`{name}` and `{other}` exclude each other"
    found.error("exclusive-keys", message, (*path, name), part="key", help=help)


def _lack(found: Findings, name: str, path: Path, help: str) -> None:
    message = f"`{dotted(path)}` lacks the key `{name}`"
    found.error("missing-key", message, path, part="key", label=f"`{name}` is missing", help=help)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
