"""What a person sees of a nested cross-validation: a line a trial, the choice of each fold, a table on the page."""

from __future__ import annotations

import io

from rich.console import Console

from runexp.engine.live import Live
from runexp.events import (
    FoldFinished,
    FoldStarted,
    InnerTrialFinished,
    PhaseFinished,
    PhaseStarted,
    RunFinished,
    RunStarted,
    ValuesChosen,
    dump_event,
    load_event,
)
from runexp.observe.plain_progress import PlainProgress
from runexp.observe.rich_progress import RichProgress
from runexp.observe.sink import Stamped
from runexp.plan.values import freeze
from runexp.report.html.tables import number_tables
from runexp.report.results import render_results
from runexp.results import record

C = "nodes.svc.with.C"
INNER = [
    InnerTrialFinished(0, "fold-0", 0, 2, freeze({C: 1}), "completed", freeze({"score.accuracy": 0.9})),
    InnerTrialFinished(0, "fold-0", 1, 2, freeze({C: 0.25}), "failed", freeze({}), "ValueError: no\x1b[2J"),
    ValuesChosen(0, "fold-0", freeze({C: 1}), "score.accuracy", "max", 0.9, 2, 1),
]


def fold(number, value, accuracy, *, inside):
    """The events of one fold that chose a value for C."""
    group = f"fold-{number}"
    yield FoldStarted(number, group, "", 3, 8, 4)
    yield ValuesChosen(number, group, freeze({C: value}), "score.accuracy", "max", inside, 2, 0)
    yield PhaseStarted(f"{group}/score", "eval", "val", 4, 0, 1, 0)
    yield PhaseFinished(f"{group}/score", "eval", "completed", "", 0, 0, freeze({"accuracy": accuracy}))
    yield FoldFinished(number, group, "completed")


def results():
    folds = [*fold(0, 10, 0.5, inside=1.0), *fold(1, 1, 0.75, inside=0.75), *fold(2, 10, 1.0, inside=0.5)]
    return record([RunStarted("nested", 0, "", "cpu", ()), *folds, RunFinished("completed")])


def test_in_a_pipe_each_trial_has_a_line_and_so_has_the_choice():
    """S-48: nothing in it steers a terminal."""
    stream = io.StringIO()
    for number, event in enumerate(INNER):
        PlainProgress(stream).receive(Stamped(number, 0.0, event))
    assert stream.getvalue().splitlines() == [
        "fold-0: inner trial 0 of 2  score.accuracy 0.9  C=1",
        "fold-0: inner trial 1 of 2 failed: ValueError: no?[2J  C=0.25",
        "fold-0: chose C=1  score.accuracy 0.9 (the best of 2 trials, 1 failed)",
    ]


def test_on_a_terminal_a_failed_trial_and_the_choice_stay():
    """S-48."""
    stream = io.StringIO()
    sink = RichProgress(Live(), Console(file=stream, width=100))
    for number, event in enumerate(INNER):
        sink.receive(Stamped(number, 0.0, event))
    sink.close()
    shown = stream.getvalue()
    assert "✗ fold-0: inner trial 1 of 2 failed" in shown
    assert "✓ fold-0: chose C=1" in shown


def test_the_events_come_back_from_a_log_as_they_were():
    """S-41."""
    assert [load_event(dump_event(event)) for event in INNER] == INNER


def test_a_table_says_what_each_fold_chose_how_alike_and_how_optimistic():
    """S-46: optimism is what was reached inside minus the score of the held-out rows."""
    cv = results().cv
    assert cv.optimisms() == {0: 0.5, 1: 0.0, 2: -0.5}
    assert cv.optimism().mean == 0.0
    assert (cv.agreements()[C].value, cv.agreements()[C].n, cv.agreements()[C].of) == (10, 2, 3)
    page = render_results(results(), console_width=100, color=False)
    assert "fold 0  10  1.0000    0.5000    0.5000" in page
    assert "C=10 in 2 of 3 folds" in page
    narrow = render_results(results(), console_width=30, color=False)
    assert "fold-0  C=10  inside 1" in narrow
    *_, chosen = number_tables(results())
    assert chosen.caption == "values chosen inside of each fold, by score.accuracy"
    assert chosen.rows[2] == ("fold 2", "10", "0.5000", "1.0000", "-0.5000")
