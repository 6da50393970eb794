"""What a run may be called: its name is a folder's, on every system."""

from __future__ import annotations

import re

_RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def why_no_run_name(name: str) -> str:
    """What is wrong with the name of a run; empty if it can name a folder on every system."""
    if not _RUN_NAME.fullmatch(name):
        return "up to 100 letters, digits, `.`, `_`, `-`, first no sign"
    if name.endswith("."):
        return "the last character is a dot"
    if _DEVICE.fullmatch(name):
        return "it is a device on Windows"
    return ""
