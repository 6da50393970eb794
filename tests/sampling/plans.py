"""Samplers made by hand: a plan, columns, and what an epoch of them draws."""

from __future__ import annotations

import numpy as np
import pytest

from runexp.diagnostics import Span, SpecError
from runexp.plan.samplers import MatchPlan, SamplerPlan
from runexp.plan.values import FrozenMap, Origin
from runexp.runtime.sampling import make_sampler

ORIGIN = Origin("samplers.s", Span("spec.yaml", 3, 3, 3, 4))
ROLES = {"pairs": ("anchor", "pair"), "triplets": ("anchor", "positive", "negative")}


def match(column, *, same=None, within=None, beyond=None):
    return MatchPlan(column, same, within, beyond)


def plan(kind, *, size=4, shuffle=True, drop_last=False, roles=None, streams=("",), others=None, **rest):
    roles = roles or (("anchor", *others) if others else ROLES.get(kind, ("",)))
    others = FrozenMap(others or {})
    return SamplerPlan("s", kind, "d", size, shuffle, drop_last, roles, streams, ORIGIN, others=others, **rest)


def made(kind, columns=None, *, n_rows=None, seed=0, phase="train", **options):
    arrays = {name: np.asarray(values) for name, values in (columns or {}).items()}
    n_rows = len(next(iter(arrays.values()))) if n_rows is None else n_rows
    return make_sampler(plan(kind, **options), arrays, n_rows, seed, phase)


def batches(sampler, epoch=0, **options):
    """Each batch as a list of rows, or of tuples of rows where roles are drawn together."""
    return [
        list(zip(*(column.tolist() for column in drawn.rows), strict=True))
        if len(drawn.rows) > 1
        else drawn.rows[0].tolist()
        for drawn in sampler.draw(epoch, **options)
    ]


def units(sampler, epoch=0, **options):
    return [unit for batch in batches(sampler, epoch, **options) for unit in batch]


def weights(sampler, epoch=0, **options):
    return [weight for drawn in sampler.draw(epoch, **options) for weight in drawn.weights.tolist()]


def refused(code, kind, columns=None, **options):
    """The one diagnostic that making a sampler ends with."""
    with pytest.raises(SpecError) as refusal:
        made(kind, columns, **options)
    (found,) = refusal.value.diagnostics
    assert (found.code, found.path, found.span) == (code, ORIGIN.path, ORIGIN.span)
    return found
