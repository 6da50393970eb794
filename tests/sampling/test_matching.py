"""S-06: who matches whom is what counting all pairs says, found without looking at all pairs."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from bench.sampling import columns_of, jobs
from hypothesis import given
from hypothesis import strategies as st

from runexp.runtime.sampling import candidates as module
from runexp.runtime.sampling import make_sampler
from runexp.runtime.sampling.conditions import Condition, conditions_of
from runexp.runtime.sampling.matching import matching, not_matching
from sampling.plans import match

COLUMNS = ("a", "b", "x", "y", "z")
TENTHS = st.integers(-12, 12)


@st.composite
def tables(draw, n_rows=30):
    """Columns of whole numbers: labels `a`, `b`, and tenths `x`, `y`, `z`."""
    rows = st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2), TENTHS, TENTHS, TENTHS), min_size=1, max_size=n_rows
    )
    return dict(zip(COLUMNS, np.array(draw(rows), np.int64).T, strict=True))


SAMENESS = st.sampled_from([{"same": True}, {"same": False}])
DISTANCES = st.one_of(
    st.builds(lambda d: {"within": d}, st.integers(0, 15)),
    st.builds(lambda d: {"beyond": d}, st.integers(0, 15)),
    st.builds(lambda d, more: {"beyond": d, "within": d + more}, st.integers(0, 9), st.integers(0, 9)),
)
CONDITIONS = st.fixed_dictionaries(
    {}, optional={name: SAMENESS if name in "ab" else DISTANCES for name in COLUMNS}
).filter(bool)


def by_counting(table, wanted):
    """(N, N) whether two rows meet all conditions: every pair looked at, in whole numbers."""
    n_rows = len(table["a"])
    meets = np.ones((n_rows, n_rows), bool)
    for name, condition in wanted.items():
        apart = np.abs(table[name][:, None] - table[name])
        if "same" in condition:
            meets &= (apart == 0) == condition["same"]
        meets &= apart <= condition.get("within", np.inf)
        meets &= apart >= condition.get("beyond", 0)
    return meets


def conditions(table, wanted, dtype):
    """The same in tenths: 0.3 and 0.4 have to be within 0.1."""
    columns = {name: table[name] if name in "ab" else (table[name] / 10).astype(dtype) for name in wanted}
    plans = [
        match(name, **{how: value if how == "same" else value / 10 for how, value in condition.items()})
        for name, condition in wanted.items()
    ]
    return conditions_of(plans, columns)


@given(table=tables(), wanted=CONDITIONS, dtype=st.sampled_from([np.float32, np.float64]))
def test_the_matches_counted_are_those_of_all_pairs(table, wanted, dtype):
    meets = by_counting(table, wanted)
    others = ~np.eye(len(meets), dtype=bool)
    found = conditions(table, wanted, dtype)
    assert matching(found, len(meets)).counts().tolist() == (meets & others).sum(axis=1).tolist()
    assert not_matching(found, len(meets)).counts().tolist() == (~meets & others).sum(axis=1).tolist()


@given(table=tables(16), wanted=CONDITIONS, turns_away=st.booleans(), seed=st.integers(0, 99))
def test_what_is_drawn_matches_and_all_that_matches_can_be_drawn(table, wanted, turns_away, seed):
    meets = by_counting(table, wanted)
    wanted_pairs = (~meets if turns_away else meets) & ~np.eye(len(meets), dtype=bool)
    make = not_matching if turns_away else matching
    found = make(conditions(table, wanted, np.float64), len(meets))
    rows, generator = np.repeat(np.arange(len(meets)), 500), np.random.default_rng(seed)
    drawn = found.draw(rows, generator.random(len(rows)), generator)
    seen = np.zeros_like(wanted_pairs)
    seen[rows[drawn >= 0], drawn[drawn >= 0]] = True
    assert np.array_equal(drawn < 0, ~wanted_pairs.any(axis=1)[rows])
    assert np.array_equal(seen, wanted_pairs)
    assert np.array_equal(found.reached(), wanted_pairs.any(axis=1))


@pytest.fixture
def nothing_kept(monkeypatch):
    """As if there were too many pairs to write them out, and blocks of a few pairs."""
    monkeypatch.setattr(module, "_MOST_KEPT", -1)
    monkeypatch.setattr(module, "_BLOCK", 50)
    monkeypatch.setattr(module, "_TRIES", 2)


@pytest.mark.parametrize("turns_away", [False, True])
def test_pairs_too_many_to_keep_are_drawn_alike(nothing_kept, turns_away):
    """By trying, and by looking at all of a row's candidates where tries fail."""
    generator = np.random.default_rng(1)
    table = {name: generator.integers(-12, 13, 40) for name in "xyz"} | {
        name: generator.integers(0, 3, 40) for name in "ab"
    }
    wanted = {"x": {"within": 3}, "y": {"within": 2}, "a": {"same": False}, "b": {"same": True}}
    meets = by_counting(table, wanted)
    wanted_pairs = (~meets if turns_away else meets) & ~np.eye(40, dtype=bool)
    found = (not_matching if turns_away else matching)(conditions(table, wanted, np.float64), 40)
    assert turns_away or found.accepts is not None
    rows = np.repeat(np.arange(40), 500)
    drawn = found.draw(rows, generator.random(len(rows)), generator)
    seen = np.zeros_like(wanted_pairs)
    seen[rows[drawn >= 0], drawn[drawn >= 0]] = True
    assert np.array_equal(seen, wanted_pairs)
    assert np.array_equal(drawn < 0, ~wanted_pairs.any(axis=1)[rows])
    assert found.counts().tolist() == wanted_pairs.sum(axis=1).tolist()


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("make", [matching, not_matching])
def test_every_candidate_is_as_likely_as_every_other(monkeypatch, make, keeps):
    if not keeps:
        monkeypatch.setattr(module, "_MOST_KEPT", -1)
    table = {"x": np.arange(30), "y": np.arange(30)[::-1] % 7, "a": np.arange(30) % 2}
    wanted = {"x": {"within": 9}, "y": {"within": 2}, "a": {"same": True}}
    found = make(conditions(table, wanted, np.float64), 30)
    rows, generator = np.full(100_000, 14), np.random.default_rng(0)
    often = np.bincount(found.draw(rows, generator.random(len(rows)), generator))
    chosen = often[often > 0]
    assert len(chosen) == found.counts()[14] > 2
    assert np.all(np.abs(chosen / chosen.mean() - 1) < 0.06)


