from __future__ import annotations

import pytest


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder one stands in, a project of its own."""
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path
