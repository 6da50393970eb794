"""Resources and speed of a run as numbers of its phases."""

import json
import sys
from types import SimpleNamespace

import pytest

import runexp
from runexp.events import PhaseFinished, RunFinished, WarningRaised
from runexp.observe.accompanied import accompanied
from runexp.observe.resources import Resources
from runexp.plan.values import FrozenMap
from tracking.cases import run_spec

NAMES = {
    "cpu_percent",
    "memory_mb",
    "system_memory_percent",
    "samples_per_second",
    "steps_per_second",
    "data_wait_percent",
}


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    return run_spec(tmp_path_factory.mktemp("resources"), "tracking: {resources: true, every_seconds: 0.01}")


def test_every_phase_is_measured(watched):
    found = watched.results["train"].resources
    assert found.keys() >= NAMES
    assert all(100 < value < 1e6 for value in found["memory_mb"])
    assert all(0 <= value <= 100 for value in found["data_wait_percent"])
    rows, steps = found["samples_per_second"], found["steps_per_second"]
    assert all(row / step == pytest.approx(539 / 6, rel=0.01) for row, step in zip(rows, steps, strict=True))


def test_what_was_measured_opens_from_the_folder_and_stands_in_the_table(watched):
    stored = runexp.open_run(watched.folder)
    assert stored["train"].resources == watched.results["train"].resources
    names = stored.to_arrow().to_pydict()["name"]
    assert set(names) >= NAMES


def test_the_page_of_a_run_tells_them(watched, run_python):
    page = run_python("-m", "runexp", "show", str(watched.folder)).stdout
    assert "resources  CPU " in page
    assert "rows/s" in page
    assert "waiting for rows" in page


def test_nothing_is_measured_unless_asked_for(tmp_path):
    run = run_spec(tmp_path)
    assert run.results["train"].resources == {}
    assert "NumbersLogged" not in (run.folder / "events.jsonl").read_text()
    assert json.loads((run.folder / "plan.json").read_text())["tracking"] is None


def test_the_numbers_of_the_run_are_the_same_with_and_without(watched, tmp_path):
    assert watched.results.summary() == run_spec(tmp_path).results.summary()


def test_the_processor_time_of_a_child_counts():
    resources = Resources()
    assert resources.look()["cpu_percent"] >= 0


class _Nvml:
    """The library of NVIDIA's driver, as far as it is asked: two GPUs, the second of which tells nothing."""

    class NVMLError(Exception):
        pass

    nvmlInit = staticmethod(lambda: None)  # noqa: N815 - the library calls it so
    nvmlDeviceGetCount = staticmethod(lambda: 2)  # noqa: N815 - the library calls it so
    nvmlDeviceGetHandleByIndex = staticmethod(lambda index: index)  # noqa: N815 - the library calls it so
    nvmlDeviceGetMemoryInfo = staticmethod(lambda handle: SimpleNamespace(used=2_000_000_000))  # noqa: N815 - as above

    @classmethod
    def nvmlDeviceGetUtilizationRates(cls, handle):  # noqa: N802 - the library calls it so
        if handle == 1:
            raise cls.NVMLError("not supported")
        return SimpleNamespace(gpu=87)


def test_every_gpu_that_tells_is_measured(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", _Nvml)
    found = Resources().look()
    assert (found["gpu_0_percent"], found["gpu_0_memory_mb"]) == (87, 2000)
    assert "gpu_1_percent" not in found


@pytest.mark.parametrize("fault", ["no library", "no driver"])
def test_a_machine_without_gpus_is_measured_all_the_same(monkeypatch, fault):
    class NVMLError_LibraryNotFound(Exception):  # noqa: N801, N818 - the library calls it so
        pass

    def refuse():
        raise NVMLError_LibraryNotFound

    found = None if fault == "no library" else SimpleNamespace(nvmlInit=refuse)
    monkeypatch.setitem(sys.modules, "pynvml", found)
    assert "cpu_percent" in Resources().look()


def test_the_terminal_event_stays_the_last():
    ended = PhaseFinished("a", "train", "completed", "", 1, 1, FrozenMap())
    told = [*accompanied(iter([ended, RunFinished("completed")]), [lambda event: [WarningRaised("", "x")]])]
    assert [type(event).__name__ for event in told] == [
        "WarningRaised", "PhaseFinished", "WarningRaised", "RunFinished",
    ]  # fmt: skip


def test_an_interrupt_goes_on_to_the_engine_and_loses_no_event():
    def engine():
        try:
            yield WarningRaised("", "first")
            yield WarningRaised("", "second")
        except KeyboardInterrupt:
            yield RunFinished("interrupted")

    events = accompanied(engine(), [lambda event: [WarningRaised("", f"beside {event.__class__.__name__}")]])
    assert next(events).message == "beside WarningRaised"
    told = [events.throw(KeyboardInterrupt()), *events]
    assert [getattr(event, "message", "end") for event in told] == ["first", "beside RunFinished", "end"]
