"""Callbacks of the user's: ordinary classes named by their path (S-31 to S-33)."""

from __future__ import annotations

import json

import pytest

from callbacks.specs import CODE, SPEC, checked, found_in, of, ran, weights
from runexp.api.running import Place, run
from runexp.diagnostics import SpecError

EVERY = ("phase_start", "epoch_start", "batch_start", "batch_end", "epoch_end", "phase_end")


def noting(act=""):
    """A class that gives back the name of each hook, and acts at the end of an epoch."""
    hooks = "".join(f"    def on_{name}(self, view):\n        {act}\n        return '{name}'\n" for name in EVERY)
    return f"class Mine:\n{hooks}"


def test_a_callback_logs_numbers_and_stops_the_phase(home):
    """S-31, S-33: what it logs at the end of an epoch is a number of that epoch."""
    finished, events = ran(home, "{use: mine.Mine, with: {at: 1}}")
    last = of("PhaseFinished", events)[0]
    assert (finished.status, last["status"], last["by"], last["n_epochs"]) == ("completed", "stopped", "mine.Mine", 2)
    assert [event["metrics"]["ours"] for event in of("EpochFinished", events)] == [
        event["metrics"]["train_loss"] * 2 for event in of("EpochFinished", events)
    ]


def test_what_hooks_give_back_is_kept_in_the_order_of_the_reference(home):
    """S-21, S-33: by callback, phase, epoch, batch and hook."""
    _, events = ran(home, "{use: mine.Mine}", noting())
    kept = [(one["result"], one["epoch"], one["batch"]) for one in of("CallbackReturned", events)]
    epochs = [
        item
        for epoch in range(4)
        for item in [
            ("epoch_start", epoch, -1),
            *((name, epoch, batch) for batch in range(3) for name in ("batch_start", "batch_end")),
            ("epoch_end", epoch, -1),
        ]
    ]
    assert kept == [("phase_start", -1, -1), *epochs, ("phase_end", -1, -1)]


def test_numbers_of_other_moments_stand_in_the_table_of_metrics(home):
    code = "class Mine:\n    def on_batch_end(self, view):\n        view.log('double', view.measured['loss'] * 2)\n"
    ran(home, "{use: mine.Mine}", code)
    rows = (home / "run" / "metrics.csv").read_text().splitlines()
    assert len([row for row in rows if '"callback"' in row and '"double"' in row]) == 12


def test_freeze_flags_and_modes_are_afterwards_what_they_were(home):
    """S-32: the same weights bit for bit, whatever a callback switched."""
    ran(home, "", name="plain")
    act = "[module.eval().requires_grad_(False) for module in view.modules.values()]"
    ran(home, "{use: mine.Mine}", noting(act))
    assert weights(home / "run") == weights(home / "plain")


def test_an_evaluation_inside_a_callback_runs_no_other_callback(home):
    """S-32: hooks inside hooks are suppressed, and the numbers are those of the evaluation itself."""
    code = "class Mine:\n    def on_batch_end(self, view):\n        return view.evaluate('validate')['val_loss']\n"
    _, events = ran(home, "validate, {use: mine.Mine}", code)
    assert len(of("EvaluationFinished", events)) == 4 + 12
    last = [one["result"] for one in of("CallbackReturned", events) if one["batch"] == 2]
    regular = [one for one in of("EvaluationFinished", events) if one["step"] % 3 == 0][-1]
    assert last[-1] == regular["metrics"]["val_loss"]


def test_a_number_of_ones_own_can_be_watched_by_early_stopping(home):
    stop = "{use: early_stopping, monitor: ours, mode: max, patience: 1}"
    _, events = ran(home, f"{stop}, {{use: mine.Mine, with: {{at: 9}}}}")
    assert [event["epoch"] for event in of("StopRequested", events)] == [1]
    assert [
        code for code, *_ in found_in(home, "{use: early_stopping, monitor: ours, patience: 1}, {use: mine.Mine}")
    ] == ["missing-key"]


def test_an_error_fails_the_run_and_names_the_callback_and_the_line(home):
    code = CODE.replace("view.log(", "raise RuntimeError('off'); view.log(")
    finished, _ = ran(home, "{use: mine.Mine}", code)
    assert finished.status == "failed"
    assert "`mine.Mine` of `phases.train.callbacks[0]` fails: RuntimeError: off" in finished.finished.error
    assert "mine.py:6 in `on_epoch_end`" in finished.finished.error


