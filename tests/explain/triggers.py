"""Mistakes that the text of a page cannot hold: bytes, invisible characters, sheer number, what no spec leads to."""

from __future__ import annotations

from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from explain.pages import example, sections
from runexp.api.checking import check
from runexp.api.trust import distrusted
from runexp.diagnostics import SpecError
from runexp.plan.values import Call, FrozenMap
from runexp.report.explanations import explanations
from runexp.runtime.data import build_feature_set
from runexp.runtime.sampling import make_sampler
from sampling.linked import samplers_of

TABLE = "patient,age,weight,split\n1,31,70,train\n1,45,82,test\n2,28,58,train\n2,52,79,train\n"
SPEC = """runexp: 1
name: weights
data:
  people:
    source: people.csv
    features: {x: age}
    targets: {weight: weight}
nodes:
  line: {inputs: people.x, use: torch.nn.Linear, with: {out_features: 1}}
phases:
  train: {kind: train, epochs: 5, losses: [{node: line, use: mse}], optimizer: {use: adamw}}
"""


def checked(folder, text):
    (folder / "spec.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    (folder / "people.csv").write_text(TABLE)
    return check("spec.yaml")


def invisible(folder):
    return found(checked(folder, SPEC.replace("mse", "m\u200bse")))


def latin(folder):
    return found(checked(folder, b"runexp: 1\nname: caf\xe9\n"))


def many(folder):
    return found(checked(folder, "losses:\n" + "  ce: {node: head}\n" * 103))


def cannot_go_back(folder):
    data = SPEC.replace(
        "x: age}", "x: age}\n    transforms: [{on: x, use: sklearn.preprocessing.Normalizer, fit_on: all}]"
    )
    valid = checked(folder, data.replace("kind: train,", "kind: train, split: all,")).require()
    built = build_feature_set(valid.plan.data[0], seed=0, folder=folder)
    with pytest.raises(SpecError) as refused:
        built.inverse("x", built.array("x"))
    return refused.value.diagnostics, valid.files


def straddling(folder):
    data = SPEC.replace("weight: weight}", "weight: weight}\n    splits: {column: split}")
    valid = checked(folder, data).require()
    plan = valid.plan.data[0]
    with pytest.raises(SpecError) as refused:
        build_feature_set(replace(plan, splits=replace(plan.splits, group_by="patient")), seed=0, folder=folder)
    return refused.value.diagnostics, valid.files


def no_source(function):
    """A source the catalog knows nothing of, so that only a plan can name it."""

    def trigger(folder):
        valid = checked(folder, SPEC.replace("kind: train,", "kind: train, split: all,")).require()
        plan = valid.plan.data[0]
        call = Call(f"sklearn.datasets.{function}", f"sklearn.datasets:{function}", FrozenMap({}))
        source = replace(plan.source, kind="call", call=call)
        with pytest.raises(SpecError) as refused:
            build_feature_set(replace(plan, source=source), seed=0, folder=folder)
        return refused.value.diagnostics, valid.files

    return trigger


def make_words():
    """A generator of what is no table."""
    return [1, 2, 3]


def no_table(folder):
    """scikit-learn has no generator that gives none; another version may have one."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sklearn.datasets, "make_words", make_words, raising=False)
        return no_source("make_words")(folder)


def sampled(written):
    """A sampler of the table, made as a run would make it."""

    def trigger(folder):
        text = SPEC.replace("weight: weight}", "weight: weight}\n    tags: {patient: patient}")
        files = checked(folder, f"{text}samplers:\n  s: {written}\n").files
        plan = samplers_of(Path("spec.yaml"))[0]["s"]
        (folder / "people.csv").write_text(TABLE + "3,39,66,train\n")
        columns = {"patient": np.array([1, 1, 2, 2, 3])}
        try:
            return make_sampler(plan, columns, 5, 0, "train").diagnostics, files
        except SpecError as refused:
            return refused.diagnostics, files

    return trigger


def from_elsewhere(folder):
    """A spec outside of the folder one stands in."""
    page = next(page for page in explanations() if page.code == "untrusted-import")
    (folder / "spec.yaml").write_text(example(sections(page.text)["Wrong"]).files["fragment"])
    (folder / "mine.py").write_text("class Head: ...\n")
    (folder / "project").mkdir()
    (folder / "project/pyproject.toml").touch()
    with chdir(folder / "project"):
        checked = check("../spec.yaml")
        return distrusted(checked), checked.files


def found(result):
    return result.diagnostics, result.files


make_words.__module__ = "sklearn.datasets"
TRIGGERS = {
    "bad-character": invisible,
    "not-utf8": latin,
    "too-many-mistakes": many,
    "no-inverse": cannot_go_back,
    "untrusted-import": from_elsewhere,
    "group-straddle": straddling,
    "unknown-source": no_source("fetch_openml"),
    "unreadable-source": no_table,
    "undrawn-rows": sampled("{use: n_way, by: patient, n_way: 2, k_shot: 2}"),
    "nothing-to-draw": sampled("{use: n_way, by: patient, n_way: 5, k_shot: 1}"),
    "large-groups": sampled("{use: grouped, by: patient, size: 1}"),
}
