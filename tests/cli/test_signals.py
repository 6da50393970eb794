"""What signals do: the first asks the run to stop, and only a second Ctrl-C leaves at once."""

from __future__ import annotations

import os
import signal

import pytest

from runexp.cli.watching import stop_on_signals
from runexp.engine.control import Control

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@pytest.fixture
def control():
    """What the handlers of this process tell."""
    before = {number: signal.getsignal(number) for number in NUMBERS}
    made = Control()
    stop_on_signals(made)
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("first", NUMBERS, ids=lambda number: number.name)
def test_what_a_scheduler_says_twice_does_not_cut_short_what_the_first_began(first, control):
    """SLURM warns with SIGUSR1 and ends with SIGTERM."""
    os.kill(os.getpid(), first)
    assert (control.signal, control.halt) == (first.name, True)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert control.signal == first.name
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
