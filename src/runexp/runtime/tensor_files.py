"""Tensors to files, with failures of the disk as every other file has them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

UNREADABLE = (
    SafetensorError, RuntimeError, EOFError, ValueError, TypeError, LookupError, AttributeError, BadZipFile,
)  # fmt: skip
"""What reading a file may raise that holds something else than it should."""

_NUMBER = re.compile(r"os error (\d+)")


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write a safetensors file; `OSError` with its number and its file where the disk refuses it."""
    try:
        save_file(dict(tensors), path)
    except SafetensorError as error:
        number = _NUMBER.search(str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