def test_with_on_error_warn_a_callback_is_taken_out_and_the_phase_goes_on(home):
    code = CODE.replace("view.log(", "raise RuntimeError('off'); view.log(")
    finished, events = ran(home, "{use: mine.Mine, on_error: warn}", code)
    (warning,) = of("WarningRaised", events)
    assert (finished.status, of("PhaseFinished", events)[0]["n_epochs"]) == ("completed", 4)
    assert "`mine.Mine` was taken out at on_epoch_end" in warning["message"]


def test_on_exception_sees_the_real_exception(home):
    """S-31."""
    code = (
        "class Mine:\n    def on_epoch_end(self, view):\n        raise ValueError('real')\n"
        "class Other:\n    def on_exception(self, view, error):\n        return str(error)\n"
    )
    _, events = ran(home, "{use: mine.Mine}, {use: mine.Other}", code)
    assert "ValueError: real" in of("CallbackReturned", events)[0]["result"]


def test_files_go_into_a_folder_of_the_run(home):
    code = "class Mine:\n    def on_phase_end(self, view):\n        (view.folder / 'a.txt').write_text(view.phase)\n"
    ran(home, "{use: mine.Mine}", code)
    assert (home / "run/callbacks/train/mine.Mine/a.txt").read_text() == "train"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("class Mine:\n    def on_epoch_ended(self, view): pass\n", "did you mean `on_epoch_end`?"),
        ("class Mine:\n    def run(self): pass\n", "hooks are on_phase_start"),
        ("def Mine(): pass\n", "hooks are on_phase_start"),
        ("class Mine:\n    def on_epoch_end(self): pass\n", "`on_epoch_end` is called with a view"),
        ("class Mine:\n    def on_exception(self, view): pass\n", "called with a view and the exception"),
    ],
    ids=["unknown hook", "no hook", "function", "no view", "no exception"],
)
def test_what_cannot_be_called_is_told_without_running_it(home, code, said):
    ((_, _, hint),) = found_in(home, "{use: mine.Mine}", code)
    assert said in hint


def test_a_constructor_that_fails_is_told_before_anything_is_written(home):
    code = CODE.replace("self.at = at", "raise OSError('no room')")
    with pytest.raises(SpecError, match="OSError: no room"):
        run(checked(home, "{use: mine.Mine}", code), Place(at=home / "run"), watch=lambda live: ())
    assert not (home / "run").exists()


@pytest.mark.parametrize(
    ("objective", "codes"),
    [("train.ours, mode: max", []), ("train.ours", ["missing-key"]), ("test.ours, mode: max", ["unknown-number"])],
)
def test_a_number_it_reports_can_be_what_a_sweep_looks_for(objective, codes, home):
    """Nobody knows its name before it runs, nor which way is better; an evaluation has no numbers of its own."""
    sweep = f"sweep: {{sampler: grid, objective: {objective}, parameters: {{seed: [1, 2]}}}}\n"
    found = found_in(home, "validate, {use: mine.Mine}", spec=SPEC.replace("phases:\n", sweep + "phases:\n"))
    assert [code for code, _, _ in found] == codes


@pytest.mark.slow
def test_an_installed_package_offers_callbacks_by_entry_point(home, run_python):
    """S-32: under a name with a dot, and without `imports`."""
    (home / "lab-1.0.dist-info").mkdir()
    (home / "lab-1.0.dist-info" / "entry_points.txt").write_text("[runexp.callbacks]\nlab.stopper = lab_hooks:Mine\n")
    (home / "lab_hooks.py").write_text(CODE)
    callbacks = "validate, {use: lab.stopper, with: {at: 2}}"
    (home / "spec.yaml").write_text(SPEC.replace("imports: [mine]\n", "").replace("CALLBACKS", callbacks))
    done = run_python("-m", "runexp", "run", "spec.yaml", "--run-dir", "run", cwd=home, path=[home])
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in (home / "run" / "events.jsonl").read_text().splitlines()]
    assert (of("PhaseFinished", events)[0]["by"], of("PhaseFinished", events)[0]["n_epochs"]) == ("lab.stopper", 3)
