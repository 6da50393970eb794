"""`runexp schema`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

Output = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Where to write it; `-`: standard output.")]


def schema(output: Output = "schemas/runexp.schema.json") -> None:
    """Write the JSON Schema of the language, for editors and other tools."""
    from runexp.spec.json_schema import json_schema

    text = json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"
    if output == "-":
        sys.stdout.write(text)
        return
    path = Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(path)