def test_equal_parts_of_the_fraction_draw_different_candidates():
    found = matching(conditions_of([match("a", same=True)], {"a": np.zeros(11, int)}), 11)
    fractions = (0.37 + np.arange(10) / 10) % 1
    drawn = found.draw(np.full(10, 4), fractions, np.random.default_rng(0))
    assert sorted(drawn.tolist()) == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]


def test_work_grows_with_the_rows_and_not_with_the_pairs():
    """A million pairs of rows match, and a few arrays of a thousand hold what is needed to draw them."""
    columns = {"a": np.zeros(1000, int), "x": np.zeros(1000)}
    for made in (matching, not_matching):
        found = made(conditions_of([match("a", same=True), match("x", within=1.0)], columns), 1000)
        held = [value for value in vars_of(found) if isinstance(value, np.ndarray)]
        assert sum(value.size for value in held) <= 20_000


def test_few_candidates_among_many_rows_are_found_without_looking_at_all():
    """One row of 20,000 differs, in either of two columns: what is drawn is known at the first tries."""
    looked = []
    values = np.zeros(20_000)
    columns = {"x": np.append(values[1:], 9.0), "y": values}
    found = not_matching(
        counting(conditions_of([match("x", within=1.0), match("y", within=1.0)], columns), looked), 20_000
    )
    rows, generator = np.arange(20_000), np.random.default_rng(0)
    assert np.all(found.draw(rows, generator.random(20_000), generator)[:-1] == 19_999)
    assert sum(looked) < 10 * 20_000


def counting(found, looked):
    """The conditions, noting how many pairs they are asked about."""

    class Counting(Condition):
        def holds(self, first, second):
            looked.append(len(first))
            return Condition.holds(self, first, second)

    return [Counting(one.column, one.relation, one.values, one.distance) for one in found]


@pytest.mark.slow
@pytest.mark.parametrize("label, plan", [pytest.param(*job, id=job[0]) for job in jobs()])
def test_twenty_thousand_rows_take_less_than_two_seconds(label, plan):
    start = time.process_time()
    sampler = make_sampler(plan, columns_of(20_000), 20_000, 0, "train")
    assert sum(1 for stream in sampler.streams for _ in sampler.draw(0, stream=stream))
    assert time.process_time() - start < 2


def vars_of(found):
    return [getattr(found, name) for name in type(found).__slots__]


def test_text_and_arrays_can_be_the_same():
    columns = {"t": np.array(["x", "y", "x"]), "v": np.array([[1, 2], [3, 4], [1, 2]])}
    for name in columns:
        assert matching(conditions_of([match(name, same=True)], columns), 3).counts().tolist() == [1, 0, 1]


def test_distances_may_be_of_any_size():
    values = np.array([-1e300, 0.0, 1e-300, 1e300])
    columns = {"x": values, "y": values}
    plans = [match("x", within=1.0), match("y", within=1e-200)]
    assert matching(conditions_of(plans, columns), 4).counts().tolist() == [0, 1, 1, 0]
    wide = [replace(one, within=1e308) for one in plans]
    assert matching(conditions_of(wide, columns), 4).counts().tolist() == [3, 3, 3, 3]
