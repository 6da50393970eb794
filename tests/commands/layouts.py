"""Random specs in random layout: any indentation, quotes, flow or block, comments between lines."""

from __future__ import annotations

from hypothesis import strategies as st

WORDS = st.sampled_from(["a", "b c", "on", "1e-3", "a, b", "it's", 'say "hi"', "x: y", "#no", "-", "", "~", "é"])
SCALARS = WORDS | st.integers(-5, 5) | st.booleans() | st.none()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
SECTIONS = st.sampled_from(["phases", "data", "nodes", "runexp", "name", "other", "vars"])


@st.composite
def yaml_texts(draw):
    """A mapping of sections."""
    lines = []
    for name, value in draw(st.dictionaries(SECTIONS, VALUES, min_size=1, max_size=5)).items():
        _block(draw, lines, value, f"{name}:", 0)
        lines += [""] * draw(st.integers(0, 2))
    return "\n".join(lines) + "\n"


def _block(draw, lines, value, lead, indent):
    """Write a value behind its key or dash."""
    if draw(st.integers(0, 3)) == 0:
        lines.append(" " * draw(st.integers(0, 6)) + "# remark")
    if not isinstance(value, (dict, list)) or not value or draw(st.integers(0, 3)) == 0:
        lines.append(f"{lead} {_flow(draw, value)}" + draw(st.sampled_from(["", "  # why"])))
        return
    may_stand_below_key = isinstance(value, list) and not lead.endswith("-")
    deeper = indent + draw(st.integers(0 if may_stand_below_key else 1, 4))
    lines.append(lead + draw(st.sampled_from(["", "   # why", "  "])))
    for item in value.items() if isinstance(value, dict) else value:
        head, inner = (f"{item[0]}:", item[1]) if isinstance(value, dict) else ("-", item)
        _block(draw, lines, inner, " " * deeper + head, deeper)


def _flow(draw, value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(draw, item)}" for key, item in value.items()) + "}"
    return (
        "[" + ", ".join(_flow(draw, item) for item in value) + "]" if isinstance(value, list) else _scalar(draw, value)
    )


def _scalar(draw, value):
    if not isinstance(value, str):
        return {None: "null", True: "true", False: "false"}.get(value, str(value))
    style = draw(st.sampled_from("'\""))
    escaped = value.replace("'", "''") if style == "'" else value.replace('"', '\\"')
    return f"{style}{escaped}{style}"
