"""What an evaluation of a stream has to keep until all rows have come by, and whether that can be held."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.phases import EvalPlan
from runexp.runtime.data.problems import shown
from runexp.runtime.streaming.column import HELD_BYTES


def check_held(plan: EvalPlan, kept: Sequence[Tensor], judged: Sequence[str], n_rows: int) -> None:
    """`SpecError` where what is kept of all rows takes more than may be held.

    `kept` are a few rows of it, `judged` the losses and metrics that need it because no sum over chunks gives them.
    """
    n_bytes = sum(value.nbytes * n_rows // max(1, len(value)) for value in kept)
    if n_bytes <= HELD_BYTES:
        return
    message = (
        f"{shown(judged[0])} needs all outputs and targets of {n_rows:,} streamed rows at once: "
        f"{n_bytes / 2**30:.1f} GiB, of which {HELD_BYTES / 2**30:.3g} are held"
    )
    hint = "a smaller split for metrics; losses that are means over rows are summed as the rows come"
    raise SpecError([Diagnostic("too-large", message, plan.origin.span, help=hint, path=plan.origin.path)])
