"""The JSON Schema that editors use: fresh, valid, and right about specs as they are written."""

from __future__ import annotations

import io
import json

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from conftest import ROOT
from runexp.api.editor import editor_schema, schema_text
from runexp.api.editor.language import Rewriting

FILE = ROOT / "schemas" / "runexp.schema.json"
SPECS = sorted((*ROOT.glob("specs/*.yaml"), *ROOT.glob("src/runexp/templates/*.yaml")))
MODELINE = "# yaml-language-server: $schema="
LARGEST = 1_500_000


def as_written(text):
    return YAML(typ="safe", pure=True).load(io.StringIO(text))


@pytest.fixture(scope="module")
def schema():
    return editor_schema()


@pytest.fixture(scope="module")
def validator(schema):
    return Draft202012Validator(schema)


@pytest.fixture
def mistakes(validator):
    def found(text):
        return list(validator.iter_errors(as_written(text)))

    return found


def quickstart(right, wrong):
    text = (ROOT / "specs" / "quickstart.yaml").read_text()
    assert right in text
    return text.replace(right, wrong, 1)


def test_the_file_is_fresh(schema):
    assert FILE.read_text(encoding="utf-8") == schema_text(schema), "run `runexp schema`"


def test_the_file_stays_small_enough_for_an_editor():
    assert FILE.stat().st_size < LARGEST


