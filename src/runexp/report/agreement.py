"""What a reproduction showed, in a few lines."""

from __future__ import annotations

from runexp.report.page import styled, to_text
from runexp.report.wording import counted, plain
from runexp.results.agreement import Agreement

_STYLES = {"identical": "green", "within tolerance": "yellow", "different": "red"}


def render_agreement(found: Agreement, original: str, *, console_width: int, color: bool, unicode: bool = True) -> str:
    """The verdict, then what it rests on; `original` is the run that was made again."""
    verdict = {
        "identical": "the same, bit for bit",
        "within tolerance": f"the same within a tolerance of {found.tolerance:g}, not bit for bit",
        "different": "not the same",
    }[found.verdict]
    lines = [
        styled((f"{plain(original)} reproduced: ", ""), (verdict, f"bold {_STYLES[found.verdict]}")),
        styled(f"  {counted(found.n_numbers, 'number')} compared, {found.n_different:,} of them differ"),
    ]
    if found.farthest is not None:
        far = found.farthest
        lines.append(
            styled(f"  farthest apart: {plain(far.address)}: {far.first!r} was, {far.second!r} is ({far.share:.2g})")
        )
    if found.parted_at:
        lines.append(styled(f"  only one of them recorded {plain(found.parted_at)}"))
    weights = {"unknown": "cannot be compared"}.get(found.weights, f"are {found.weights}")
    lines.append(styled(f"  the final weights {weights}"))
    return to_text(lines, console_width=console_width, color=color, unicode=unicode)
