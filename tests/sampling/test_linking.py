"""A sampler as it is written becomes a plan with every default filled in and every column linked."""

from __future__ import annotations

import pytest

from runexp.plan.experiment import dump
from runexp.plan.samplers import MatchPlan
from runexp.runtime.sampling import make_sampler
from sampling.linked import samplers_of
from sampling.plans import batches

SPEC = """runexp: 1
name: n
data:
  d: {source: d.csv, features: {x: x}, targets: {label: label}, tags: {patient: patient}}
nodes: {n: {inputs: d.x, use: torch.nn.Linear, with: {out_features: 1}}}
phases: {}
samplers:
  s: SAMPLER
"""


@pytest.fixture
def linked(tmp_path):
    def link(text):
        path = tmp_path / "spec.yaml"
        path.write_text(SPEC.replace("SAMPLER", text))
        (tmp_path / "d.csv").write_text("x,label,patient\n1,0,a\n")
        return samplers_of(path)[0]["s"]

    return link


def test_defaults_are_filled_in(linked):
    plan = linked("{use: simple}")
    assert (plan.name, plan.kind, plan.data, plan.size) == ("s", "simple", "d", 32)
    assert (plan.shuffle, plan.drop_last, plan.roles, plan.streams) == (True, False, ("",), ("",))
    assert (plan.columns, plan.per_epoch, plan.per_anchor, plan.share) == ((), 0, 1, None)
    assert plan.origin.path == "samplers.s"


def test_sequential_does_not_shuffle(linked):
    assert not linked("{use: sequential}").shuffle


@pytest.mark.parametrize("written", ["label", "targets.label", "d.label"])
def test_a_column_is_named_by_key_by_domain_or_by_set(linked, written):
    plan = linked(f"{{use: stratified, by: {written}}}")
    assert (plan.by, plan.columns) == ("label", ("label",))


@pytest.mark.parametrize(
    ("written", "roles", "streams"),
    [
        pytest.param("use: pairs", ("anchor", "pair"), ("",), id="pairs"),
        pytest.param("use: pairs, roles: [left, right]", ("left", "right"), ("",), id="named"),
        pytest.param("use: pairs, match: {x: {within: 1}}, streams: [a, b]", ("anchor", "pair"), ("a", "b"), id="two"),
        pytest.param(
            "use: triplets, match: {x: {within: 1}}", ("anchor", "positive", "negative"), ("",), id="triplets"
        ),
        pytest.param("use: n_way, by: label, n_way: 2, k_shot: 1", ("",), ("",), id="classes"),
        pytest.param(
            "use: n_way, by: label, n_way: 2, k_shot: 1, queries: 3", ("",), ("support", "query"), id="queries"
        ),
        pytest.param(
            "use: n_way, others: {near: {x: {within: 1}}, far: {x: {beyond: 2}}}",
            ("anchor", "near", "far"),
            ("",),
            id="others",
        ),
    ],
)
def test_roles_and_streams_are_named(linked, written, roles, streams):
    plan = linked(f"{{{written}}}")
    assert (plan.roles, plan.streams) == (roles, streams)


def test_conditions_and_columns_are_linked_and_the_plan_is_plain_data(linked):
    plan = linked(
        "{use: triplets, match: {label: {same: true}}, mismatch: {tags.patient: {same: false}}, weight: x, size: 8}"
    )
    assert plan.match == (MatchPlan("label", True, None, None),)
    assert plan.mismatch == (MatchPlan("patient", False, None, None),)
    assert plan.columns == ("label", "patient", "x")
    assert isinstance(hash(plan), int)
    assert dump(plan)["kind_of"] == "SamplerPlan"


def test_a_linked_sampler_draws(linked):
    sampler = make_sampler(linked("{use: sequential, size: 2}"), {}, 5, 0, "train")
    assert batches(sampler) == [[0, 1], [2, 3], [4]]
