"""What is frozen at each phase: said at nodes and phases, and lasting until something says otherwise (S-12)."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from runexp.compiler.findings import Path
from runexp.compiler.scope import Scope
from runexp.plan.phases import FreezeRule
from runexp.spec.phases import TrainPhase


class Freezing:
    """All that was said so far, in order; of the rules that match, the last one counts."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._rules = [FreezeRule(name, is_frozen=True) for name, node in scope.nodes.items() if node.freeze]
        self._own: list[FreezeRule] = []

    def apply(self, phase: TrainPhase, path: Path) -> None:
        """Take in what a phase says: what it freezes, then what it lets train."""
        self._rules += [FreezeRule(rule.pattern, rule.is_frozen) for rule in self._own]
        frozen = self._known(phase.freeze, (*path, "freeze"))
        freed = self._known(phase.unfreeze, (*path, "unfreeze"))
        for index, pattern in enumerate(phase.unfreeze):
            if pattern in phase.freeze:
                message = f"`{pattern}` is both frozen and let train by this phase"
                self._scope.found.error("exclusive-keys", message, (*path, "unfreeze", index))
        self._own = [FreezeRule(pattern, is_frozen=True, is_own=True) for pattern in frozen]
        self._own += [FreezeRule(pattern, is_frozen=False, is_own=True) for pattern in freed]

    def holds(self, node: str) -> bool:
        """Whether nothing of a node trains: the last rule about the node as a whole froze it, and none after that let
        a part of it train."""
        is_held = False
        for rule in [*self._rules, *self._own]:
            if fnmatchcase(node, rule.pattern):
                is_held = rule.is_frozen
            elif not rule.is_frozen and _is_about(rule.pattern, node):
                is_held = False
        return is_held

    def rules(self, nodes: Iterable[str]) -> tuple[FreezeRule, ...]:
        """What was said about these nodes or parts of them; nothing where they simply train."""
        some = tuple(nodes)
        return tuple(rule for rule in [*self._rules, *self._own] if any(_is_about(rule.pattern, name) for name in some))

    def _known(self, patterns: tuple[str, ...], path: Path) -> list[str]:
        names = self._scope.found.names("nodes")
        known = []
        for index, pattern in enumerate(patterns):
            if any(_is_about(pattern, name) for name in names):
                known.append(pattern)
                continue
            self._scope.found.unknown("node", pattern.partition(".")[0], (*path, index), names)
        return known


def _is_about(pattern: str, node: str) -> bool:
    """Whether a pattern can take in parameters of a node."""
    return fnmatchcase(node, pattern) or fnmatchcase(node, pattern.partition(".")[0])
