"""Limits on time, memory and disk end a run at its next step, and it can go on (issue: guards)."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from guards.specs import EPOCHS, FOLDS, Waiting, checked, of, ran, write_table
from resume.runs import assert_same
from runexp.api.resuming import CannotResume, open_run, resume
from runexp.cli.app import app
from runexp.diagnostics import SpecError
from runexp.engine.control import Control, LimitExceeded
from runexp.runtime.memory import held_bytes


def test_a_run_that_takes_too_long_fails_at_the_next_step_and_goes_on_to_the_same_end(tmp_path):
    write_table(tmp_path)
    ran(tmp_path, "{time: 1 h}", name="whole")
    finished, events = ran(tmp_path, "{time: 0.5 s}", watch=[Waiting(1.2, after=7)])
    assert finished.status == "failed"
    assert isinstance(finished.error, LimitExceeded)
    assert "`guards.time` is 0.5 s" in finished.finished.error
    assert "`guards.time`" in " ".join(finished.error.__notes__)
    assert finished.finished.where == "train"
    assert [event["by"] for event in of("PhaseFinished", events)] == ["guards.time"]
    assert json.loads((tmp_path / "run/status.json").read_text())["state"] == "failed"
    going = open_run(tmp_path / "run", overrides=["guards.time=1 h"])
    gone = resume(going, watch=lambda live: [Waiting(0)], control=Control())
    assert gone.status == "completed"
    (tmp_path / "run/written.yaml").write_text((tmp_path / "whole/written.yaml").read_text())
    assert_same(tmp_path / "run", tmp_path / "whole")


def test_a_run_goes_on_with_other_limits_and_with_nothing_else_new(tmp_path):
    write_table(tmp_path)
    ran(tmp_path, "{time: 0.3 s}", watch=[Waiting(0.8, after=3)])
    with pytest.raises(CannotResume, match="with nothing else new"):
        open_run(tmp_path / "run", overrides=["phases.train.epochs=9"])


def test_a_folder_that_grows_too_large_ends_the_run(tmp_path):
    write_table(tmp_path)
    long = {"epochs: 4": "epochs: 60"}
    finished, _ = ran(tmp_path, "{disk: 60 KB}", replaced=long, watch=[Waiting(0.02, every=True, kind=EPOCHS)])
    assert isinstance(finished.error, LimitExceeded)
    assert "`guards.disk` is 60 KB" in finished.finished.error
    folder = tmp_path / "run"
    with pytest.raises(SpecError) as refused:
        resume(open_run(folder), watch=lambda live: ())
    assert "before the first step" in refused.value.diagnostics[0].message
    assert refused.value.diagnostics[0].path == "guards.disk"
    assert resume(open_run(folder, overrides=["guards={}"]), watch=lambda live: ()).status == "completed"


def test_a_process_that_holds_too_much_ends_the_run(tmp_path):
    write_table(tmp_path)
    limit = f"{{memory: {held_bytes() // 1_000_000 + 100} MB}}"
    held = []

    class Hoarding(Waiting):
        def receive(self, stamped):
            held.append(b"1" * 150_000_000) if not held else None
            super().receive(stamped)

    finished, _ = ran(tmp_path, limit, watch=[Hoarding(0.1, every=True)])
    assert "the process holds" in finished.finished.error


@pytest.mark.parametrize("command", ["run", "validate"])
def test_a_limit_that_leaves_no_room_is_said_at_once(tmp_path, command):
    write_table(tmp_path)
    found = checked(tmp_path, "{memory: 10 MB}" if command == "run" else "{memory: 0 MB}")
    where = ["--run-dir", str(tmp_path / "run")] if command == "run" else []
    done = CliRunner().invoke(app, [command, found.path, *where])
    assert done.exit_code == 2
    assert "error[wrong-value]" in done.output
    assert "spec.yaml:24:" in done.output
    assert not (tmp_path / "run").exists()


def test_time_is_that_of_all_folds_and_the_ones_to_come_do_not_begin(tmp_path):
    write_table(tmp_path)
    finished, events = ran(tmp_path, "{time: 0.5 s}", replaced=FOLDS, watch=[Waiting(1.2, after=15)])
    assert "`guards.time` is 0.5 s" in finished.finished.error
    assert isinstance(finished.error, LimitExceeded)
    assert [event["status"] for event in of("FoldFinished", events)] == ["completed", "failed"]


def test_the_command_says_how_to_go_on(tmp_path, monkeypatch):
    write_table(tmp_path)
    long = {"epochs: 4": "epochs: 100000", "{at: epoch_end}": "{at: epoch_end, every_n: 50000}"}
    found = checked(tmp_path, "{time: 0.2 s}", replaced=long)
    folder = tmp_path / "run"
    done = CliRunner().invoke(app, ["run", found.path, "--run-dir", str(folder)])
    assert done.exit_code == 1
    assert f"to go on: runexp resume {folder}" in done.output
    assert "in `guards.time`" in done.output
