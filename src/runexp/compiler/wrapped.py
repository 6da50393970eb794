"""What an estimator around others does: a search does what its estimator does, a pipeline what its last step does."""

from __future__ import annotations

from runexp import catalog
from runexp.catalog import Entry
from runexp.plan.values import Call

_INNER = ("final_estimator", "estimator", "regressor", "steps")


def deciding(call: Call, entry: Entry) -> Entry:
    """The entry that says which methods there are and whether a target is learnt: the innermost that can be known."""
    if not entry.traits.get("meta") or entry.traits.get("needs_target"):
        return entry
    inner = next((found for name in _INNER if (found := _last(call.arguments.get(name)))), None)
    known = catalog.lookup(inner.name) if inner else None
    return deciding(inner, known) if inner and known else entry


def _last(written: object) -> Call | None:
    """A call, or the last one in the steps of a pipeline: pairs of a name and what stands under it."""
    if isinstance(written, Call):
        return written
    if isinstance(written, (list, tuple)):
        return next((found for item in reversed(written) if (found := _last(item))), None)
    return None
