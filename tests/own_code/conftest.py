from __future__ import annotations

import sys

import pytest


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder one stands in, a project of its own."""
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    path, modules = list(sys.path), set(sys.modules)
    yield tmp_path
    assert sys.path == path
    assert {name for name in set(sys.modules) - modules if name.startswith(("mine", "helpers"))} == set()
