"""Results in the shape of the experiment: phases and groups by label, in the order they ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TypeVar

from runexp.results.lookup import UnknownNameError, unknown
from runexp.results.phases import EvalResults, FitResults, PhaseResults, TrainResults
from runexp.results.tables import html_table, show, text_table

R = TypeVar("R", TrainResults, EvalResults, FitResults)


class GroupResults(Mapping[str, "PhaseResults | GroupResults"]):
    """The results of a group by label; `group["inner/test"]` reaches into groups.

    An unknown label raises `UnknownNameError` with the labels there are.
    """

    def __init__(self, label: str, members: Mapping[str, PhaseResults | GroupResults]) -> None:
        self.label = label
        self._members = MappingProxyType(dict(members))

    def __getitem__(self, label: str) -> PhaseResults | GroupResults:
        head, _, rest = label.partition("/")
        member = self._members.get(head)
        if member is None or (rest and not isinstance(member, GroupResults)):
            raise unknown("phase or group", label, self._labels(), plural="there are")
        return member[rest] if rest and isinstance(member, GroupResults) else member

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def flatten(self) -> dict[str, PhaseResults]:
        """Every phase by its full label, groups left out."""
        flat: dict[str, PhaseResults] = {}
        for member in self._members.values():
            if isinstance(member, GroupResults):
                flat |= member.flatten()
            else:
                flat[member.label] = member
        return flat

    def get_train_result(self) -> TrainResults:
        """The only train phase, at any depth; `UnknownNameError` where there is none or more than one."""
        return self._only(TrainResults, "train")

    def get_eval_result(self) -> EvalResults:
        """The only eval phase, at any depth; `UnknownNameError` where there is none or more than one."""
        return self._only(EvalResults, "eval")

    def get_fit_result(self) -> FitResults:
        """The only fit phase, at any depth; `UnknownNameError` where there is none or more than one."""
        return self._only(FitResults, "fit")

    def __repr__(self) -> str:
        header, rows = self._table()
        return f"{self._caption()}\n{text_table(header, rows)}" if rows else self._caption()

    def _repr_html_(self) -> str:
        header, rows = self._table()
        return html_table(self._caption(), header, rows)

    def _only(self, kind: type[R], name: str) -> R:
        phases = self.flatten()
        found = [phase for phase in phases.values() if isinstance(phase, kind)]
        if len(found) == 1:
            return found[0]
        if found:
            labels = ", ".join(f"`{phase.label}`" for phase in found)
            raise UnknownNameError(f"there are {len(found)} {name} phases, ask for one by its label: {labels}")
        there = ", ".join(f"`{label}`" for label in phases) or "none"
        raise UnknownNameError(f"there is no {name} phase; phases: {there}")

    def _labels(self) -> list[str]:
        prefix = f"{self.label}/" if self.label else ""
        nested = [label.removeprefix(prefix) for label in self.flatten()]
        return list(dict.fromkeys((*self._members, *nested)))

    def _caption(self) -> str:
        return f"GroupResults `{self.label}`" if self.label else "GroupResults"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        rows = [
            [
                label,
                phase.facts.kind,
                phase.status,
                ", ".join(f"{k} {show(v)}" for k, v in phase.numbers.items()),
            ]
            for label, phase in self.flatten().items()
        ]
        return ["phase", "kind", "status", "numbers"], rows
