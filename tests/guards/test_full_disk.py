"""A disk that is full: exit 1, the file is named with what to do, no file is torn, and the run can go on."""

from __future__ import annotations

import errno
import os
import re

import pytest

from guards.disks import SPEC, check_nothing_is_torn, small_disk
from resume.runs import assert_same
from runexp.api.checking import check
from runexp.api.resuming import CannotResume, open_run, resume
from runexp.api.running import Place, run
from runexp.store.status import read_status

CALLS = ("write", "fsync", "replace", "rename", "mkdir", "truncate")


def begin(spec, folder):
    """Run a spec; the error it failed of, if it did."""
    try:
        finished = run(check(spec), Place(at=folder, save_every_s=0), watch=lambda live: ())
    except OSError as error:
        return error
    assert (finished.error is None) == (finished.status == "completed")
    return finished.error


def check_failure(error, folder):
    """It says which file, and what to do; the folder says that it failed, if it says anything."""
    assert isinstance(error, OSError)
    told = str(error.filename or "")
    assert str(folder) in told or told == str(folder.parent)  # where the folder itself is entered
    assert re.search("make room on the disk|see to the disk", " ".join(error.__notes__))
    check_nothing_is_torn(folder)
    status = read_status(folder)
    assert status is None or status.state in ("failed", "running", "completed")
    is_whole = status is not None and status.state == "completed" and (folder / "summary.json").exists()
    assert not is_whole or told == str(folder)  # all is written, and the disk has not said that it will stay


def check_goes_on(folder, whole):
    """Whether it could go on, and then came to the end of the whole run."""
    try:
        going = open_run(folder)
    except CannotResume as refusal:
        assert refusal.is_over or "run its spec again" in str(refusal)
        return False
    assert resume(going, watch=lambda live: ()).status == "completed"
    assert_same(folder, whole)
    return True


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


def failing_at(monkeypatch, n, folder, how="full"):
    """Let the n-th call that changes a file below `folder` fail, and all after it where the disk is full; how many
    there were. `once` is a fault of the device that goes away, `torn` one after half of what was to be written."""
    made = [0]
    code = errno.ENOSPC if how == "full" else errno.EIO

    def wrapped(name, call):
        def refusing(*args, **options):
            made[0] += 1
            if made[0] > n if how == "full" else made[0] == n + 1:
                if how == "torn" and name == "write":
                    call(args[0], bytes(args[1])[: len(args[1]) // 2])
                where = args[0] if isinstance(args[0], (str, os.PathLike)) else None
                raise OSError(code, os.strerror(code), *([str(where)] if where else []))
            return call(*args, **options)

        return refusing

    for name in CALLS:
        monkeypatch.setattr(os, name, wrapped(name, getattr(os, name)))
    return made


def sweep(spec, tmp_path, monkeypatch, chosen, how="full"):
    assert begin(spec, tmp_path / "whole") is None
    with monkeypatch.context() as patched:
        made = failing_at(patched, 10**9, tmp_path)
        assert begin(spec, tmp_path / "counted") is None
    n_went_on = 0
    for n in chosen(made[0]):
        folder = tmp_path / f"run-{n}"
        with monkeypatch.context() as patched:
            failing_at(patched, n, folder, how)
            error = begin(spec, folder)
        if folder.exists() and error is not None:
            check_failure(error, folder)
            n_went_on += check_goes_on(folder, tmp_path / "whole")
    return n_went_on


def test_a_disk_that_is_full_at_some_calls_loses_nothing(spec, tmp_path, monkeypatch):
    assert sweep(spec, tmp_path, monkeypatch, lambda n: (3, n // 2, n - 3)) >= 1


@pytest.mark.slow
def test_a_disk_that_is_full_at_any_call_loses_nothing(spec, tmp_path, monkeypatch):
    assert sweep(spec, tmp_path, monkeypatch, range) > 20


@pytest.mark.slow
@pytest.mark.parametrize("how", ["once", "torn"])
def test_a_device_that_fails_once_at_any_call_loses_nothing(spec, tmp_path, monkeypatch, how):
    """Every call fails under one of the two: what is written half is as rare as it is dangerous."""
    assert sweep(spec, tmp_path, monkeypatch, lambda n: range(how == "torn", n, 2), how) > 20


@pytest.mark.slow
def test_a_small_disk_that_fills_up_at_any_page_loses_nothing(spec, tmp_path):
    """All writes, those of native code too."""
    assert begin(spec, tmp_path / "whole") is None
    n_failed = n_went_on = 0
    for n_pages in range(1, 200):
        with small_disk(tmp_path / "disk", n_pages * 4096) as enlarge:
            if enlarge is None:
                pytest.skip("file systems cannot be mounted here")
            folder = tmp_path / "disk" / "run"
            error = begin(spec, folder)
            if error is None:
                break
            n_failed += 1
            check_failure(error, folder)
            enlarge()
            n_went_on += check_goes_on(folder, tmp_path / "whole")
    assert n_failed > 20
    assert n_went_on > 10
