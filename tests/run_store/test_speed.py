"""What is promised of large runs and of many (in seconds of the processor, since others share the machine)."""

from __future__ import annotations

import os
import time

import pytest

import runexp
from runexp.store.index import list_records

pytestmark = pytest.mark.slow


def test_a_run_of_ten_million_records_opens_in_less_than_a_second(folders):
    """S-44: 100 epochs of 50,000 batches with two losses."""
    log = folders[0] / "events.jsonl"
    head = [line for line in log.read_text().splitlines(keepends=True) if '"BatchesRecorded"' not in line]
    values, rows = ",".join(["0.123456789"] * 50_000), ",".join(["64"] * 50_000)
    with open(log, "w") as file:
        file.writelines(head[:2])
        for epoch in range(100):
            file.write(
                f'{{"seq":9,"time":"2026-01-01T00:00:00.000Z","event":"BatchesRecorded","phase":"train","epoch":{epoch},'
                f'"first_batch":0,"n_rows":[{rows}],"columns":{{"ce":[{values}],"loss":[{values}]}}}}\n'
            )
        file.writelines(head[2:])
    began = time.process_time()
    run = runexp.open_run(folders[0])
    assert run["train"].n_epochs == 3
    assert run.results.summary()
    assert time.process_time() - began < 1.0


def test_five_thousand_runs_are_listed_in_less_than_a_second(runs, folders):
    for number in range(5000):
        copy = runs / "many" / f"20260101-000000-{number:04x}"
        copy.mkdir(parents=True)
        for name in ("status.json", "summary.json", "lock.json", "resolved.yaml", "events.jsonl"):
            os.link(folders[0] / name, copy / name)
    assert len(list_records(runs)) == 5003
    began = time.process_time()
    assert len(list_records(runs)) == 5003
    assert time.process_time() - began < 1.0
