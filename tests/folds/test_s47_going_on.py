"""A cross-validation that is broken off goes on: finished folds are not run again, and every bit is as it would be."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from folds.tables import ran, spec
from resume.runs import Interrupting, assert_same
from runexp.api import folds as fold_files
from runexp.api.checking import check
from runexp.api.resuming import CannotResume, open_run, resume
from runexp.api.running import Place, run
from runexp.engine.control import Control
from runexp.events import EpochFinished, FoldFinished, FoldStarted, PhaseStarted, RunStarted
from runexp.observe.event_log import read_events
from runexp.runtime.folds.divide import divide_folds
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.store.run_folder import RunFolder
from runexp.store.status import utc_now

CV = "{folds: 3, data: {t: {stratify_by: kind, val_size: 0.2}}}"
N_BATCHES = 3 * 2 * 4


class Noting:
    """A sink that keeps what it is told."""

    wants = frozenset()

    def __init__(self):
        self.events = []

    def receive(self, stamped):
        self.events.append(stamped.event)

    def close(self):
        pass


def write_spec(folder):
    """Two epochs of four batches a fold, with dropout, a schedule, checkpoints and an evaluation."""
    path = spec(folder, CV, held_out="test", watched="val")
    text = path.read_text()
    text = text.replace(
        "use: torch.nn.Linear, with: {out_features: 3}}",
        "layers: [torch.nn.Dropout: {p: 0.3}, torch.nn.Linear: {out_features: 3}]}",
    )
    text = text.replace("    losses: [ce]\n    optimizer", "    losses: [ce]\n    checkpoints: {}\n    optimizer")
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run that nobody interrupts, and its spec."""
    folder = tmp_path_factory.mktemp("whole")
    path = write_spec(folder)
    assert ran(path, folder / "run").status == "completed"
    return path, folder / "run"


def begin(path, at, after):
    control = Control()
    return ran(path, at, watch=lambda live: [Interrupting(control, after)], control=control)


def go_on(folder, *watching, after=0, **options):
    control = Control()
    shown = [Interrupting(control, after)] if after else []
    return resume(open_run(folder), watch=lambda live: [*shown, *watching], control=control, **options)


def states(folder):
    return sorted(path.name for path in (folder / "progress").glob("fold-*/0*"))


@pytest.mark.parametrize("after", [1, 8, 9, N_BATCHES - 1, N_BATCHES])
def test_an_interrupted_cross_validation_goes_on_as_if_it_had_not_been(after, whole, tmp_path):
    """S-40, S-47: within an epoch, at the end of one, at the end of a fold, in the first and the last of them."""
    path, other = whole
    assert begin(path, tmp_path / "run", after).status == "interrupted"
    assert go_on(tmp_path / "run").status == "completed"
    assert_same(tmp_path / "run", other)


def test_folds_that_are_over_are_not_run_again_and_the_one_in_progress_goes_on_amid_its_epoch(whole, tmp_path):
    path, other = whole
    folder = tmp_path / "run"
    begin(path, folder, after=14)  # the first fold is over, the second in its second epoch
    assert states(folder) == ["000000"]
    noted = Noting()
    assert go_on(folder, noted).status == "completed"
    assert [event.group for event in noted.events if isinstance(event, FoldStarted)] == ["fold-1", "fold-2"]
    epochs = [(event.phase, event.epoch) for event in noted.events if isinstance(event, EpochFinished)]
    assert epochs == [("fold-1/train", 1), ("fold-2/train", 0), ("fold-2/train", 1)]
    assert next(event.phase for event in noted.events if isinstance(event, PhaseStarted)) == "fold-1/train"
    assert_same(folder, other)
    assert not (folder / "progress").exists()


def test_it_can_be_interrupted_again_and_again(whole, tmp_path):
    path, other = whole
    status = begin(path, tmp_path / "run", after=5).status
    for _ in range(N_BATCHES):
        if status == "completed":
            break
        status = go_on(tmp_path / "run", after=5).status
    assert status == "completed"
    assert_same(tmp_path / "run", other)


