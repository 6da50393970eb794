"""What a page of a sweep, or of repeats, is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runexp.results.run_record import RunRecord
from runexp.results.trials import SweepResults


@dataclass(frozen=True, slots=True)
class SweepFacts:
    """Many runs of one spec: what they found out, the spec as given, and that of the best trial, if there is one.

    `asked` is the section `sweep` of the spec; empty where a run was repeated with other seeds.
    """

    record: RunRecord
    results: SweepResults
    description: str
    spec: str
    best: str
    asked: Mapping[str, Any]
