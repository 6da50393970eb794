"""One command: no more is loaded than it needs, and what becomes of an exception."""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from runexp.cli.validating import read_plainly, validate_specs
from runexp.version import __version__


def run_command() -> NoReturn:
    """Run the command line of this process. A fault of ours exits 3 with where its details lie, without a traceback."""
    try:
        _leave(_obey(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):  # typer makes a failure of it
            _leave_a_broken_pipe()
        raise
    except BrokenPipeError:
        _leave_a_broken_pipe()
    except Exception as error:
        if "--verbose" in sys.argv:
            traceback.print_exc()
        print(f"this is a bug in runexp: {type(error).__name__}: {error}", file=sys.stderr)
        print(f"details: {_write_details()}", file=sys.stderr)
        sys.exit(3)


def _obey(words: Sequence[str]) -> int:
    """Do what the command line says: a plain `validate` here, and everything else as typer reads it."""
    verb = "" if _COMPLETION in os.environ or not words else words[0]
    wanted = read_plainly(words[1:]) if verb == "validate" else None
    if wanted is not None:
        _look_for_no_plugins()
        return validate_specs(wanted)
    from runexp.cli.verbs import VERBS, app_with

    app = app_with([verb] if verb in VERBS else VERBS)
    gc.enable()
    app()
    return 0


def _look_for_no_plugins() -> None:
    """Have pydantic search for no plugins: it opens a file of every package installed, with a library that takes 5 %
    of `validate` to load. Where a later pydantic keeps its search elsewhere, the variable still stops it."""
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    finds_none = ModuleType("pydantic.plugin._loader")
    finds_none.__dict__["get_plugins"] = tuple
    sys.modules.setdefault(finds_none.__name__, finds_none)


def _leave(code: int) -> NoReturn:
    """Go at once: the system takes memory back faster than the interpreter."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


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


_COMPLETION = "_RUNEXP_COMPLETE"
