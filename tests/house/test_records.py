"""Our frozen dataclasses mean what the standard ones do."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runexp.records import dataclass


@dataclass(frozen=True, slots=True)
class Ours:
    """Three fields: bare, with a default, with a factory that the hash leaves out."""

    a: int
    b: int = 2
    c: dict = field(default_factory=dict, hash=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Standard:
    """The same by the standard library."""

    a: int
    b: int = 2
    c: dict = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Ordered by its fields."""

    line: int
    column: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Itself:
    """Equal to itself alone."""

    a: int


@given(
    st.lists(st.integers(0, 3), max_size=4),
    st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.integers(0, 3), max_size=3),
)
def test_a_record_takes_the_arguments_that_a_dataclass_takes_and_becomes_the_same(args, kwargs):
    made = []
    for kind in (Ours, Standard):
        try:
            made.append(dataclasses.astuple(kind(*args, **kwargs)))
        except TypeError:
            made.append("refused")
    assert made[0] == made[1]


def test_a_record_prints_compares_and_hashes_by_its_fields():
    assert repr(Ours(1)) == "Ours(a=1, b=2, c={})"
    assert Ours(1) == Ours(1, 2) != Ours(2)
    assert hash(Ours(1, c={"x": 1})) == hash(Ours(1))
    assert Ours(1) != Standard(1)
    assert Itself(1) != Itself(1)


def test_a_factory_makes_a_value_for_each_record():
    assert Ours(1).c is not Ours(1).c


def test_a_record_is_frozen():
    one = Ours(1)
    with pytest.raises(FrozenInstanceError):
        one.a = 2
    with pytest.raises(FrozenInstanceError):
        one.other = 2
    with pytest.raises(FrozenInstanceError):
        del one.a


def test_records_are_ordered_where_they_say_so():
    assert sorted([Place(2), Place(1, 5), Place(1)]) == [Place(1), Place(1, 5), Place(2)]
    with pytest.raises(TypeError):
        sorted([Ours(1), Ours(2)])


def test_the_standard_library_knows_a_record_as_a_dataclass():
    one = Ours(1, c={"x": 1})
    assert dataclasses.is_dataclass(one)
    assert [item.name for item in dataclasses.fields(Ours)] == ["a", "b", "c"]
    assert dataclasses.replace(one, b=5) == Ours(1, 5, {"x": 1})
    assert dataclasses.asdict(one) == {"a": 1, "b": 2, "c": {"x": 1}}
    assert copy.deepcopy(one) == one
    assert pickle.loads(pickle.dumps(one)) == one


def test_a_record_is_matched_by_position():
    match Place(3, 4):
        case Place(line, column):
            assert (line, column) == (3, 4)


def test_what_a_record_cannot_be_is_refused():
    with pytest.raises(TypeError, match="frozen"):
        dataclass(frozen=False)
