"""`python -m bench.startup [--rounds N]`: CPU time of commands against the import of the libraries they stand on."""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.long_spec import long_spec

ROOT = Path(__file__).resolve().parent.parent
IMPORTS = "import pydantic, ruamel.yaml, typer, rich"
LENGTHS = (100, 1_000, 10_000)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    Console().print(start_up(parser.parse_args().rounds))


def start_up(rounds: int) -> Table:
    """Medians of user and system time of whole processes, run in turn, and their ratios to the imports."""
    with tempfile.TemporaryDirectory() as name:
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            f"python -c '{IMPORTS}'": [sys.executable, "-c", IMPORTS],
            "python -c 'from pydantic import BaseModel; class A(BaseModel): x: int'": [
                sys.executable,
                "-c",
                "from pydantic import BaseModel\nclass A(BaseModel):\n    x: int",
            ],
            "runexp --help": [sys.executable, "-m", "runexp", "--help"],
        }
        for n_lines in LENGTHS:
            path = Path(name) / f"{n_lines}.yaml"
            path.write_text(long_spec(n_lines))
            commands[f"runexp validate, {n_lines:,} lines"] = [sys.executable, "-m", "runexp", "validate", str(path)]
        environment = _environment(Path(name))
        for command in commands.values():  # writes the bytecode, as installing does
            _cpu_seconds(command, environment)
        seconds: dict[str, list[float]] = {label: [] for label in commands}
        for _ in range(rounds):
            for label, command in commands.items():
                seconds[label].append(_cpu_seconds(command, environment))
    return _table({label: median(measured) for label, measured in seconds.items()})


def _table(medians: dict[str, float]) -> Table:
    base = list(medians.values())[1]
    table = Table("command", "CPU ms", "ratio to the imports", title="start-up")
    for label, seconds in medians.items():
        table.add_row(label, f"{seconds * 1e3:.0f}", f"{seconds / base:.2f}")
    short, *_, long = list(medians.values())[-len(LENGTHS) :]
    table.caption = f"{LENGTHS[-1]:,} lines cost {long / short:.0f} times what {LENGTHS[0]} lines cost"
    return table


def _environment(folder: Path) -> dict[str, str]:
    """Ours, with our sources, and bytecode kept: an installed runexp is compiled already."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(ROOT / "src"), "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


def _cpu_seconds(command: list[str], environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
