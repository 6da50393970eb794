"""Ids of different files made comparable: whole numbers as such, everything else as text."""

from __future__ import annotations

import numpy as np

from runexp.runtime.data.table import Array


def as_labels(values: Array, *, like: Array | None = None) -> list[str]:
    """The values (N,) as text; whole numbers without a decimal point.

    With `like`, text that is to be matched with numbers: `007` is then 7, as a table of numbers has it.
    """
    if values.dtype.kind == "f":
        return [str(int(value)) if float(value).is_integer() else str(value) for value in values.tolist()]
    if like is not None and like.dtype.kind in "iu" and values.dtype.kind == "U":
        return [str(int(value)) if value.isascii() and value.isdecimal() else value for value in values.tolist()]
    return [str(value) for value in np.asarray(values).tolist()]
