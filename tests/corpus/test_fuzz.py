"""Whatever is done to a good spec, checking it ends in time, with located messages and without a fault."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.judge import judged
from corpus.mutations import in_data, in_text, mutated
from corpus.tables import GOOD


@settings(max_examples=300)
@given(st.sampled_from(sorted(GOOD)), st.randoms())
def test_a_spec_with_a_damaged_text_is_no_fault_of_ours(name, random):
    judged(in_text(GOOD[name].read_text(), random))


@settings(max_examples=300)
@given(st.sampled_from(sorted(GOOD)), st.randoms())
def test_a_spec_with_another_value_or_key_is_no_fault_of_ours(name, random):
    judged(in_data(GOOD[name].read_text(), random))


@pytest.mark.slow
@settings(max_examples=5_000)
@given(st.randoms())
def test_a_spec_damaged_in_several_ways_is_no_fault_of_ours(random):
    judged(mutated(random))