def test_times_are_those_at_which_it_happened(whole, tmp_path):
    """What is told again keeps its time."""
    path, _ = whole
    begin(path, tmp_path / "run", after=14)
    before = beginnings(tmp_path / "run")
    go_on(tmp_path / "run")
    after = beginnings(tmp_path / "run")
    assert (len(before), len(after)) == (6, 10)  # the run's, and of each fold its own and those of two phases
    assert all(after[event] == moment for event, moment in before.items())


def beginnings(folder):
    return {
        stamped.event: stamped.time
        for stamped in read_events(folder / "events.jsonl")
        if isinstance(stamped.event, (RunStarted, FoldStarted, PhaseStarted))
    }


def test_a_damaged_state_is_recognised_and_the_fold_goes_on_from_an_earlier_one(whole, tmp_path):
    """S-39: with a warning of the run; here there is none earlier, and the fold begins anew."""
    path, other = whole
    begin(path, tmp_path / "run", after=14)
    (saved,) = (tmp_path / "run/progress").glob("fold-1/0*")
    (saved / "state.json").unlink()
    finished = go_on(tmp_path / "run")
    assert finished.status == "completed"
    assert finished.results.warnings == (f"fold-1: the state saved in {saved} is damaged; an earlier one is used",)
    for fold in range(3):
        weights = f"checkpoints/fold-{fold}/final/weights.safetensors"
        assert (tmp_path / "run" / weights).read_bytes() == (other / weights).read_bytes()


def test_a_fold_that_failed_is_run_again_and_the_others_are_not(whole, tmp_path, monkeypatch):
    path, other = whole
    keep, refusing = fold_files.FoldFiles.keep, [True]

    def refuse(self, fold, runtime, status):
        if fold.index == 1 and refusing:
            raise OSError(28, "No space left on device")
        return keep(self, fold, runtime, status)

    monkeypatch.setattr(fold_files.FoldFiles, "keep", refuse)
    assert ran(path, tmp_path / "run").status == "failed"
    refusing.clear()
    noted = Noting()
    assert go_on(tmp_path / "run", noted).status == "completed"
    assert [event.group for event in noted.events if isinstance(event, FoldStarted)] == ["fold-1"]
    assert_same(tmp_path / "run", other, numbered=True)


def test_a_moved_run_of_folds_goes_on(whole, tmp_path):
    path, other = whole
    begin(path, tmp_path / "run", after=14)
    shutil.move(tmp_path / "run", tmp_path / "elsewhere")
    assert go_on(tmp_path / "elsewhere").status == "completed"
    assert_same(tmp_path / "elsewhere", other)


def test_a_complete_cross_validation_has_nothing_left_to_do(whole):
    with pytest.raises(CannotResume, match="nothing is left to do"):
        open_run(whole[1])


def test_folds_run_in_any_order_give_the_same_bits(whole, tmp_path, monkeypatch):
    """S-47."""
    path, other = whole
    jobs_of = fold_files.jobs_of

    def shuffled(*arguments):
        jobs = jobs_of(*arguments)
        random.Random(1).shuffle(jobs)
        assert [job.fold.index for job in jobs] == [1, 2, 0]
        return jobs

    monkeypatch.setattr("runexp.api.running.jobs_of", shuffled)
    monkeypatch.setattr("runexp.api.running.Opened.hand_over", lambda opened: built(opened, opened.division.folds[1]))
    finished = ran(path, tmp_path / "run")
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in (tmp_path / "run", other)]
    assert finished.status == "completed"
    assert summaries[0] == summaries[1]
    for fold in range(3):
        weights = f"checkpoints/fold-{fold}/final/weights.safetensors"
        assert (tmp_path / "run" / weights).read_bytes() == (other / weights).read_bytes()


def built(opened, fold):
    """The live things of that fold."""
    return TorchRuntime(opened.checked.linked, folder=opened.checked.folder, fold=fold)


def test_processes_that_outlive_their_run_are_waited_for(tmp_path):
    """As long as one of them lives, it holds the run: two processes never write to one folder."""
    with RunFolder.create(tmp_path, "run", now=utc_now()) as folder:
        record = json.loads((folder.path / "lock").read_text())
        orphan = subprocess.Popen(["sleep", "0.5"], pass_fds=[folder.lock])
        path = folder.path
    gone = subprocess.Popen(["true"])
    gone.wait()
    (path / "lock").write_text(json.dumps(record | {"pid": gone.pid}))
    began = time.monotonic()
    with RunFolder.reopen(path):
        assert orphan.poll() is not None or time.monotonic() - began > 0.3
    orphan.wait()


