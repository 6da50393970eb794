"""What a live callback is made from, and what it may hang on to an update."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runexp.engine.view import Hook, View
from runexp.runtime.graph.graph import Graph
from runexp.runtime.training import TrainProgram

Hooks = dict[Hook, Callable[[View], object]]


@dataclass(frozen=True, slots=True)
class LivePhase:
    """The running phase: its graph, its program, and a folder for files that is made when first asked for."""

    label: str
    graph: Graph
    program: TrainProgram
    folder: Callable[[], Path]
    table: Callable[[str], Path] = Path
    """The file of a table of the phase, by what it records."""


class Folders:
    """Where callbacks put their files: below the run folder, or aside and gone at the end for a preview."""

    def __init__(self) -> None:
        self._inside: Callable[[str], Path] | None = None
        self._aside: Path | None = None

    def keep_in(self, inside: Callable[[str], Path]) -> None:
        """Files are kept from now on, where `inside` says for a path such as `train/save_best`."""
        self._inside = inside

    def folder(self, *names: str) -> Path:
        """The folder of that name, made where it is missing."""
        if self._inside is not None:
            folder = self._inside("/".join(names))
        else:
            self._aside = self._aside or Path(tempfile.mkdtemp(prefix="runexp-"))
            folder = self._aside.joinpath(*names)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def clear(self) -> None:
        """Delete what was put aside."""
        if self._aside is not None:
            shutil.rmtree(self._aside, ignore_errors=True)
            self._aside = None
