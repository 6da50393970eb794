"""`runexp sweep`, and the repeats of `runexp run --replicates`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from runexp.cli.checked import leave_with, require_checked
from runexp.cli.grace import leaving_in_time
from runexp.cli.options import (
    AllowImport,
    Device,
    Format,
    Grace,
    NoColor,
    Overrides,
    Quiet,
    Runs,
    SaveEvery,
    Seed,
    SpecPath,
    as_overrides,
)
from runexp.cli.screen import say, say_on_terminal, wants_color, width
from runexp.cli.trust import trusted
from runexp.cli.watching import stop_on_signals
from runexp.diagnostics import SpecError

if TYPE_CHECKING:  # these import torch; the verbs import them when they run
    from runexp.api.checking import Checked
    from runexp.engine.control import Control
    from runexp.observe.trial_progress import LiveTrials, PlainTrials
    from runexp.results.trials import SweepResults

    Carry = Callable[[LiveTrials | PlainTrials, Control], SweepResults]

_EXIT = {"SIGINT": 130, "SIGTERM": 143, "SIGUSR1": 143}
_AGAIN = "the same command goes on, and repeats no trial"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a command shows what it does."""

    form: Format
    quiet: bool
    no_color: bool
    grace: float | None = None


def sweep(
    spec: SpecPath,
    *,
    overrides: Overrides = None,
    runs: Runs = Path("runs"),
    run_dir: Annotated[
        Path | None, typer.Option("--run-dir", metavar="DIR", help="Exactly this folder, new, empty, or this sweep's.")
    ] = None,
    device: Device = None,
    seed: Seed = None,
    allow_import: AllowImport = None,
    form: Annotated[Format, typer.Option("--format", help="text: tables; json: one document.")] = Format.TEXT,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run trials that failed once more.")] = False,
    save_every: SaveEvery = 30.0,
    grace: Grace = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Run the trials of the spec's `sweep:`; run it again to go on, or with more trials: none is repeated.

    Exit code 1 where no trial completed, 2 where the spec is wrong, 130 after Ctrl-C: the same command goes on.
    """
    checked = require_checked(spec, as_overrides(overrides, device=device, seed=seed), no_color=no_color)
    if checked.linked.sweep is None:
        say(f"error: {spec} has no section `sweep`; `runexp run` runs it once")
        raise typer.Exit(2)
    checked = trusted(checked, allow_import, quiet=quiet, no_color=no_color)
    say_on_terminal("importing torch and Optuna …", quiet=quiet)
    from runexp.api.sweeping import SweepPlace, run_sweep

    place = SweepPlace(runs, run_dir, retry_failed, save_every)
    carry_out(
        lambda watcher, control: run_sweep(checked, place, watcher=watcher, control=control),
        checked,
        Manner(form, quiet, no_color, grace),
    )


@dataclass(frozen=True, slots=True)
class Repeats:
    """How many runs with other seeds, how they are run, and how many at a time; 0: as many as fit."""

    n: int
    execution: Literal["sequential", "processes", "vectorized"]
    workers: int


def repeat(
    checked: Checked, repeats: Repeats, *, runs: Path, run_dir: Path | None, save_every: float, manner: Manner
) -> None:
    """Run a spec with several seeds, and leave with the exit code of a sweep."""
    from runexp.api.sweeping import SweepPlace, run_replicates
    from runexp.strategies.sweep_run import Execution

    place = SweepPlace(runs, run_dir, save_every_s=save_every)
    how = Execution(repeats.execution, repeats.workers)
    carry_out(
        lambda watcher, control: run_replicates(
            checked, repeats.n, place, watcher=watcher, control=control, execution=how
        ),
        checked,
        manner,
    )


def carry_out(carry: Carry, checked: Checked, manner: Manner) -> None:
    """Run trials, show them and what they gave, and leave with the code that says how they ended."""
    from runexp.engine.control import Control

    stop_on_signals(control := Control())
    watcher = _watcher(manner)
    try:
        with leaving_in_time(control, manner.grace, again=_AGAIN):
            results = _refusing(lambda: carry(watcher, control), checked.files, no_color=manner.no_color)
    finally:
        watcher.close()
    show_sweep(results, manner.form, no_color=manner.no_color)
    _leave(results, control)


def _watcher(manner: Manner) -> LiveTrials | PlainTrials:
    from io import StringIO

    from rich.console import Console

    from runexp.observe.trial_progress import LiveTrials, PlainTrials

    if manner.quiet:
        return PlainTrials(StringIO())
    if sys.stderr.isatty() and manner.form is not Format.JSON:
        return LiveTrials(Console(stderr=True, no_color=not wants_color(sys.stderr, no_color=manner.no_color)))
    return PlainTrials(sys.stderr)


def _refusing(carry: Callable[[], SweepResults], files: Mapping[str, str], *, no_color: bool) -> SweepResults:
    """The results; leaves with 2 where the trials cannot be begun, and 1 where they cannot be written."""
    from runexp.api.trial_specs import SpecChanged
    from runexp.store.run_folder import FolderInUse
    from runexp.strategies.engines import ClusterGone
    from runexp.strategies.sweep_cluster import BlindCluster
    from runexp.strategies.sweep_search import StorageError

    try:
        return carry()
    except SpecError as error:
        raise leave_with(error, files, no_color=no_color) from None
    except (FolderInUse, StorageError, ImportError) as error:
        say(f"error: {error}")
        raise typer.Exit(2) from None
    except SpecChanged as error:
        say(f"error: {error}; what ended until then is kept")
        raise typer.Exit(1) from None
    except (ClusterGone, BlindCluster) as error:
        say(f"error: {error}; what ended until then is kept, and the same command goes on")
        raise typer.Exit(1) from None
    except OSError as error:
        say(f"error: the folder of the sweep cannot be written: {error}")
        raise typer.Exit(1) from None


def show_sweep(results: SweepResults, form: Format, *, no_color: bool) -> None:
    """Print what trials gave."""
    if form is Format.JSON:
        print(json.dumps(_as_json(results), indent=1, ensure_ascii=False, allow_nan=False))
        return
    from runexp.report.trials import render_sweep

    color = wants_color(sys.stdout, no_color=no_color)
    sys.stdout.write(render_sweep(results, console_width=width(), color=color))
    best = results.folder / "best.yaml" if results.folder is not None else None
    if best is not None and best.is_file():
        print(f"its spec    {best}")


def _as_json(results: SweepResults) -> dict[str, Any]:
    from dataclasses import asdict

    from runexp.results.run_record import jsonable

    judged = results.objectives
    best = results.best if len(judged) == 1 else None
    return {
        **results.as_json(),
        "folder": str(results.folder),
        "best": best.number if best is not None else None,
        "front": [trial.number for trial in results.front] if judged else [],
        "spread": {} if judged else {name: jsonable(asdict(one)) for name, one in results.spreads().items()},
    }


def _leave(results: SweepResults, control: Control) -> None:
    if results.status == "interrupted":
        say(f"interrupted by {control.signal or 'SIGINT'}; {_AGAIN}")
        raise typer.Exit(_EXIT.get(control.signal, 130))
    failed = [trial for trial in results.trials if trial.status == "failed"]
    if not results.completed or (failed and not results.objectives):
        raise typer.Exit(1)
