"""Arrow files and streams (`.arrow`), also by their older name Feather (`.feather`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from runexp.plan.data import SourcePlan
from runexp.runtime.data.arrow_table import TableSource, checked_table
from runexp.runtime.data.files import fingerprint, locate
from runexp.runtime.data.problems import first_line, shown, wrong

_FILE_MAGIC = b"ARROW1"


def open_arrow(plan: SourcePlan, folder: Path) -> TableSource:
    """Read a file whole; every offset and every text in it is checked before it is used."""
    path = locate(plan, folder)
    digest = fingerprint(plan, path)
    try:
        table = _read(path)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        message = f"{shown(path.name)} cannot be read: {first_line(error)}"
        raise wrong(plan.origin, "unreadable-file", message) from error
    return checked_table(plan, TableSource(path.name, table, digest))


def _read(path: Path) -> Any:  # noqa: ANN401 - pyarrow has no types
    with path.open("rb") as stream:
        is_file = stream.read(len(_FILE_MAGIC)) == _FILE_MAGIC
    with pa.OSFile(str(path)) as stream:
        reader = pa.ipc.open_file(stream) if is_file else pa.ipc.open_stream(stream)
        return reader.read_all()
