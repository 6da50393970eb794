"""What TensorBoard is told of a sweep: what varies and what is judged, so that its trials are one table (HParams)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runexp.observe.tracking.tensorboard import FOLDER, Parts, parts


@dataclass(frozen=True, slots=True)
class Varied:
    """An address that varies: the values it takes, or, where there are none, numbers between two bounds."""

    address: str
    values: tuple[str | float | bool, ...]
    low: float = 0.0
    high: float = 0.0


def write_experiment(folder: Path, name: str, varied: Sequence[Varied], judged: Mapping[str, str]) -> None:
    """Write the file that TensorBoard reads beside those of the trials; `judged` has the tag of each number by name.

    `ImportError` where tensorboard is not installed.
    """
    used = parts()
    place = folder / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    experiment = used.hparams_api.Experiment(name=name, time_created_secs=time.time())
    experiment.hparam_infos.extend(_described(used, one) for one in varied)
    for address, tag in judged.items():
        metric = used.hparams_api.MetricInfo(name=used.hparams_api.MetricName(tag=tag), display_name=address)
        experiment.metric_infos.append(metric)
    metadata = used.hparams.create_summary_metadata(used.hparams_data.HParamsPluginData(experiment=experiment))
    event = used.event(wall_time=time.time())
    event.summary.value.append(
        used.value(tag=used.hparams.EXPERIMENT_TAG, tensor=used.hparams.NULL_TENSOR, metadata=metadata)
    )
    for old in place.glob("*tfevents*"):  # a sweep that goes on has one such file
        old.unlink()
    writer = used.writer(str(place))
    writer.add_event(event)
    writer.close()


def _described(used: Parts, one: Varied) -> Any:  # noqa: ANN401 - a protobuf
    api = used.hparams_api
    info = api.HParamInfo(name=one.address, display_name=one.address)
    kinds = {type(value) for value in one.values} or {float}
    types = {str: api.DATA_TYPE_STRING, bool: api.DATA_TYPE_BOOL, float: api.DATA_TYPE_FLOAT64}
    info.type = types[kinds.pop()] if len(kinds) == 1 else api.DATA_TYPE_UNSET
    if one.values:
        for value in one.values:
            held = info.domain_discrete.values.add()
            setattr(held, {str: "string_value", bool: "bool_value", float: "number_value"}[type(value)], value)
    else:
        info.domain_interval.min_value, info.domain_interval.max_value = one.low, one.high
    return info
