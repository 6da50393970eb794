"""One seed governs everything, and what cannot be repeated is refused (S-50); secrets stay where they are."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest
import torch

from guards.specs import FOLDS, Waiting, checked, write_table
from resume.runs import weights
from runexp.api.resuming import open_run, resume
from runexp.api.running import Place, run
from runexp.diagnostics import SpecError

CODE = """\
import random

import numpy as np
import torch
from torch import nn


class Noisy(nn.Module):
    def forward(self, x):
        return x + 0.1 * (random.random() + float(np.random.rand()) + torch.rand(()))


class Unrepeatable(nn.Module):
    def __init__(self, above: int = 0):
        super().__init__()
        self.above = above

    def forward(self, x):
        if len(x) > self.above:
            torch.zeros(4).put_(torch.tensor([0]), torch.ones(1))
        return x


class Telling(nn.Module):
    def __init__(self, token: str):
        super().__init__()
        self.token = token

    def forward(self, x):
        if len(x) > 2:
            raise OSError(f"no entry with {self.token}")
        return x
"""
DETERMINISTIC = {"threads: 1}": "threads: 1, deterministic: true}"}
APART = FOLDS | {"phases:\n": FOLDS["phases:\n"].replace("cv: {", "cv: {execution: processes, workers: 2, ")}


def with_node(use, seed=1):
    return {
        "seed: 1": f"seed: {seed}\nimports: [mine]",
        "  head: {inputs: body": f"  own: {{inputs: body, use: mine.{use}}}\n  head: {{inputs: own",
    }


@pytest.fixture
def home(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "mine.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path)
    return tmp_path


def ran(home, name, replaced):
    return run(checked(home, replaced=replaced), Place(at=home / name), watch=lambda live: ())


def stir():
    """Leave every generator somewhere else."""
    random.seed(os.urandom(8))
    np.random.seed(int.from_bytes(os.urandom(4), "big"))
    torch.seed()


def test_python_numpy_and_torch_draw_what_the_seed_says(home):
    """S-50: shuffling, dropout and code of the user's that draws from all three."""
    shuffled = {"shuffle: false": "shuffle: true"}
    for name in ("one", "two"):
        stir()
        assert ran(home, name, with_node("Noisy") | shuffled).status == "completed"
    assert weights(home / "one") == weights(home / "two")
    assert (home / "one/metrics.csv").read_bytes() == (home / "two/metrics.csv").read_bytes()
    ran(home, "other", with_node("Noisy", seed=2) | shuffled)
    assert weights(home / "other") != weights(home / "one")


@pytest.mark.slow
def test_other_processes_give_the_same_bits(home, run_python):
    """A run in a process of its own, and folds in workers: their seeds are those of the folds, not of the workers."""
    ran(home, "here", with_node("Noisy"))
    done = run_python("-m", "runexp", "run", "spec.yaml", "--run-dir", "there", "--allow-import", "mine", cwd=home)
    assert done.returncode == 0, done.stderr
    assert weights(home / "here") == weights(home / "there")
    ran(home, "turn", with_node("Noisy") | FOLDS)
    ran(home, "apart", with_node("Noisy") | APART)
    assert weights(home / "turn") == weights(home / "apart")


def test_what_cannot_be_repeated_is_refused(home):
    """S-50: at once where a trial of two rows finds it, else at its step."""
    assert ran(home, "free", with_node("Unrepeatable")).status == "completed"
    with pytest.raises(SpecError, match="deterministic"):
        ran(home, "asked", with_node("Unrepeatable") | DETERMINISTIC)
    finished = ran(home, "later", with_node("Unrepeatable, with: {above: 2}") | DETERMINISTIC)
    assert "`put_`" in str(finished.error)
    assert "`execution.deterministic`" in str(finished.error)


def test_a_run_that_goes_on_is_as_deterministic_as_it_began(home):
    found = checked(home, "{time: 0.3 s}", replaced=DETERMINISTIC)
    run(found, Place(at=home / "run"), watch=lambda live: [Waiting(0.8, after=2)])
    seen = []

    def watch(live):
        seen.append(torch.are_deterministic_algorithms_enabled())
        return ()

    resume(open_run(home / "run", overrides=["guards.time=1 h"]), watch=watch)
    assert seen == [True]


def test_a_secret_that_code_tells_while_it_runs_is_on_no_disk(home, monkeypatch):
    """Not in events, status, summary or the command line on record."""
    secret = "correct-horse-battery"
    monkeypatch.setenv("RUNEXP_TEST_TOKEN", secret)
    monkeypatch.setattr("sys.argv", ["runexp", "run", "--set", f"vars.url=postgres://me:{secret}@here/db"])
    finished = ran(home, "run", with_node('Telling, with: {token: "${secret:RUNEXP_TEST_TOKEN}"}'))
    assert finished.status == "failed"
    files = [path for path in (home / "run").rglob("*") if path.is_file()]
    assert not [path for path in files if secret.encode() in path.read_bytes()]
    for name in ("events.jsonl", "status.json"):
        assert "no entry with ${secret:RUNEXP_TEST_TOKEN}" in (home / "run" / name).read_text()
