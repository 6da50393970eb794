"""Checking grows with the length of a spec, not with its square."""

from __future__ import annotations

import time

from bench.long_spec import long_spec

from runexp.api.checking import check


def seconds(n_lines):
    text = long_spec(n_lines).encode()
    start = time.process_time()
    assert check("-", stdin=text).is_valid
    return time.process_time() - start


def test_ten_thousand_lines_cost_less_than_five_times_what_a_thousand_foretell():
    seconds(100)
    thousand = min(seconds(1_000) for _ in range(3))
    assert seconds(10_000) < 5 * 10 * thousand
