"""Where recorded tables go."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path


class Records:
    """A folder for tables by kind and phase, and the fold they are of; aside, and gone at the end, for a preview."""

    def __init__(self) -> None:
        self.fold: int | None = None
        self._root: Path | None = None
        self._aside: Path | None = None
        self._group = ""

    @property
    def are_kept(self) -> bool:
        """Whether there is a run folder."""
        return self._root is not None

    def keep_in(self, root: Path, *, group: str = "", fold: int | None = None) -> None:
        """Files are kept from now on below `root`; those of a fold under its label."""
        self._root, self._group, self.fold = root, group, fold

    def file(self, kind: str, label: str) -> Path:
        """The file of a phase: `predictions/test.parquet`, `predictions/fold-0/test.parquet`."""
        if self._root is None and self._aside is None:
            self._aside = Path(tempfile.mkdtemp(prefix="runexp-"))
        folder = (self._root or self._aside or Path()) / kind / self._group
        return folder.joinpath(*label.split("/")[:-1]) / f"{label.split('/')[-1]}.parquet"

    def clear(self) -> None:
        """Delete what was put aside."""
        if self._aside is not None:
            shutil.rmtree(self._aside, ignore_errors=True)
            self._aside = None
