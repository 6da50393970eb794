"""The versions of the libraries that numbers depend on."""

from __future__ import annotations

import numpy
import pyarrow
import sklearn
import torch

from runexp.version import __version__


def library_versions() -> dict[str, str]:
    """Name → version of runexp and of every library that computes for it."""
    return {
        "runexp": __version__,
        "torch": str(torch.__version__),
        "scikit-learn": str(sklearn.__version__),
        "numpy": str(numpy.__version__),
        "pyarrow": str(pyarrow.__version__),
    }
