"""Checkpoints at every moment: what is saved, under which name, and that a run goes on from each (S-37 to S-39)."""

from __future__ import annotations

import json
import shutil

import pytest

from resume.runs import assert_same, begin, go_on
from resume.small import cut, saved, written
from runexp.api.resuming import open_run

MOMENTS = {
    "phase_start": ["start"],
    "epoch_start": [f"epoch-000{epoch}-start" for epoch in range(3)],
    "batch_start": [f"epoch-000{epoch}-batch-00000{batch}-start" for epoch in range(3) for batch in range(3)],
    "batch_end": [f"epoch-000{epoch}-batch-00000{batch}" for epoch in range(3) for batch in range(3)],
    "epoch_end": [f"epoch-000{epoch}" for epoch in range(3)],
    "phase_end": ["end"],
}
N_BATCHES = 9
STOP = "validate, {use: early_stopping, monitor: val_loss, patience: 2, restore_best: true}, {use: ema, decay: 0.5}"


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_goes_on_from_a_checkpoint_of_any_moment_as_if_nothing_had_been(moment, tmp_path):
    """S-37, S-39, S-40: names are distinct, and each holds all that a continuation needs."""
    spec = written(tmp_path, callbacks=STOP, checkpoints=f"{{at: {moment}}}")
    whole, folder = tmp_path / "whole", tmp_path / "run"
    begin(spec, whole)
    assert [name for name in saved(whole) if name != "final"] == [f"first/{name}" for name in MOMENTS[moment]]
    cut(spec, folder, after=N_BATCHES + 1 if moment == "phase_end" else 5)
    heard = []
    assert go_on(folder, tell=heard.append).status == "completed"
    assert heard == []
    assert_same(folder, whole)


def test_every_nth_moment_counts_over_the_whole_phase_and_the_newest_stay(tmp_path):
    """S-37: files really go; the last batch is always saved."""
    spec = written(tmp_path, checkpoints="{at: batch_end, every_n: 4, max_to_keep: 2}")
    begin(spec, tmp_path / "run")
    kept = ["first/epoch-0002-batch-000001", "first/epoch-0002-batch-000002"]
    assert saved(tmp_path / "run") == ["final", *kept]


def test_names_are_filled_in_with_position_and_numbers(tmp_path):
    """S-37."""
    spec = written(tmp_path, checkpoints='{name: "{phase}-e{epoch:3}-s{step}-{val_accuracy:.2}-{val_ce:6.3}"}')
    begin(spec, tmp_path / "run")
    events = [json.loads(line) for line in (tmp_path / "run/events.jsonl").read_text().splitlines()]
    epochs = [one["metrics"] for one in events if one["event"] == "EpochFinished" and one["phase"] == "first"]
    names = [
        f"first/first-e00{epoch}-s{3 * epoch + 3}-{numbers['val_accuracy']:.2f}-{numbers['val_ce']:06.3f}"
        for epoch, numbers in enumerate(epochs)
    ]
    assert saved(tmp_path / "run") == ["final", *sorted(names)]


RUN = "checkpoints: {at: [experiment_start, group_start, phase_start, phase_end, group_end, experiment_end]}"
NAMES = [
    "000.experiment_start", "001.phase_start.first", "002.phase_end.first", "003.group_start.both",
    "004.phase_start.both-second", "005.phase_end.both-second", "006.group_end.both", "007.phase_start.test",
    "008.phase_end.test", "009.experiment_end",
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("around")
    begin(written(folder, extra=RUN), folder / "whole")
    return folder


def test_the_experiment_saves_between_phases(whole):
    """S-38."""
    assert [name for name in saved(whole / "whole") if not name.startswith("f")] == NAMES


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name[:3] in ("002", "006") else pytest.mark.slow) for name in NAMES[1:]]
)
def test_a_run_goes_on_from_a_checkpoint_between_phases(name, whole, tmp_path):
    """S-38, S-40: as if the process had been killed right after it was saved."""
    folder = tmp_path / "run"
    begin(whole / "small.yaml", folder)
    number = int(name[:3])
    for other in saved(folder):
        if other == "final" or (int(other[:3]) > number if other[0].isdigit() else number < 2):
            shutil.rmtree(folder / "checkpoints" / other)
    forget_the_end(folder)
    assert go_on(folder).status == "completed"
    assert_same(folder, whole / "whole", numbered=True)


def test_only_the_newest_of_the_experiment_stay(tmp_path):
    begin(written(tmp_path, extra="checkpoints: {max_to_keep: 1}"), tmp_path / "run")
    assert [name for name in saved(tmp_path / "run") if name[0].isdigit()] == ["002.phase_end.test"]


def forget_the_end(folder):
    """As if it had been killed before it could say how it ended."""
    for name in ("summary.json", "metrics.csv", "metrics.parquet"):
        (folder / name).unlink()
    status = json.loads((folder / "status.json").read_text())
    (folder / "status.json").write_text(json.dumps(status | {"state": "running"}))
    open_run(folder)


GUARDED = """\
class Back:
    def on_epoch_end(self, view):
        if view.epoch == 1:
            view.roll_back("epoch-0000")
        return [list(view.checkpoints), float(view.weights("head")["head.bias"].sum())]
"""


def test_a_checkpoint_in_memory_can_be_gone_back_to_and_leaves_no_file(home):
    """S-37: the weights are those of then; a run that is broken off has it still."""
    (home / "mine.py").write_text(GUARDED)
    rule = "{where: memory, max_to_keep: 2, monitor: val_loss, mode: max}"
    imports = "imports: [mine]\nexperiment_callbacks: {}"
    spec = written(home, callbacks="validate, {use: mine.Back}", checkpoints=rule, extra=imports)
    begin(spec, home / "whole")
    events = [json.loads(line) for line in (home / "whole/events.jsonl").read_text().splitlines()]
    told = [one["result"] for one in events if one["event"] == "CallbackReturned"]
    assert told[0][0] == []
    assert told[1][0] == ["last", "best", "epoch-0000"]
    assert told[1][1] == told[0][1]
    assert saved(home / "whole") == ["final"]
    assert [one["epoch"] for one in events if one["event"] == "WeightsRestored"] == [0]
    begin(spec, home / "run", after=4)
    assert go_on(home / "run").status == "completed"
    assert_same(home / "run", home / "whole")


def test_a_callback_that_goes_back_to_nothing_is_told_what_there_is(home):
    (home / "mine.py").write_text(GUARDED.replace("epoch-0000", "epoch-0007"))
    spec = written(home, callbacks="{use: mine.Back}", checkpoints="{where: memory}", extra="imports: [mine]")
    failed = begin(spec, home / "run")
    assert failed.status == "failed"
    assert "did you mean `epoch-0000`?" in failed.finished.error
