"""S-48: the points of a sweep, before anything runs."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from runexp.plan.sweeps import ParameterPlan
from runexp.plan.values import FrozenMap, Origin, freeze
from runexp.results.trials import short_names
from runexp.strategies.listed_search import repeated_seeds
from runexp.strategies.sweep_space import drawn, grid, key_of, label_of

ORIGIN = Origin("sweep", None)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)


def listed(address, *values, when=None):
    return ParameterPlan(address, freeze(values), 0, 0, 0, False, False, ORIGIN, FrozenMap(when or {}))


def ranged(address, low, high, step=0.0, **kind):
    flags = {"log": False, "integer": False} | kind
    return ParameterPlan(address, (), low, high, step, origin=ORIGIN, **flags)


def test_a_grid_has_every_point_once_the_last_parameter_changing_fastest():
    points = list(grid([listed("a", 1, 2), ranged("b", 0.1, 0.3, 0.1)]))
    assert points == [{"a": a, "b": b} for a in (1, 2) for b in (0.1, 0.2, 0.3)]


def test_what_does_not_vary_at_a_point_is_not_in_it_and_makes_no_further_points():
    kinds = listed("kind", "mlp", "line")
    depth = listed("depth", 1, 2, when={"kind": ("mlp",)})
    assert list(grid([kinds, depth])) == [{"kind": "mlp", "depth": 1}, {"kind": "mlp", "depth": 2}, {"kind": "line"}]


@given(st.integers(0, 2**31), st.integers(1, 20))
def test_a_random_point_depends_on_the_seed_and_its_number_alone(seed, n_first):
    space = [ranged("lr", 1e-4, 1e-1, log=True), listed("width", 4, 8, 16), ranged("n", 1, 9, 1, integer=True)]
    many = list(drawn(space, seed=seed, n_trials=20))
    assert list(drawn(space, seed=seed, n_trials=n_first)) == many[:n_first]
    assert len({key_of(point) for point in many}) == 20
    assert all(1e-4 <= point["lr"] <= 1e-1 and point["n"] in range(1, 10) for point in many)


def test_a_space_with_fewer_points_than_trials_is_drawn_empty():
    points = list(drawn([listed("a", 1, 2), listed("b", True, False)], seed=5, n_trials=30))
    assert sorted((point["a"], point["b"]) for point in points) == [(1, False), (1, True), (2, False), (2, True)]


def test_a_logarithmic_range_is_drawn_evenly_by_order_of_magnitude():
    values = [point["lr"] for point in drawn([ranged("lr", 1e-4, 1, log=True)], seed=0, n_trials=400)]
    assert 60 < sum(value < 1e-3 for value in values) < 140


@given(SCALARS, SCALARS)
def test_two_values_have_one_label_only_where_they_are_one_value(first, second):
    same = type(first) is type(second) and repr(first) == repr(second)
    assert (label_of(first) == label_of(second)) == same


def test_a_trial_is_named_by_what_it_changes_in_any_order():
    assert key_of({"a": 1, "b": [1, 2]}) == key_of({"b": [1, 2], "a": 1})
    assert len({key_of({"a": value}) for value in (1, 1.0, True, "1", "true")}) == 5


def test_repeats_begin_with_the_seed_of_the_spec_and_keep_their_seeds_when_there_are_more():
    assert repeated_seeds(7, 3)[0] == 7
    assert repeated_seeds(7, 3) == list(islice(repeated_seeds(7, 8), 3))
    assert len(set(repeated_seeds(7, 50))) == 50


def test_an_address_is_shown_by_the_end_that_tells_it_from_the_others():
    names = ["vars.lr", "phases.a.optimizer.with.lr", "phases.b.optimizer.with.lr", "nodes.body.layers[1]", "lr"]
    assert list(short_names(names).values()) == [
        "vars.lr", "a.optimizer.with.lr", "b.optimizer.with.lr", "layers[1]", "lr",
    ]  # fmt: skip
    assert list(short_names(names[:1]).values()) == ["lr"]
