"""A multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from runexp.runtime.modules.parts import Activation, Norm, activation_of, dropout_of


class MLP(nn.Module):
    """A multilayer perceptron: linear layers, each but the last followed by norm, activation and dropout.

    Takes (N, …, in_features), as one linear layer does; gives (N, …, out_features). `flatten` before it makes one row
    of an image.

    Args:
        in_features: numbers a row; left out: those of its input
        out_features: numbers a row it gives
        hidden: widths of the layers in between
        activation: after each layer but the last
        norm: before each activation
        dropout: share of the activations that is dropped
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        hidden: Sequence[int] = (64,),
        activation: Activation = "relu",
        norm: Norm | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        widths = [in_features, *hidden]
        layers: list[nn.Module] = []
        for width, following in pairwise(widths):
            layers.append(nn.Linear(width, following))
            if norm:
                layers.append(nn.BatchNorm1d(following) if norm == "batch" else nn.LayerNorm(following))
            layers += [activation_of(activation), *dropout_of(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], out_features))

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, …, in_features) → (N, …, out_features)."""
        output: Tensor = self.layers(inputs)
        return output
