"""What a run leaves behind: the files of its folder, from the plan to the summary."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from runexp.api.checking import Checked
from runexp.api.describing import described_briefly
from runexp.api.redaction import redacted, redacted_text
from runexp.engine.protocol import State
from runexp.events import EVENT_TYPES, BatchesRecorded, BatchFinished, Event
from runexp.observe.event_log import EventLog, Mark
from runexp.observe.sink import Stamped
from runexp.observe.stored_log import StoredLog
from runexp.plan.experiment import digest, dump
from runexp.plan.picture import as_data, draw, with_sizes
from runexp.report.data import as_document
from runexp.results import Recorder
from runexp.results.run_record import jsonable
from runexp.runtime.data import FeatureSet, membership, tokenizer_files, transformer_files
from runexp.runtime.folds.divide import Division
from runexp.runtime.folds.membership import fold_membership
from runexp.runtime.graph.sizes import sizes_of
from runexp.runtime.model import facts_of
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.runtime.versions import library_versions
from runexp.store.checkpoints import CheckpointFolder
from runexp.store.find_checkpoint import find_checkpoint
from runexp.store.records import write_lock_file
from runexp.store.run_files import EVENTS
from runexp.store.run_folder import RunFolder

WRITTEN = "written.yaml"
DATA = "data.json"
GRAPH = "graph.json"
INPUTS = "artifacts/inputs.json"


def write_inputs(
    folder: RunFolder,
    checked: Checked,
    runtime: TorchRuntime,
    division: Division,
    *,
    code: Mapping[str, str],
    lineage: Sequence[Mapping[str, str]] = (),
) -> None:
    """Write what the run starts from: the spec as given and as understood, the plan, the splits, the environment.

    Of sets that are divided into folds, `folds.parquet` tells the rows, and each fold keeps its own transformers.
    `code` maps the modules of the user's that were imported to the hashes of their files; `lineage` tells of the
    earlier runs that weights are from.
    """
    checked = checked.require()
    if checked.plan is None or checked.document is None:
        return
    given = checked.files.get(checked.path) or next(iter(checked.files.values()))
    folder.write("spec.yaml", given)
    folder.write("resolved.yaml", resolved_yaml(checked))
    folder.write(WRITTEN, written_yaml(checked))
    folder.write(
        "plan.json", json.dumps(redacted(dump(checked.plan), checked.document), indent=1, ensure_ascii=False) + "\n"
    )
    write_graph(folder, checked, runtime)
    whole = [features for name, features in runtime.sets.items() if name not in division.ids]
    if whole:
        folder.write("splits.parquet", membership(whole))
    if division.folds:
        folder.write("folds.parquet", fold_membership(division))
    folder.write(DATA, _data_json(checked, runtime, division))
    folder.write(INPUTS, inputs_json(whole))
    for path, content in transformer_files(whole):
        folder.write(path, content)
    for path, text in tokenizer_files({name: features.tokenizer for name, features in runtime.sets.items()}):
        folder.write(path, text)
    write_lock_file(
        folder.path,
        versions=library_versions(),
        seed=checked.plan.seed,
        plan_digest=digest(checked.plan),
        sources=runtime.fingerprints,
        code=code,
        lineage=lineage,
        argv=[redacted_text(word, checked.document) for word in sys.argv],
        spec_folder=checked.folder,
    )


def inputs_json(sets: Iterable[FeatureSet]) -> str:
    """What a model must know of the feature sets it was trained on, to be loaded without them."""
    return json.dumps(facts_of(sets), indent=1, ensure_ascii=False) + "\n"


def _data_json(checked: Checked, runtime: TorchRuntime, division: Division) -> str:
    """The feature sets in short, for pages of the run; those divided into folds have no splits of their own."""
    facts = described_briefly(checked.linked.data, runtime.sets)
    told = [as_document(replace(one, splits=()) if one.name in division.ids else one) for one in facts]
    document = redacted(jsonable({"data": told}), checked.document)
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_graph(folder: RunFolder, checked: Checked, runtime: TorchRuntime) -> None:
    """Write the graph as plain data, `graph.json`: nodes and what feeds them, with the sizes that are known by now."""
    if checked.plan is not None:
        picture = as_data(draw(checked.plan, sizes_of(runtime.graph, runtime.sets)))
        text = json.dumps(redacted(picture, checked.document), indent=1, ensure_ascii=False)
        folder.write(GRAPH, text + "\n")


def complete_graph(folder: RunFolder, runtime: TorchRuntime) -> None:
    """Add to `graph.json` what is known since estimators were fitted."""
    with suppress(OSError, ValueError, KeyError, TypeError):  # of a run that began without one, or by an older version
        told = json.loads((folder.path / GRAPH).read_text(encoding="utf-8"))
        write = json.dumps(with_sizes(told, sizes_of(runtime.graph, runtime.sets)), indent=1, ensure_ascii=False)
        folder.write(GRAPH, write + "\n")


def resolved_yaml(checked: Checked, *, with_defaults: bool = True) -> str:
    """The spec as understood: includes, variables and overrides applied, every default visible unless left out."""
    understood = checked.parsed_spec.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude_defaults=not with_defaults
    )
    return yaml_of(checked, understood)


def written_yaml(checked: Checked) -> str:
    """The spec in one file: includes, variables and overrides applied, and no default added. It gives the same plan."""
    return yaml_of(checked, checked.parsed_spec.model_dump(mode="json", by_alias=True, exclude_unset=True))


def yaml_of(checked: Checked, understood: Mapping[str, Any]) -> str:
    """Plain data of a spec as YAML, with no secret in it."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # ruamel declares it as None
    text = io.StringIO()
    yaml.dump(redacted(understood, checked.document), text)
    return text.getvalue()


