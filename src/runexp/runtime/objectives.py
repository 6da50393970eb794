"""runexp's own losses: over the pairs of a batch, each pair counted once."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class PairwiseDistanceLoss(nn.Module):
    """The mean squared difference between the distances of outputs and given ones.

    Where the given ones differ by direction, each counts by half.
    """

    def __init__(self, distance: str = "euclidean", p: float = 2.0) -> None:
        super().__init__()
        self._distance = distance
        self._p = p

    def forward(self, outputs: Tensor, block: Tensor, mask: Tensor | None = None) -> Tensor:
        """Outputs (B, *shape), the distances of their rows (B, B), mask (B,) 1 for a row that counts: one number."""
        pairs = _Pairs(outputs, mask)
        there, back = pairs.of(block)
        found = pairs.distances(self._distance, self._p)
        return pairs.mean((found - there).square() / 2 + (found - back).square() / 2)


class ContrastiveLoss(nn.Module):
    """Half the squared distance of pairs of one label, and of what others lack to the margin."""

    def __init__(self, distance: str = "euclidean", p: float = 2.0, margin: float = 1.0) -> None:
        super().__init__()
        self._distance = distance
        self._p = p
        self._margin = margin

    def forward(self, outputs: Tensor, labels: Tensor, mask: Tensor | None = None) -> Tensor:
        """Outputs (B, *shape), labels (B,) or (B, B) with 1 for pairs that belong together: one number."""
        pairs = _Pairs(outputs, mask)
        is_block = labels.ndim == 2 and labels.shape[1] != 1
        together = pairs.of(labels)[0] > 0 if is_block else pairs.are_equal(labels.reshape(-1))
        found = pairs.distances(self._distance, self._p)
        lacks = (self._margin - found).clamp_min(0)
        return pairs.mean(torch.where(together, found, lacks).square() / 2)


class _Pairs:
    """All pairs of rows of a batch (B, width), the first row before the second: B (B - 1) / 2 of them."""

    def __init__(self, outputs: Tensor, mask: Tensor | None) -> None:
        flat = outputs.flatten(1)
        self._rows = flat if flat.dtype == torch.float64 else flat.float()
        self._mask = mask
        self._first, self._second = torch.triu_indices(len(flat), len(flat), 1, device=flat.device)

    def distances(self, distance: str, p: float) -> Tensor:
        """How far the rows of each pair are from each other."""
        if len(self._rows) < 2:  # torch's pdist crashes the process in the backward pass of no row
            return self._rows.new_zeros(0) * self._rows.sum()
        if distance == "euclidean":
            return functional.pdist(self._rows, p)
        unit = functional.normalize(self._rows)
        return 1 - (unit @ unit.T)[self._first, self._second]

    def of(self, block: Tensor) -> tuple[Tensor, Tensor]:
        """What a block says of each pair, from the first row to the second and back."""
        n_rows = len(self._rows)
        if block.shape != (n_rows, n_rows):
            raise ValueError(f"values between {n_rows} rows are {n_rows} x {n_rows}, not {tuple(block.shape)}")
        flat = block.to(self._rows.dtype).reshape(-1)
        there, back = self._first * n_rows + self._second, self._second * n_rows + self._first
        return flat.index_select(0, there), flat.index_select(0, back)

    def are_equal(self, labels: Tensor) -> Tensor:
        """Whether the rows of each pair have the same label."""
        return labels[self._first] == labels[self._second]

    def mean(self, values: Tensor) -> Tensor:
        """Over the pairs of which both rows count; 0 where there is none, as in a batch of one row."""
        if self._mask is None:
            return values.sum() / max(len(values), 1)
        counts = (self._mask[self._first] * self._mask[self._second]).to(values.dtype)
        return (values * counts).sum() / counts.sum().clamp_min(1)
