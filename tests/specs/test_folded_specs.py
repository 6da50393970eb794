"""The cross-validated specs of the gallery on the real data they are for, and on what is made up beside them."""

from __future__ import annotations

import gzip
import json
import shutil
import sys
from pathlib import Path
from subprocess import run as run_process

import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file

from data.plans import shared
from runexp.api.checking import check
from runexp.api.running import Place, run

ROOT = Path(__file__).resolve().parents[2]
HPPC, STAGED = ROOT / "specs/hppc.yaml", ROOT / "specs/staged_unifrac.yaml"


def ran(spec, data, at, *overrides):
    checked = check(spec, overrides=[f"vars.data={data}", *overrides])
    finished = run(checked, Place(at=at), watch=lambda live: ())
    assert finished.status == "completed"
    return finished


def test_no_cell_is_on_both_sides_of_a_fold(tmp_path):
    """S-45: four folds of battery cells."""
    finished = ran(HPPC, shared("hppc", "hppc.csv.gz"), tmp_path / "run")
    cells = {line[0]: line[-4] for line in rows_of(shared("hppc", "hppc.csv.gz"))}
    lines = pq.read_table(tmp_path / "run/folds.parquet").to_pylist()
    held = []
    for fold in range(4):
        sides = {split: {cells[line["id"]] for line in lines if line["fold"] == fold and line["split"] == split}
                 for split in ("train", "val", "test")}  # fmt: skip
        assert not sides["train"] & sides["val"]
        assert sides["test"] == {"1", "5"}
        held += sides["val"]
    assert sorted(held) == sorted(set(cells.values()) - {"1", "5"})
    assert finished.results.cv.spread("score.r2").mean > 0.99


def rows_of(path):
    with gzip.open(path, "rt") as file:
        return [line.rstrip().split(",") for line in file.readlines()[1:]]


def test_ridge_on_the_given_split_has_the_known_error(tmp_path):
    """0.0047 on the scaled target, in closed form."""
    finished = ran(HPPC, shared("hppc", "hppc.csv.gz"), tmp_path / "run", "cv=null")
    assert finished.results.summary()["test"]["error"] == pytest.approx(0.0047, abs=5e-5)


def tensors(run_folder, name):
    return {
        key: value.numpy().tobytes()
        for key, value in load_file(run_folder / "checkpoints" / name / "weights.safetensors").items()
        if "encoder" in key
    }


def check_frozen(folder):
    """What stage 2 began with is in every fold what the frozen base was at its end, bit for bit."""
    for fold in range(5):
        (before,) = (folder / f"checkpoints/fold-{fold}/pretrain").glob("epoch-*")
        (after,) = (folder / f"checkpoints/fold-{fold}/probe").glob("epoch-*")
        names = [str(path.relative_to(folder / "checkpoints")) for path in (before, after)]
        base = tensors(folder, names[0])
        assert base
        assert base == tensors(folder, names[1])
        assert base != tensors(folder, f"fold-{fold}/final")  # which was fine-tuned


SHORT = ["phases.pretrain.epochs=3", "phases.probe.epochs=2", "phases.finetune.epochs=1"]


def test_stage_one_never_sees_held_out_rows_and_the_frozen_base_stays_as_it_was(tmp_path):
    """S-12, S-45: other counts and distances of the samples that a fold holds out leave its encoder as it was."""
    data = ROOT / "examples/data/microbiome"
    ran(STAGED, data, tmp_path / "run", *SHORT)
    check_frozen(tmp_path / "run")
    shutil.copytree(data, tmp_path / "other")
    held = {line.split(",")[0] for line in (data / "folds.csv").read_text().splitlines() if line.endswith(",0")}
    with gzip.open(data / "counts.csv.gz", "rt") as file:
        lines = [spoilt(line, held, lambda cell: str(int(cell) * 7 + 3)) for line in file.read().splitlines()]
    with gzip.open(tmp_path / "other/counts.csv.gz", "wt") as file:
        file.write("\n".join(lines) + "\n")
    spoil_distances(tmp_path / "other/unweighted_unifrac.csv", held)
    ran(STAGED, tmp_path / "other", tmp_path / "spoilt", *SHORT)
    (path,) = (tmp_path / "run/checkpoints/fold-0/pretrain").glob("epoch-*")
    assert tensors(tmp_path / "run", f"fold-0/pretrain/{path.name}") == tensors(
        tmp_path / "spoilt", f"fold-0/pretrain/{path.name}"
    )
    assert tensors(tmp_path / "run", f"fold-1/pretrain/{path.name}") != tensors(
        tmp_path / "spoilt", f"fold-1/pretrain/{path.name}"
    )


def spoilt(line, held, change):
    name, *cells = line.split(",")
    return ",".join([name, *(map(change, cells) if name in held else cells)])


def spoil_distances(path, held):
    head, *lines = (line.split(",") for line in path.read_text().splitlines())
    for line in lines:
        for column, name in enumerate(head):
            if column and line[0] != name and {line[0], name} & held:
                line[column] = "9.5"
    path.write_text("\n".join(",".join(line) for line in [head, *lines]) + "\n")


@pytest.mark.slow
def test_body_sites_are_told_on_top_of_the_frozen_base(tmp_path):
    """Moving Pictures, five folds of folds.csv: 19 of 34 or more, averaged over three seeds."""
    right = []
    for seed in range(3):
        finished = ran(STAGED, shared("moving_pictures"), tmp_path / str(seed), f"seed={seed}")
        cv = finished.results.cv
        right.append(sum(cv.numbers("frozen.accuracy")[fold.index] * fold.n_held_out for fold in cv.facts))
        check_frozen(tmp_path / str(seed))
        assert sum(fold.n_held_out for fold in cv.facts) == 34
    assert sum(right) / 3 >= 19, right


def test_the_made_up_tables_are_those_that_are_generated(tmp_path):
    script = ROOT / "examples/data/generate.py"
    (tmp_path / "microbiome").mkdir()
    shutil.copy(script, tmp_path / "generate.py")
    run_process([sys.executable, str(tmp_path / "generate.py")], check=True)
    for path in ("pulses.csv", "microbiome/folds.csv", "microbiome/counts.csv.gz", "microbiome/unweighted_unifrac.csv"):
        assert (tmp_path / path).read_bytes() == (script.parent / path).read_bytes(), path


def test_the_specs_are_valid_without_a_warning():
    for spec in (HPPC, STAGED):
        assert [str(found) for found in check(spec).diagnostics] == []
        assert json.dumps(check(spec).linked.name)
