"""The sources that runexp itself has: a text that ships with Python, and waves to try forecasts on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from runexp.plan.data import SourcePlan
from runexp.plan.values import Call
from runexp.runtime.data.bundled import BundledSource, bundle
from runexp.runtime.data.shipped_text import TOPICS, python_topics
from runexp.runtime.data.table import Source
from runexp.runtime.data.text_file import open_shipped

_PERIODS = (12.0, 48.0)  # rows; each series has two waves with periods between these
_ROWS, _SERIES, _NOISE = 1000, 4, 0.1


def own_source(name: str) -> Callable[[SourcePlan, Call, int], Source] | None:
    """What opens a source of that name, from its call and a seed; None where the name is not one of runexp's own."""
    return _OWN.get(name)


def _topics(plan: SourcePlan, call: Call, seed: int) -> Source:
    return open_shipped(plan, call.name, (text for _, text in python_topics()))


def _waves(plan: SourcePlan, call: Call, seed: int) -> BundledSource:
    """Rows `time`, `series`, `value`: in every series the sum of two waves of its own, and noise."""
    n_rows, n_series = (int(call.arguments.get(*given)) for given in (("n_rows", _ROWS), ("n_series", _SERIES)))
    chosen = call.arguments.get("random_state")
    generator = np.random.default_rng(seed if chosen is None else chosen)
    time, series = np.divmod(np.arange(n_rows * n_series), n_series)
    period, phase = generator.uniform(*_PERIODS, (2, n_series)), generator.uniform(0, 2 * np.pi, (2, n_series))
    waves = np.sin(2 * np.pi * time / period[:, series] + phase[:, series]).sum(axis=0)
    noise = float(call.arguments.get("noise", _NOISE)) * generator.normal(size=len(time))
    return bundle(call.name, {"time": time, "series": series, "value": waves + noise})


_OWN: Mapping[str, Callable[[SourcePlan, Call, int], Source]] = {TOPICS: _topics, "runexp.data.waves": _waves}
