"""Names and messages of a user are shown as they are, and steer neither rich nor the terminal."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from report_terminal.plans import digits_plan
from report_terminal.previews import TRAIN
from results.story import digits_run, eval_events, train_events
from runexp.events import PhaseFinished, PhaseStarted, RunFinished, RunStarted, WarningRaised
from runexp.plan.values import FrozenMap
from runexp.report.mermaid import render_graph_mermaid
from runexp.report.plan import render_plan
from runexp.report.preview import render_preview
from runexp.report.results import render_results
from runexp.report.wording import column, duration, number, plain, sparkline
from runexp.results import record

NASTY = "[/red] [bold]x :smile: \x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b1m \u202eevil\ud800\r\nnext"
SHOWN = "[/red] [bold]x :smile: red 1m evil next"


def page(events, width=300, **options):
    return render_results(record(events), console_width=width, color=False, **options)


def test_text_is_made_harmless():
    assert plain(NASTY) == SHOWN


@pytest.mark.parametrize("color", [False, True])
def test_markup_and_controls_in_results_do_nothing(color):
    numbers = FrozenMap({NASTY: 1.0})
    events = [
        RunStarted(NASTY, 1, "", NASTY, (NASTY,)),
        PhaseStarted("test", "eval", NASTY, 1, 0, 1, 1),
        PhaseFinished("test", "eval", "completed", "", 0, 1, numbers),
        WarningRaised("", NASTY),
        RunFinished("failed", NASTY, NASTY),
    ]
    shown = render_results(record(events), console_width=300, color=color, folder=NASTY)
    assert shown.count(SHOWN) == 8
    assert not any(sign in shown for sign in ("\x1b[31mred", "\x1b]", "\x9b", "\u202e", "\r", "\ud800"))


def test_markup_and_controls_in_plans_and_previews_do_nothing():
    for shown in (
        render_plan(digits_plan(head=NASTY, description=NASTY), console_width=400),
        render_preview(replace(TRAIN, label=NASTY, callbacks=(NASTY,)), console_width=300),
    ):
        assert shown.count(SHOWN) >= 2
        assert "\x1b" not in shown
    json.loads(render_plan(digits_plan(head=NASTY), "json")).items()


def test_a_name_cannot_leave_its_box_in_a_graph():
    graph = render_graph_mermaid(digits_plan(head='a"] --> b["<script>'))
    assert '"] --> b' not in graph
    assert "<script>" not in graph


def test_json_holds_the_whole_plan_and_no_bare_nan():
    plan = digits_plan()
    strange = replace(plan, nodes=(replace(plan.nodes[0], init=FrozenMap({"a": float("inf"), "b": float("nan")})),))
    read = json.loads(render_plan(strange, "json"), parse_constant=pytest.fail)
    assert read["nodes"][0]["init"] == {"a": "Infinity", "b": "NaN"}
    assert read["phases"][1]["phases"][0]["callbacks"][1]["patience"] == 5


def test_a_failed_run_says_what_happened_where():
    events = [*digits_run()[:9], RunFinished("failed", "loss `ce` is NaN at step 17", "train")]
    shown = page(events, 100)
    assert "digits-hybrid  failed" in shown
    assert "in train: loss `ce` is NaN at step 17" in shown
    assert "train  failed after 1 of 30 epochs" in shown


def test_a_run_that_only_began_is_a_page_too():
    assert page([]) == "run  running  (seed 0)\n"
    assert "train  so far 0 of 30 epochs" in page(train_events()[:1])


def test_an_empty_phase_or_one_without_losses_leaves_no_empty_table():
    shown = page([PhaseStarted("test", "eval", "test", 1, 0, 1, 1)], 100)
    assert "phase  split" not in shown
    assert "test  running" in shown


def test_a_loss_that_repeats_the_total_is_not_shown_twice():
    assert " ce" not in page(eval_events(), 100)
    two = FrozenMap({"loss": 3.0, "ce": 1.0, "mse": 2.0})
    both = [eval_events()[0], PhaseFinished("test", "eval", "completed", "", 0, 1, two)]
    assert page(both, 100).splitlines()[2].split() == ["phase", "split", "loss", "ce", "mse"]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        pytest.param([0.5, 0.25], ["0.5000", "0.2500"], id="four decimals"),
        pytest.param([1234.5, None], ["1234.50", ""], id="large, missing"),
        pytest.param([1e-6, 0.5], ["1.000e-06", "5.000e-01"], id="tiny"),
        pytest.param([float("nan"), 0.5], ["nan", "0.5000"], id="nan"),
        pytest.param([12.0, 7.0], ["12", "7"], id="whole"),
        pytest.param([1.0, 0.0], ["1.0000", "0.0000"], id="whole shares"),
    ],
)
def test_numbers_below_each_other_have_as_many_decimals(values, shown):
    assert column(values) == shown


def test_lone_numbers_and_times_are_short():
    assert [number(value) for value in (3.0, 0.123456, 1e-7, float("inf"))] == ["3", "0.1235", "1e-07", "inf"]
    assert [duration(value) for value in (0.04, 59.7, 200, 7500)] == [
        "0.0 s",
        "1 min 0 s",
        "3 min 20 s",
        "2 h 5 min",
    ]


def test_a_curve_fits_its_width_and_marks_what_is_not_finite():
    assert sparkline([0.0, 0.5, 1.0], 10, low=0.0, high=1.0) == "▁▅█"
    assert len(sparkline([float(index) for index in range(1000)], 30, low=0.0, high=999.0)) == 30
    assert sparkline([1.0, float("nan"), 1.0], 10, low=1.0, high=1.0) == "▁!▁"


@pytest.mark.parametrize(
    ("page", "unused"),
    [
        pytest.param("plan", ("runexp.results", "rich.progress", "rich.live", "pydantic", "torch"), id="plan"),
        pytest.param("mermaid", ("runexp.results", "rich", "pydantic", "torch"), id="graph"),
        pytest.param("results", ("runexp.report.plan", "rich.progress", "rich.tree", "pydantic"), id="results"),
    ],
)
def test_a_page_pays_for_nothing_but_its_own(page, unused):
    code = f"import sys, runexp.report.{page}; print([name for name in {unused} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
