"""`runexp resume` and `run --resume auto`: what they go on with, what they say, and the codes they leave with."""

from __future__ import annotations

import json

import pytest

from resume.runs import SPEC, begin
from resume.small import written
from runexp.store.status import read_status


@pytest.fixture
def broken_off(cli, tmp_path):
    """A run of `demo.yaml` in runs/demo/one that was interrupted."""
    (tmp_path / "demo.yaml").write_text(SPEC)
    folder = tmp_path / "runs" / "demo" / "one"
    begin(tmp_path / "demo.yaml", folder, after=30)
    return folder


@pytest.mark.parametrize("reference", ["last", "one", "on", "demo", "runs/demo/one"])
def test_a_run_is_gone_on_with_by_any_of_its_names(reference, cli, broken_off):
    ended = cli("resume", reference)
    assert ended.exit_code == 0, ended.stderr
    assert "demo  completed" in ended.stdout
    assert json.loads((broken_off / "status.json").read_text())["state"] == "completed"
    again = cli("resume", reference)
    assert (again.exit_code, again.stdout) == (0, "")
    assert "is complete: nothing is left to do" in again.stderr


def test_an_unknown_run_is_refused(cli, broken_off):
    ended = cli("resume", "two")
    assert ended.exit_code == 2
    assert "no run `two`" in ended.stderr


def test_changed_data_is_refused_with_what_changed(cli, broken_off):
    lock = json.loads((broken_off / "lock.json").read_text())
    lock["sources"]["d"] = "0"
    (broken_off / "lock.json").write_text(json.dumps(lock))
    ended = cli("resume", "last")
    assert ended.exit_code == 2
    assert "the data of `d` is not what it was when the run began" in ended.stderr
    assert "--force" in ended.stderr
    assert cli("resume", "last", "--force").exit_code == 0


def test_run_goes_on_by_itself_with_what_was_broken_off_and_else_begins(cli, broken_off, tmp_path):
    assert cli("run", "demo.yaml", "--resume", "auto").exit_code == 0
    assert [path.name for path in (tmp_path / "runs" / "demo").iterdir()] == ["one"]
    assert cli("run", "demo.yaml", "--resume", "auto").exit_code == 0
    assert len(list((tmp_path / "runs" / "demo").iterdir())) == 2


def test_run_goes_on_with_the_one_of_several_runs_that_is_its_own(cli, broken_off, tmp_path):
    """As the jobs of an array are: alike but for the seed, in one folder of runs."""
    assert cli("run", "demo.yaml", "--seed", "9").exit_code == 0
    assert cli("run", "demo.yaml", "--resume", "auto").exit_code == 0
    assert len(list((tmp_path / "runs" / "demo").iterdir())) == 2
    assert read_status(broken_off).state == "completed"


def test_run_in_a_folder_of_its_own_goes_on_there_and_has_nothing_to_do_once_it_is_complete(cli, broken_off):
    given = ("run", "demo.yaml", "--resume", "auto", "--run-dir", broken_off)
    assert cli(*given).exit_code == 0
    again = cli(*given)
    assert (again.exit_code, "nothing is left to do" in again.stderr) == (0, True)


def test_run_does_not_go_on_with_another_spec(cli, broken_off):
    ended = cli("run", "demo.yaml", "--resume", "auto", "--seed", "9")
    assert ended.exit_code == 2
    assert "the spec has changed" in ended.stderr
    assert "runexp plan" in ended.stderr


def test_plan_and_preview_tell_when_what_is_saved(tmp_path, cli):
    """S-37, S-38."""
    extra = "checkpoints: {at: [phase_end, group_end]}"
    spec = written(tmp_path, checkpoints="{at: batch_end, every_n: 2, where: memory}", extra=extra)
    shown = cli("plan", spec).stdout
    assert "at=batch_end, every_n=2" in shown
    assert "where=memory" in shown
    assert "experiment checkpoints" in shown
    page = cli("preview", spec, "--phase", "first", "--dry").stdout
    assert "at batch end, every 2 of them and the last in memory" in page


def test_a_finished_training_is_made_longer_in_a_run_of_its_own(tmp_path, cli):
    """S-40."""
    spec = tmp_path / "short.yaml"
    spec.write_text(written(tmp_path).read_text().partition("  both:\n")[0])
    begin(spec, tmp_path / "runs" / "small" / "one")
    refused = cli("resume", "one", "--extend", "phases.first.epochs=2")
    assert refused.exit_code == 2
    assert "`first` has trained for 3 epochs, and 2 is no more" in refused.stderr
    assert "--> --set:1:1" in refused.stderr
    assert cli("resume", "one", "--schedule", "keep").exit_code == 2
    ended = cli("resume", "one", "--extend", "phases.first.epochs=4", "--schedule", "keep")
    assert ended.exit_code == 0, ended.stderr
    assert "goes on with" in ended.stderr
    assert len(list((tmp_path / "runs" / "small").iterdir())) == 2
    assert "goes on with small/one: phases.first.epochs=4" in cli("show", "last", COLUMNS="200").stdout
