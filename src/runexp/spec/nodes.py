"""The `nodes` and `bindings` sections: the graph, and what data feeds its heads."""

from typing import Annotated, Literal

from pydantic import Field

from runexp.spec.base import Arguments, Count, Name, OwnName, Reference, Section

Initializer = Literal[
    "zeros", "ones", "normal", "uniform", "xavier_uniform", "xavier_normal",
    "kaiming_uniform", "kaiming_normal", "orthogonal", "trunc_normal",
]  # fmt: skip
NameWithArguments = Annotated[
    dict[str, Arguments | None],
    Field(min_length=1, max_length=1, description="one name with its keyword arguments"),
]
Layer = Reference | NameWithArguments
Inputs = Reference | tuple[Reference, ...] | dict[Name, Reference]
Method = Literal["transform", "predict", "predict_proba", "decision_function"]


class Weights(Section):
    """Weights from elsewhere: a file, a checkpoint, an earlier phase or run."""

    source: Annotated[
        Reference,
        Field(
            alias="from",
            description="a file; `phase:<label>`, a train phase of this run once it is over; `run:<id>`, an earlier "
            "run by its id, the start of it, its name, or `last`",
        ),
    ]
    checkpoint: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=200,
            description="of a phase or run: `best`, `last`, `epoch-3`, in a run of several trainings `train/best`; "
            "left out: the weights it ended with",
        ),
    ] = None
    node: Annotated[
        str | None, Field(description="the node there, or what the names of its weights begin with, where it differs")
    ] = None
    strict: Annotated[bool, Field(description="every parameter must be there; false: those that are there")] = True


class Node(Section):
    """One node of the graph: a torch module, a sequence of layers, or a scikit-learn estimator."""

    use: Annotated[
        Reference | None,
        Field(description="a torch module or a scikit-learn estimator: short name or dotted path"),
    ] = None
    arguments: Annotated[Arguments, Field(alias="with", description="its keyword arguments")] = {}
    layers: Annotated[
        tuple[Layer, ...] | None,
        Field(
            min_length=1,
            description="a torch.nn.Sequential; sizes of inputs that can be inferred may be left out",
        ),
    ] = None
    inputs: Annotated[
        Inputs | None,
        Field(description="a node, a key of the data (`digits.pixels`), a list, or a mapping to keyword arguments"),
    ] = None
    method: Annotated[
        Method | None,
        Field(description="what an estimator gives; left out: transform if it has it, else predict"),
    ] = None
    freeze: Annotated[bool, Field(description="start frozen: no gradients, no updates, no statistics")] = False
    init: Annotated[
        Initializer | OwnName | dict[str, Initializer | OwnName] | None,
        Field(
            description="how parameters start: an initialiser of torch.nn.init, a function of yours that is given a "
            "parameter, or one of these by parameter pattern"
        ),
    ] = None
    merge: Annotated[
        Literal["concat", "sum", "mean", "max", "product", "stack"] | None,
        Field(description="how several inputs become one, instead of `use` or `layers`"),
    ] = None
    axis: Annotated[
        int | None,
        Field(description="merge: the axis of concat (left out: the last) or stack (left out: 1); rows lie along 0"),
    ] = None
    padding: Annotated[
        float | None, Field(description="merge: shorter inputs are filled up at their ends with this")
    ] = None
    weights: Annotated[Weights | None, Field(description="weights it takes from elsewhere")] = None
    outputs: Annotated[
        tuple[Name, ...] | None,
        Field(
            min_length=1,
            description="names of what a module gives, in its order, tuples and lists within it flattened: "
            "`[sequence, hidden, cell]`; referred to as `<node>.hidden`, by losses on the node as `outputs.hidden`",
        ),
    ] = None
    chunk_size: Annotated[
        Count | None, Field(description="rows sent forward at a time; the same numbers in less memory")
    ] = None
    checkpoint_activations: Annotated[
        bool, Field(description="compute activations again in the backward pass instead of keeping them")
    ] = False


class Binding(Section):
    """Which data feeds which head of the graph."""

    node: Annotated[Name, Field(description="the head that is fed")]
    data: Annotated[
        Reference, Field(description="a feature set's key: `digits.pixels`; with `columns` the feature set alone")
    ]
    argument: Annotated[
        Name | None,
        Field(description="the keyword argument of the node's forward it goes to, if not the first"),
    ] = None
    columns: Annotated[
        tuple[Name, ...] | None,
        Field(min_length=1, description="several keys of the feature set, put side by side along the last axis"),
    ] = None
    split: Annotated[Name | None, Field(description="instead of a train phase's")] = None
    sampler: Annotated[Name | None, Field(description="a sampler by name, instead of a train phase's batches")] = None
    stream: Annotated[Name | None, Field(description="which stream of the sampler")] = None
