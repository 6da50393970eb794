"""A small table as text and as HTML, for what a person sees in an interpreter or a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under their header: numbers to the right, words to the left."""
    columns = [_aligned(column) for column in zip(header, *rows, strict=True)]
    return "\n".join("  ".join(line).rstrip() for line in zip(*columns, strict=True))


def html_table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same for a notebook; everything is escaped."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    title = f"<caption>{escape(caption)}</caption>"
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def show(value: object) -> str:
    """A value in a cell: six digits of a number, the start of anything else."""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = " ".join(repr(value).split()) if not isinstance(value, str) else value
    return text if len(text) <= 40 else text[:39] + "…"


def _aligned(column: Sequence[str]) -> list[str]:
    width = max(map(len, column))
    are_words = any(cell.strip("…") and not _is_number(cell) for cell in column[1:])
    return [cell.ljust(width) if are_words else cell.rjust(width) for cell in column]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
