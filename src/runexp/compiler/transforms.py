"""Transforms linked: what they are applied to, what they learn from, and the keys they make."""

from __future__ import annotations

from collections.abc import Sequence

from runexp.compiler.findings import Findings, Path
from runexp.compiler.keys import fitted_on
from runexp.compiler.taking import can_transform, inverse_of, learns_targets, takes_column
from runexp.plan.data import Domain, KeyPlan, TransformPlan
from runexp.plan.values import Call
from runexp.spec.data import Data, Transform


def link_transforms(
    found: Findings, data: Data, path: Path, keys: tuple[KeyPlan, ...]
) -> tuple[tuple[TransformPlan, ...], tuple[KeyPlan, ...]]:
    """The transforms as written, and the keys with those that transforms make (`into`)."""
    linked: list[TransformPlan] = []
    for index, transform in enumerate(data.transforms):
        place = (*path, "transforms", index)
        plan = _transform(found, transform, place, keys)
        made = _made(found, transform, place, keys)
        keys = (*keys, made) if made else keys
        if plan is not None:
            linked.append(plan)
    return tuple(linked), keys


def _transform(found: Findings, transform: Transform, path: Path, keys: tuple[KeyPlan, ...]) -> TransformPlan | None:
    linked = found.call(transform.use, transform.arguments, path, kinds=("transform", "estimator"))
    names = _names(transform)
    is_known = all([_knows(found, name, _place(transform, path, index), keys) for index, name in enumerate(names)])
    fit_on = fitted_on(found, transform.fit_on, path, is_written="fit_on" in transform.model_fields_set)
    if linked is None:
        return None
    call = linked[0]
    _check_use(found, call, path)
    is_together = transform.together or bool(transform.into)
    if is_together and transform.into is None and len(names) < 2:
        message = "`together` joins several keys, and the transform names one"
        found.error("exclusive-keys", message, (*path, "together"), part="key")
    return TransformPlan(
        keys=names,
        call=call,
        fit_on=fit_on,
        origin=found.origin(path),
        target=_target(found, transform, call, path, keys) if is_known else "",
        into=transform.into or "",
        is_together=is_together,
        is_column=takes_column(call),
        inverse="none" if transform.together and transform.into is None else inverse_of(call),
    )


def _check_use(found: Findings, call: Call, path: Path) -> None:
    if not can_transform(call):
        message = f"`{call.name}` cannot be applied to rows that it was not fitted on"
        found.error("wrong-use", message, (*path, "use"), help="a transform has to be fitted on one split and applied")


def _target(found: Findings, transform: Transform, call: Call, path: Path, keys: Sequence[KeyPlan]) -> str:
    """The key it learns from: as written, or the only target where it needs one."""
    names = _names(transform)
    if transform.target is not None:
        place = (*path, "target")
        if _knows(found, transform.target, place, keys) and transform.target in names:
            message = f"`on` and `target` both name `{transform.target}`"
            found.error("exclusive-keys", message, place, help="it learns from another key than it transforms")
        return transform.target
    if not learns_targets(call):
        return ""
    targets = [key.name for key in keys if key.domain == "targets" and not key.is_made and key.name not in names]
    if len(targets) != 1 and not found.is_damaged(path[:2]):
        found.error(
            "ambiguous-target" if targets else "missing-target",
            f"`{call.name}` learns from a target, and the data has {'several' if targets else 'none'}",
            path,
            part="key",
            help=f"say which: `target: {targets[0]}`" if targets else "name a column under `targets:` of the data",
        )
    return targets[0] if targets else ""


def _made(found: Findings, transform: Transform, path: Path, keys: Sequence[KeyPlan]) -> KeyPlan | None:
    """The key that the transform makes: a target where all it is made of are targets."""
    if transform.into is None:
        return None
    place = (*path, "into")
    taken = next((key for key in keys if key.name == transform.into), None)
    if taken is not None:
        message = f"`{transform.into}` is a key of {taken.domain} already"
        found.error("name-clash", message, place, help="a key that a transform makes has a name of its own")
        return None
    domains: set[Domain] = {key.domain for key in keys if key.name in _names(transform)}
    if "targets" in domains and len(domains) > 1:
        found.error("target-among-features", "a key cannot be made of targets and of other keys", place)
    domain: Domain = "targets" if domains == {"targets"} else "features"
    return KeyPlan(transform.into, domain, (), None, "", found.origin(path), is_made=True)


def _knows(found: Findings, name: str, path: Path, keys: Sequence[KeyPlan]) -> bool:
    known = [key.name for key in keys]
    if name not in known and not found.is_damaged(path[:2]):
        found.unknown("data key", name, path, known)
    return name in known


def _names(transform: Transform) -> tuple[str, ...]:
    return (transform.on,) if isinstance(transform.on, str) else transform.on


def _place(transform: Transform, path: Path, index: int) -> Path:
    return (*path, "on") if isinstance(transform.on, str) else (*path, "on", index)
