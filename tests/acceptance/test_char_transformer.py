"""A character transformer learns the plays of Shakespeare as well as loops written for it do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from runexp.api.checking import check
from runexp.api.running import Place, run

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("RUNEXP_SHARED", HERE.parents[2] / "shared")).resolve()
TEXT = SHARED / "data" / "tinyshakespeare" / "input.txt"


@pytest.mark.slow
@pytest.mark.skipif(not TEXT.is_file(), reason=f"needs {TEXT} (set RUNEXP_SHARED)")
def test_the_loss_on_the_held_out_text_is_that_of_a_loop_written_for_it(tmp_path, monkeypatch):
    """0.8 million parameters, 2000 steps of 12 windows of 64 characters: 1.88 nats a character."""
    monkeypatch.setenv("RUNEXP_SHARED", str(SHARED))
    finished = run(check(HERE / "char_transformer.yaml"), Place(at=tmp_path / "run"), watch=lambda live: ())
    assert finished.status == "completed"
    measured = json.loads((tmp_path / "run" / "summary.json").read_text())["metrics"]["test"]
    assert measured["lm"] == pytest.approx(1.88, abs=0.03)
