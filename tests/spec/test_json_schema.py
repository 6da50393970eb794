"""The JSON Schema that editors use: fresh, valid, and right about specs as they are written."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from runexp.spec.json_schema import json_schema

ROOT = Path(__file__).resolve().parents[2]

FILE = ROOT / "schemas" / "runexp.schema.json"
SPECS = sorted((ROOT / "specs").glob("*.yaml"))


def as_written(text):
    return YAML(typ="safe", pure=True).load(io.StringIO(text))


@pytest.fixture(scope="module")
def validator():
    return Draft202012Validator(json.loads(FILE.read_text()))


def test_the_file_is_fresh():
    assert json.loads(FILE.read_text()) == json_schema(), "run `runexp schema`"


def test_it_is_a_schema_of_its_draft():
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_every_spec_of_the_gallery_validates_as_it_is_written(spec, validator):
    assert list(validator.iter_errors(as_written(spec.read_text()))) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        pytest.param("seed: 7", "sede: 7", id="a key at the top"),
        pytest.param("split: val", "spilt: val", id="a key of a callback"),
        pytest.param("kind: train", "kind: trian", id="a kind"),
        pytest.param("epochs: 30", "epochs: many", id="a number"),
        pytest.param("train: 0.7", "train: most", id="a share"),
    ],
)
def test_a_slip_does_not_validate(right, wrong, validator):
    text = (ROOT / "specs" / "quickstart.yaml").read_text()
    assert right in text
    assert list(validator.iter_errors(as_written(text.replace(right, wrong, 1))))


@pytest.mark.parametrize("written", ["epochs: '${vars.n}'", "epochs: '${env:EPOCHS}'"])
def test_a_reference_may_stand_for_a_number(written, validator):
    text = (ROOT / "specs" / "quickstart.yaml").read_text().replace("epochs: 30", written)
    assert list(validator.iter_errors(as_written(text))) == []


def test_a_spec_that_extends_another_need_not_repeat_its_sections(validator):
    assert list(validator.iter_errors({"runexp": 1, "extends": "base.yaml", "seed": 3})) == []
    assert list(validator.iter_errors({"extends": ["base.yaml"], "seed": 3})) == []
