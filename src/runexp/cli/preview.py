"""`runexp preview`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from runexp.cli.checked import leave_with, require_checked
from runexp.cli.completion import complete_phase
from runexp.cli.options import AllowImport, Device, NoColor, Overrides, Quiet, Seed, SpecPath, Verbose, as_overrides
from runexp.cli.screen import say, say_on_terminal, wants_color, width
from runexp.cli.trust import trusted
from runexp.cli.watching import progress_sinks, show_failure, stop_on_signals
from runexp.diagnostics import SpecError, did_you_mean

if TYPE_CHECKING:  # these import torch; the verb imports them when it runs
    from runexp.api.checking import Checked
    from runexp.api.previewing import Length, Preview
    from runexp.api.running import Run

Label = Annotated[
    str,
    typer.Option(
        "--phase",
        metavar="LABEL",
        help="The phase or group; `group/phase` inside one.",
        autocompletion=complete_phase,
    ),
]
Steps = Annotated[int, typer.Option("--steps", min=0, help="Train only so many updates; 0: as the spec says.")]
Epochs = Annotated[int, typer.Option("--epochs", min=0, help="Train only so many epochs; 0: as the spec says.")]
Dry = Annotated[bool, typer.Option("--dry", help="Describe it only.")]
Earlier = Annotated[bool, typer.Option("--with-earlier", help="Run the phases before it first, also in preview.")]


def preview(
    spec: SpecPath,
    *,
    phase: Label,
    steps: Steps = 0,
    epochs: Epochs = 0,
    dry: Dry = False,
    with_earlier: Earlier = False,
    overrides: Overrides = None,
    device: Device = None,
    seed: Seed = None,
    allow_import: AllowImport = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """Show a phase as it would run, then run it and put everything back; nothing is written.

    The page tells inputs, shapes, parameters, steps, losses and what feeds them, optimizer groups and callbacks.
    """
    checked = require_checked(spec, as_overrides(overrides, device=device, seed=seed), no_color=no_color)
    checked = trusted(checked, allow_import, quiet=quiet, no_color=no_color)
    say_on_terminal("importing torch, reading data, building the graph …", quiet=quiet)
    from runexp.api.previewing import Length
    from runexp.engine.control import Control

    _require_phase(checked, phase)
    color = wants_color(sys.stdout, no_color=no_color)
    length = Length(epochs, steps, with_earlier)
    control = Control()
    stop_on_signals(control)
    previewed = _described(checked, phase, length, color=color, no_color=no_color)
    if dry:
        return
    if previewed.waits_for and not with_earlier:
        say(f"error: `{phase}` waits for {', '.join(previewed.waits_for)} to be fitted; add --with-earlier, or --dry")
        raise typer.Exit(2)
    tried = previewed.run(
        length, watch=lambda live: progress_sinks(live, quiet=quiet, no_color=no_color), control=control
    )
    _conclude(tried, checked, color=color, verbose=verbose)


def _require_phase(checked: Checked, phase: str) -> None:
    from runexp.api.previewing import labels

    known = labels(checked)
    if phase not in known:
        say(f"error: no phase is labelled `{phase}`; {did_you_mean(phase, known, kind='phases')}")
        raise typer.Exit(2)


def _described(checked: Checked, phase: str, length: Length, *, color: bool, no_color: bool) -> Preview:
    """Build the phase and write its page."""
    from runexp.api.previewing import Preview
    from runexp.api.redaction import redacted_text
    from runexp.report.preview import render_preview

    try:
        previewed = Preview(checked, phase)
        for facts in previewed.facts(length):
            text = render_preview(facts, console_width=width(), color=color)
            sys.stdout.write(redacted_text(text, checked.document) + "\n")
    except SpecError as error:
        raise leave_with(error, checked.files, no_color=no_color) from None
    sys.stdout.flush()
    return previewed


def _conclude(tried: Run, checked: Checked, *, color: bool, verbose: bool) -> None:
    from runexp.report.results import render_results

    sys.stdout.write(render_results(tried.results, console_width=width(), color=color, units=tried.units))
    if tried.error is not None:
        show_failure(tried.error, checked, verbose=verbose)
    if tried.status != "completed":
        raise typer.Exit(130 if tried.status == "interrupted" else 1)
    say("preview: everything is as it was before, nothing was written")
