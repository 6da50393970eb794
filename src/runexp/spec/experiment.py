"""The whole spec: its sections, in the order one reads them."""

from typing import Annotated, Any, Literal

from pydantic import Field

from runexp.spec.base import Name, Section
from runexp.spec.callbacks import Callback, ExperimentCallback
from runexp.spec.data import Data
from runexp.spec.losses import Loss, Metric
from runexp.spec.nodes import Binding, Node
from runexp.spec.phases import Phase
from runexp.spec.samplers import Sampler
from runexp.spec.strategies import CrossValidation, Sweep
from runexp.spec.surroundings import Execution, Guards, Register, RunCheckpoints, Tracking

RunName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description="letters, digits, `.`, `_`, `-`; names the run folder",
    ),
]


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
    samplers: Annotated[dict[Name, Sampler], Field(description="how rows are drawn")] = {}
    experiment_callbacks: Annotated[
        dict[Name, ExperimentCallback], Field(description="callbacks around phases and groups")
    ] = {}
    checkpoints: Annotated[RunCheckpoints | None, Field(description="when the whole experiment saves its state")] = None
    cv: Annotated[CrossValidation | None, Field(description="cross-validation")] = None
    sweep: Annotated[Sweep | None, Field(description="a search over values")] = None
    tracking: Annotated[Tracking | None, Field(description="who else receives the numbers")] = None
    guards: Annotated[Guards | None, Field(description="limits and thresholds")] = None
    register_as: Annotated[Register | None, Field(alias="register", description="the model in a registry")] = None
    imports: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=256)], ...],
        Field(description="dotted prefixes of code of yours that may run", examples=[["mylab.layers"]]),
    ] = ()
    execution: Annotated[Execution, Field(default_factory=Execution, description="device and threads")]
