"""Writes while the run goes on: what is large in a thread of its own, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

LARGE = 16 << 20
"""From so many bytes on, writing takes longer than a step should wait."""


class Writer:
    """Runs jobs in the order given. What one failed of is raised by the next call, in the thread that asks."""

    def __init__(self, large: int = LARGE) -> None:
        self._large = large
        self._thread: Thread | None = None
        self._error: Exception | None = None

    def submit(self, job: Callable[[], object], n_bytes: int) -> None:
        """Run a job that writes so many bytes, after those before it; if it is small, it is done when this returns.

        At most one is under way, so that no more than one copy of the state is held.
        """
        self.finish()
        if n_bytes < self._large:
            job()
            return
        self._thread = Thread(target=self._run, args=(job,), name="runexp-writer")
        self._thread.start()

    def finish(self) -> None:
        """Wait until everything is written; raises what that failed of."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self, job: Callable[[], object]) -> None:
        try:
            job()
        except Exception as error:
            self._error = error  # `finish` raises it, in the thread of the run
