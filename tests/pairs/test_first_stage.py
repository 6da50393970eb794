"""The first stage of staged training, on real data: embeddings whose distances are those of UniFrac."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from data.plans import shared
from runexp.api.checking import check
from runexp.engine.experiment import Experiment
from runexp.events import PhaseFinished
from runexp.runtime.data import build_feature_set
from runexp.runtime.torch_runtime import TorchRuntime

SPEC = Path(__file__).with_name("first_stage.yaml")


def run(folder, tmp_path):
    """The first stage on the data in `folder`: the final numbers, and the runtime."""
    spec = tmp_path / "first_stage.yaml"
    spec.write_text(SPEC.read_text().replace("DATA", str(folder)))
    checked = check(spec)
    assert checked.diagnostics == ()
    runtime = TorchRuntime(checked.linked, folder=tmp_path)
    experiment = Experiment(checked.linked, runtime)
    events = list(experiment.run())
    assert experiment.error is None
    return {event.phase: event.metrics for event in events if isinstance(event, PhaseFinished)}, runtime


def test_an_encoder_learns_embeddings_whose_distances_are_unifrac(tmp_path):
    """S-01: counts, metadata and matrix are three files in three orders; rows are matched by the sample's id."""
    folder = shared("moving_pictures")
    found, runtime = run(folder, tmp_path)
    samples = runtime.sets["samples"]
    given = np.genfromtxt(folder / "unweighted_unifrac.csv", delimiter=",", skip_header=1)[:, 1:]
    assert np.allclose(samples.pairs["unifrac"].block(range(34)), given, atol=1e-6)  # folds.csv has the same order
    output = runtime.graph.call_of("encoder")(samples.tensor("asv", "cpu")).detach().numpy()
    train, test = samples.splits["train"], samples.splits["test"]
    learnt = pdist(output[train])
    expected = squareform(given[np.ix_(train, train)], checks=False)
    assert np.corrcoef(learnt, expected)[0, 1] > 0.95
    missed = pdist(output[test]) - squareform(given[np.ix_(test, test)], checks=False)
    assert found["test"]["unifrac"] == pytest.approx(np.mean(missed**2), rel=1e-4)


def test_a_triangle_of_real_distances_is_the_whole(tmp_path):
    """Nine samples in an order of their own, their lower triangle alone, matched with the groups by id."""
    folder = shared("unifrac")
    lines = (folder / "crawford_unweighted_unifrac.csv").read_text().splitlines()
    half = [lines[0], *(",".join(line.split(",")[: 2 + row]) for row, line in enumerate(lines[1:]))]
    (tmp_path / "half.csv").write_text("\n".join(half) + "\n")
    found = {}
    for name, triangle in ((folder / "crawford_unweighted_unifrac.csv", "full"), ("half.csv", "lower")):
        (tmp_path / "spec.yaml").write_text(CRAWFORD.format(folder=folder, name=name, triangle=triangle))
        checked = check(tmp_path / "spec.yaml")
        assert [item.code for item in checked.diagnostics] == []
        features = build_feature_set(checked.linked.data[0], seed=0, folder=tmp_path)
        found[triangle] = features.pairs["unifrac"].block(range(9))
        ids = [f"10084.PC.{at}" for at in (354, 355)]
        assert features.ids[:2].tolist() == ids
    assert np.array_equal(found["full"], found["lower"])
    assert found["full"][0, 1] == np.float32(_cell(lines, *ids))


def _cell(lines, row, column):
    at = lines[0].split(",").index(column)
    return next(float(line.split(",")[at]) for line in lines if line.startswith(f"{row},"))


CRAWFORD = """\
runexp: 1
name: mice
data:
  mice:
    source: {folder}/crawford.group.tsv
    features: {{born: DOB}}
    tags: {{id: "#SampleID"}}
  unifrac: {{source: "{name}", matrix: {{rows: mice, id: id, triangle: {triangle}}}}}
nodes: {{line: {{inputs: mice.born, use: linear, with: {{out_features: 2}}}}}}
losses: {{apart: {{node: line, use: pairwise_distance, inputs: [outputs, unifrac]}}}}
phases: {{train: {{kind: train, split: all, epochs: 1, losses: [apart], optimizer: {{use: adam}}}}}}
"""
