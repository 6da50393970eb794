"""The points of a sweep: what varies at each, in which order a grid has them, what chance draws, and their names."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from runexp.plan.sweeps import ParameterPlan
from runexp.plan.values import thaw

Point = Mapping[str, Any]
"""Address → value, in the order of the parameters; what does not vary there is left out."""

_MOST_DRAWS = 1000


def varies(parameter: ParameterPlan, point: Point) -> bool:
    """Whether a parameter varies beside the values chosen before it."""
    return all(name in point and _among(point[name], wanted) for name, wanted in parameter.when.items())


def label_of(value: Any) -> str:  # noqa: ANN401 - any value of a spec
    """A value as text that tells it from all others: `16`, `relu`, `"16"`, `[1, 2]`."""
    value = thaw(value)
    if isinstance(value, str) and not _is_json(value):
        return value
    return json.dumps(value, sort_keys=True)


def key_of(point: Point) -> str:
    """The name of a trial: a hash of what it changes."""
    text = json.dumps({address: label_of(value) for address, value in point.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def seed_of(seed: int, number: int, draw: int = 0) -> int:
    """The seed of one trial's choice: it does not depend on when, or after what, the trial is chosen."""
    return int.from_bytes(hashlib.sha256(f"sweep {seed} {number} {draw}".encode()).digest()[:4], "big")


def grid(parameters: Sequence[ParameterPlan]) -> Iterator[Point]:
    """Every point of a grid once, the last parameter changing fastest."""
    seen: set[str] = set()
    for values in product(*(_values(one) for one in parameters)):
        point: dict[str, Any] = {}
        for one, value in zip(parameters, values, strict=True):
            if varies(one, point):
                point[one.address] = value
        key = key_of(point)
        if key not in seen:  # what does not vary there makes several points one
            seen.add(key)
            yield point


def drawn(parameters: Sequence[ParameterPlan], *, seed: int, n_trials: int) -> Iterator[Point]:
    """Points drawn at random, each by its own number alone, none twice; fewer where the space has no more."""
    seen: set[str] = set()
    for number in range(n_trials):
        for draw in range(_MOST_DRAWS):
            point = _drawn(parameters, random.Random(seed_of(seed, number, draw)))
            if key_of(point) not in seen:
                seen.add(key_of(point))
                yield point
                break
        else:
            return


def _drawn(parameters: Sequence[ParameterPlan], chance: random.Random) -> Point:
    point: dict[str, Any] = {}
    for one in parameters:
        value = _drawn_value(one, chance)  # also where it does not vary, so that the others stay what they are
        if varies(one, point):
            point[one.address] = value
    return point


def _drawn_value(one: ParameterPlan, chance: random.Random) -> Any:  # noqa: ANN401 - any value of a spec
    if one.values or one.step:
        return chance.choice(_values(one))
    if one.log:
        value = math.exp(chance.uniform(math.log(one.low), math.log(one.high)))
        return min(max(round(value), int(one.low)), int(one.high)) if one.integer else value
    return chance.uniform(one.low, one.high)


def _values(one: ParameterPlan) -> Sequence[Any]:
    """The values of a list, or those that the steps of a range lead to."""
    if one.values:
        return [thaw(value) for value in one.values]
    if one.integer:
        return range(int(one.low), int(one.high) + 1, int(one.step or 1))
    n_steps = int((one.high - one.low) / one.step + 1e-9)
    return [float(f"{one.low + index * one.step:.12g}") for index in range(n_steps + 1)]


def _among(value: Any, wanted: Sequence[Any]) -> bool:  # noqa: ANN401 - any value of a spec
    return label_of(value) in [label_of(one) for one in wanted]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
