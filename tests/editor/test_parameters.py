"""What the schema says of the catalog's classes agrees with what the checks of `runexp validate` say."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from runexp.api.editor import editor_schema
from runexp.catalog import KINDS, check_arguments, lookup, names

VALUES = (True, 0, 1, 3, -2, 0.5, 1e-9, 7.25, "x", "zeros", "a.b", None, [], [1, 2], ["a"], {}, {"a": 1})
MADE = {"use": "sklearn.svm.SVC", "with": {"C": 2}}  # Looking through all names takes time: tried less often.


@pytest.fixture(scope="module")
def schema():
    return editor_schema()


@pytest.fixture(scope="module")
def entries():
    found = (lookup(name, kind) for kind in KINDS for name in names(kind))
    shown = (entry for entry in found if entry is not None and not entry.traits.get("section"))
    return {f"{entry.kind}.{entry.name}": entry for entry in shown}


@pytest.fixture(scope="module")
def takes(schema):
    """Whether the schema takes a value for a parameter."""
    root = Draft202012Validator(schema)
    known = {}

    def tried(parameter, value):
        bare = {key: part for key, part in parameter.items() if key not in ("description", "default")}
        key = (json.dumps(bare), repr(value))
        if key not in known:
            known[key] = not any(root.descend(value, bare))
        return known[key]

    return tried


@pytest.fixture(scope="module")
def tried(schema, entries, takes):
    """Values tried on one parameter of each sort: what the checks say, and what the schema says."""
    known = [
        (key, found)
        for key, entry in entries.items()
        for found in entry.parameters
        if found.name in schema["$defs"][key]["properties"]
    ]
    sorts = {
        (found.types, found.choices, found.ranges, found.default_text == "None"): (key, found) for key, found in known
    }
    coarse = {found.types[0]: (key, found) for key, found in known}
    cases = [(*case, value) for case in sorts.values() for value in VALUES]
    return [
        (key, found.name, value, _accepted(entries[key], found, value), takes(definition, value))
        for key, found, value in [*cases, *((*case, MADE) for case in coarse.values())]
        for definition in [schema["$defs"][key]["properties"][found.name]]
    ]


def _accepted(entry, parameter, value):
    return all(problem.parameter != parameter.name for problem in check_arguments(entry, {parameter.name: value}))


def test_every_class_and_every_parameter_of_the_catalog_is_there(schema, entries):
    for key, entry in entries.items():
        parameters = schema["$defs"][key]["properties"]
        supplied = {found.name for found in entry.parameters} - parameters.keys()
        assert supplied <= {"params", "y_true", "y_pred", "y_score", "y_prob", "y_proba", "preds", "target"}, key
        assert all(found["description"] for found in parameters.values()), key


def test_every_name_can_be_used_and_is_described(schema):
    for kind in KINDS:
        groups = schema["$defs"].get(f"use.{kind}", {"anyOf": [{}]})["anyOf"][1:]
        words = [word for group in groups for word in group["anyOf"]]
        others = [name for name in names(kind) if not lookup(name, kind).traits.get("section")]
        assert [word["const"] for word in words] == others
        assert all(word["description"] for word in words)


def test_every_default_is_accepted(schema, takes):
    refused = [
        (key, name)
        for key, definition in schema["$defs"].items()
        if definition.get("additionalProperties") is False
        for name, parameter in definition.get("properties", {}).items()
        if "default" in parameter and not takes(parameter, parameter["default"])
    ]
    assert refused == []


def test_the_editor_underlines_nothing_that_the_checks_accept(tried):
    assert [case for case in tried if case[3] and not case[4]] == []


def test_the_editor_underlines_most_of_what_the_checks_refuse(tried):
    refused = [is_taken for *_, is_accepted, is_taken in tried if not is_accepted]
    assert sum(refused) / len(refused) < 0.02
