"""`--where`: what a condition means, and how a wrong one is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runexp.results.conditions import ConditionError, parse_condition
from runexp.results.run_record import RunRecord
from runexp.results.selection import Query, SelectionError, holds, select

NAN = float("nan")


def run(id="a", **facts):
    return RunRecord(Path(id), facts.pop("name", "wine"), id, **facts)


RUN = run(
    status="completed",
    started="2026-03-04T05:06:07.000Z",
    seconds=12.5,
    tags=("baseline", "v2"),
    metrics={"train": {"val_loss": 0.25, "lr": 0.0}, "test": {"loss": 0.5, "accuracy": 0.9, "auc": NAN}},
    lock={"packages": {"torch": "2.13.0"}, "seed": 7},
    spec={
        "vars": {"lr": 0, "on": True, "none": None},
        "phases": {"train": {"losses": ["ce", "mse"], "epochs": 3}},
        "nodes": {"net": {"layers": [{"torch.nn.Linear": {"out_features": 8}}]}},
    },
)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("test.accuracy > 0.8", True),
        ("test.accuracy >= 0.9 and test.loss<1", True),
        ("summary.val_loss < 0.3", True),
        ("val_loss < 0.3", True),
        ("summary.accuracy = 0.9", True),
        ("test.accuracy != 0.9", False),
        ("not test.accuracy > 0.8", False),
        ("status = failed or status = completed", True),
        ("status = failed or status = completed and name = other", False),
        ("(status = failed or status = completed) and name = wine", True),
        ("status in [failed, completed]", True),
        ("status not in [failed, completed]", False),
        ("name ~ WIN", True),
        ("name !~ win", False),
        ("tags = baseline", True),
        ("tags != baseline", False),
        ("tags ~ base", True),
        ("tags in (x, v2)", True),
        ("started >= 2026-03-04 and started < 2026-03-05", True),
        ("seconds > 1e1", True),
        ("vars.lr", True),  # a zero is a value like any other
        ("vars.lr = 0", True),
        ("vars.on = true", True),
        ("vars.on = 1", False),
        ("vars.none = null", True),
        ("vars.none", False),
        ("phases.train.losses = mse", True),
        ("phases.train.losses[0] = ce", True),
        ("spec.phases.train.epochs = 3", True),
        ("nodes.net.layers[0].torch.nn.Linear.out_features = 8", True),
        ("nodes.net.layers[0].`torch.nn.Linear`.out_features = 8", True),
        ("lock.packages.torch ~ 2.13", True),
        ("lock.seed = 7", True),
        ("missing.number < 1", False),
        ("missing.number != 1", False),
        ("not missing.number < 1", True),
        ("test.auc < 1 or test.auc >= 1", False),
        ("name > 3", True),  # a text against a number is compared as a text
        ("test.accuracy > high", False),
    ],
)
def test_a_condition_holds_or_not(condition, expected):
    assert holds(parse_condition(condition), RUN) is expected


@pytest.mark.parametrize(
    ("condition", "marked", "message"),
    [
        ("test.accuracy >", "", "a value is missing before the end"),
        ("test.accuracy > > 3", ">", "a value is missing before `>`"),
        ("(a = 1", "(", "this parenthesis is never closed"),
        ("a = 1)", ")", "`)` cannot stand here"),
        ("a = 1 nad b = 2", "nad", "`nad` cannot stand here"),
        ("a in 3", "3", "`in` needs a list"),
        ("a in [1, 2", "[", "this list is never closed"),
        ('a = "x', '"x', "this quote is never closed"),
        ("and", "and", "the name of a value is missing before `and`"),
        ("a = 1 and", "", "the name of a value is missing before the end"),
        ("__import__('os').system('x')", "(", "`(` cannot stand here"),
    ],
)
def test_a_wrong_condition_is_marked_at_its_place(condition, marked, message):
    with pytest.raises(ConditionError, match="^" + message.replace("(", r"\(").replace(")", r"\)")) as error:
        parse_condition(condition)
    place = condition[error.value.start : error.value.end]
    assert place == marked


PIECES = ["a", "=", "1", "and", "or", "not", "in", "(", ")", "[", "]", ",", "~", "'x'", "<"]


@given(st.text(max_size=60) | st.lists(st.sampled_from(PIECES)).map(" ".join))
def test_any_text_is_a_condition_or_is_refused_with_a_place_inside_it(text):
    try:
        condition = parse_condition(text)
    except ConditionError as error:
        assert 0 <= error.start < error.end <= len(text) + 1
    else:
        assert holds(condition, RUN) in (True, False)


def test_deep_nesting_is_refused_and_not_followed():
    with pytest.raises(ConditionError, match="nested too deeply"):
        parse_condition("(" * 4000 + "a" + ")" * 4000)


def test_an_unknown_path_names_the_nearest_and_its_place():
    with pytest.raises(SelectionError) as error:
        select(Query(where="test.acuracy > 1", sort="-vars.lrr", columns=("nonsense",)), [RUN])
    told = [(option, mistake.start, mistake.help) for option, _, mistake in error.value.mistakes]
    assert [option for option, _, _ in told] == ["--where", "--sort", "--columns"]
    assert told[0][2].startswith("did you mean `test.accuracy`?")
    assert told[1][1:] == (1, told[1][2]) and "did you mean `vars.lr`?" in told[1][2]


def test_a_number_written_in_the_wrong_phase_is_found_where_it_is():
    with pytest.raises(SelectionError) as error:
        select(Query(where="train.accuracy > 1"), [RUN])
    assert "`test.accuracy`" in error.value.mistakes[0][2].help


def scored(*values):
    return [
        run(id=str(place), metrics={"test": {"x": value}} if value is not None else {})
        for place, value in enumerate(values)
    ]


def test_sorting_puts_what_is_missing_or_no_number_last_either_way_round():
    runs = scored(2.0, None, NAN, 1.0, 3.0)
    assert [one.id for one in select(Query(sort="test.x"), runs)][:3] == ["3", "0", "4"]
    assert [one.id for one in select(Query(sort="-test.x"), runs)][:3] == ["4", "0", "3"]


@given(st.lists(st.floats(allow_nan=True) | st.none(), max_size=12))
def test_sorting_loses_no_run_and_orders_the_numbers(values):
    runs = scored(*values, 0.0)
    found = select(Query(sort="test.x"), runs)
    numbers = [one.metrics["test"]["x"] for one in found if one.metrics]
    there = [number for number in numbers if number == number]
    assert sorted(one.id for one in found) == sorted(one.id for one in runs)
    assert there == sorted(there)


def test_without_a_key_the_newest_is_first_and_a_limit_keeps_it():
    runs = [run(id=id, started=f"2026-01-0{id}") for id in "132"]
    assert [one.id for one in select(Query(limit=2), runs)] == ["3", "2"]
