"""The whole spec: its sections, in the order one reads them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runexp.spec.base import Count, Name, Section
from runexp.spec.callbacks import Callback
from runexp.spec.data import Data
from runexp.spec.losses import Loss, Metric
from runexp.spec.nodes import Binding, Node
from runexp.spec.phases import Phase

RunName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description="letters, digits, `.`, `_`, `-`; names the run folder",
    ),
]


class Execution(Section):
    """Where and how the experiment computes."""

    device: Annotated[
        str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:1 or mps")
    ] = "auto"
    threads: Annotated[Count | None, Field(description="CPU threads of torch; left out: torch decides")] = None


class Spec(Section):
    """An experiment as written."""

    runexp: Annotated[Literal[1], Field(description="version of the language")]
    name: RunName
    description: Annotated[str, Field(max_length=10_000, description="for people")] = ""
    seed: Annotated[int, Field(ge=0, lt=2**63, description="one seed governs everything")] = 0
    vars: Annotated[dict[Name, Any], Field(description="values used as `${vars.name}`")] = {}
    data: Annotated[dict[Name, Data], Field(description="feature sets by name")]
    nodes: Annotated[dict[Name, Node], Field(description="the graph")]
    bindings: Annotated[dict[Name, Binding], Field(description="which data feeds which head")] = {}
    losses: Annotated[dict[Name, Loss], Field(description="losses by name")] = {}
    metrics: Annotated[dict[Name, Metric], Field(description="metrics by name")] = {}
    callbacks: Annotated[dict[Name, Callback], Field(description="callbacks by name")] = {}
    phases: Annotated[dict[Name, Phase], Field(description="what happens in which order")]
    execution: Annotated[Execution, Field(default_factory=Execution, description="device and threads")]
