"""One command: its verb alone is loaded, and what becomes of an exception."""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from typing import NoReturn

from runexp.cli.verbs import VERBS, app_with
from runexp.version import __version__


def run_command() -> NoReturn:
    """Run the command line of this process. A fault of ours exits 3 with where its details lie, without a traceback."""
    verb = sys.argv[1] if len(sys.argv) > 1 and "_RUNEXP_COMPLETE" not in os.environ else ""
    is_quick = verb == "validate" and "--deep" not in sys.argv
    app = app_with([verb] if verb in VERBS else VERBS)
    if not is_quick:
        gc.enable()
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):  # typer makes a failure of it
            _leave_a_broken_pipe()
        _leave(leaving, at_once=is_quick)
    except BrokenPipeError:
        _leave_a_broken_pipe()
    except Exception as error:
        if "--verbose" in sys.argv:
            traceback.print_exc()
        print(f"this is a bug in runexp: {type(error).__name__}: {error}", file=sys.stderr)
        print(f"details: {_write_details()}", file=sys.stderr)
        sys.exit(3)
    sys.exit(0)


def _leave(leaving: SystemExit, *, at_once: bool) -> NoReturn:
    """Say what is still to be said and go; `at_once` leaves it to the system to take memory back."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        _leave_a_broken_pipe()
    if at_once and isinstance(leaving.code, int):
        os._exit(leaving.code)
    raise leaving


def _leave_a_broken_pipe() -> NoReturn:
    """End as a program does whose reader has gone (`runexp … | head`): without a word, by SIGPIPE."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    sys.exit(1)


def _write_details() -> str:
    import tempfile
    from pathlib import Path

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "runexp" / "faults"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="fault-", suffix=".txt", dir=cache)
        with os.fdopen(handle, "w", encoding="utf-8") as details:
            details.write(f"runexp {__version__}\n{sys.version}\n{sys.argv}\n\n{traceback.format_exc()}")
    except OSError as error:
        return f"could not be written ({error})"
    return name
