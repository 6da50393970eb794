"""Benchmarks anyone can run: `make bench`. Ratios within one process, never a timed test."""
