"""Keys: the columns each gathers, how categories are coded, and what its transforms can take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from runexp.compiler.findings import Findings, Path
from runexp.compiler.fold_names import fitted_in_fold, folded
from runexp.compiler.taking import fills_gaps, takes_words
from runexp.plan.data import Domain, KeyPlan, TransformPlan
from runexp.plan.values import Call, FrozenMap
from runexp.spec.data import Data, Key, Keys

_MASK = "_mask"
_CODERS = {"ordinal": "OrdinalEncoder", "one_hot": "OneHotEncoder"}


def link_keys(found: Findings, data: Data, path: Path) -> tuple[KeyPlan, ...]:
    """Every key with a name of its own, and the masks that `missing: mask` puts beside."""
    plans: dict[str, KeyPlan] = {}
    for domain, name, written in _written(data):
        place = (*path, domain, name)
        for key in _linked(found, domain, name, written, place):
            if key.name in plans:
                found.error(
                    "name-clash",
                    f"`{key.name}` is a key of {plans[key.name].domain} already",
                    place,
                    part="key",
                    help="keys are named once in a feature set: `<data>.<key>` has to be unique",
                )
            else:
                plans[key.name] = key
    return tuple(plans.values())


def code_categories(found: Findings, data: Data, path: Path) -> tuple[TransformPlan, ...]:
    """The transforms that code categories: they come before those that are written."""
    return tuple(_coders(found, data, path))


def adapt_keys(keys: Sequence[KeyPlan], transforms: Sequence[TransformPlan]) -> tuple[KeyPlan, ...]:
    """The keys with what the first transform of each takes: words, or missing values."""
    first = {name: transform.call for transform in reversed(transforms) for name in transform.keys}
    return tuple(_adapted(key, first[key.name]) if key.name in first else key for key in keys)


def fitted_on(found: Findings, split: str, path: Path, *, is_written: bool) -> str:
    """The split that the transform at `path` is fitted on; reports one that there is not."""
    if path[1] in folded(found.spec):
        return fitted_in_fold(found, split, path, is_written=is_written)
    splits = found.spec.data[str(path[1])].splits
    if splits is None:
        return "all"
    if _lacks_split(found, split, path):
        if is_written:
            found.unknown("split", split, (*path, "fit_on"), splits.names or ())
        else:
            found.error(
                "unknown-split",
                "a transform is fitted on the split `train`, which is not defined",
                path,
                help="say on which: `fit_on: …`; splits: " + ", ".join(splits.names or ()),
            )
    return split


def _learned_on(found: Findings, path: Path) -> str:
    """The split that categories are learned on."""
    if path[1] in folded(found.spec):
        return fitted_in_fold(found, "train", path, is_written=False)
    splits = found.spec.data[str(path[1])].splits
    if _lacks_split(found, "train", path):
        found.error(
            "unknown-split",
            "categories are learned on the split `train`, which is not defined",
            (*path, "categorical"),
            help="an encoder among the `transforms` takes another: `fit_on: …`",
        )
    return "train" if splits else "all"


def _lacks_split(found: Findings, split: str, path: Path) -> bool:
    splits = found.spec.data[str(path[1])].splits
    names = splits.names if splits else None
    return bool(names) and split not in (names or ()) and not found.is_damaged((*path[:2], "splits"))


def _written(data: Data) -> Iterator[tuple[Domain, str, Key]]:
    domains: tuple[tuple[Domain, Keys], ...] = (
        ("features", data.features),
        ("targets", data.targets),
        ("tags", data.tags),
    )
    for domain, keys in domains:
        for name, key in keys.items():
            yield domain, name, key if isinstance(key, Key) else Key.model_construct(columns=key)  # checked already


def _linked(found: Findings, domain: Domain, name: str, key: Key, path: Path) -> Iterator[KeyPlan]:
    columns = (key.columns,) if isinstance(key.columns, str) else key.columns
    is_masked = key.missing == "mask"
    if key.categorical and is_masked:
        message = "`categorical` and `missing: mask` exclude each other"
        found.error("exclusive-keys", message, (*path, "missing"), part="key")
    if "unknown" in key.model_fields_set and not key.categorical:
        message = "`unknown` says what becomes of categories, and the key has none"
        found.error("missing-key", message, (*path, "unknown"), part="key", help="`categorical: ordinal` or `one_hot`")
    dates = (key.dates,) if isinstance(key.dates, str) else key.dates or ()
    if key.categorical and key.dates:
        message = "`categorical` and `dates` exclude each other"
        found.error("exclusive-keys", message, (*path, "dates"), part="key", help="`dates` gives numbers")
    dtype = key.dtype or ("int64" if key.categorical == "ordinal" else "")
    gaps: Literal["", "zero"] = "zero" if is_masked else ""
    plan = KeyPlan(name, domain, columns, key.shape, dtype, found.origin(path), gaps=gaps, dates=dates)
    yield plan
    if is_masked:
        beside: Domain = "features" if domain == "features" else "tags"
        yield replace(plan, name=name + _MASK, domain=beside, dtype="float32", gaps="", is_mask=True)


def _coders(found: Findings, data: Data, path: Path) -> Iterator[TransformPlan]:
    for domain, name, key in _written(data):
        if not key.categorical:
            continue
        place = (*path, domain, name)
        label = _CODERS[key.categorical]
        target = f"sklearn.preprocessing:{label}"
        call = Call(target.replace(":", "."), target, FrozenMap(_arguments(key)))
        yield TransformPlan((name,), call, _learned_on(found, place), found.origin(place), inverse="codes")


def _arguments(key: Key) -> dict[str, object]:
    if key.unknown == "error":
        return {"handle_unknown": "error"}
    return {"handle_unknown": "use_encoded_value" if key.categorical == "ordinal" else "ignore"}


def _adapted(key: KeyPlan, call: Call) -> KeyPlan:
    gaps = key.gaps or ("fill" if fills_gaps(call) else "")
    return replace(key, words=takes_words(call), gaps=gaps)
