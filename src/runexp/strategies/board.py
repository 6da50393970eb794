"""How a run and its jobs on a cluster speak: through files of the run's folder, which all of them see.

The run says which word ends its jobs, or one of them, and that it is there; a job says that it has begun and where it
stands. What is read there is JSON, never an object.
"""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Any, Self

from runexp.engine.control import Control
from runexp.store.atomic import make_folders, write_atomically

_TICK_S = 0.2
_BEAT_S = 10.0
_SILENCE_S = 120.0  # a run that has said nothing for so long is gone
_SEEN_S = 10.0  # a shared file system may take a while to show a file
_ORDERS = "orders.json"
_ALONE = threading.Lock()
"""Random numbers and the working directory belong to a process: where a worker has several threads, jobs take turns."""


class CannotWork(Exception):  # noqa: N818 - it reads as what happened
    """A job cannot be done where it was sent."""


class Board:
    """The run's side, from its first job to its last; on leaving, jobs that are still worked on are ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._token = token_hex(8)
        self._word = ""
        self._ended: dict[str, str] = {}
        self._beat = 0
        self._read: dict[int, int] = {}
        self._over = threading.Event()
        self._writing = threading.Lock()

    def post(self, number: int) -> Post:
        """The place of a job, which is sent along with it."""
        return Post(self._folder, self._token, number, Path.cwd())

    def say(self, word: str) -> None:
        """End all jobs with this word, in the place of a signal's name."""
        if word and word != self._word:
            self._word = word
            self._write()

    def end(self, number: int, word: str) -> None:
        """End one job with a word."""
        self._ended[str(number)] = word
        self._write()

    def has_begun(self, number: int) -> bool:
        """Whether somebody works on a job, or did."""
        return self.post(number).reports.is_file()

    def heard(self, number: int) -> Iterator[Mapping[str, Any]]:
        """What a job has reported and was not given before."""
        try:
            with open(self.post(number).reports, "rb") as file:
                file.seek(self._read.get(number, 0))
                text = file.read()
        except OSError:
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._read[number] = self._read.get(number, 0) + len(whole)
        yield from (told for line in whole.splitlines() if (told := json.loads(line)))

    def __enter__(self) -> Self:
        make_folders(self._folder / self._token)
        self._write()
        threading.Thread(target=self._keep_beating, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        with suppress(OSError):
            self.say(self._word or "SIGTERM")
        shutil.rmtree(self._folder / self._token, ignore_errors=True)

    def _keep_beating(self) -> None:
        while not self._over.wait(_BEAT_S):
            with suppress(OSError):  # another beat may come through
                self._write()

    def _write(self) -> None:
        with self._writing:
            self._beat += 1
            told = {"token": self._token, "beat": self._beat, "word": self._word, "ended": self._ended}
            write_atomically(self._folder / _ORDERS, json.dumps(told))


@dataclass(frozen=True, slots=True)
class Post:
    """A job's side; it is sent to where the job is done. `home` is the folder that the run was started in."""

    folder: Path
    token: str
    number: int
    home: Path

    @property
    def reports(self) -> Path:
        """Where the job says where it stands, a line each."""
        return self.folder / self.token / f"{self.number}.jsonl"

    def look(self) -> str:
        """Why nothing can be done here; empty where it can."""
        until = time.monotonic() + _SEEN_S
        while self._orders().get("token") != self.token:
            if time.monotonic() > until:
                return f"{socket.gethostname()} does not see the folder {self.folder.parent}, where the run is"
            time.sleep(_TICK_S)
        return "" if self.home.is_dir() else f"{socket.gethostname()} has no folder {self.home}, where the run started"

    @contextmanager
    def manned(self, control: Control) -> Iterator[None]:
        """While the job is done, in the folder that the run was started in: a word of the run ends it, and so does its
        silence. `CannotWork` where the folder of the run is not to be seen."""
        why = self.look()
        if why:
            raise CannotWork(f"{why}: all machines of a cluster have to share it")
        over = threading.Event()
        with _ALONE, chdir(self.home):
            self.report({})
            threading.Thread(target=self._heed, args=(control, over), daemon=True).start()
            try:
                _end_by(self._word(), control)
                yield
            finally:
                over.set()

    def report(self, told: Mapping[str, Any]) -> None:
        """Say where the job stands; nothing depends on it."""
        with suppress(OSError), open(self.reports, "ab") as file:
            file.write(json.dumps(told).encode() + b"\n")

    def _heed(self, control: Control, over: threading.Event) -> None:
        beat, since = 0, time.monotonic()
        while not over.wait(_TICK_S):
            orders = self._orders()
            if orders.get("beat", beat) != beat:
                beat, since = int(orders["beat"]), time.monotonic()
            silent = time.monotonic() - since > _SILENCE_S
            if _end_by("SIGTERM" if silent else self._word(orders), control):
                return

    def _word(self, orders: Mapping[str, Any] | None = None) -> str:
        orders = self._orders() if orders is None else orders
        if orders.get("token", self.token) != self.token:
            return "SIGTERM"  # the run goes on elsewhere, and gives this job out anew
        return str(orders.get("word") or orders.get("ended", {}).get(str(self.number), ""))

    def _orders(self) -> Mapping[str, Any]:
        try:
            return dict(json.loads((self.folder / _ORDERS).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}


def _end_by(word: str, control: Control) -> bool:
    """End what runs with a word, if there is one."""
    if word and not control.signal:
        control.interrupt(word)
    return bool(word)
