"""`runexp schema`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

Output = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Where to write it; `-`: standard output.")]


def schema(output: Output = "schemas/runexp.schema.json") -> None:
    """Write the JSON Schema of the language and of what `use:` can name, for editors and other tools."""
    from runexp.api.editor import editor_schema, schema_text

    text = schema_text(editor_schema())
    if output == "-":
        sys.stdout.write(text)
        return
    path = Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(path)
