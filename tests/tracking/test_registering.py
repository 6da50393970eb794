"""A trained model under a name in the folder of runs."""

import json

import pytest
from sklearn.datasets import load_digits

import runexp
from runexp.store.registry import Registry
from tracking.cases import run_spec


def test_a_model_that_reaches_its_thresholds_is_registered_and_loads_back(tmp_path):
    extra = 'register: {name: digits-net, alias: champion, only_if: {test.accuracy: ">= 0.2"}}'
    run = run_spec(tmp_path, extra)
    assert run.notes == ("registered as `digits-net`, version 1 (champion)",)
    again = run_spec(tmp_path, extra)
    assert again.notes == ("registered as `digits-net`, version 2 (champion)",)
    rows = load_digits(as_frame=True).data
    own = runexp.load_model(run.folder).predict(rows).only
    for name in ("models:/digits-net@champion", "models:/digits-net/1", "models:/digits-net"):
        registered = runexp.load_model(name, runs=tmp_path / "runs").predict(rows).only
        assert (registered.values == own.values).all()
    told = json.loads((tmp_path / "runs/.registry/digits-net/1/model.json").read_text())
    assert told["signature"]["outputs"][0] | {"classes": []} == {
        "node": "head", "dtype": "float32", "shape": [10], "target": "digits.label", "classes": [],
    }  # fmt: skip
    assert told["signature"]["inputs"][0] == {
        "data": "digits", "key": "pixels", "column": "pixel_0_0", "dtype": "float32", "shape": [],
    }  # fmt: skip


def test_a_model_that_misses_a_threshold_is_not_registered_and_the_run_completes(tmp_path):
    run = run_spec(tmp_path, 'register: {name: digits, only_if: {test.accuracy: ">= 0.99999"}}')
    assert run.status == "completed"
    (note,) = run.notes
    assert note.startswith("not registered as `digits`: test.accuracy >= 0.99999: missed with 0.")
    assert Registry(tmp_path / "runs").versions("digits") == ()
    assert dict(runexp.open_run(run.folder).aftermath)["model"].startswith("not registered as digits")


def test_a_part_of_the_graph_can_be_registered(tmp_path):
    run_spec(tmp_path, "register: {name: features, nodes: [encoder]}")
    model = runexp.load_model("models:/features", runs=tmp_path / "runs")
    assert model.outputs == ("encoder",)
    assert model.predict(load_digits().data).only.values.shape == (1797, 16)


def test_a_version_that_is_not_there_says_what_there_is(tmp_path):
    with pytest.raises(runexp.CannotLoad, match="no model `digits` is registered"):
        runexp.load_model("models:/digits", runs=tmp_path)
    registry = Registry(tmp_path)
    registry.add("digits", lambda folder: (folder / "a").write_text("a"))
    registry.set_alias("digits", "best", 1)
    with pytest.raises(LookupError, match="no version 7; there are 1"):
        registry.path("digits", "7")
    with pytest.raises(LookupError, match="no alias `champion`; aliases: best"):
        registry.path("digits", "champion")


def test_a_version_that_fails_while_it_is_written_leaves_nothing(tmp_path):
    def write(folder):
        (folder / "half").write_text("x")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        Registry(tmp_path).add("digits", write)
    assert list((tmp_path / ".registry" / "digits").iterdir()) == []
