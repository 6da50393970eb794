"""`reproduce`: a run made again from its folder alone, and how close it came."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from run_store.conftest import call
from runexp.results.agreement import agree


def rows(*values):
    return [("train", "epoch", place, None, place, "loss", value) for place, value in enumerate(values)]


def verdict(first, second, **kwargs):
    settings = {"weights": "identical", "tolerance": 1e-5, "may_end_early": False} | kwargs
    return agree(rows(*first), rows(*second), **settings).verdict


def test_a_run_made_again_is_the_same_bit_for_bit(runs, folders):
    ran = call("reproduce", folders[0], "--quiet")
    assert ran.exit_code == 0, ran.output
    assert f"wine/{folders[0].name} reproduced: the same, bit for bit" in ran.stdout
    assert "warning" not in ran.stderr
    assert "the final weights are identical" in ran.stdout
    (again,) = [path.parent for path in runs.glob("*/*/status.json") if path.parent not in folders]
    assert call("note", again).stdout == f"reproduction of wine/{folders[0].name}\n"
    locks = [json.loads((folder / "lock.json").read_text()) for folder in (folders[0], again)]
    assert locks[0]["plan"] == locks[1]["plan"]


def test_what_differs_in_versions_and_data_is_told_before_anything_runs(folders):
    lock = json.loads((folders[0] / "lock.json").read_text())
    lock["packages"]["torch"] = "1.0"
    lock["sources"]["wine"] = "other"
    (folders[0] / "lock.json").write_text(json.dumps(lock))
    told = call("reproduce", folders[0]).stderr
    assert "warning: torch was 1.0, is " in told
    assert told.index("the data of `wine` has changed since") < told.index("phase train")


def test_numbers_that_differ_are_told_with_their_place_and_fail(folders):
    log = folders[0] / "events.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if '"EpochFinished"' in line)
    event = json.loads(lines[place])
    event["metrics"]["val_loss"] *= 1.5
    lines[place] = json.dumps(event, separators=(",", ":")) + "\n"
    log.write_text("".join(lines))
    ran = call("reproduce", folders[0], "--quiet")
    assert ran.exit_code == 1
    assert "reproduced: not the same" in ran.stdout
    assert "farthest apart: train.val_loss, epoch 0" in " ".join(ran.stdout.split())
    assert call("reproduce", folders[0], "--quiet", "--tolerance", "0.5").exit_code == 0


def test_a_run_without_its_spec_cannot_be_made_again(runs, folders):
    (folders[0] / "resolved.yaml").unlink()
    ran = call("reproduce", folders[0])
    assert (ran.exit_code, "nothing to run again" in ran.stderr) == (2, True)
    assert len(list(runs.glob("*/*/status.json"))) == 3


@pytest.mark.parametrize(
    ("first", "second", "options", "expected"),
    [
        ([1.0, math.nan], [1.0, math.nan], {}, "identical"),
        ([1.0], [1.0 + 1e-7], {}, "within tolerance"),
        ([1.0], [1.1], {}, "different"),
        ([1.0], [math.nan], {}, "different"),
        ([math.inf], [math.inf], {}, "identical"),
        ([math.inf], [1.0], {}, "different"),
        ([1.0], [1.0], {"weights": "different"}, "within tolerance"),
        ([1.0], [1.0, 2.0], {}, "different"),
        ([1.0], [1.0, 2.0], {"may_end_early": True}, "identical"),
        ([1.0, 2.0], [1.0], {"may_end_early": True}, "different"),
        ([0.0], [1e-15], {}, "within tolerance"),
        ([1.0], [1.1], {"tolerance": 0.2}, "within tolerance"),
    ],
)
def test_two_runs_agree_or_not(first, second, options, expected):
    assert verdict(first, second, **options) == expected


@given(st.lists(st.floats()), st.lists(st.floats()))
def test_which_run_is_the_first_does_not_change_a_verdict_and_each_agrees_with_itself(first, second):
    assert verdict(first, second) == verdict(second, first)
    assert verdict(first, first) == "identical"
