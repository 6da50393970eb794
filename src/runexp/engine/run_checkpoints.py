"""When the whole experiment saves its state, and which of these checkpoints stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runexp.engine.checkpoints import GoingOn
from runexp.engine.protocol import RunCheckpointStore
from runexp.events import CheckpointSaved, dump_event
from runexp.plan.phases import RunCheckpointPlan, RunMoment


class RunCheckpointRule:
    """Saves between phases, after the callbacks of the experiment; keeps the newest `max_to_keep` (S-38).

    Names are numbered in the order of the run: `002.phase_end.train`. No phase can be called so.
    """

    def __init__(self, plan: RunCheckpointPlan | None, store: RunCheckpointStore | None) -> None:
        self._moments = plan.at if plan is not None and store is not None else ()
        self._max_to_keep = plan.max_to_keep if plan is not None else 0
        self._store = store
        self._kept: list[str] = []
        self._n_saved = 0

    def save(self, at: RunMoment, where: str, going_on: GoingOn) -> Iterator[CheckpointSaved]:
        """Save if this is one of its moments."""
        if self._store is None or at not in self._moments:
            return
        name = ".".join(part for part in (f"{self._n_saved:03}", at, where.replace("/", "-")) if part)
        self._n_saved += 1
        self._kept.append(name)
        saved = CheckpointSaved(where, -1, 0, name, is_best=False)
        engine = {**going_on(), "then": [dump_event(saved)]}
        self._kept[-1] = self._store.save_run(name, {"phase": where, "moment": at, "engine": engine})
        self._tidy()
        yield CheckpointSaved(where, -1, 0, self._kept[-1], is_best=False)

    def state(self) -> Mapping[str, Any]:
        """Which there are."""
        return {"kept": list(self._kept), "n_saved": self._n_saved}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` told."""
        self._kept, self._n_saved = list(state["kept"]), state["n_saved"]
        self._tidy()

    def _tidy(self) -> None:
        surplus = max(len(self._kept) - self._max_to_keep, 0) if self._max_to_keep else 0
        for name in self._kept[:surplus]:
            if self._store is not None:
                self._store.remove(name)
        self._kept = self._kept[surplus:]
