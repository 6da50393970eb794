"""What is large is written beside the run, in order, and failures are not lost."""

from __future__ import annotations

import threading

import pytest

from runexp.store.writer import Writer


def test_small_jobs_are_done_at_once_and_large_ones_in_their_own_thread():
    writer, done, gate = Writer(large=10), [], threading.Event()
    writer.submit(lambda: done.append("small"), 9)
    assert done == ["small"]
    writer.submit(lambda: (gate.wait(5), done.append("large")), 10)
    assert done == ["small"]
    gate.set()
    writer.submit(lambda: done.append("next"), 1)
    assert done == ["small", "large", "next"]


def test_what_a_job_failed_of_is_raised_once_in_the_thread_that_asks():
    writer = Writer(large=0)

    def fail():
        raise OSError("disk full")

    writer.submit(fail, 1)
    with pytest.raises(OSError, match="disk full"):
        writer.finish()
    writer.finish()
