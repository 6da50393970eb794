"""Nothing that a run writes lands outside of its folder, whoever made the folder."""

from __future__ import annotations

import pytest

from guards.disks import SPEC
from runexp.api.checking import check
from runexp.api.resuming import open_run, resume
from runexp.api.running import Place, run
from runexp.engine.control import Control
from runexp.store.run_folder import FolderInUse


@pytest.fixture
def broken_off(tmp_path):
    """A run that can go on, and a folder elsewhere with a file that is dear to somebody."""
    (tmp_path / "spec.yaml").write_text(SPEC)
    control = Control()
    control.interrupt("SIGINT")
    run(check(tmp_path / "spec.yaml"), Place(at=tmp_path / "run"), watch=lambda live: (), control=control)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "dear").write_text("letters")
    return tmp_path / "run"


@pytest.mark.parametrize("name", ["callbacks", "checkpoints", "progress", "events.jsonl", "status.json", "lock"])
def test_a_folder_with_links_is_not_gone_on_with(broken_off, name):
    elsewhere = broken_off.parent / "elsewhere"
    going = open_run(broken_off)
    place = broken_off / name
    if place.exists():
        place.rename(broken_off.parent / f"old-{name}")
    place.symlink_to(elsewhere / "dear" if "." in name or name == "lock" else elsewhere)
    with pytest.raises((FolderInUse, OSError)):
        resume(going, watch=lambda live: ())
    assert [path.name for path in elsewhere.iterdir()] == ["dear"]
    assert (elsewhere / "dear").read_text() == "letters"


@pytest.mark.parametrize(
    "written",
    ["name: ../up", "name: /tmp/x", "name: a/b", "name: con", "name: NUL.txt", 'name: "a\\0b"', "name: .hidden"],
)
def test_a_name_cannot_lead_out_of_the_folder_of_runs(tmp_path, written):
    (tmp_path / "spec.yaml").write_text(SPEC.replace("name: filling", written))
    assert not check(tmp_path / "spec.yaml").is_valid


@pytest.mark.parametrize("label", ["../up", "/tmp/x", "a/b", ".", "..", '"a\\0b"'])
def test_a_label_of_a_phase_cannot_lead_out_of_the_run_folder(tmp_path, label):
    (tmp_path / "spec.yaml").write_text(SPEC.replace("  train:\n", f"  {label}:\n"))
    assert not check(tmp_path / "spec.yaml").is_valid
