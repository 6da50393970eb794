"""The samplers of a spec, linked from its text."""

from __future__ import annotations

from runexp.compiler.data import link_data
from runexp.compiler.findings import Findings
from runexp.compiler.samplers import link_samplers
from runexp.compiler.scope import Scope
from runexp.source import read
from runexp.spec.parse import parse


def samplers_of(path):
    """The plans by name, and what was found on the way."""
    document, diagnostics = read(path)
    found = Findings(parse(document), path.parent)
    data = link_data(found, path.parent)
    plans = link_samplers(Scope(found, data, {}, {}))
    return plans, (*diagnostics, *found.diagnostics)
