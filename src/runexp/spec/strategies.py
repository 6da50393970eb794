"""The `cv` and `sweep` sections: the same experiment many times, from outside."""

from typing import Annotated, Any, Literal

from pydantic import Field

from runexp.spec.base import Count, Name, Reference, Scalar, Section, Share, Use
from runexp.spec.callbacks import Mode

Executor = Literal["sequential", "processes", "vectorized", "dask", "ray"]


class CVData(Section):
    """How one feature set is divided into folds."""

    pool: Annotated[
        tuple[Name, ...] | None,
        Field(
            min_length=1,
            description="the splits that are pooled and divided anew; left out: those with a name of a part of a fold "
            "(`train`, `val`), or all rows where there are no splits; the other splits stay as they are",
        ),
    ] = None
    stratify_by: Annotated[Reference | None, Field(description="keep proportions in every fold")] = None
    group_by: Annotated[Reference | None, Field(description="groups never straddle folds")] = None
    column: Annotated[
        Reference | None,
        Field(description="each value of this column is held out once; rows without a value are never held out"),
    ] = None
    order_by: Annotated[
        Reference | None, Field(description="rows follow each other along this key or column (time)")
    ] = None
    val_size: Annotated[
        Share | None, Field(description="an inner validation part, so that a fold's own score does not stop it")
    ] = None


class CrossValidation(Section):
    """Folds: the same phases, each time on other rows."""

    folds: Annotated[int | Use, Field(description="how many, or a scikit-learn splitter")] = 5
    data: Annotated[
        dict[Name, CVData], Field(description="feature set → how it is divided; left out: every set, by its rows")
    ] = {}
    repeats: Annotated[Count, Field(description="times with other folds")] = 1
    shuffle: Annotated[bool, Field(description="divide shuffled rows")] = True
    train: Annotated[Name, Field(description="the split that a fold learns from")] = "train"
    held_out: Annotated[
        Name | None,
        Field(description="the split that is the fold's held-out part; left out: `val`, or `test` with `val_size`"),
    ] = None
    val: Annotated[Name, Field(description="the split that `val_size` sets aside for early stopping")] = "val"
    phases: Annotated[
        tuple[str, ...] | None, Field(min_length=1, description="the phases of a fold; left out: all")
    ] = None
    execution: Annotated[Executor, Field(description="how folds are run")] = "sequential"
    workers: Annotated[
        Count | None, Field(description="processes at a time; left out: as many as there are processors, or folds")
    ] = None
    cluster: Annotated[
        str | None,
        Field(
            description="the address of a Dask scheduler, `tcp://host:8786`, or a Ray cluster, `host:6379` or `auto`; "
            "left out: workers of this machine"
        ),
    ] = None
    new_seed: Annotated[bool, Field(description="another seed for each fold")] = False
    refit: Annotated[
        bool, Field(description="after the folds, train once more on the whole pool; `checkpoints/final` is then its")
    ] = False

    @property
    def val_size(self) -> float | None:
        """The inner validation part, as the first feature set that has one says."""
        return next((data.val_size for data in self.data.values() if data.val_size is not None), None)

    @property
    def held_out_name(self) -> str:
        """What the held-out part of a fold is called."""
        return self.held_out or ("val" if self.val_size is None else "test")

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the splits that a fold makes."""
        inner = () if self.val_size is None else (self.val,)
        return (self.train, *inner, self.held_out_name)


When = dict[str, Scalar | tuple[Scalar, ...]]


class Range(Section):
    """The values that a sweep gives to one address: some of its own, or numbers between two bounds."""

    values: Annotated[
        tuple[Any, ...] | None,
        Field(min_length=1, description="these alone; a list instead of the mapping is the same"),
    ] = None
    low: Annotated[float | None, Field(allow_inf_nan=False, description="the least")] = None
    high: Annotated[float | None, Field(allow_inf_nan=False, description="the most")] = None
    step: Annotated[float | None, Field(gt=0, allow_inf_nan=False, description="the distance between two")] = None
    log: Annotated[bool, Field(description="spread evenly on a logarithmic scale")] = False
    integer: Annotated[bool, Field(description="whole numbers only")] = False
    when: Annotated[
        When | None,
        Field(
            min_length=1,
            description="varied only where other parameters of the sweep have these values: `{vars.kind: mlp}`",
        ),
    ] = None


class Sweep(Section):
    """Trials: the same spec with other values."""

    parameters: Annotated[
        dict[str, Annotated[tuple[Any, ...], Field(min_length=1)] | Range],
        Field(min_length=1, description="address → values or a range: `{vars.lr: {low: 1e-4, high: 1e-2, log: true}}`"),
    ]
    sampler: Annotated[Literal["grid", "random", "tpe", "cmaes"], Field(description="how values are chosen")] = "tpe"
    trials: Annotated[Count | None, Field(description="how many; left out for a grid")] = None
    objective: Annotated[
        str | Annotated[dict[str, Mode], Field(min_length=1)],
        Field(description="the number to improve: `test.accuracy`; several with their modes"),
    ]
    mode: Annotated[Mode | None, Field(description="left out: known from the metric")] = None
    pruner: Annotated[Literal["none", "median", "halving"], Field(description="ends bad trials early")] = "none"
    monitor: Annotated[
        str | None,
        Field(
            description="the number of a train phase that the pruner watches: `train.val_loss`; left out: the objective"
        ),
    ] = None
    execution: Annotated[Executor, Field(description="how trials are run")] = "sequential"
    workers: Annotated[
        Count | None,
        Field(
            description="trials at a time, in processes or trained at once; left out: as many as there are processors, "
            "or 16 at once"
        ),
    ] = None
    cluster: Annotated[
        str | None,
        Field(
            description="the address of a Dask scheduler, `tcp://host:8786`, or a Ray cluster, `host:6379` or `auto`; "
            "left out: workers of this machine"
        ),
    ] = None
    storage: Annotated[
        str | None,
        Field(description="URL of a database for what the sampler remembers; left out: a journal beside the trials"),
    ] = None
