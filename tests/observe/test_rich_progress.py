"""Progress on a real terminal: a pseudo-terminal of a given width, and what was written to it."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest
from rich.cells import cell_len

ROOT = Path(__file__).resolve().parents[2]

DRIVER = """
import os, signal, sys, time
from rich.console import Console
from observe.cases import epoch_of, short_run
from runexp.engine.live import Live
from runexp.events import EpochStarted, PhaseStarted, RunFinished, WarningRaised
from runexp.observe.pump import pump
from runexp.observe.rich_progress import RichProgress

live = Live()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background of a shell is born deaf to it

def paced(events):
    for event in events:
        if isinstance(event, PhaseStarted):
            live.phase, live.n_epochs, live.n_batches = event.phase, event.n_epochs, event.n_batches
        if isinstance(event, EpochStarted):
            live.epoch = event.epoch
            live.latest = lambda: {"loss": 0.1234 + event.epoch, "lr": 0.003}
            for live.batch in range(1, 5):
                time.sleep(0.1)
        yield event

def engine():
    yield WarningRaised("[/red]", "odd [bold]markup\\x1b[2J")
    yield from paced(short_run())

def failing():
    yield from paced([PhaseStarted("train", "train", "train", 8, 2, 4, 8)])
    time.sleep(0.3)
    raise ZeroDivisionError

def interrupted():
    yield from paced([PhaseStarted("train", "train", "train", 8, 2, 4, 8)])
    print("READY", file=sys.stderr, flush=True)
    time.sleep(30)

def closing():
    def bad():
        raise RuntimeError("closed")
    live.latest = bad
    yield PhaseStarted("a-phase-of-a-remarkably-long-name" * 3, "train", "train", 8, 2, 4, 8)
    time.sleep(0.4)
    yield RunFinished("completed")

try:
    pump(globals()[sys.argv[1]](), [RichProgress(live, Console(stderr=True))])
except BaseException as error:
    print("LEFT BY", type(error).__name__, flush=True)
print("GOODBYE", flush=True)
"""

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")


def on_terminal(engine, *, columns, interrupt_at=None, encoding="utf-8"):
    """Everything written to a terminal by a run of `engine`; Ctrl-C once `interrupt_at` is seen."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    environment |= {"TERM": "xterm-256color", "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"}
    environment |= {"PYTHONIOENCODING": encoding}
    command = [sys.executable, "-c", DRIVER, engine]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    watchdog = threading.Timer(30, process.kill)
    watchdog.start()
    written = b""
    while chunk := _read(ours):
        written += chunk
        if interrupt_at and interrupt_at in written:
            process.send_signal(signal.SIGINT)
            interrupt_at = None
    process.wait()
    watchdog.cancel()
    os.close(ours)
    return written.decode(encoding)


def _read(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # how Linux says that the other end is closed
        return b""


def visible(text):
    return [line for line in re.split(r"[\r\n]+", ESCAPE.sub("", text)) if line]


def is_restored(text):
    """The cursor, once hidden, is shown again."""
    return "\x1b[?25l" in text and text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")


@pytest.fixture(scope="module")
def wide():
    return on_terminal("engine", columns=100)


@pytest.fixture(scope="module")
def narrow():
    return on_terminal("engine", columns=40)


def test_the_running_phase_shows_position_numbers_and_time_left(wide):
    lines = visible(wide)
    assert any(re.search(r"train epoch 3/30 ━+.* [1-4]/4 +\d+:\d\d left", line) for line in lines)
    assert any(re.search(r"loss 1\.123  val_loss 0\.5  lr 0\.003", line) for line in lines)


def test_a_finished_phase_leaves_a_line_with_its_numbers(wide):
    said = "■ phase train stopped by early after 3 epochs, 12 steps  train_loss 0.3333"
    lines = visible(wide)
    assert sum(line.startswith(said) for line in lines) == 1
    assert sum(line.startswith("✓ phase test completed  test_loss 0.31  test_acc 0.97") for line in lines) == 1


@pytest.mark.parametrize(("shape", "columns"), [("wide", 100), ("narrow", 40)])
def test_no_line_is_wider_than_the_window(request, shape, columns):
    lines = visible(request.getfixturevalue(shape))
    assert max(map(cell_len, lines)) <= columns


def test_a_small_window_stays_readable(narrow):
    lines = visible(narrow)
    assert any(re.search(r"^train 3/30 ━+.* \d+:\d\d left", line) for line in lines)
    assert any("loss 1.123  val_loss 0.5  lr 0.003" in line for line in lines)
    assert "phase train stopped by early after 3 epochs, 12 steps train_loss 0.3333" in re.sub(
        r"\s+", " ", " ".join(lines)
    )


def test_nothing_is_drawn_of_a_phase_that_is_over(wide):
    lines = visible(wide)
    end = next(index for index, line in enumerate(lines) if line.startswith("■"))
    assert [line for line in lines[end + 1 :] if "epoch" in line] == []


def test_markup_and_escapes_in_texts_are_shown_as_they_are(wide):
    assert "warning in phase [/red]: odd [bold]markup?[2J" in visible(wide)


def test_the_bar_is_drawn_some_ten_times_a_second(wide):
    assert 5 <= len(re.findall(r"epoch \d+/30", "\n".join(visible(wide)))) <= 25  # 1.2 s of batches


@pytest.mark.parametrize("shape", ["wide", "narrow"])
def test_the_terminal_is_restored_after_a_run(request, shape):
    written = request.getfixturevalue(shape)
    assert is_restored(written)
    assert visible(written)[-1] == "GOODBYE"


def test_the_terminal_is_restored_after_a_fault():
    written = on_terminal("failing", columns=80)
    assert is_restored(written)
    assert "✗ run failed: ZeroDivisionError" in visible(written)
    assert visible(written)[-2:] == ["LEFT BY ZeroDivisionError", "GOODBYE"]


def test_the_terminal_is_restored_after_ctrl_c():
    written = on_terminal("interrupted", columns=80, interrupt_at=b"READY")
    assert is_restored(written)
    assert visible(written)[-2:] == ["LEFT BY KeyboardInterrupt", "GOODBYE"]


def test_numbers_that_cannot_be_read_and_a_long_name_do_no_harm():
    written = on_terminal("closing", columns=40)
    assert is_restored(written)
    assert "Traceback" not in written
    assert max(map(cell_len, visible(written))) <= 40
    assert any(re.match(r"a-phase-of-a…? 1/2 ━+", line) for line in visible(written))


def test_a_terminal_without_utf_8_gets_ascii():
    written = on_terminal("engine", columns=100, encoding="ascii")
    assert any(line.startswith("= phase train stopped by early") for line in visible(written))
    assert written.isascii()
