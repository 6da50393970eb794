"""`python -m bench.sampling [--rows N]`: CPU seconds to make samplers and to draw an epoch of them."""

from __future__ import annotations

import argparse
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from runexp.diagnostics import Span
from runexp.plan.samplers import MatchPlan, SamplerPlan
from runexp.plan.values import FrozenMap, Origin
from runexp.runtime.sampling import make_sampler

ROLES = {"pairs": ("anchor", "pair"), "triplets": ("anchor", "positive", "negative")}
ORIGIN = Origin("samplers.bench", Span("bench.yaml", 1, 1, 1, 2))


def main() -> None:
    """Time every job once and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    n_rows = parser.parse_args().rows
    table = Table(title=f"samplers of {n_rows:,} rows, batches of 64: CPU seconds")
    for heading in ("sampler", "made", "an epoch", "units"):
        table.add_column(heading, justify="left" if heading == "sampler" else "right")
    for label, plan in jobs():
        table.add_row(label, *measured(plan, columns_of(n_rows), n_rows))
    Console().print(table)


def columns_of(n_rows):
    """Ten classes, many groups, and two numbers that follow each other."""
    generator = np.random.default_rng(0)
    x = generator.random(n_rows)
    y = 0.7 * x + 0.3 * generator.random(n_rows)
    group = generator.integers(0, max(2, n_rows // 20), n_rows)
    return {"label": generator.integers(0, 10, n_rows), "group": group, "x": x, "y": y}


def jobs():
    """What is measured."""
    same, near, near_too = match("label", same=True), match("x", within=0.02), match("y", within=0.02)
    yield "simple", made("simple")
    yield "stratified by 10 classes", made("stratified", by="label")
    yield "whole groups of about 20", made("grouped", by="group")
    yield "length_bucketed", made("length_bucketed", by="x")
    yield "pairs: same class", made("pairs", match=(same,))
    yield "pairs: within", made("pairs", match=(near,))
    yield "pairs: same class, within, half of them", made("pairs", match=(same, near), share=0.5)
    yield "pairs: within in two columns, half of them", made("pairs", match=(near, near_too), share=0.5)
    yield "pairs: another class, within", made("pairs", match=(match("label", same=False), near))
    yield "triplets: same class", made("triplets", match=(same,))
    yield "triplets: same class, within", made("triplets", match=(same, near))
    yield "triplets: hard negatives", made("triplets", match=(same,), mismatch=(match("label", same=False), near))
    yield "5 classes of 5 + 15 rows", made("n_way", by="label", n_way=5, k_shot=5, n_queries=15, streams=("a", "b"))


def match(column, *, same=None, within=None, beyond=None):
    """A condition."""
    return MatchPlan(column, same, within, beyond)


def made(kind, *, streams=("",), **rest):
    """A plan."""
    return SamplerPlan(
        "bench", kind, "d", 64, True, False, ROLES.get(kind, ("",)), streams, ORIGIN, others=FrozenMap(), **rest
    )


def measured(plan, columns, n_rows):
    """Seconds to make the sampler, seconds for an epoch of batches, and how many units that is."""
    start = time.process_time()
    sampler = make_sampler(plan, columns, n_rows, 0, "train")
    ready = time.process_time()
    for stream in sampler.streams:
        for _ in sampler.draw(1, stream=stream):
            pass
    done = time.process_time()
    return f"{ready - start:.3f}", f"{done - ready:.3f}", f"{sampler.n_rows:,}"


if __name__ == "__main__":
    main()
