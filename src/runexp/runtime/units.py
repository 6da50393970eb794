"""Numbers of a target in the units it was read in: predictions taken back, targets as they were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runexp.runtime.data import FeatureSet


@dataclass(frozen=True, slots=True, eq=False)
class OriginalUnits:
    """A target of some rows: `targets` (N, *shape) as they were read, and the way back for predictions of them."""

    features: FeatureSet
    key: str
    targets: NDArray[Any]

    @property
    def is_open(self) -> bool:
        """Whether there is a way back."""
        return self.features.can_go_back(self.key)

    def fits(self, predicted: NDArray[Any]) -> bool:
        """Whether predictions have as many numbers a row as the transformed target."""
        return predicted[:1].size == int(np.prod(self.features.shape_of(self.key)))

    def back(self, predicted: NDArray[Any]) -> NDArray[Any]:
        """Predictions in original units, (N, *shape) like the targets, float64."""
        return self.features.inverse(self.key, predicted)
