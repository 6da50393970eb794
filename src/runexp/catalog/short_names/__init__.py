"""The short names `use:` takes, a table a kind: short name → dotted path, and the arguments it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from runexp.catalog.entry import Json
from runexp.catalog.short_names.losses import LOSSES
from runexp.catalog.short_names.metrics import METRICS
from runexp.catalog.short_names.modules import MODULES
from runexp.catalog.short_names.optimizers import OPTIMIZERS
from runexp.catalog.short_names.splitters import SPLITTERS
from runexp.catalog.short_names.transforms import TRANSFORMS
from runexp.records import dataclass


@dataclass(frozen=True, slots=True)
class ShortName:
    """What a short name stands for."""

    path: str
    fixed: Mapping[str, Json] = field(default_factory=dict, hash=False)


def _plain(table: Mapping[str, str]) -> dict[str, ShortName]:
    return {name: ShortName(path) for name, path in table.items()}


SHORT_NAMES: Mapping[str, Mapping[str, ShortName]] = {
    "module": _plain(MODULES),
    "loss": _plain(LOSSES),
    "optimizer": _plain(OPTIMIZERS),
    "transform": _plain(TRANSFORMS),
    "splitter": _plain(SPLITTERS),
    "metric": {name: ShortName(path, fixed) for name, (path, fixed) in METRICS.items()},
}
