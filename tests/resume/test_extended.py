"""A finished training made longer ends as the one that was as long from the start (S-40)."""

from __future__ import annotations

import json
import shutil

import pytest

from resume.runs import assert_same, begin, go_on
from resume.small import SMALL
from runexp.api.extending import extend
from runexp.api.lineage import lines_of
from runexp.api.resuming import CannotResume
from runexp.diagnostics import SpecError

STOP = "{use: early_stopping, monitor: val_loss, patience: 40, restore_best: true}, {use: ema, decay: 0.9}"
ONE = (
    SMALL.replace("EXTRA\n", "").replace("CALLBACKS", f"validate, {STOP}").replace("CHECKPOINTS", "{monitor: val_loss}")
)
ONE = ONE.partition("  both:\n")[0] + "  test: {kind: eval, split: test, losses: [ce]}\n"
CURVES = "    schedule: {use: cosine}\n"


def spec(folder, epochs=3, schedule=CURVES, text=ONE):
    path = folder / f"{epochs}.yaml"
    path.write_text(text.replace("epochs: 3", f"epochs: {epochs}").replace(CURVES, schedule))
    return path


def short(folder, **options):
    begin(spec(folder, **options), folder / "runs" / "small" / "one")
    return folder / "runs" / "small" / "one"


def longer(folder, to="phases.first.epochs=6", curves="extend", **interrupted):
    run = extend(folder, [to], curves=curves, runs=folder.parent.parent)
    return run.folder, go_on(run.folder, **interrupted)


KEPT = {
    "no schedule": ("", "extend", None),
    "a constant rate": ("    schedule: {use: constant, warmup_steps: 2}\n", "extend", None),
    "a plateau": ("    schedule: {use: plateau, monitor: val_loss, patience: 0, factor: 0.5}\n", "extend", None),
    "kept": (CURVES, "keep", "    schedule: {use: cosine, epochs: 3}\n"),
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[] if case == "kept" else pytest.mark.slow) for case in KEPT]
)
def test_an_extended_run_is_that_which_was_as_long_from_the_start(case, tmp_path):
    """Events, metrics, checkpoints and weights, bit for bit; the old run stays as it was."""
    schedule, curves, whole = KEPT[case]
    before = short(tmp_path, schedule=schedule)
    files = {path: path.read_bytes() for path in before.rglob("*") if path.is_file()}
    begin(spec(tmp_path, 6, schedule if whole is None else whole), tmp_path / "whole")
    folder, finished = longer(before, curves=curves)
    assert finished.status == "completed"
    assert_same(folder, tmp_path / "whole", numbered=True)
    assert files == {path: path.read_bytes() for path in before.rglob("*") if path.is_file()}


def test_a_schedule_is_extended_from_where_it_would_be_by_now(tmp_path):
    """The updates to come have the rates of the longer curve; those that were taken stay."""
    begin(spec(tmp_path, 6), tmp_path / "whole")
    begin(spec(tmp_path, 3), tmp_path / "half")
    folder, _ = longer(short(tmp_path))

    def rates(run):
        lines = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
        return [rate for one in lines if one["event"] == "BatchesRecorded" for rate in one["columns"]["lr"]]

    assert rates(folder) == rates(tmp_path / "half") + rates(tmp_path / "whole")[9:]


def test_an_extended_run_can_be_broken_off_and_extended_again(tmp_path):
    begin(spec(tmp_path, 8, ""), tmp_path / "whole")
    folder, cut = longer(short(tmp_path, schedule=""), after=4)
    assert cut.status == "interrupted"
    assert go_on(folder).status == "completed"
    folder, finished = longer(folder, "phases.first.epochs=8")
    assert finished.status == "completed"
    assert_same(folder, tmp_path / "whole")


def test_what_it_goes_on_with_is_on_record(tmp_path):
    """S-14."""
    folder, _ = longer(short(tmp_path), curves="keep")
    (told,) = lines_of(json.loads((folder / "lock.json").read_text()))
    assert told == "goes on with small/one: phases.first.epochs=6, schedules as they were"


