"""Pages against golden files; `RUNEXP_UPDATE_GOLDEN=1` writes them anew, for a person to look at."""

import os
from pathlib import Path

import pytest

from report_terminal.plans import digits_plan
from report_terminal.previews import EVAL, TRAIN
from results.story import digits_run, grouped_run
from runexp.report.mermaid import render_graph_mermaid
from runexp.report.plan import render_plan
from runexp.report.preview import render_preview
from runexp.report.results import render_results
from runexp.results import Recorder

GOLDEN = Path(__file__).parent / "golden"
FOLDER = "runs/digits-hybrid/20261120-122833-7f3a"


def timed(events):
    recorder = Recorder()
    for index, event in enumerate(events):
        recorder.receive(event, time=index * 0.1)
    return recorder.results()


def results_page(width, events=None, **options):
    return render_results(timed(events or digits_run()), console_width=width, color=False, folder=FOLDER, **options)


PAGES = {
    "results-100": lambda: results_page(100),
    "results-40": lambda: results_page(40),
    "results-30": lambda: results_page(30),
    "results-ascii": lambda: results_page(60, unicode=False),
    "results-grouped": lambda: results_page(100, grouped_run()),
    "plan-100": lambda: render_plan(digits_plan(), console_width=100),
    "plan-40": lambda: render_plan(digits_plan(), console_width=40),
    "plan-json": lambda: render_plan(digits_plan(), "json"),
    "graph": lambda: render_graph_mermaid(digits_plan()),
    "preview-100": lambda: render_preview(TRAIN, console_width=100),
    "preview-40": lambda: render_preview(TRAIN, console_width=40),
    "preview-eval": lambda: render_preview(EVAL, console_width=100),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_looks_as_it_did_when_a_person_looked_at_it(name):
    page, path = PAGES[name](), GOLDEN / f"{name}.txt"
    if os.environ.get("RUNEXP_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(page, encoding="utf-8")
    assert page == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in PAGES if name.rpartition("-")[2].isdigit()])
def test_no_line_is_wider_than_the_console(name):
    width = int(name.rpartition("-")[2])
    assert max(map(len, PAGES[name]().splitlines())) <= width


def test_a_pipe_gets_no_escape_sequences_and_no_trailing_blanks():
    for page in (page() for page in PAGES.values()):
        assert "\x1b" not in page
        assert all(line == line.rstrip() for line in page.splitlines())


def test_ascii_pages_are_ascii():
    plan = render_plan(digits_plan(), unicode=False)
    assert (results_page(60, unicode=False) + plan + render_preview(TRAIN, unicode=False)).isascii()
    assert render_plan(digits_plan(), unicode=False).count("+--") > 10


def test_colour_changes_nothing_but_the_colour(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("NO_COLOR", "1")
    coloured = render_results(timed(digits_run()), console_width=100, color=True, folder=FOLDER)
    assert "\x1b[1;32mcompleted" in coloured