SCRIPT = """\
import sys
from pathlib import Path
from runexp.api.checking import check
from runexp.api.resuming import CannotResume, open_run, resume
from runexp.api.running import Place, run
from runexp.api.running import Place, run
how, spec, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
if how == "begin":
    run(check(Path(spec), overrides=sys.argv[4:]), Place(at=folder, save_every_s=0.1), watch=lambda live: ())
else:
    try:
        resume(open_run(folder), watch=lambda live: (), save_every_s=0.1)
    except CannotResume as refusal:
        assert refusal.is_over
"""


def live(how, path, folder, *overrides, seconds=None):
    """Begin or resume a run in a process of its own, kill it so many seconds after it began to write; its exit code."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    before = _changed(folder)
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, how, str(path), str(folder), *overrides], env=environment)
    if seconds is not None:
        while process.poll() is None and _changed(folder) == before:
            time.sleep(0.005)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
    return process.wait()


def _changed(folder):
    times = [path.stat().st_mtime_ns for path in (folder / "progress").glob("fold-*/events.jsonl")]
    return max(times, default=0)


@pytest.mark.slow
@pytest.mark.parametrize("execution", ["sequential", "processes"])
def test_a_cross_validation_killed_at_some_instants_ends_as_if_it_had_not_been(execution, tmp_path):
    """S-40, S-47: sequential, two processes, and either of them killed and gone on with have the same digests."""
    path = write_spec(tmp_path)
    path.write_text(path.read_text().replace("epochs: 2", "epochs: 25"))
    assert ran(path, tmp_path / "whole").status == "completed"
    apart = ["cv.execution=processes", "cv.workers=2"] if execution == "processes" else []
    instants, how, n_kills = random.Random(3), "begin", 0
    for _ in range(4):
        ended = live(how, path, tmp_path / "run", *apart, seconds=instants.uniform(0, 1.0))
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        n_kills, how = n_kills + 1, "resume"
    assert n_kills > 1
    assert live("resume", path, tmp_path / "run") == 0
    assert_alike(tmp_path / "run", tmp_path / "whole")


def assert_alike(folder, whole):
    """As `assert_same`, but for the plan's digest in the first event, in which the execution stands."""
    mine, theirs = ((each / "events.jsonl").read_text().splitlines() for each in (folder, whole))
    mine[0] = json.dumps(json.loads(mine[0]) | {"plan": json.loads(theirs[0])["plan"]})
    (folder / "events.jsonl").write_text("\n".join(mine) + "\n")
    assert_same(folder, whole, numbered=True)


def test_the_state_is_saved_amid_a_fold_where_it_runs_long(tmp_path):
    """`save_every_s` holds for folds: at every batch, here."""
    path = write_spec(tmp_path)
    control = Control()
    place = Place(at=tmp_path / "run", save_every_s=0)
    run(check(path), place, watch=lambda live: [Interrupting(control, 5)], control=control)
    assert len(states(tmp_path / "run")) == 2


def test_no_secret_of_the_spec_is_in_what_folds_keep(tmp_path, monkeypatch):
    """The record of a fold tells as little of it as the log of the run, in this process and in another."""
    monkeypatch.setenv("API_TOKEN", "hunter2000")
    path = write_spec(tmp_path)
    path.write_text(path.read_text().replace("name: folded", 'name: folded\nvars: {word: "${secret:API_TOKEN}"}'))
    document = check(path).document
    fold = divide_folds(check(path).linked, folder=tmp_path).folds[0]
    files = fold_files.FoldFiles(tmp_path / "run", check(path).linked.in_fold(), "test", 30.0, document)
    record = pickle.loads(pickle.dumps(files)).record(fold)
    record.open()
    record.tell(FoldFinished(0, "fold-0", "failed", "ValueError: hunter2000 is wrong"))
    record.close()
    written = (tmp_path / "run/progress/fold-0/events.jsonl").read_text()
    assert "is wrong" in written
    assert "hunter2000" not in written
