"""`runexp explain`: one page, all of them, and what is none."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys

import pytest

from runexp.report.explanations import explanations

CODES = [page.code for page in explanations()]


@pytest.fixture
def explain(run_python):
    return lambda *args: run_python("-m", "runexp", "explain", *args)


def test_a_pipe_gets_the_page_as_it_is_written(explain):
    outcome = explain("unknown-node")
    assert outcome.returncode == 0
    assert outcome.stdout == next(page.text for page in explanations() if page.code == "unknown-node")


def test_a_built_in_callback_has_a_page_too(explain):
    outcome = explain("early_stopping")
    assert outcome.returncode == 0
    assert outcome.stdout.startswith("# early_stopping\n")
    assert "| `patience` | a whole number of at least 1 | `5` |" in outcome.stdout
    assert "did you mean `early_stopping`" in explain("early_stoping").stderr


def test_without_a_code_every_code_is_listed_once(explain):
    listed = re.findall(r"^  ([a-z0-9.-]+)", explain().stdout, re.MULTILINE)
    assert listed == CODES


def test_an_unknown_code_is_refused_with_the_nearest(explain):
    outcome = explain("unknown-nod")
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert "there is no diagnostic `unknown-nod`" in outcome.stderr
    assert "did you mean `unknown-node`?" in outcome.stderr


def test_json_gives_one_page_or_all_summaries(explain):
    page = json.loads(explain("training-rows", "--format", "json").stdout)
    assert (page["code"], page["severity"], page["page"][:15]) == ("training-rows", "warning", "# training-rows")
    listed = json.loads(explain("--format", "json").stdout)["codes"]
    assert [one["code"] for one in listed] == CODES
    assert all(one["summary"] for one in listed)


def test_it_needs_no_heavy_library(run_python):
    script = "import sys; from runexp.cli import main; sys.argv = ['runexp', 'explain', 'cycle']\n"
    script += "try: main()\nexcept SystemExit: pass\n"
    script += "print(sorted({'torch', 'sklearn', 'numpy', 'pandas', 'pyarrow', 'ruamel'} & set(sys.modules)))"
    assert run_python("-c", script).stdout.endswith("[]\n")


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("plain", [False, True])
def test_a_terminal_gets_a_drawn_page_that_fits(root, width, plain):
    shown = on_a_terminal(root, "explain", "unknown-node", width=width, plain=plain)
    assert "```" not in shown
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]m", shown)) is not plain
    bare = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert max(map(len, bare.splitlines())) <= width
    assert "haed" in bare


def on_a_terminal(root, *args, width, plain):
    """The output of a command whose standard output is a terminal of that width."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(root / "src"), "COLUMNS": str(width), "TERM": "xterm-256color"}
    env.pop("NO_COLOR", None)
    env |= {"NO_COLOR": "1"} if plain else {}
    process = subprocess.Popen([sys.executable, "-m", "runexp", *args], stdout=theirs, env=env)
    os.close(theirs)
    chunks = []
    while True:
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # Linux says so when the other side has gone
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return b"".join(chunks).decode().replace("\r\n", "\n")
