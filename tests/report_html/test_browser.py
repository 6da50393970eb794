"""Pages in headless Chromium: no word on the console, the curves are there, nothing is wider than the window."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest
from typer.testing import CliRunner

from report_html.sweeps import one_objective, repeats, two_objectives, write_sweep
from runexp.cli.app import app

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--enable-logging=stderr", "--virtual-time-budget=8000"),
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian's package chromium)"),
]


def call(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code in (0, 1), done.output
    return done


@pytest.fixture(scope="module")
def runs(root, tmp_path_factory):
    """The quickstart twice and a cross-validation, run for real."""
    place = tmp_path_factory.mktemp("runs")
    before = os.getcwd()
    os.chdir(root / "specs")
    try:
        for name, changes in (("quick", []), ("slower", ["phases.train.optimizer.with.lr=0.001"])):
            words = [word for change in ["phases.train.epochs=5", *changes] for word in ("--set", change)]
            call("run", "quickstart.yaml", "--run-dir", place / name, "-q", *words)
        call("run", "cross_validation.yaml", "--run-dir", place / "cv", "-q", "--set", "phases.train.epochs=5")
    finally:
        os.chdir(before)
    for name, results in (("sweep", one_objective()), ("front", two_objectives()), ("repeats", repeats())):
        write_sweep(place / name, results)
    return place


def browsed(page, tmp_path, *flags):
    """The page after its scripts ran, and what the browser logged."""
    done = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *flags, "--dump-dom", f"file://{page}"],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line or "Refused" in line]
    return done.stdout, said


SWEEPS = {"a sweep": ("sweep", (), 6), "a front": ("front", (), 10), "repeats": ("repeats", (), 1)}
SWEEPS |= {"an interactive sweep": ("sweep", ("--interactive",), 6)}


@pytest.mark.parametrize(("name", "options", "least"), SWEEPS.values(), ids=SWEEPS)
def test_a_sweep_is_drawn_without_a_word_on_the_console(runs, tmp_path, name, options, least):
    page = tmp_path / "page.html"
    call("report", runs / name, "-o", page, *options)
    dom, said = browsed(page, tmp_path)
    assert said == []
    assert len(re.findall(r'class="marks"' if options else r'<svg class="chart"', dom)) == least


CASES = {
    "a run": (["quick"], (), 3),
    "a cross-validation": (["cv"], (), 2),
    "a comparison": (["quick", "slower"], (), 3),
    "an interactive page": (["quick"], ("--interactive",), 3),
}


@pytest.mark.parametrize(("names", "options", "least"), CASES.values(), ids=CASES)
def test_a_page_is_drawn_without_a_word_on_the_console(runs, tmp_path, names, options, least):
    page = tmp_path / "page.html"
    call("report", *(runs / name for name in names), "-o", page, *options)
    dom, said = browsed(page, tmp_path)
    assert said == []
    pattern = r'class="marks"' if options else r'<svg class="chart"'
    assert len(re.findall(pattern, dom)) >= least
    curves = re.findall(r'<path [^>]*d="M[^"]{40,}"[^>]*stroke="var\(--s\d\)"', dom)
    assert len(curves) >= least


@pytest.mark.parametrize("name", ["cv", "sweep"])
@pytest.mark.parametrize("width", [1280, 500])
def test_pages_have_pictures_at_two_widths(runs, tmp_path, width, name):
    """A picture is made of every page; nothing but tables that scroll may reach beyond the window."""
    page = tmp_path / "page.html"
    call("report", runs / name, "-o", page)
    picture = tmp_path / "page.png"
    browsed(page, tmp_path, f"--window-size={width},2400", f"--screenshot={picture}")
    assert picture.stat().st_size > 40_000
