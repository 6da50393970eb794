"""Where folds and trials run: what of it does not go together."""

from __future__ import annotations

from runexp.compiler.scope import Scope
from runexp.spec.strategies import CrossValidation, Sweep

_LIBRARIES = {"dask": "Dask", "ray": "Ray"}
_SCHEMES = {"ray": "ray", "tcp": "dask", "tls": "dask", "ucx": "dask", "ws": "dask", "wss": "dask"}
_IN_TURN = {"sequential": "one after the other", "vectorized": "all at once in one process"}


def check_execution(scope: Scope, section: CrossValidation | Sweep) -> None:
    """Report workers that nobody starts, and a cluster that nobody asks, or the wrong one."""
    name, what = ("cv", "folds") if isinstance(section, CrossValidation) else ("sweep", "trials")
    is_at_a_time = section.execution == "vectorized" and name == "sweep"  # workers are then trials at a time
    if section.workers is not None and section.execution in _IN_TURN and not is_at_a_time:
        message = f"`workers` counts processes, and {what} run {_IN_TURN[section.execution]}"
        scope.found.error("exclusive-keys", message, (name, "workers"), part="key", help="`execution: processes`")
    if section.cluster is None:
        return
    if section.execution not in _LIBRARIES:
        message = f"`cluster` is the address of a Dask scheduler or a Ray cluster, and {what} are not run by one"
        help = "`execution: dask`, or `ray`"
        scope.found.error("exclusive-keys", message, (name, "cluster"), part="key", help=help)
        return
    if section.workers is not None:
        message = "`workers` counts processes of this machine, and a cluster has its own"
        scope.found.error("exclusive-keys", message, (name, "workers"), part="key")
    _check_address(scope, name, section.cluster, section.execution)


def check_nesting(scope: Scope, sweep: Sweep) -> None:
    """Trials that wait on a cluster for folds that wait for their workers would wait for ever."""
    cv = scope.found.spec.cv
    if cv is not None and cv.execution in _LIBRARIES and sweep.execution in _LIBRARIES:
        message = "each trial runs on a cluster already, and its folds cannot be given out from there"
        help = "`sequential`, or `processes`; or run the trials one after the other"
        scope.found.error("exclusive-keys", message, ("cv", "execution"), help=help)


def _check_address(scope: Scope, name: str, address: str, execution: str) -> None:
    scheme, _, rest = address.rpartition("://")
    by = _SCHEMES.get(scheme, execution) if address != "auto" else "ray"
    if by != execution:
        message = f"`{address}` is an address of {_LIBRARIES[by]}, and {_LIBRARIES[execution]} is asked for"
        scope.found.error("wrong-value", message, (name, "cluster"), help=f"`execution: {by}`")
    elif address != "auto" and not rest.rpartition(":")[2].isdigit():
        message = f"`{address}` is no address of a cluster: it lacks a port"
        help = "`tcp://host:8786`" if execution == "dask" else "`host:6379`, `ray://host:10001`, or `auto`"
        scope.found.error("wrong-value", message, (name, "cluster"), help=help)
