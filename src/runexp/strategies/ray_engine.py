"""Work given out through Ray. A job whose worker died is given out again by this process, a few times."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from runexp.strategies.engines import PATIENCE_S, ClusterGone, Site, WorkLost
from runexp.strategies.processes import n_processors

_MOST_TIMES = 4
_LOOK_PATIENCE_S = 60.0
_DIED = ("WorkerCrashedError", "OutOfMemoryError", "NodeDiedError", "LocalRayletDiedError")
_GONE = ("RaySystemError", "RpcError")
_NOT_JOINED = (ConnectionError, RuntimeError, ValueError, TimeoutError)


def answers(site: Site) -> bool:
    """Whether a cluster answers at the address. One by host and port is asked by a plain connection first: Ray itself
    would try for minutes."""
    place = re.fullmatch(r"(?:ray://)?\[?([^/]+?)\]?:(\d+)", site.address)
    try:
        if place is not None:
            socket.create_connection((place[1], int(place[2])), timeout=PATIENCE_S).close()
            return True
        with _joined(site, 1):
            return True
    except (OSError, OverflowError, *_NOT_JOINED):
        return False


@contextmanager
def opened(site: Site, n_jobs: int) -> Iterator[RayEngine]:
    """The cluster at the address, or workers of this machine, of which there are no more than jobs."""
    with _joined(site, n_jobs) as ray:
        yield RayEngine(ray, site)


class RayEngine:
    """A cluster of Ray, through the library's own functions."""

    def __init__(self, ray: Any, site: Site) -> None:  # noqa: ANN401 - no types
        self._ray = ray
        most = max((node["Resources"].get("CPU", 1.0) for node in self._nodes()), default=1.0)
        self._needs = {"num_cpus": min(site.n_threads, int(most) or 1) if site.address else 1}
        if site.on_gpu:
            self._needs["num_gpus"] = 1

    @property
    def n_slots(self) -> int:
        """As many as there are processors and GPUs for."""
        there = self._ray.cluster_resources()
        slots = [there.get("CPU", 0.0) // self._needs["num_cpus"]]
        slots += [there.get("GPU", 0.0)] if "num_gpus" in self._needs else []
        return int(min(slots))

    def submit(self, work: Callable[..., object], *given: object) -> RayTask:
        """Give out a job."""
        remote = self._ray.remote(max_retries=0, **self._needs)(work)
        return RayTask(self._ray, lambda: remote.remote(*given))

    def on_each(self, work: Callable[..., str], *given: object) -> Mapping[str, str]:
        """What every machine says, by its host; a machine that is busy for a while is not waited for."""
        near = import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
        asked = {}
        for node in self._nodes():
            there = near(node_id=node["NodeID"], soft=False)
            remote = self._ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=there)(work)
            asked[node["NodeManagerHostname"]] = remote.remote(*given)
        said, _ = self._ray.wait(list(asked.values()), num_returns=len(asked), timeout=_LOOK_PATIENCE_S)
        return {host: self._said(reference) for host, reference in asked.items() if reference in said}

    def _said(self, reference: Any) -> str:  # noqa: ANN401 - no types
        try:
            return str(self._ray.get(reference))
        except self._ray.exceptions.RayError as error:
            return _told(error)

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]


class RayTask:
    """A job, given out anew as often as its worker dies, within reason."""

    def __init__(self, ray: Any, give_out: Callable[[], Any]) -> None:  # noqa: ANN401 - no types
        self._ray = ray
        self._give_out = give_out
        self._reference = give_out()
        self._n_died = 0
        self._ended: tuple[Any, Exception | None] | None = None

    @property
    def is_done(self) -> bool:
        """Whether it has ended, in whatever way."""
        if self._ended is not None:
            return True
        ready, _ = self._ray.wait([self._reference], timeout=0)
        if not ready:
            return False
        try:
            self._ended = (self._ray.get(self._reference), None)
        except self._ray.exceptions.RayError as error:
            return self._has_ended_by(error)
        return True

    def result(self) -> Any:  # noqa: ANN401 - whatever the job gives
        """What it gave."""
        if self._ended is None:
            raise WorkLost("it was given up")
        value, lost = self._ended
        if lost is not None:
            raise lost
        return value

    def cancel(self) -> None:
        """See that it does not begin, if it has not."""
        with suppress(*_NOT_JOINED, self._ray.exceptions.RayError):
            self._ray.cancel(self._reference)

    def _has_ended_by(self, error: Exception) -> bool:
        """Whether that is its end; a job that only lost its worker begins again."""
        name = type(error).__name__
        if name in _GONE:
            self._ended = (None, ClusterGone(f"the Ray cluster does not answer any more: {_told(error)}"))
        elif name not in _DIED:
            self._ended = (None, WorkLost(_told(error)))
        else:
            self._n_died += 1
            if self._n_died < _MOST_TIMES:
                self._reference = self._give_out()
                return False
            why = "for lack of memory" if name == "OutOfMemoryError" else "that is mostly for lack of memory"
            self._ended = (None, WorkLost(f"{self._n_died} workers died while they worked on it: {why}"))
        return True


def _told(error: Exception) -> str:
    """What went wrong in a worker, in a line."""
    cause = getattr(error, "cause", None) or error
    return f"{type(cause).__name__}: {str(cause).strip().splitlines()[-1] if str(cause).strip() else ''}"


@contextmanager
def _joined(site: Site, n_jobs: int) -> Iterator[Any]:
    """The library, as part of a cluster; one that the process had joined before is used as it is, and not left."""
    ray: Any = import_module("ray")
    if ray.is_initialized():
        yield ray
        return
    n_workers = max(1, min(site.workers or n_processors(), n_jobs))
    local = {"address": "local", "num_cpus": n_workers, "include_dashboard": False}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**({"address": site.address} if site.address else local), log_to_driver=False, configure_logging=False)
    except _NOT_JOINED as error:
        where = f" at {site.address}" if site.address else " of this machine"
        raise ClusterGone(f"the Ray cluster{where} cannot be joined: {error}") from error
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, handler)  # Ray's own would end the run amid a batch
    try:
        yield ray
    finally:
        ray.shutdown()
