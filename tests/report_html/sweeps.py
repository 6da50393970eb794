"""Folders of sweeps as `runexp sweep` leaves them, without a run."""

from __future__ import annotations

import json

from runexp.results.trials import Importance, Objective, SweepResults, Trial

SPEC = """\
runexp: 1
name: net
description: Which network is best
data: {}
sweep:
  sampler: random
  trials: 6
  parameters: {vars.lr: {low: 1.0e-4, high: 0.1, log: true}, vars.width: [4, 16]}
  objective: test.loss
"""
LOSS, ACCURACY = Objective("test.loss", "min"), Objective("test.accuracy", "max")


def trial(number, changed, values, *, status="completed", error=""):
    """One trial: its rate and width; its objectives are loss and accuracy."""
    (lr, width), (loss, accuracy) = changed, values
    metrics = {"test.loss": loss, "test.accuracy": accuracy}
    changes = {
        "vars.lr": lr,
        "vars.width": width,
        "nodes.body.layers[1]": f"torch.nn.{'ReLU' if number % 2 else 'Tanh'}",
    }
    values = (loss, accuracy) if status == "completed" else ()
    return Trial(number, f"{number:012x}", changes, status, values, metrics, 1.5, error=error)


TRIALS = (
    trial(0, (1e-4, 4), (1.0, 0.40)),
    trial(1, (1e-3, 16), (0.6, 0.70)),
    trial(2, (1e-2, 16), (0.3, 0.80)),
    trial(3, (1e-1, 4), (0.5, 0.90)),
    trial(4, (2e-2, 4), (1.7, 0.2), status="pruned"),
    trial(5, (3e-2, 16), (2.0, 0.1), status="failed", error="RuntimeError: </script><b>no</b> (in train)"),
)
SHARES = Importance("fANOVA", {"test.loss": {"vars.lr": 0.75, "vars.width": 0.25}})


def one_objective():
    """A sweep by a single number."""
    trials = tuple(_judged_by_loss(one) for one in TRIALS)
    return SweepResults("net", "completed", (LOSS,), trials, SHARES)


def two_objectives():
    """A sweep by two."""
    return SweepResults("net", "completed", (LOSS, ACCURACY), TRIALS, None)


def repeats():
    """Three seeds of one spec."""
    numbers = ((1, 0.5), (77, 0.6), (93, 0.7))
    trials = (
        Trial(at, f"{at:012x}", {"seed": seed}, "completed", (), {"test.accuracy": value}, 0.4)
        for at, (seed, value) in enumerate(numbers)
    )
    return SweepResults("net", "completed", (), tuple(trials))


def write_sweep(folder, results):
    """The files of a sweep that has ended, in a new folder."""
    folder.mkdir(parents=True)
    (folder / "base.json").write_text('{"base": "1", "kind": "sweep"}')
    (folder / "spec.yaml").write_text(SPEC)
    (folder / "resolved.yaml").write_text(SPEC)
    (folder / "sweep.json").write_text(json.dumps({"version": 1, "results": results.as_json()}))
    if len(results.objectives) == 1:
        (folder / "best.yaml").write_text("# The best of 4 trials\nrunexp: 1\nname: net\n")
    status = {"state": results.status, "position": {"phase": "", "epoch": None, "step": 0}, "pid": 1, "host": "h"}
    times = {"started": "2026-01-01T00:00:00.000Z", "ended": "2026-01-01T00:01:00.000Z", "error": None}
    (folder / "status.json").write_text(json.dumps(status | times))
    return folder


def _judged_by_loss(one):
    values = one.values[:1]
    return Trial(one.number, one.id, one.changes, one.status, values, one.metrics, one.seconds, error=one.error)
