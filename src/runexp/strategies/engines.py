"""What gives out work to the machines of a cluster, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

PATIENCE_S = 10
"""How long an address has to answer."""


class WorkLost(Exception):  # noqa: N818 - it reads as what happened
    """A job ended without an answer: its workers died, or it could not begin."""


class ClusterGone(Exception):  # noqa: N818 - it reads as what happened
    """Who gave out the work does not answer any more."""


@dataclass(frozen=True, slots=True)
class Site:
    """A cluster, as a section of the spec asks for it. Without an address: workers of this machine, 0: as many as fit.

    `n_threads` is how many processors a job takes, and `on_gpu` whether it takes a GPU; Ray alone has to know.
    """

    engine: Literal["dask", "ray"]
    section: Literal["cv", "sweep"]
    address: str = ""
    workers: int = 0
    n_threads: int = 1
    on_gpu: bool = False


class Task(Protocol):
    """A job that was given out."""

    @property
    def is_done(self) -> bool:
        """Whether it has ended, in whatever way."""

    def result(self) -> Any:  # noqa: ANN401 - whatever the job gives
        """What it gave, once it is done; `WorkLost` where it ended without, `ClusterGone` where nobody knows."""

    def cancel(self) -> None:
        """See that it does not begin, if it has not."""


class Engine(Protocol):
    """Who gives out the jobs. What travels, both ways, is pickled: by one installation for itself, never in a file."""

    @property
    def n_slots(self) -> int:
        """How many jobs are worked on at once, as far as is known now. `ClusterGone` where nobody answers."""

    def submit(self, work: Callable[..., object], *given: object) -> Task:
        """Give out a job. One whose worker dies is given out again, a few times."""

    def on_each(self, work: Callable[..., str], *given: object) -> Mapping[str, str]:
        """What every machine that is there now says, by its name; nothing of those that do not answer."""
