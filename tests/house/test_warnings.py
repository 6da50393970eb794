"""A warning that one of our lines causes fails the test that met it; a warning of others does not."""

from __future__ import annotations

import warnings

import pytest


def _warn_from(module):
    exec(
        compile("import warnings\nwarnings.warn('old', DeprecationWarning)", module, "exec"),
        {"__name__": module},
    )


@pytest.mark.parametrize("module", ["runexp", "runexp.engine.train"])
def test_a_warning_from_our_code_is_an_error(module):
    with pytest.raises(DeprecationWarning, match="old"):
        _warn_from(module)


@pytest.mark.parametrize("module", ["runexponent", "sklearn.utils"])
def test_a_warning_from_other_code_is_only_a_warning(module):
    with warnings.catch_warnings(record=True) as seen:
        _warn_from(module)
    assert len(seen) == 1
