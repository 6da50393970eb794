"""Convolutional networks over images and over series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from runexp.runtime.modules.parts import Activation, Pooled, activation_of, dropout_of, over_time

_Kinds = tuple[Callable[..., nn.Module], Callable[[int], nn.Module], Callable[[int], nn.Module]]
"""A convolution, the norm and the pooling of its dimensions."""


class _Convolutional(nn.Module):
    """Blocks over positions in one or two dimensions, the mean over positions, and a linear layer on it."""

    _kinds: ClassVar[_Kinds]

    def __init__(
        self,
        in_channels: int,
        *,
        channels: Sequence[int] = (16, 32),
        out_features: int | None = None,
        kernel_size: int = 3,
        pool: int = 2,
        activation: Activation = "relu",
        norm: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        convolution, normal, pooling = self._kinds
        blocks: list[nn.Module] = []
        for width, following in pairwise([in_channels, *channels]):
            blocks += [
                convolution(width, following, kernel_size, padding="same"),
                *([normal(following)] if norm else []),
            ]
            blocks += [activation_of(activation), *dropout_of(dropout), *([pooling(pool)] if pool > 1 else [])]
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(channels[-1], out_features) if out_features else nn.Identity()

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, C, L) or (N, C, H, W) → (N, out_features)."""
        output: Tensor = self.head(self.blocks(inputs).mean(dim=tuple(range(2, inputs.ndim))))
        return output


class CNN1d(_Convolutional):
    """A small convolutional network over signals: convolution, norm, activation and pooling, once a width.

    Takes (N, C, L); gives the mean over positions, (N, channels[-1]), or (N, out_features).

    Args:
        in_channels: channels of the input; left out: those of its input
        channels: widths of the convolutions
        out_features: numbers a row it gives; left out: the last width
        kernel_size: of each convolution, padded so that lengths stay
        pool: length of the pooling after each convolution; 1: none
        activation: after each convolution
        norm: whether batch normalisation follows each convolution
        dropout: share of channels that is dropped
    """

    _kinds = (nn.Conv1d, nn.BatchNorm1d, nn.MaxPool1d)


class CNN2d(_Convolutional):
    """A small convolutional network over images: convolution, norm, activation and pooling, once a width.

    Takes (N, C, H, W); gives the mean over positions, (N, channels[-1]), or (N, out_features).

    Args:
        in_channels: channels of the input; left out: those of its input
        channels: widths of the convolutions
        out_features: numbers a row it gives; left out: the last width
        kernel_size: of each convolution, padded so that sizes stay
        pool: size of the pooling after each convolution; 1: none
        activation: after each convolution
        norm: whether batch normalisation follows each convolution
        dropout: share of channels that is dropped
    """

    _kinds = (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d)


class TemporalCNN(nn.Module):
    """Dilated causal convolutions with residual connections (Bai, Kolter and Koltun, 2018): no step sees a later one.

    Takes (N, T, C), as windows over a series are; gives (N, channels[-1]) or (N, out_features), and with
    `output: all` the same for each of T steps.

    Args:
        input_size: numbers a step; left out: those of its input
        channels: widths of the blocks; the dilation doubles from each to the next
        out_features: numbers it gives; left out: the last width
        kernel_size: of each convolution
        output: which steps it gives
        activation: after each convolution
        dropout: share of channels that is dropped
    """

    def __init__(
        self,
        input_size: int,
        *,
        channels: Sequence[int] = (32, 32, 32),
        out_features: int | None = None,
        kernel_size: int = 3,
        output: Pooled = "last",
        activation: Activation = "relu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        widths = [input_size, *channels]
        self.output = output
        self.blocks = nn.ModuleList(
            _CausalBlock(width, following, kernel_size, 2**level, activation=activation, dropout=dropout)
            for level, (width, following) in enumerate(pairwise(widths))
        )
        self.head = nn.Linear(widths[-1], out_features) if out_features else nn.Identity()

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """(N, T, C), and (N, T) with 1 where a step counts → (N, out_features) or (N, T, out_features)."""
        sequence = inputs.transpose(1, 2)
        for block in self.blocks:
            sequence = block(sequence)
        output: Tensor = self.head(over_time(sequence.transpose(1, 2), mask, self.output))
        return output


class _CausalBlock(nn.Module):
    """Two causal convolutions of one dilation, and a way around them."""

    def __init__(
        self,
        width: int,
        following: int,
        kernel_size: int,
        dilation: int,
        *,
        activation: Activation,
        dropout: float,
    ) -> None:
        super().__init__()
        self.reach = (kernel_size - 1) * dilation
        self.first = nn.Conv1d(width, following, kernel_size, dilation=dilation)
        self.second = nn.Conv1d(following, following, kernel_size, dilation=dilation)
        self.around = nn.Conv1d(width, following, 1) if width != following else nn.Identity()
        self.activation = activation_of(activation)
        self.dropout = nn.Dropout(dropout)

    def forward(self, sequence: Tensor) -> Tensor:
        """(N, C, T) → (N, C', T)."""
        inner = sequence
        for convolution in (self.first, self.second):
            padded = functional.pad(inner, (self.reach, 0))
            inner = self.dropout(self.activation(convolution(padded)))
        result: Tensor = self.activation(inner + self.around(sequence))
        return result
