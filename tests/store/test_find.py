"""A run is found by its folder, its id, a prefix, or `last`."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from runexp.store.find import AmbiguousRun, UnknownRun, find_run, list_runs
from runexp.store.run_folder import RunFolder

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def make(runs, name, *, after=0.0):
    with RunFolder.create(runs, name, now=START + timedelta(seconds=after)) as folder:
        return folder.path


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


def test_a_run_is_found_by_folder_id_and_unique_prefix(runs):
    first, second = make(runs, "digits"), make(runs, "wine", after=61)
    assert find_run(runs, str(first)) == first
    assert find_run(runs, first.name) == first
    assert find_run(runs, "20260304-0507") == second
    assert find_run(runs, f"wine/{second.name}") == second
    assert find_run(runs, "wine") == second


def test_a_folder_outside_the_runs_is_found_too(runs, tmp_path):
    with RunFolder.create(runs, "digits", at=tmp_path / "here", now=START):
        assert find_run(runs, str(tmp_path / "here")) == tmp_path / "here"


def test_last_is_the_one_that_started_last_whatever_its_name_or_its_files_say(runs):
    names = ["f", "a", "e", "b", "d", "c"]
    made = [make(runs, name, after=0.1 * place) for place, name in enumerate(names)]  # ids tell seconds only
    made[-1].joinpath("status.json").touch()
    for path in made[:-1]:
        path.joinpath("status.json").touch()
    assert [entry.name for entry in list_runs(runs)] == names
    assert find_run(runs, "last") == made[-1]


def test_a_prefix_of_several_names_them(runs):
    first, second = make(runs, "digits"), make(runs, "wine", after=1)
    with pytest.raises(AmbiguousRun, match="`20260304` could be") as ambiguous:
        find_run(runs, "20260304")
    assert first.name in str(ambiguous.value)
    assert f"wine/{second.name}" in str(ambiguous.value)


def test_a_copy_under_another_name_makes_an_id_ambiguous(runs):
    first = make(runs, "digits")
    shutil.copytree(first, runs / "copy" / first.name)
    with pytest.raises(AmbiguousRun):
        find_run(runs, first.name)


def test_a_whole_name_goes_before_longer_ones(runs):
    first = make(runs, "digits")
    shutil.copytree(first, runs / "digits" / f"{first.name}-copy")
    assert find_run(runs, first.name) == first


def test_an_unknown_run_says_what_there_is(runs):
    first = make(runs, "digits")
    with pytest.raises(UnknownRun, match=f"no run `20260304-050608` in .*runs; .*{first.name}"):
        find_run(runs, "20260304-050608")


@pytest.mark.parametrize("reference", ["last", "x", "*", "../..", "a\0b", "a" * 5000])
def test_without_runs_every_reference_is_unknown(runs, reference):
    with pytest.raises(UnknownRun):
        find_run(runs, reference)


def test_an_empty_reference_means_no_run(runs):
    make(runs, "digits")
    with pytest.raises(UnknownRun, match="empty reference"):
        find_run(runs, "")


def test_a_folder_that_is_no_run_says_so(runs, tmp_path):
    with pytest.raises(UnknownRun, match="is a folder but no run"):
        find_run(runs, str(tmp_path))


def test_a_run_whose_status_is_damaged_is_still_listed(runs):
    path = make(runs, "digits")
    (path / "status.json").write_text("{")
    (entry,) = list_runs(runs)
    assert (entry.path, entry.status) == (path, None)