REFUSED = {
    "phases.first.epochs=3": ("wrong-value", "has trained for 3 epochs, and 3 is no more"),
    "phases.first.epochs=many": ("wrong-type", ""),
    "phases.first.steps=30": ("unknown-path", "did you mean `phases.first.epochs`?"),
    "phases.first.optimizer.with.lr=1": ("unknown-path", "is not the length of a train phase"),
    "phases.test.batch_size=5": ("unknown-path", "is not the length of a train phase"),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return short(tmp_path_factory.mktemp("finished"))


@pytest.mark.parametrize("change", REFUSED)
def test_what_is_no_longer_length_is_refused_where_it_was_written(change, finished):
    with pytest.raises(SpecError) as caught:
        extend(finished, [change], curves="extend", runs=finished.parent)
    (found,) = [one for one in caught.value.diagnostics if one.is_error]
    code, said = REFUSED[change]
    assert (found.code, found.span.file, found.span.line) == (code, "--set", 1)
    assert said in f"{found.message} {found.help}"
    assert [path.name for path in finished.parent.iterdir()] == ["one"]


STOPPED = ONE.replace("patience: 40", "patience: 1, min_delta: 100")
AMID = ONE.replace("epochs: 3", "steps: 4")
TWICE = ONE.replace("  test:", "  more: {kind: train, epochs: 1, losses: [ce], optimizer: {use: adam}}\n  test:")
TORCHS = ONE.replace(
    CURVES,
    "    schedule: {use: torch.optim.lr_scheduler.OneCycleLR, with: {max_lr: 0.1, total_steps: 9}, interval: step}\n",
)


@pytest.mark.parametrize(
    ("text", "change", "said"),
    [
        (STOPPED, "phases.first.epochs=9", "was stopped by `early_stopping`"),
        (AMID, "phases.first.steps=9", "ended amid an epoch, after 4 steps of 3 each"),
        (TWICE, "phases.first.epochs=9", "`more` trained after it"),
        (TORCHS, "phases.first.epochs=9", "was made for a number of updates"),
    ],
    ids=["stopped", "amid an epoch", "not the last", "of fixed length"],
)
def test_a_training_that_cannot_be_made_longer_says_why(text, change, said, tmp_path):
    with pytest.raises(SpecError, match=said):
        extend(short(tmp_path, text=text), [change], curves="extend", runs=tmp_path)


def test_a_run_that_is_not_complete_or_whole_is_not_extended(finished, tmp_path):
    begin(spec(tmp_path), tmp_path / "run", after=2)
    with pytest.raises(CannotResume, match="is not complete: go on with it first"):
        extend(tmp_path / "run", ["phases.first.epochs=9"], curves="extend", runs=tmp_path)
    shutil.copytree(finished, tmp_path / "copy")
    (saved,) = (tmp_path / "copy/progress").iterdir()
    (saved / "state.json").write_text("{}")
    with pytest.raises(SpecError, match="holds no whole state of the end of `first`"):
        extend(tmp_path / "copy", ["phases.first.epochs=9"], curves="extend", runs=tmp_path)


def test_folds_cannot_be_made_longer_and_say_what_to_do(tmp_path):
    """S-40: each is a run of its own; nothing is begun."""
    folded = short(tmp_path, text=ONE + "cv: {folds: 2, data: {iris: {pool: [train, val]}}}\n")
    before = sorted(path.name for path in folded.parent.iterdir())
    with pytest.raises(SpecError) as caught:
        extend(folded, ["phases.first.epochs=9"], curves="extend", runs=tmp_path)
    (found,) = caught.value.diagnostics
    assert (found.code, found.span.file, found.span.line) == ("wrong-value", "--set", 1)
    assert "the folds of" in found.message
    assert "run the spec anew with --set phases.first.epochs=9" in found.help
    assert sorted(path.name for path in folded.parent.iterdir()) == before
