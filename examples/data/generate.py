"""Writes the tables of this folder anew: numbers made up by a rule and a seed, none of them measured."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SITES = ("gut", "left palm", "right palm", "tongue")
N_SAMPLES, N_VARIANTS = 30, 24
N_CELLS, N_PULSES, N_POINTS = 9, 6, 30


def microbiome(folder: Path) -> None:
    """Counts of sequence variants, samples with a site and a fold, and distances between samples."""
    rng = np.random.default_rng(0)
    site = np.arange(N_SAMPLES) % len(SITES)
    names = [f"S{number:02}" for number in rng.permutation(N_SAMPLES)]
    places = np.array([[0.0, 2.0], [2.0, 0.3], [2.0, -0.3], [-2.0, 0.0]])[site] + rng.normal(0, 0.4, (N_SAMPLES, 2))
    liking = rng.normal(0, 1.0, (2, N_VARIANTS))
    counts = rng.poisson(np.exp(np.clip(places @ liking, -3, 4)))
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    distances = apart / (apart + 2.0)
    variants = [hashlib.md5(f"variant {number}".encode()).hexdigest() for number in range(N_VARIANTS)]
    order = rng.permutation(N_SAMPLES)  # three files, in orders of their own
    lines = [",".join(["", *variants]), *(",".join([names[row], *map(str, counts[row])]) for row in order)]
    with gzip.GzipFile(folder / "counts.csv.gz", "wb", mtime=0) as file:
        file.write(("\n".join(lines) + "\n").encode())
    told = (f"{name},{SITES[site[row]]},subject-{row % 2 + 1},{row // 4 % 5}" for row, name in enumerate(names))
    _write(folder / "folds.csv", ["sid,body_site,subject,fold", *told])
    rows = (",".join([names[row], *(f"{distances[row, column]:.4f}" for column in order)]) for row in order)
    _write(folder / "unweighted_unifrac.csv", [",".join(["", *(names[row] for row in order)]), *rows])


def pulses(path: Path) -> None:
    """Voltages of pulses of cells that age, with the state of health, the cell, and a split by cell."""
    rng = np.random.default_rng(1)
    lines = [",".join(["sid", *(f"v{point:03}" for point in range(N_POINTS)), "soh", "cell", "split"])]
    for cell in range(N_CELLS):
        split = "test" if cell == 0 else "val" if cell == 1 else "train"
        for pulse in range(N_PULSES):
            health = 100 - 4 * pulse - rng.uniform(0, 3)
            time = np.arange(N_POINTS) / N_POINTS
            resistance = 0.05 + 0.004 * (100 - health)
            voltage = 3.6 + 0.01 * rng.normal() - resistance * (1 + time) + 0.001 * rng.normal(size=N_POINTS)
            cells = [f"h{cell * N_PULSES + pulse:03}", *(f"{value:.4f}" for value in voltage), f"{health:.2f}"]
            lines.append(",".join([*cells, str(cell), split]))
    _write(path, lines)


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    microbiome(HERE / "microbiome")
    pulses(HERE / "pulses.csv")
