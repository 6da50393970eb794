"""What modules with several outputs give, as one flat tuple of tensors with rows along their first axis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from typing import Any

from torch import Tensor, nn

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.graph import NodePlan


class Several:
    """Calls a module and gives what `names` name: by the keys of a mapping where it has them, else in its order."""

    def __init__(self, names: tuple[str, ...], module: nn.Module, call: Callable[..., Any]) -> None:
        self._names = names
        self._call = call
        self._arrange = _states_by_row if isinstance(module, nn.RNNBase) else tensors_of

    def __call__(self, *inputs: Tensor, **named: Tensor) -> tuple[Tensor, ...]:
        """As many tensors as there are names, or, where those do not fit, as the module gives."""
        given = self._call(*inputs, **named)
        if isinstance(given, Mapping) and all(name in given for name in self._names):
            given = [given[name] for name in self._names]
        return tuple(self._arrange(given))


def picked(plans: Mapping[str, NodePlan], plan: NodePlan) -> Callable[[Any], Tensor]:
    """What takes the output that `plan` stands for out of those of the node that feeds it."""
    return itemgetter(plans[plan.feeds[0].name].outputs.index(plan.outputs[0]))


def tensors_of(given: object) -> Iterator[Tensor]:
    """The tensors of tuples, lists and mappings, however deep, in their order; what is no tensor is left out."""
    if isinstance(given, Tensor):
        yield given
    elif isinstance(given, Mapping):
        for value in given.values():
            yield from tensors_of(value)
    elif isinstance(given, (tuple, list)):
        for value in given:
            yield from tensors_of(value)


def check_named(plan: NodePlan, given: object) -> None:
    """`SpecError` where a node gives several tensors and not all of them have a name, or fewer than have one."""
    found = list(tensors_of(given))
    if isinstance(given, Tensor) and not plan.outputs:
        return
    if plan.outputs and len(found) == len(plan.outputs):
        return
    shapes = ", ".join(str(tuple(value.shape)) for value in found) or "none"
    named = f", and `outputs` names {len(plan.outputs)}" if plan.outputs else ", and `outputs` names none of them"
    several = f"{len(found)} outputs" if len(found) != 1 else "one output"
    raise SpecError(
        [
            Diagnostic(
                "several-outputs", f"the node `{plan.name}` gives {several}{named}", plan.origin.span,
                label=f"of two rows: {shapes}", help=_remedy(plan, given, found), path=plan.origin.path,
            )
        ]
    )  # fmt: skip


def _remedy(plan: NodePlan, given: object, found: list[Tensor]) -> str:
    if len(found) == 1 and not plan.outputs:
        return "`outputs: [first]` names it"
    if isinstance(given, Mapping) and len(given) == len(found):
        return f"they are called: `outputs: [{', '.join(map(str, given))}]`"
    if len(found) > 1:
        names = ("first", "second", "third", "fourth")
        written = ", ".join(names[: len(found)]) + (", …" if len(found) > len(names) else "")
        return f"name each in order: `outputs: [{written}]`, then write `{plan.name}.first`"
    return "leave out `outputs` where a node gives one tensor"


def _states_by_row(given: Any) -> Iterator[Tensor]:  # noqa: ANN401 - whatever a recurrent layer gives
    """Of a recurrent layer, (N, T, width) and each state, (layers, N, width), as (N, layers * width)."""
    sequence, *states = tensors_of(given)
    yield sequence
    for state in states:
        yield state.transpose(0, 1).flatten(1)
