"""Callbacks around phases and groups (S-31)."""

from __future__ import annotations

import pytest

from callbacks.specs import SPEC, checked, found_in, of, ran
from runexp.api.previewing import Length, Preview

NAMES = ("experiment_start", "group_start", "phase_start", "phase_end", "group_end", "experiment_end")
NOTING = "class Around:\n" + "".join(
    f"    def on_{name}(self, view):\n        return ['{name}', view.where]\n" for name in NAMES
)
AROUND = "experiment_callbacks: {mine: {use: mine.Around}}\nphases:\n"


def around(text=AROUND, epochs=1):
    return SPEC.replace("phases:\n", text).replace("epochs: 4", f"epochs: {epochs}")


def test_hooks_stand_around_the_experiment_its_groups_and_phases(home):
    group = "  both: {kind: group, phases: {test: {kind: eval, split: test, losses: [ce]}}}\n"
    _, events = ran(home, "", NOTING, around().replace("  test: {kind: eval", group + "  test: {kind: eval"))
    assert [one["result"] for one in of("CallbackReturned", events)] == [
        ["experiment_start", ""],
        ["phase_start", "train"],
        ["phase_end", "train"],
        ["group_start", "both"],
        ["phase_start", "both/test"],
        ["phase_end", "both/test"],
        ["group_end", "both"],
        ["phase_start", "test"],
        ["phase_end", "test"],
        ["experiment_end", ""],
    ]


def test_one_that_asks_to_stop_leaves_out_the_phases_to_come(home):
    code = (
        "class Around:\n    def on_phase_end(self, view):\n"
        "        view.log('last', view.results['train']['train_loss'])\n        view.request_stop('enough')\n"
    )
    finished, events = ran(home, "", code, around())
    assert (finished.status, finished.finished.error) == ("stopped", "by mine: enough")
    assert [one["phase"] for one in of("PhaseFinished", events)] == ["train"]
    assert of("NumbersLogged", events)[0]["metrics"] == {
        "last": of("PhaseFinished", events)[0]["metrics"]["train_loss"]
    }


def test_it_sees_the_real_exception(home):
    code = (
        "class Around:\n    def on_exception(self, view, error):\n        return f'{view.where} {error}'\n"
        "class Mine:\n    def on_epoch_end(self, view):\n        raise ValueError('real')\n"
    )
    finished, events = ran(home, "{use: mine.Mine}", code, around())
    (told,) = of("CallbackReturned", events)
    assert finished.status == "failed"
    assert told["result"].startswith("train ")
    assert "ValueError: real" in told["result"]


def test_a_preview_calls_none_of_them(home):
    """S-30: a phase is tried, not the experiment."""
    code = "class Around:\n    def on_phase_start(self, view):\n        raise ValueError('called')\n"
    tried = Preview(checked(home, "", code, around()), "train").run(Length(n_epochs=1), watch=lambda live: ())
    assert tried.status == "completed"


def test_built_in_ones_stop_a_run_and_write_files(home):
    text = "experiment_callbacks: {t: {use: time_limit, minutes: 1.0e-9}, m: {use: model_summary}}\nphases:\n"
    finished, _ = ran(home, "", spec=around(text))
    assert finished.status == "stopped"
    assert (home / "run/callbacks/m/model.txt").is_file()


@pytest.mark.parametrize(
    ("callback", "said"),
    [("{use: mine.Mine}", "on_experiment_end"), ("{use: ema}", "")],
    ids=["hook of a phase", "built-in of a phase"],
)
def test_what_belongs_to_a_phase_is_no_callback_of_the_experiment(home, callback, said):
    ((_, _, hint),) = found_in(home, "", spec=around(f"experiment_callbacks: {{m: {callback}}}\nphases:\n"))
    assert said in hint
