"""A confusion matrix as a picture, drawn without a library for plots."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from struct import pack

import numpy as np

_SIDE = 512  # pixels, about
_LIGHT, _DARK = np.array([247, 251, 255]), np.array([8, 48, 107])


def confusion_picture(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> tuple[bytes, int, int]:
    """A PNG, its width and height: a row a class, a column a prediction, darker for a larger share of the row.

    A cell may be as small as a pixel; `labels` say how many classes there are.
    """
    matrix = np.asarray(counts, dtype=np.float64).reshape(len(labels), len(labels))
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    cell = max(1, _SIDE // max(1, len(labels)))
    colors = (_LIGHT + shares[:, :, None] * (_DARK - _LIGHT)).astype(np.uint8)
    pixels = colors.repeat(cell, axis=0).repeat(cell, axis=1)
    if cell > 4:  # lines between the cells
        pixels[::cell], pixels[:, ::cell] = 255, 255
    return _png(pixels), pixels.shape[1], pixels.shape[0]


def _png(pixels: np.ndarray) -> bytes:
    """(H, W, 3) uint8 as a file."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # each begins with a filter, 0: none
    rows[:, 1:] = pixels.reshape(height, -1)
    file = io.BytesIO()
    file.write(b"\x89PNG\r\n\x1a\n")
    for kind, content in (
        (b"IHDR", pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes())),
        (b"IEND", b""),
    ):
        file.write(pack(">I", len(content)) + kind + content + pack(">I", zlib.crc32(kind + content)))
    return file.getvalue()
