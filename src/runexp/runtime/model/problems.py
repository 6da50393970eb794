"""What keeps a model from being loaded, or from saying anything of a table."""

from __future__ import annotations


class CannotLoad(Exception):  # noqa: N818 - it reads as what happened
    """There is no model to be loaded here, or not in this way."""


class CannotPredict(ValueError):  # noqa: N818 - it reads as what happened
    """The model cannot be asked about these rows, or not in this way."""
