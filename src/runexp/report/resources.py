"""What a phase took of the machine, in one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import RenderableType

from runexp.report.page import indented, styled
from runexp.report.sizes import in_units
from runexp.report.wording import number
from runexp.results.phases import PhaseFacts

_MB = 1_000_000


def resources_of(facts: PhaseFacts) -> list[RenderableType]:
    """Means of what was measured, and the most memory; nothing where resources were not measured."""
    told = " · ".join(_told(facts.resources))
    return [indented(styled(("resources  ", "dim"), told))] if told else []


def _told(found: Mapping[str, Sequence[float]]) -> Iterator[str]:
    means = {name: sum(values) / len(values) for name, values in found.items()}
    if "cpu_percent" in means:
        yield f"CPU {means['cpu_percent']:.0f} %"
    if "memory_mb" in found:
        yield f"memory {in_units(round(max(found['memory_mb']) * _MB))}"
    for name in (name for name in means if name.startswith("gpu_") and name.endswith("_percent")):
        gpu = name.removesuffix("_percent")
        held = f", {in_units(round(max(found[f'{gpu}_memory_mb']) * _MB))}" if f"{gpu}_memory_mb" in found else ""
        yield f"{gpu.replace('gpu_', 'GPU ')} {means[name]:.0f} %{held}"
    for name, unit in (("samples_per_second", "rows/s"), ("steps_per_second", "steps/s")):
        if name in means:
            yield f"{number(round(means[name]) if means[name] >= 100 else means[name])} {unit}"
    if "data_wait_percent" in means:
        yield f"{means['data_wait_percent']:.0f} % waiting for rows"
