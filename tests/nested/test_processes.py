"""Nested cross-validation as processes of their own: killed without warning, interrupted, gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nested.tables import ran, spec

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SWEEP = "{sampler: random, trials: 4, parameters: {vars.neighbours: [1, 3, 5, 9]}, objective: score.accuracy}"
PATIENCE_S = 240


CV = "{folds: 2, data: {t: {stratify_by: kind}}, inner: {folds: 2}}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The choices and the scores of a run that nobody ends."""
    folder = tmp_path_factory.mktemp("whole")
    return ran(spec(folder, CV, SWEEP), folder / "run").results.cv


def command(folder, *words):
    """`runexp WORDS…` in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([sys.executable, "-m", "runexp", *words], cwd=folder, env=environment, **pipes)


def ended(folder):
    """When each trial inside of a fold came to its end; one that was interrupted has a summary too."""
    summaries = Path(folder, "run/inner").glob("*/trials/*/summary.json")
    return {
        path: path.stat().st_mtime_ns for path in summaries if json.loads(path.read_text())["status"] == "completed"
    }


@pytest.mark.parametrize(
    ("how", "execution"),
    [(signal.SIGKILL, "sequential"), (signal.SIGKILL, "processes"), (signal.SIGINT, "processes")],
    ids=["killed", "killed with its workers", "interrupted with its workers"],
)
def test_a_run_that_is_ended_from_outside_goes_on_and_is_as_if_it_never_was(tmp_path, whole, how, execution):
    """S-40, S-47: no trial that had ended is run again."""
    path = spec(tmp_path, CV.replace("folds: 2", f"folds: 2, execution: {execution}", 1), SWEEP)
    process = command(tmp_path, "run", path.name, "--run-dir", "run")
    until = time.monotonic() + PATIENCE_S
    while len(ended(tmp_path)) < 2 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(how)
    process.communicate(timeout=PATIENCE_S)
    made = ended(tmp_path)
    assert 2 <= len(made) < 8
    resumed = command(tmp_path, "resume", "run")
    told, _ = resumed.communicate(timeout=PATIENCE_S)
    assert resumed.returncode == 0, told
    after = ended(tmp_path)
    assert len(after) == 8
    assert {trial: after[trial] for trial in made} == made
    summary = json.loads((tmp_path / "run/summary.json").read_text())["cv"]
    assert [one["changes"] for one in summary["choices"]] == [one.changes for one in whole.choices]
    assert [one["metrics"] for one in summary["folds"]] == [
        {address: values[fold] for address, values in whole.table().items()} for fold in (0, 1)
    ]
