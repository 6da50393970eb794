"""Work given out through Dask distributed; its scheduler gives what a dead worker had to another, a few times."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from runexp.strategies.engines import PATIENCE_S, ClusterGone, Site, WorkLost
from runexp.strategies.processes import n_processors

_COUNTS_FOR_S = 2.0
_GONE = ("cancelled", "lost")


def answers(site: Site) -> bool:
    """Whether a scheduler answers at the address."""
    distributed: Any = import_module("distributed")
    try:
        distributed.Client(site.address, timeout=PATIENCE_S, set_as_default=False).close()
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def opened(site: Site, n_jobs: int) -> Iterator[DaskEngine]:
    """The scheduler at the address, or one of its own on this machine, with no more workers than jobs."""
    distributed: Any = import_module("distributed")
    with ExitStack() as way_out:
        if site.address:
            try:
                client = distributed.Client(site.address, timeout=PATIENCE_S, set_as_default=False)
            except (OSError, ValueError) as error:
                raise ClusterGone(f"no Dask scheduler answers at {site.address}: {error}") from error
        else:
            n_workers = max(1, min(site.workers or n_processors(), n_jobs))
            cluster = distributed.LocalCluster(
                n_workers=n_workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=logging.ERROR
            )
            client = distributed.Client(way_out.enter_context(cluster), set_as_default=False)
            client.register_worker_callbacks(_deaf)
        way_out.callback(_leave, client)
        yield DaskEngine(client, site.address)


class DaskEngine:
    """A scheduler, through its client."""

    def __init__(self, client: Any, address: str) -> None:  # noqa: ANN401 - no types
        self._client = client
        self._address = address
        self._counted = (0.0, 0)

    @property
    def n_slots(self) -> int:
        """The worker processes that there are: in each, one job runs at a time. Counted every few seconds."""
        when, n_slots = self._counted
        if not when or time.monotonic() - when > _COUNTS_FOR_S:
            try:
                n_slots = len(self._client.nthreads())
            except (OSError, RuntimeError) as error:
                raise ClusterGone(gone(self._address)) from error
            self._counted = (time.monotonic(), n_slots)
        return n_slots

    def submit(self, work: Callable[..., object], *given: object) -> DaskTask:
        """Give out a job."""
        return DaskTask(self._client.submit(work, *given, pure=False), self._address)

    def on_each(self, work: Callable[..., str], *given: object) -> Mapping[str, str]:
        """What every worker says, by its address."""
        try:
            said: dict[str, Any] = self._client.run(work, *given, on_error="return")
        except (OSError, RuntimeError) as error:
            raise ClusterGone(gone(self._address)) from error
        answered = {name: told for name, told in said.items() if not isinstance(told, OSError)}
        return {
            name: told if isinstance(told, str) else f"{type(told).__name__}: {told}" for name, told in answered.items()
        }


@dataclass(frozen=True, slots=True)
class DaskTask:
    """A future of Dask's."""

    future: Any
    address: str

    @property
    def is_done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return bool(self.future.done())

    def result(self) -> Any:  # noqa: ANN401 - whatever the job gives
        """What it gave."""
        status = self.future.status
        if status in _GONE:
            raise ClusterGone(gone(self.address))
        if status != "error":  # what a worker gave that died since is computed anew
            return self.future.result()
        error = self.future.exception()
        if type(error).__name__ == "KilledWorker":
            n_died = error.allowed_failures + 1
            raise WorkLost(
                f"{n_died} workers died while they worked on it, the last at {error.last_worker.address}: that is "
                "mostly for lack of memory, and their logs say more"
            )
        raise WorkLost(f"{type(error).__name__}: {error}")

    def cancel(self) -> None:
        """See that it does not begin, if it has not."""
        with suppress(OSError, RuntimeError):
            self.future.cancel()


def _deaf() -> None:
    """A Ctrl-C is for the process that gives out the work; a terminal sends it to its children too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def gone(address: str) -> str:
    """What is told where a scheduler went away."""
    return f"the Dask scheduler{f' at {address}' if address else ''} does not answer any more"


def _leave(client: Any) -> None:  # noqa: ANN401 - no types
    """Close the client; one whose scheduler is gone has nobody to say so to."""
    with suppress(OSError, RuntimeError):
        client.close(timeout=PATIENCE_S)