def test_it_is_a_schema_of_its_draft(schema):
    Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere(schema):
    text = json.dumps(schema)
    named = {part.partition('"')[0] for part in text.split('"$ref": "#/$defs/')[1:]}
    assert named <= schema["$defs"].keys()


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_every_shipped_spec_validates_as_it_is_written(spec, mistakes):
    assert mistakes(spec.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("spec", sorted(ROOT.glob("specs/*.yaml")), ids=lambda spec: spec.stem)
def test_every_spec_of_the_gallery_names_the_schema_in_its_first_line(spec):
    assert spec.read_text(encoding="utf-8").startswith(f"{MODELINE}../schemas/runexp.schema.json\n")


WRONG = {
    "a key at the top": ("seed: 7", "sede: 7"),
    "a key of a callback": ("split: val", "spilt: val"),
    "a kind": ("kind: train", "kind: trian"),
    "a number": ("epochs: 30", "epochs: many"),
    "a number too small": ("epochs: 30", "epochs: 0"),
    "a truth value": ("shuffle: true", "shuffle: sometimes"),
    "a share": ("train: 0.7", "train: most"),
    "a parameter of a node": ("with: {out_features: 10}", "with: {out_features: 10, bais: true}"),
    "a parameter of a layer": ("{out_features: 64}", "{out_feature: 64}"),
    "a parameter of an optimizer": ("lr: 3e-3", "learning_rate: 3e-3"),
    "a parameter that is missing": ("with: {out_features: 10}", "with: {}"),
    "a value of a wrong type": ("out_features: 10", "out_features: ten"),
    "a value out of range": ("lr: 3e-3", "lr: -1"),
    "an option of a group": ("with: {lr: 3e-3}", "groups: {head: {lrr: 3e-3}}"),
    "an optimizer": ("adamw", "adamww"),
    "a class of torch": ("use: torch.nn.Linear", "use: torch.nn.Linaer"),
    "a class of another kind": ("use: adamw", "use: torch.nn.Linear"),
    "a parameter of a source": (
        "sklearn.datasets.load_digits",
        "{use: sklearn.datasets.load_digits, with: {classes: 3}}",
    ),
    "a source": ("sklearn.datasets.load_digits", "{use: sklearn.svm.SVC}"),
    "a parameter of a transform": ("StandardScaler}", "StandardScaler, with: {with_meen: true}}"),
    "a transform": ("sklearn.preprocessing.StandardScaler", "sklearn.preprocessing.StandardScalar"),
    "a layer": ("torch.nn.ReLU", "torch.nn.ReLUU"),
    "a layer with arguments": ("{torch.nn.Linear:", "{torch.nn.Linaer:"),
    "two layers in one item": (
        "{torch.nn.Linear: {out_features: 64}}",
        "{torch.nn.Linear: {out_features: 64}, relu: {}}",
    ),
}


@pytest.mark.parametrize(("right", "wrong"), WRONG.values(), ids=WRONG)
def test_a_slip_does_not_validate(right, wrong, mistakes):
    assert mistakes(quickstart(right, wrong))


CONVOLUTION = "{use: torch.nn.Conv1d, inputs: digits.pixels, with: {out_channels: 3, kernel_size: 3, %s}}"
HEAD = "{inputs: encoder, use: torch.nn.Linear, with: {out_features: 10}}"


@pytest.mark.parametrize(
    ("argument", "is_right"),
    [
        ("padding_mode: circular", True),
        ("padding_mode: circle", False),
        ("padding: same", True),
        ("padding: [1]", True),
        ("padding: true", False),
        ("bias: false", True),
        ("bias: no", False),
        ("groups: 1.5", False),
        ("groups: '${vars.groups}'", True),
        ("paddding: 1", False),
        ("in_channels: 8", True),
    ],
)
def test_a_convolution_takes_what_the_catalog_says(argument, is_right, mistakes):
    assert (mistakes(quickstart(HEAD, CONVOLUTION % argument)) == []) is is_right


@pytest.mark.parametrize(
    ("with_", "is_right"),
    [
        ("{estimator: {use: sklearn.svm.SVC, with: {C: 2.0}}}", True),
        ("{estimator: {use: sklearn.svm.SVC, with: {c: 2.0}}}", False),
        ("{estimator: {use: my_package.models.Tree, with: {depth: 3}}}", True),
        ("{estimator: {use: sklearn.svm.SVCC}}", False),
    ],
)
def test_what_an_argument_is_made_of_is_known_too(with_, is_right, mistakes):
    node = f"{{inputs: encoder, use: sklearn.ensemble.BaggingClassifier, with: {with_}}}"
    assert (mistakes(quickstart(HEAD, node)) == []) is is_right


def test_a_source_takes_its_parameters(mistakes):
    source = "{use: sklearn.datasets.load_digits, with: {n_class: 5}}"
    assert mistakes(quickstart("sklearn.datasets.load_digits", source)) == []


REFERENCES = {
    "a number": ("epochs: 30", "epochs: '${vars.n}'"),
    "the environment's number": ("epochs: 30", "epochs: '${env:EPOCHS}'"),
    "a name": ("split: val", "split: '${each.split}'"),
    "a parameter": ("lr: 3e-3", "lr: '${vars.lr}'"),
    "a `use`": ("use: adamw", "use: '${vars.optimizer}'"),
}


@pytest.mark.parametrize(("right", "written"), REFERENCES.values(), ids=REFERENCES)
def test_a_reference_may_stand_for_a_value(right, written, mistakes):
    assert mistakes(quickstart(right, written)) == []


def test_a_class_of_the_users_may_take_anything(mistakes):
    assert mistakes(quickstart(HEAD, "{inputs: encoder, use: my_package.Head, with: {width: [1, {a: 2}]}}")) == []
    assert mistakes(quickstart("torch.nn.ReLU", "my_package.Swirl")) == []
    assert mistakes(quickstart("torch.nn.ReLU", "my_package.Swirl: {turns: 3}")) == []


def test_a_spec_that_extends_another_need_not_repeat_what_is_required(mistakes):
    assert mistakes("{runexp: 1, extends: base.yaml, seed: 3}") == []
    assert mistakes("{extends: [base.yaml], phases: {train: {epochs: 3}, test: null}}") == []
    assert mistakes("{extends: base.yaml, losses: {ce: {weight: 0.5}}, callbacks: {stop: null}}") == []


def test_a_slip_in_a_spec_that_extends_another_does_not_validate(mistakes):
    assert mistakes("{extends: base.yaml, sede: 3}")
    assert mistakes("{extends: base.yaml, losses: {ce: {wieght: 0.5}}}")
    assert mistakes("{extends: base.yaml, phases: {train: {kind: train, epocs: 3}}}")


def test_a_spec_that_extends_none_needs_its_sections(mistakes):
    assert {error.message for error in mistakes("{runexp: 1, name: a}")} == {
        f"'{section}' is a required property" for section in ("data", "nodes", "phases")
    }


def section(**properties):
    return {"type": "object", "properties": properties, "required": ["use"], "additionalProperties": False}


def test_a_section_that_is_new_to_the_language_needs_nothing_written_for_it():
    use, with_ = {"type": "string", "description": "what divides"}, {"type": "object", "title": "With"}
    language = {"Splitter": section(use=use, **{"with": with_}), "Use": section(use=use, **{"with": with_})}
    held = {
        "type": "object",
        "properties": {"metrics": {"items": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Use"}]}}},
    }
    definitions = Rewriting(language | {"Sweep": held}).everything()
    assert definitions["Splitter"]["allOf"] == [{"$ref": "#/$defs/with.splitter"}]
    assert definitions["Splitter"]["properties"]["use"]["description"] == "what divides"
    offered = definitions["Sweep"]["properties"]["metrics"]["items"]["anyOf"]
    assert {"$ref": "#/$defs/use.metric"} in offered
    assert {"$ref": "#/$defs/made.metric"} in offered
    assert definitions["made.metric"]["allOf"] == [{"$ref": "#/$defs/with.metric"}]
