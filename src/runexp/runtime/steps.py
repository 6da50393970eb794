"""What a loss over steps needs of its output and of its tokens, known before it is computed."""

from __future__ import annotations

from torch import Tensor

from runexp.diagnostics import SpecError
from runexp.plan.graph import LossPlan, Route
from runexp.runtime.columns import Columns
from runexp.runtime.targets import found


def check_steps(plan: LossPlan, route: Route, output: Tensor, columns: Columns) -> None:
    """Logits (N, …, V) need codes (N, …) below V; `SpecError` otherwise."""
    name, shape = columns.called(route), columns.row_shape(route)
    written = f"(rows, {', '.join(map(str, shape))})" if shape else "(rows,)"
    if tuple(output.shape[1:-1]) != shape:
        message = f"`{plan.node}` gives {columns.shape(output)}, and {name} is {written}"
        hint = "it takes logits (batch, time, vocabulary) and codes (batch, time)"
        raise SpecError([found(plan, "shape-mismatch", message, help=hint)])
    if not columns.is_whole_number(route):
        message = f"`{plan.name}` needs codes of tokens, and {name} holds decimals"
        raise SpecError([found(plan, "wrong-classes", message, help="say `dtype: int64` at the target's key")])
    low, high = columns.bounds(route)
    if low < 0 or high >= output.shape[-1]:
        message = f"`{plan.node}` gives {output.shape[-1]} logits a step, and {name} holds codes from {low} to {high}"
        hint = f"`out_features: ${{classes:{route.name}.{route.key}}}` gives one for each"
        raise SpecError([found(plan, "wrong-classes", message, help=hint)])
