"""A slip that gives a wrong number without a word: a column (N, 1) against a row of numbers (N,) makes (N, N)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

_ELEMENTWISE = frozenset(
    {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "poisson_nll_loss", "gaussian_nll_loss"}
)


class BroadcastWatch(TorchFunctionMode):
    """While it is entered, `operation` becomes the name of the first operation between (N, 1) and (N,)."""

    def __init__(self) -> None:
        super().__init__()
        self.operation = ""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the operation gives
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of the same for some losses: here it is an error for all
            result = func(*args, **(kwargs or {}))
        shapes = {tuple(value.shape) for value in args if isinstance(value, Tensor)}
        name = str(getattr(func, "__name__", ""))
        if not self.operation and _crosses(shapes) and (_is_square(result) or name in _ELEMENTWISE):
            self.operation = name.strip("_")
        return result


def _crosses(shapes: set[tuple[int, ...]]) -> bool:
    return any((shape[0], 1) in shapes for shape in shapes if len(shape) == 1)


def _is_square(result: object) -> bool:
    return isinstance(result, Tensor) and result.ndim == 2 and result.shape[0] == result.shape[1] > 1
