"""Items made ahead of time in a thread, which ends with whoever takes them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import TypeVar

Item = TypeVar("Item")

_PATIENCE = 0.05  # seconds between two looks at whether anybody still waits
_FAREWELL = 2.0  # seconds; the thread is a daemon, so that a read that hangs does not keep the process


@dataclass(frozen=True, slots=True)
class _Failure:
    error: BaseException


_END = object()


def ahead(make: Callable[[], Iterator[Item]], depth: int) -> Generator[Item, None, None]:
    """The items of an iterator, up to `depth` of them made before they are asked for; 0: no thread.

    What the iterator raises is raised here, after the items before it. Closing this, also by an exception where it is
    taken from, ends the thread.
    """
    if depth == 0:
        yield from make()
        return
    items: Queue[object] = Queue(depth)
    is_over = threading.Event()
    thread = threading.Thread(target=_work, args=(make, items, is_over), name="runexp-reader", daemon=True)
    thread.start()
    try:
        while (item := items.get()) is not _END:
            if isinstance(item, _Failure):
                raise item.error
            yield item  # type: ignore[misc]  # what `make` gives
    finally:
        is_over.set()
        _drain(items)
        thread.join(_FAREWELL)


def _work(make: Callable[[], Iterator[object]], items: Queue[object], is_over: threading.Event) -> None:
    try:
        for item in make():
            if not _put(items, item, is_over):
                return
    except BaseException as error:  # whatever it is, it belongs to who asked
        _put(items, _Failure(error), is_over)
        return
    _put(items, _END, is_over)


def _put(items: Queue[object], item: object, is_over: threading.Event) -> bool:
    """Whether the item was put before it was over."""
    while not is_over.is_set():
        with suppress(Full):
            items.put(item, timeout=_PATIENCE)
            return True
    return False


def _drain(items: Queue[object]) -> None:
    with suppress(Empty):
        while True:
            items.get_nowait()
