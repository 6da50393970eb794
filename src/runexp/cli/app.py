"""The whole command line."""

from __future__ import annotations

from runexp.cli.verbs import VERBS, app_with

app = app_with(VERBS)
