"""`PYTHONPATH=src:tests python -m corpus.fuzz N [SEED]`: N damaged specs; each that breaks a promise is printed."""

from __future__ import annotations

import sys
import time
import traceback
from random import Random
from statistics import quantiles

from corpus.judge import judged
from corpus.mutations import mutated


def main(n: int, seed: int) -> int:
    """How many damaged specs broke a promise."""
    seconds, faults, valid = [], 0, 0
    for number in range(n):
        text = mutated(Random(f"{seed}-{number}"))
        start = time.process_time()
        try:
            valid += judged(text).is_valid
        except Exception:
            faults += 1
            print(f"--- {seed}-{number}\n{text}\n{traceback.format_exc()}", flush=True)
        seconds.append(time.process_time() - start)
    cuts = quantiles(seconds, n=100)
    print(f"{n} damaged specs: {faults} faults, {valid} still valid")
    print(f"CPU ms: median {cuts[49] * 1e3:.1f}, 99 % {cuts[98] * 1e3:.1f}, most {max(seconds) * 1e3:.1f}")
    return faults


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)))
