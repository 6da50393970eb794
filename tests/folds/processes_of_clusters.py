"""Clusters as processes of their own, in the folder of a test."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

SCHEDULER = "from distributed.cli.dask_scheduler import main; main()"
WORKER = "from distributed.cli.dask_worker import main; main()"


class DaskCluster:
    """A scheduler and workers; the workers stand in a folder of their own, as those of another machine do."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "scheduler.json"
        self._home = folder / "elsewhere"
        self._home.mkdir()
        self._processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self.start(SCHEDULER, "--port", "0", "--no-dashboard", "--no-show")
        while not self._file.exists():
            assert self.scheduler.poll() is None
            time.sleep(0.1)
        self.address = next(part for part in self._file.read_text().split('"') if part.startswith("tcp://"))

    def start(self, code: str, *options: str) -> subprocess.Popen[bytes]:
        """Start a process of the cluster."""
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", code, "--scheduler-file", str(self._file), *options]
        process = subprocess.Popen(
            command, env=environment, cwd=self._home, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        self._processes.append(process)
        return process

    def worker(self) -> subprocess.Popen[bytes]:
        """One more worker, of one thread."""
        return self.start(WORKER, "--nthreads", "1", "--no-nanny", "--no-dashboard")

    def __enter__(self) -> DaskCluster:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
