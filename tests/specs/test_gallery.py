"""Every spec of the gallery and the examples runs, and running it twice gives the same numbers and weights exactly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runexp.api.checking import check
from runexp.api.running import Place, run

ROOT = Path(__file__).resolve().parents[2]

SPECS = [*sorted((ROOT / "specs").glob("*.yaml")), *sorted((ROOT / "examples").glob("*/spec.yaml"))]
SHORT = {
    "char_transformer": ["phases.train.steps=5", "data.text.windows.stride=500"],
    "diabetes_regression": ["phases.train.epochs=3"],
    "forecast": ["phases.train.epochs=3"],
    "pca_hybrid": ["phases.train.epochs=3"],
    "quickstart": ["phases.train.epochs=3"],
    "custom_callback/spec": ["phases.train.epochs=4"],
    "staged_unifrac": [f"phases.{phase}.epochs=1" for phase in ("pretrain", "probe", "finetune")],
    "hybrid_chain": ["phases.train.epochs=3"],
    "lstm_series": ["phases.train.epochs=1"],
    "mlops_digits": ["tracking.resources=false"],  # what the machine does differs from run to run
    "multi_task": ["phases.train.epochs=5"],
    "nested_iris": [
        "cv.folds.with.n_splits=2",
        "cv.inner.folds.with.n_splits=2",
        "sweep.parameters={vars.C: [1, 10]}",
    ],
    "siamese": ["phases.train.epochs=2"],
    "triplets": ["phases.train.epochs=2"],
    "custom_code/spec": ["phases.train.epochs=2"],
}
_SEEDLESS = {"nested_iris"}
"""Nothing is drawn in these: their splitters have a random state of their own."""


def run_short(spec, folder, *overrides):
    checked = check(spec, overrides=[*SHORT.get(named(spec), ()), *overrides])
    return run(checked, Place(at=folder), watch=lambda live: ())


def named(spec):
    """`quickstart`, or `custom_code/spec` for one in a folder of its own."""
    return spec.stem if spec.parent.name == "specs" else f"{spec.parent.name}/{spec.stem}"


def left_behind(folder):
    """Metrics, events without their times, and weights."""
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    timeless = [{key: value for key, value in event.items() if not _is_time(key)} for event in events]
    return {
        "metrics.csv": (folder / "metrics.csv").read_bytes(),
        "events.jsonl": timeless,
        "weights.safetensors": weights(folder),
    }


def weights(folder):
    """The final weights, of a cross-validation those of its first fold."""
    files = (folder / "checkpoints" / name / "weights.safetensors" for name in ("final", "fold-0/final"))
    return next((file.read_bytes() for file in files if file.is_file()), b"")


def _is_time(key):
    return key == "time" or "seconds" in key


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of each spec, made when first asked for."""
    made = {}

    def twice(spec):
        if spec not in made:
            folders = [tmp_path_factory.mktemp(named(spec).replace("/", "-")) / name for name in ("first", "second")]
            made[spec] = [(run_short(spec, folder).status, folder) for folder in folders]
        return made[spec]

    return twice


@pytest.mark.parametrize("spec", SPECS, ids=named)
def test_every_spec_of_the_gallery_runs_to_its_end(spec, runs):
    (status, folder), _ = runs(spec)
    assert status == "completed"
    assert json.loads((folder / "status.json").read_text())["state"] == "completed"
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["metrics"]["test"]
    assert summary["not_finite"] == []


@pytest.mark.parametrize("spec", SPECS, ids=named)
def test_two_runs_of_one_spec_agree_bit_for_bit(spec, runs):
    (_, first), (_, second) = runs(spec)
    assert left_behind(first) == left_behind(second)


@pytest.mark.parametrize("spec", [spec for spec in SPECS if named(spec) in SHORT.keys() - _SEEDLESS], ids=named)
def test_another_seed_gives_other_weights(spec, runs, tmp_path):
    (_, folder), _ = runs(spec)
    run_short(spec, tmp_path / "run", "seed=1234")
    assert weights(folder)
    assert weights(tmp_path / "run") != weights(folder)


def test_the_quickstart_learns(tmp_path):
    finished = run(check(ROOT / "specs" / "quickstart.yaml"), Place(at=tmp_path / "run"), watch=lambda live: ())
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["metrics"]["test"]["accuracy"] > 0.93
    assert finished.status == "completed"
