"""How a command starts and leaves: what it loads, how plain command lines are read, a reader that goes away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from runexp.cli import validate as by_typer
from runexp.cli.validating import read_plainly

# What `validate` of a right spec has no use for.
NOT_NEEDED = (
    *("torch", "sklearn", "numpy", "pandas", "pyarrow", "scipy", "skops", "safetensors"),
    *("ruamel", "rich", "typer", "click", "concurrent", "asyncio", "multiprocessing", "logging", "unittest"),
    *("email", "importlib.metadata"),
    *("runexp.events", "runexp.engine", "runexp.results", "runexp.store", "runexp.observe", "runexp.runtime"),
    *("runexp.cli.app", "runexp.cli.verbs", "runexp.cli.run", "runexp.api.running", "runexp.report.plan"),
)
LOADED = """
import sys, os
from runexp.cli import main
leave = os._exit
os._exit = lambda code: (print(*(name for name in {names!r} if name in sys.modules)), sys.stdout.flush(), leave(code))
sys.argv = ["runexp", "validate", {spec!r}, "--quiet"]
main()
"""


def test_validate_loads_no_heavy_library_and_no_room_it_does_not_go_through(run_python, quickstart):
    outcome = run_python("-c", LOADED.format(names=NOT_NEEDED, spec=quickstart))
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.split() == []


def test_validate_reads_no_source_of_what_the_catalog_knows(run_python, quickstart):
    script = (
        "import sys\nread = []\n"
        "look = lambda event, args: event == 'open' and 'packages/sklearn' in str(args[0]) and read.append(args[0])\n"
        "sys.addaudithook(look)\n"
        "from runexp.cli.validating import read_plainly, validate_specs\n"
        f"code = validate_specs(read_plainly([{quickstart!r}]))\n"
        "print(code, read)"
    )
    assert run_python("-c", script).stdout.splitlines()[-1] == "0 []"


def test_another_verb_loads_itself_alone(run_python):
    script = (
        "import sys, atexit\nfrom runexp.cli import main\n"
        "atexit.register(lambda: print(*(name for name in sys.modules if name.startswith('runexp.cli'))))\n"
        "sys.argv = ['runexp', 'explain', 'cycle']\nmain()\n"
    )
    loaded = run_python("-c", script).stdout.splitlines()[-1].split()
    assert "runexp.cli.explain" in loaded
    assert not {"runexp.cli.run", "runexp.cli.doctor"} & set(loaded)


@pytest.mark.parametrize(
    "words",
    [
        ["a.yaml"],
        ["a.yaml", "-", "b.yaml", "-q"],
        ["--set", "a.b=1", "a.yaml", "--set=c=[1, 2]", "--format", "json"],
        ["a.yaml", "--format=github", "--quiet", "--no-color"],
    ],
)
def test_a_plain_command_line_is_read_as_typer_reads_it(words, monkeypatch):
    seen = []
    monkeypatch.setattr(by_typer, "validate_specs", lambda wanted: seen.append(wanted) or 0)
    app = typer.Typer()
    app.command("validate")(by_typer.validate)
    assert CliRunner().invoke(app, words).exit_code == 0
    assert seen == [read_plainly(words)]


@pytest.mark.parametrize(
    "words",
    [[], ["--help"], ["a.yaml", "--deep"], ["a.yaml", "--set"], ["a.yaml", "--format", "xml"], ["a.yaml", "--", "-b"]],
)
def test_what_is_not_plain_is_left_to_typer(words):
    assert read_plainly(words) is None


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="no SIGPIPE on this system")
@pytest.mark.parametrize("verb", ["validate", "plan"])
def test_a_reader_that_goes_away_ends_the_command_without_a_word(root, quickstart, verb):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "runexp", verb, quickstart, "--format", "json"]
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    with os.fdopen(writing, "wb") as stdout:
        ended = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, env=environment, check=False)
    assert ended.returncode == -signal.SIGPIPE
    assert ended.stderr == b""
