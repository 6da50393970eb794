"""What a process and its children take of a machine. Needs psutil; nvidia-ml-py where there are GPUs of NVIDIA."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any


class Resources:
    """Looks at this process, its children, and the GPUs. `ImportError` where psutil is not installed."""

    def __init__(self) -> None:
        self._psutil = import_module("psutil")
        self._process = self._psutil.Process()
        self._gpus = list(_gpus())
        self._cpu_s, self._looked_at = self._cpu_seconds(), time.monotonic()

    def look(self) -> dict[str, float]:
        """`cpu_percent` since the last look, of one core; `memory_mb`, `system_memory_percent`; of each GPU
        `gpu_0_percent`, `gpu_0_memory_mb`."""
        now, cpu_s = time.monotonic(), self._cpu_seconds()
        elapsed = max(now - self._looked_at, 1e-9)
        percent = max(0.0, cpu_s - self._cpu_s) / elapsed * 100
        self._cpu_s, self._looked_at = cpu_s, now
        found = {
            "cpu_percent": percent,
            "memory_mb": sum(self._of_each(_resident)) / 1e6,
            "system_memory_percent": float(self._psutil.virtual_memory().percent),
        }
        for index, gpu in enumerate(self._gpus):
            with suppress(gpu.refusal):  # a GPU may not tell
                found |= {f"gpu_{index}_{name}": value for name, value in gpu.look().items()}
        return found

    def _cpu_seconds(self) -> float:
        return sum(self._of_each(_cpu))

    def _of_each(self, measure: Any) -> Iterator[float]:  # noqa: ANN401 - psutil comes without types
        """A number of this process and of each child; one that is gone meanwhile counts as nothing."""
        for process in (self._process, *self._process.children(recursive=True)):
            with suppress(self._psutil.Error):
                yield measure(process)


class _Gpu:
    """One GPU of NVIDIA."""

    def __init__(self, library: Any, index: int) -> None:  # noqa: ANN401 - it comes without types
        self.refusal: type[Exception] = library.NVMLError
        self._library = library
        self._handle = library.nvmlDeviceGetHandleByIndex(index)

    def look(self) -> dict[str, float]:
        """How busy it is, and how much of its memory is in use."""
        memory = float(self._library.nvmlDeviceGetMemoryInfo(self._handle).used) / 1e6
        busy = float(self._library.nvmlDeviceGetUtilizationRates(self._handle).gpu)
        return {"percent": busy, "memory_mb": memory}


def _gpus() -> Iterator[_Gpu]:
    """The GPUs there are; none without the library or the driver."""
    try:
        library = import_module("pynvml")
        library.nvmlInit()
        count = library.nvmlDeviceGetCount()
    except ImportError:
        return
    except Exception as error:
        if type(error).__name__.startswith("NVMLError"):
            return
        raise
    yield from (_Gpu(library, index) for index in range(count))


def _cpu(process: Any) -> float:  # noqa: ANN401 - psutil comes without types
    times = process.cpu_times()
    return float(times.user + times.system)


def _resident(process: Any) -> float:  # noqa: ANN401 - psutil comes without types
    return float(process.memory_info().rss)