class Checkpoints:
    """The checkpoint store of a run: the runtime writes the files, the store commits them.

    Names stand below `prefix`, such as `fold-0/`. With a `log` each says how much of that stands before it, so that
    the run can go on from it.
    """

    def __init__(
        self, folder: CheckpointFolder, runtime: TorchRuntime, *, prefix: str = "", log: EventLog | None = None
    ) -> None:
        self._folder = folder
        self._runtime = runtime
        self._prefix = prefix
        self._log = log

    def save(self, phase: str, name: str, state: Mapping[str, Any], program: State) -> str:
        """Commit one checkpoint; returns its name below checkpoints/."""
        return self._commit(f"{self._prefix}{phase}/{name}", self._placed(state), program)

    def save_run(self, name: str, state: Mapping[str, Any]) -> str:
        """Commit one of the whole experiment; returns its name below checkpoints/."""
        return self._commit(f"{self._prefix}{name}", self._placed(state), None)

    def find(self, phase: str, name: str) -> Path:
        """The folder of a checkpoint of a phase by its role or name; `KeyError` says what there is."""
        return self._folder.path(find_checkpoint(self._folder, name, f"{self._prefix}{phase}"))

    def remove(self, name: str) -> None:
        """Delete one checkpoint's files; they may have gone before the run was broken off."""
        with suppress(FileNotFoundError):
            self._folder.remove(name)

    def point(self, phase: str, pointers: Mapping[str, str]) -> None:
        """Remember which checkpoint of a phase is `last` and which is `best`."""
        self._folder.point(f"{self._prefix}{phase}", pointers)

    def save_final(self, status: str) -> None:
        """Commit the weights the run ended with."""
        self._commit(f"{self._prefix}final", {"status": status}, None)

    def _placed(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        mark = self._log.mark() if self._log is not None else None
        if self._log is None or mark is None:
            return {key: value for key, value in state.items() if key != "engine"}
        self._log.sync()
        return going_on(state, mark)

    def _commit(self, name: str, state: Mapping[str, Any], program: State | None) -> str:
        self._make_room(name)
        return self._folder.save(name, lambda aside: self._runtime.write_checkpoint(aside, state, program))

    def _make_room(self, name: str) -> None:
        """Delete what a run that was broken off saved under this name: this one has come there again."""
        with suppress(FileNotFoundError):
            self._folder.remove(name)


def going_on(state: Mapping[str, Any], mark: Mark) -> Mapping[str, Any]:
    """A state whose `engine` can be gone on with, and what is read of it before anything is put back."""
    log = {"offset": mark.offset, "sequence": mark.sequence}
    return {**state, "n_done": state["engine"]["n_done"], "log": log}


class ResultsSink:
    """Feeds a recorder of results; without `batches`, which are read from the log when they are asked for."""

    def __init__(self, recorder: Recorder, *, batches: bool = True) -> None:
        self._recorder = recorder
        self.wants: frozenset[type[Event]] = frozenset() if batches else _WITHOUT_BATCHES

    def receive(self, stamped: Stamped) -> None:
        """Keep the event and when it was."""
        self._recorder.receive(stamped.event, stamped.time)

    def close(self) -> None:
        """Nothing is held."""


class Records(Mapping[str, Callable[[], Iterable[BatchesRecorded]]]):
    """The records of batches of a run, by phase, in its log: a run of many steps does not fill the memory with them."""

    def __init__(self, folder: Path) -> None:
        self._path = folder.absolute() / EVENTS

    def __getitem__(self, phase: str) -> Callable[[], Iterable[BatchesRecorded]]:
        return partial(self._read, phase)

    def __iter__(self) -> Iterator[str]:
        return iter(self._log.batches)

    def __len__(self) -> int:
        return len(self._log.batches)

    def _read(self, phase: str) -> Iterable[BatchesRecorded]:
        return self._log.batches.get(phase, tuple)()

    @cached_property
    def _log(self) -> StoredLog:
        return StoredLog(self._path)


_WITHOUT_BATCHES = frozenset(EVENT_TYPES.values()) - {BatchFinished, BatchesRecorded}
