"""A run that was interrupted goes on exactly: events, metrics, checkpoints and weights are those of a whole run."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time

import pytest

from resume.runs import SPEC, assert_same, begin, go_on
from resume.small import written
from runexp.api.resuming import CannotResume, open_run
from runexp.observe.event_log import read_events
from runexp.store import checkpoints
from runexp.store.run_folder import FolderInUse, RunFolder
from runexp.store.writer import Writer


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("spec") / "demo.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="module")
def whole(spec, tmp_path_factory):
    """The run that nobody interrupts."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert begin(spec, folder).status == "completed"
    return folder


@pytest.mark.parametrize("after", [1, 7, 23, 24, 40, 100, 116, 121, 140])
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(after, spec, whole, tmp_path):
    """S-40: amid an epoch, amid a group of batches that are accumulated, at its end, in every phase."""
    folder = tmp_path / "run"
    assert begin(spec, folder, after=after).status == "interrupted"
    assert go_on(folder).status == "completed"
    assert_same(folder, whole)


def test_a_run_can_be_interrupted_again_and_again(spec, whole, tmp_path):
    """S-40."""
    folder = tmp_path / "run"
    status = begin(spec, folder, after=5).status
    for _ in range(40):
        if status == "completed":
            break
        status = go_on(folder, after=9).status
    assert status == "completed"
    assert_same(folder, whole)


def test_saving_at_every_batch_changes_no_number(spec, whole, tmp_path):
    """S-39."""
    folder = tmp_path / "run"
    assert begin(spec, folder, save_every_s=0).status == "completed"
    assert_same(folder, whole)


def test_a_state_written_beside_the_run_is_that_of_its_moment(tmp_path, monkeypatch):
    """S-39: steps go on while it is written, and change nothing of it."""
    spec, commit = written(tmp_path), checkpoints.commit_folder
    saved = {}

    def slowly(aside, final):
        time.sleep(0.02)
        commit(aside, final)
        if final.parent.name == "progress":
            saved.setdefault(final.parents[1].name, {})[final.name] = (final / "weights.safetensors").read_bytes()

    monkeypatch.setattr(checkpoints, "commit_folder", slowly)
    assert begin(spec, tmp_path / "inline", save_every_s=0).status == "completed"
    monkeypatch.setattr(Writer.__init__, "__defaults__", (0,))
    assert begin(spec, tmp_path / "beside", save_every_s=0).status == "completed"
    assert saved["beside"] == saved["inline"]
    assert len(saved["beside"]) > 9
    begin(spec, tmp_path / "run", after=5, save_every_s=0)
    assert go_on(tmp_path / "run").status == "completed"
    assert_same(tmp_path / "run", tmp_path / "inline")


def flip_a_bit(folder, name):
    path = folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["weights.safetensors", "state.json", "state.safetensors", "optimizer.safetensors"])
def test_a_damaged_state_is_recognised_and_the_one_before_is_used(name, spec, whole, tmp_path):
    """S-39: with a warning."""
    folder = tmp_path / "run"
    begin(spec, folder, after=30, save_every_s=0)
    saved = sorted((folder / "progress").iterdir())
    assert len(saved) == 2
    flip_a_bit(saved[-1], name)
    heard = []
    assert go_on(folder, tell=heard.append).status == "completed"
    assert heard == [f"the state saved in {saved[-1]} is damaged; an earlier one is used"]
    assert_same(folder, whole)


def test_a_run_without_any_saved_state_begins_anew(spec, whole, tmp_path):
    """S-40: also where every one is damaged."""
    folder = tmp_path / "run"
    begin(spec, folder, after=30)
    for saved in (folder / "progress").iterdir():
        (saved / "state.json").unlink()
    assert go_on(folder, tell=lambda message: None).status == "completed"
    assert_same(folder, whole)


def test_a_moved_run_goes_on(spec, whole, tmp_path):
    """The run folder can be moved or copied and still resumes."""
    begin(spec, tmp_path / "run", after=30)
    shutil.move(tmp_path / "run", tmp_path / "elsewhere")
    assert go_on(tmp_path / "elsewhere").status == "completed"
    assert_same(tmp_path / "elsewhere", whole)


def test_a_complete_run_has_nothing_left_to_do(whole):
    with pytest.raises(CannotResume, match="is complete: nothing is left to do") as caught:
        open_run(whole)
    assert caught.value.is_over


def test_what_has_changed_is_named_and_force_goes_on_all_the_same(spec, tmp_path):
    folder = tmp_path / "run"
    begin(spec, folder, after=30)
    before = len(list(read_events(folder / "events.jsonl")))
    lock = json.loads((folder / "lock.json").read_text())
    lock["sources"]["d"] = "0" * 64
    lock["packages"]["torch"] = "1.0.0"
    (folder / "lock.json").write_text(json.dumps(lock))
    with pytest.raises(CannotResume) as caught:
        go_on(folder)
    assert "the data of `d` is not what it was when the run began" in caught.value.differences
    assert any(text.startswith("torch is") and text.endswith("it was 1.0.0") for text in caught.value.differences)
    assert len(list(read_events(folder / "events.jsonl"))) == before
    heard = []
    assert go_on(folder, force=True, tell=heard.append).status == "completed"
    assert len(heard) == 2


def test_another_spec_in_the_folder_is_refused(spec, tmp_path):
    folder = tmp_path / "run"
    begin(spec, folder, after=30)
    written = folder / "written.yaml"
    written.write_text(written.read_text().replace("seed: 3", "seed: 4"))
    with pytest.raises(CannotResume, match="is not the spec that the run began with"):
        open_run(folder)


def test_a_full_disk_fails_the_run_and_leaves_the_state_before_usable(spec, whole, tmp_path, monkeypatch):
    """The message says what was being written."""
    folder, commit, n_commits = tmp_path / "run", checkpoints.commit_folder, 0

    def refusing(aside, final):
        nonlocal n_commits
        n_commits += 1
        if n_commits == 12:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(final))
        commit(aside, final)

    monkeypatch.setattr(checkpoints, "commit_folder", refusing)
    failed = begin(spec, folder, save_every_s=0)
    assert failed.status == "failed"
    assert isinstance(failed.error, OSError)
    told = "; ".join(failed.error.__notes__)
    assert f"while saving the state to go on from in {folder / 'progress'}" in told
    assert "in phase phases[1].phases[0]" in told or "both" in told
    assert len(list((folder / "progress").iterdir())) == 2
    assert go_on(folder).status == "completed"
    assert_same(folder, whole)


def test_a_run_that_is_running_is_refused(spec, tmp_path):
    begin(spec, tmp_path / "run", after=30)
    run = open_run(tmp_path / "run")
    with RunFolder.reopen(tmp_path / "run"), pytest.raises(FolderInUse, match="is in use by process"):
        go_on(run.folder)
