"""TensorBoard: event files in the run folder, of each fold in a folder of its own. Imports no torch."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from runexp.observe.tracking.pictures import confusion_picture
from runexp.observe.tracking.tracker import Point, TrackedRun

FOLDER = "tensorboard"
CONFUSION = "confusion/"
_HISTOGRAMS = f"callbacks/**/{FOLDER}/histograms.jsonl"
_FOLD = re.compile(r"fold-\d+")
_STATUS = {"completed": "STATUS_SUCCESS", "stopped": "STATUS_SUCCESS"}


class TensorBoardTracker:
    """Scalars, histograms of weights and gradients, confusion matrices, the spec as text, and hyperparameters.

    A fold has a folder and a session of its own; the sessions of all folds are one group, which shows their mean.

    `ImportError` where tensorboard is not installed.
    """

    def __init__(self) -> None:
        self._parts = parts()
        self._writers: dict[str, Any] = {}
        self._run = TrackedRun("", "", Path())
        self._known: dict[str, int] = {}
        self._read: dict[Path, int] = {}  # bytes of each file of histograms that were taken

    def start(self, run: TrackedRun) -> Mapping[str, int]:
        """Begin a file; the steps are those of the files that are there."""
        self._run = run
        self._known = dict(_steps_of(self._parts, run.folder / FOLDER)) if run.is_resumed else {}
        if "spec/text_summary" not in self._known:
            self._add(self._text("spec/text_summary", f"```yaml\n{run.spec}\n```"), 0)
            self._add(self._hyperparameters(run), 0)
            self._flush()
        return self._known

    def log(self, points: Sequence[Point]) -> None:
        """Write scalars, and the histograms that were written meanwhile."""
        for point in points:
            self._add(self._scalar(point), point.step, fold=point.fold, at=point.time)
        epochs = {(point.name, point.epoch): point.step for point in points if point.name.endswith("/epoch")}
        if epochs:
            self._add_histograms()
        self._flush()

    def keep(self, path: Path, name: str) -> None:
        """Draw confusion matrices, those of folds beside their numbers; other files lie in the run folder anyway."""
        before, mark, what = name.partition(CONFUSION)
        if not mark:
            return
        told = json.loads(path.read_text(encoding="utf-8"))
        picture = confusion_picture(told["labels"], told["counts"])
        self._add(self._picture(f"{CONFUSION}{what.removesuffix('.json')}", *picture), 0, fold=before.rstrip("/"))

    def finish(self, status: str) -> None:
        """Say how it ended, and close the files."""
        self._add_histograms(is_last=True)
        for fold in self._writers.keys() | {""}:
            self._add(self._ending(_STATUS.get(status, "STATUS_FAILURE")), 0, fold=fold)
        self._flush()
        while self._writers:
            self._writers.popitem()[1].close()

    def _add(self, value: Any, step: int, *, fold: str = "", at: float = 0.0) -> None:  # noqa: ANN401 - a protobuf
        event = self._parts.event(wall_time=at or time.time(), step=step)
        event.summary.value.append(value)
        self._writer(fold).add_event(event)

    def _writer(self, fold: str) -> Any:  # noqa: ANN401 - tensorboard has no types
        if fold not in self._writers:
            folder = self._run.folder / FOLDER / fold
            folder.mkdir(parents=True, exist_ok=True)
            self._writers[fold] = self._parts.writer(str(folder), filename_suffix=f".{len(self._writers)}")
            if fold and f"{fold}/{self._parts.hparams.SESSION_START_INFO_TAG}" not in self._known:
                self._add(self._hyperparameters(self._run), 0, fold=fold)
        return self._writers[fold]

    def _flush(self) -> None:
        for writer in self._writers.values():
            writer.flush()

    def _scalar(self, point: Point) -> Any:  # noqa: ANN401 - a protobuf
        metadata = self._parts.scalar.create_summary_metadata(None, None)
        metadata.data_class = self._parts.classes.DATA_CLASS_SCALAR
        tensor = self._parts.tensor(point.value, dtype="float32")
        return self._parts.value(tag=point.name, tensor=tensor, metadata=metadata)

    def _text(self, tag: str, text: str) -> Any:  # noqa: ANN401 - a protobuf
        metadata = self._parts.text.create_summary_metadata(None, None)
        metadata.data_class = self._parts.classes.DATA_CLASS_TENSOR
        tensor = self._parts.tensor([text.encode()], dtype=None)
        return self._parts.value(tag=tag, tensor=tensor, metadata=metadata)

    def _picture(self, tag: str, png: bytes, width: int, height: int) -> Any:  # noqa: ANN401 - a protobuf
        metadata = self._parts.image.create_summary_metadata(None, None)
        metadata.data_class = self._parts.classes.DATA_CLASS_BLOB_SEQUENCE
        tensor = self._parts.tensor([str(width).encode(), str(height).encode(), png], dtype=None)
        return self._parts.value(tag=tag, tensor=tensor, metadata=metadata)

    def _add_histograms(self, *, is_last: bool = False) -> None:
        """Those of a fold whose numbers have not come yet wait for them: folds may run at once and be told in turn."""
        for path in sorted(self._run.folder.glob(_HISTOGRAMS)):
            label = path.parent.parent.relative_to(self._run.folder / "callbacks").as_posix()
            first, _, rest = label.partition("/")
            if not is_last and _FOLD.fullmatch(first) and first not in self._writers:
                continue
            fold, phase = (first, rest) if first in self._writers else ("", label)
            for line in self._new_lines(path):
                tag = f"{line['of']}/{line['parameter']}"
                if line["counts"] and line["epoch"] > self._known.get(f"{label}/{tag}", -1):
                    self._known[f"{label}/{tag}"] = line["epoch"]
                    self._add(self._histogram(f"{phase}/{tag}", line), line["epoch"], fold=fold)

    def _new_lines(self, path: Path) -> Iterator[Mapping[str, Any]]:
        """The whole lines that came since the last look."""
        with open(path, "rb") as file:
            file.seek(self._read.get(path, 0))
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._read[path] = self._read.get(path, 0) + len(line)
                yield json.loads(line)

    def _histogram(self, tag: str, line: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a protobuf
        """Rows of (left edge, right edge, count); its step is the epoch."""
        counts, low, high = line["counts"], line["low"], line["high"]
        width = (high - low) / len(counts)
        rows = [[low + index * width, low + (index + 1) * width, count] for index, count in enumerate(counts)]
        metadata = self._parts.histogram.create_summary_metadata(None, None)
        metadata.data_class = self._parts.classes.DATA_CLASS_TENSOR
        return self._parts.value(tag=tag, tensor=self._parts.tensor(rows, dtype="float64"), metadata=metadata)

    def _hyperparameters(self, run: TrackedRun) -> Any:  # noqa: ANN401 - a protobuf
        group = f"{run.name}/{run.id}"
        started = self._parts.hparams_data.SessionStartInfo(group_name=group, start_time_secs=time.time())
        for name, chosen in run.chosen.items():
            held = started.hparams[name]
            if isinstance(chosen, bool):
                held.bool_value = chosen
            elif isinstance(chosen, str):
                held.string_value = chosen
            else:
                held.number_value = chosen
        return self._session(self._parts.hparams.SESSION_START_INFO_TAG, session_start_info=started)

    def _ending(self, status: str) -> Any:  # noqa: ANN401 - a protobuf
        ended = self._parts.hparams_data.SessionEndInfo(
            status=self._parts.hparams_api.Status.Value(status), end_time_secs=time.time()
        )
        return self._session(self._parts.hparams.SESSION_END_INFO_TAG, session_end_info=ended)

    def _session(self, tag: str, **info: Any) -> Any:  # noqa: ANN401 - protobufs
        data = self._parts.hparams_data.HParamsPluginData(**info)
        metadata = self._parts.hparams.create_summary_metadata(data)
        return self._parts.value(tag=tag, tensor=self._parts.hparams.NULL_TENSOR, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Parts:
    """What is used of tensorboard, which has no types."""

    writer: Any
    event: Any
    value: Any
    classes: Any
    tensor: Any
    scalar: Any
    text: Any
    image: Any
    histogram: Any
    hparams: Any
    hparams_data: Any
    hparams_api: Any
    loader: Any


def parts() -> Parts:
    """What is used of tensorboard; `ImportError` where it is not installed."""
    summary = import_module("tensorboard.compat.proto.summary_pb2")
    plugins = "tensorboard.plugins"
    return Parts(
        writer=import_module("tensorboard.summary.writer.event_file_writer").EventFileWriter,
        event=import_module("tensorboard.compat.proto.event_pb2").Event,
        value=summary.Summary.Value,
        classes=summary,
        tensor=import_module("tensorboard.util.tensor_util").make_tensor_proto,
        scalar=import_module(f"{plugins}.scalar.metadata"),
        text=import_module(f"{plugins}.text.metadata"),
        image=import_module(f"{plugins}.image.metadata"),
        histogram=import_module(f"{plugins}.histogram.metadata"),
        hparams=import_module(f"{plugins}.hparams.metadata"),
        hparams_data=import_module(f"{plugins}.hparams.plugin_data_pb2"),
        hparams_api=import_module(f"{plugins}.hparams.api_pb2"),
        loader=import_module("tensorboard.backend.event_processing.event_file_loader").EventFileLoader,
    )


def _steps_of(parts: Parts, folder: Path) -> Iterator[tuple[str, int]]:
    """The last step of each tag in the files of a folder, below the folds they are of; a torn end is passed over."""
    last: dict[str, int] = {}
    for file in sorted(folder.rglob("*tfevents*")):
        fold = file.parent.relative_to(folder).as_posix()
        prefix = "" if fold == "." else f"{fold}/"
        for event in _events(parts, file):
            for value in event.summary.value:
                tag = f"{prefix}{value.tag}"
                last[tag] = max(last.get(tag, -1), event.step)
    yield from last.items()


def _events(parts: Parts, file: Path) -> Iterable[Any]:
    loaded: Iterable[Any] = parts.loader(str(file)).Load()
    return loaded
