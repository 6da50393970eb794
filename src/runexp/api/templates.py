"""The specs to start from that ship with runexp, each complete and running as it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from runexp.api.editing import set_value

_FOLDER = Path(__file__).parent.parent / "templates"
_MODELINE = "# yaml-language-server: $schema="
SCHEMA = Path("schemas") / "runexp.schema.json"
"""Where `runexp schema` writes, from where it is called."""


def templates() -> Mapping[str, str]:
    """Name → what it is, from the comment that opens the file; the plainest first."""
    paths = sorted(_FOLDER.glob("*.yaml"), key=lambda path: (not path.stem.startswith("tabular"), path.stem))
    return {path.stem: _lines(path)[1].removeprefix("# ") for path in paths}


def template_text(template: str, *, name: str = "") -> str:
    """The spec of a template, named `name` if given; `KeyError` for an unknown one."""
    if template not in templates():
        raise KeyError(template)
    text = (_FOLDER / f"{template}.yaml").read_text(encoding="utf-8")
    return set_value(text, "name", name) if name else text


def with_modeline(text: str, folder: Path) -> str:
    """The text with a first line that leads editors from a spec in `folder` to the schema."""
    schema = Path(os.path.relpath(SCHEMA, folder)).as_posix()
    first, _, rest = text.partition("\n")
    return f"{_MODELINE}{schema}\n{rest if first.startswith(_MODELINE) else text}"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
