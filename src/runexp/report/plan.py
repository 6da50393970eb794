"""A linked plan as a tree for people or as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any, Literal

from rich.tree import Tree

from runexp.plan.experiment import Plan, dump
from runexp.plan.picture import Size
from runexp.report.outline import Branch
from runexp.report.page import styled, to_text
from runexp.report.plan_outline import outline_plan
from runexp.report.wording import plain


def render_plan(
    plan: Plan,
    form: Literal["tree", "json"] = "tree",
    *,
    console_width: int = 100,
    color: bool = False,
    unicode: bool = True,
    sizes: Mapping[str, Size] | None = None,
) -> str:
    """The plan with every default, and the `sizes` of nodes that are known.

    In JSON, what is not finite stands as the words NaN and Infinity.
    """
    if form == "json":
        return json.dumps(_finite(dump(plan)), indent=2) + "\n"
    tree = _tree(outline_plan(plan, sizes or {}), heading="bold cyan")
    return to_text([tree], console_width=console_width, color=color, unicode=unicode)


def _tree(branch: Branch, *, heading: str = "bold") -> Tree:
    gap = "  " if branch.label and branch.text else ""
    tree = Tree(styled((plain(branch.label), heading), gap, plain(branch.text)), guide_style="dim")
    for below in branch.below:
        tree.children.append(_tree(below))
    return tree


def _finite(value: Any) -> Any:  # noqa: ANN401 - plain JSON data
    if isinstance(value, float) and not isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[repr(value)]
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
