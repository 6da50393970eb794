"""lock.json and summary.json say what a run was made with and what it ended with."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
from importlib.metadata import version

import pytest

from runexp.store.records import installed_versions, write_lock_file, write_summary


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", *identity, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def lock_of(folder, spec_folder=None):
    write_lock_file(
        folder,
        versions={"torch": "2.13.0", "numpy": "2.4.6"},
        seed=7,
        plan_digest="f" * 64,
        sources={"digits": "sha256:1"},
        argv=["runexp", "run", "a\udcff.yaml"],
        spec_folder=spec_folder,
    )
    return json.loads((folder / "lock.json").read_text())


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    (folder / "specs").mkdir(parents=True)
    (folder / "specs" / "a.yaml").write_text("name: a\n")
    git(folder, "init", "-q")
    return folder


def test_the_lock_file_records_what_a_repetition_needs(tmp_path):
    lock = lock_of(tmp_path)
    assert lock["python"] == ".".join(map(str, sys.version_info[:3]))
    assert lock["packages"] == {"numpy": "2.4.6", "torch": "2.13.0"}
    assert (lock["seed"], lock["plan"], lock["sources"]) == (7, "f" * 64, {"digits": "sha256:1"})
    assert lock["git"] is None


def test_what_may_differ_in_a_repetition_stands_apart(tmp_path):
    lock = lock_of(tmp_path)
    made = lock.pop("made")
    assert made["host"] == socket.gethostname()
    assert made["argv"][:2] == ["runexp", "run"]
    assert socket.gethostname() not in json.dumps(lock)


def test_the_lock_file_names_the_commit_of_the_spec_and_whether_it_was_changed(tmp_path, repository):
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "one")
    commit = git(repository, "rev-parse", "HEAD")
    assert lock_of(tmp_path, repository / "specs")["git"] == {"commit": commit, "dirty": False}
    (repository / "runs").mkdir()
    (repository / "runs" / "untracked").touch()
    assert lock_of(tmp_path, repository / "specs")["git"]["dirty"] is False
    (repository / "specs" / "a.yaml").write_text("name: b\n")
    assert lock_of(tmp_path, repository / "specs")["git"] == {"commit": commit, "dirty": True}


def test_a_repository_without_a_commit_has_none(tmp_path, repository):
    assert lock_of(tmp_path, repository)["git"] is None


def test_the_environment_of_a_git_hook_does_not_mislead(tmp_path, repository, monkeypatch):
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "one")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    assert lock_of(tmp_path, repository)["git"]["dirty"] is False


@pytest.mark.parametrize("script", [None, "sleep 60", "exit 3"], ids=["absent", "hanging", "failing"])
def test_a_git_that_is_of_no_use_is_done_without(tmp_path, repository, monkeypatch, script):
    tools = tmp_path / "tools"
    tools.mkdir()
    if script is not None:
        (tools / "git").write_text(f"#!/bin/sh\nexec {script}\n" if "sleep" in script else f"#!/bin/sh\n{script}\n")
        (tools / "git").chmod(0o755)
        (tools / "sleep").symlink_to("/bin/sleep")
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr("runexp.store.git._TIMEOUT_S", 0.3)
    assert lock_of(tmp_path, repository)["git"] is None


def test_a_look_at_a_repository_starts_none_of_its_programs(tmp_path, repository):
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "one")
    monitor = tmp_path / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    monitor.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(monitor))
    git(repository, "status")
    assert (tmp_path / "started").exists()  # it would be started
    (tmp_path / "started").unlink()
    assert lock_of(tmp_path, repository)["git"]["dirty"] is False
    assert not (tmp_path / "started").exists()


def test_versions_are_those_installed_and_absent_packages_are_left_out():
    assert installed_versions(["pytest", "no-such-package"]) == {"pytest": version("pytest")}


def test_a_summary_is_valid_json_that_tells_which_numbers_are_not_finite(tmp_path):
    write_summary(
        tmp_path,
        {
            "status": "completed",
            "phases": {"train": {"loss": math.nan, "acc": 0.5}},
            "curve": [1.0, -math.inf],
        },
    )
    summary = json.loads((tmp_path / "summary.json").read_text(), parse_constant=pytest.fail)
    assert summary == {
        "status": "completed",
        "phases": {"train": {"loss": None, "acc": 0.5}},
        "curve": [1.0, None],
        "not_finite": ["phases.train.loss", "curve[1]"],
    }
