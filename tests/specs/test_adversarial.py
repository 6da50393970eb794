"""The adversarial spec of the gallery learns what it is for (S-13)."""

from __future__ import annotations

import json
from pathlib import Path

from runexp.api.checking import check
from runexp.api.running import Place, run

SPEC = Path(__file__).resolve().parents[2] / "specs" / "adversarial.yaml"


def test_the_encoder_tells_the_cultivar_and_hides_the_alcohol_better_than_without_an_adversary(tmp_path):
    found = {}
    for weight in (-0.5, -1e-6):
        folder = tmp_path / str(weight)
        run(check(SPEC, overrides=[f"losses.hidden.weight={weight}"]), Place(at=folder), watch=lambda live: ())
        found[weight] = json.loads((folder / "summary.json").read_text())["metrics"]["test"]
    assert found[-0.5]["hit_rate"] > 0.85
    assert found[-0.5]["alcohol_r2"] < found[-1e-6]["alcohol_r2"] - 0.05
