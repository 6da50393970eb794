"""What the passes after the graph look things up in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from runexp.compiler.findings import Findings, Part, Path
from runexp.compiler.fold_names import folded, splits_in_fold
from runexp.compiler.graph import ancestors, feeding_data
from runexp.plan.data import DataPlan, KeyPlan
from runexp.plan.graph import LossPlan, NodePlan
from runexp.plan.samplers import SamplerPlan
from runexp.records import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """The linked data and graph, and where to report."""

    found: Findings
    data: Mapping[str, DataPlan]
    nodes: Mapping[str, NodePlan]
    losses: Mapping[str, LossPlan]
    samplers: Mapping[str, SamplerPlan] = field(default_factory=dict)

    def needed(self, targets: tuple[str, ...]) -> tuple[str, ...]:
        """The nodes that must run for `targets`, in topological order."""
        return ancestors(self.nodes, targets)

    def feeding(self, targets: tuple[str, ...]) -> tuple[str, ...]:
        """The feature sets that feed `targets`."""
        return feeding_data(self.nodes, targets)

    def feeding_any(self, targets: tuple[str, ...]) -> tuple[str, ...]:
        """The feature sets that feed `targets` by any of their bindings."""
        return feeding_data(self.nodes, targets, others=True)

    def targets_of(self, data: str) -> tuple[KeyPlan, ...]:
        """The targets of a feature set; none where it is broken."""
        keys = self.data[data].keys if data in self.data else ()
        return tuple(key for key in keys if key.domain == "targets")

    def knows_node(self, name: str, path: Path, *, subject: str = "", part: Part = "value") -> bool:
        """Whether the node is linked; reports it if nothing defines it."""
        names = self.found.names("nodes")
        if name not in names:
            self.found.unknown("node", name, path, names, subject=subject, part=part)
        return name in self.nodes

    def check_split(self, split: str, sets: tuple[str, ...], path: Path) -> None:
        """Report a split that a feature set of the phase does not have.

        Where nothing says which sets those are, it is enough that any set has it.
        """
        known = {name: self._splits(name) for name in sets or self._sets()}
        lacking = [names for names in known.values() if names is not None and split not in names]
        if lacking and (sets or len(lacking) == len(known)):
            self.found.unknown("split", split, path, lacking[0])

    def splits(self) -> tuple[str, ...]:
        """The names of all splits that any feature set is known to have."""
        return tuple(dict.fromkeys(split for name in self._sets() for split in self._splits(name) or ()))

    def _sets(self) -> tuple[str, ...]:
        """The feature sets of rows, broken ones too."""
        written = self.found.spec.data
        return tuple(name for name in self.found.names("data") if name not in written or not written[name].matrix)

    def _splits(self, name: str) -> tuple[str, ...] | None:
        """The splits of a feature set; None where only its rows can tell, or where they are broken."""
        written = self.found.spec.data.get(name)
        if written is None or self.found.is_damaged(("data", name, "splits")):
            return None
        if name in folded(self.found.spec):
            return splits_in_fold(self.found.spec, name)
        if written.splits is None:
            return ("all",)
        return written.splits.names

    def leaves(self) -> tuple[str, ...]:
        """The nodes that feed no other; of those with several outputs, that none of them does."""
        plans = self.nodes.values()
        feeds = [feed.name for node in plans if node.kind != "output" for feed in node.feeds if feed.source == "node"]
        fed = {name.partition(".")[0] for name in feeds}
        return tuple(node.name for node in plans if node.kind != "output" and node.name not in fed)
