"""A call reaches the object its name says, in the libraries of the catalog, and nothing else."""

from __future__ import annotations

import pytest

from runexp.plan.values import Call, FrozenMap
from runexp.runtime.resolve import make, resolve


@pytest.mark.parametrize("target", ["sklearn.preprocessing:StandardScaler", "torch.nn:Linear", "torch.optim:AdamW"])
def test_a_class_of_the_catalog_is_found(target):
    assert resolve(Call("it", target)).__name__ == target.partition(":")[2]


@pytest.mark.parametrize(
    "target",
    [
        "os:system",
        "torch:os.system",
        "torch.os:system",
        "sklearn:os",
        "sklearn.preprocessing:__name__",
        "sklearn.preprocessing:Nothing",
        "sklearn.nothing:Nothing",
        "sklearn.datasets._base:Path",
        "sklearnx:a",
        "",
        ":",
    ],
)
def test_anything_else_is_refused(target):
    with pytest.raises(LookupError):
        resolve(Call("it", target))


def test_written_and_implied_arguments_reach_the_object_and_lists_become_what_it_takes():
    call = Call(
        "it",
        "sklearn.preprocessing:MinMaxScaler",
        FrozenMap({"feature_range": [0, 2]}),
        FrozenMap({"clip": True}),
    )
    scaler = make(call)
    assert (scaler.feature_range, scaler.clip) == ((0, 2), True)
    encoder = make(Call("it", "sklearn.preprocessing:OneHotEncoder", FrozenMap({"categories": [[0, 1]]})))
    assert encoder.categories == [[0, 1]]
