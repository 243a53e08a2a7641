"""The catalogue's manifests read results of the real shape."""

from __future__ import annotations

import json

import pytest

from benchmarks.adapters.discovery import discover
from benchmarks.adapters.result import read_result

OSWORLD = {
    "model": "m",
    "agent": "eliza",
    "run_mode": "full",
    "smoke": False,
    "total_tasks": 4,
    "passed_tasks": 1,
    "overall_success_rate": 0.25,
    "observation_type": "screenshot",
    "results": [],
}
SOLANA = {
    "run_id": "eliza_1",
    "messages": [{}, {}],
    "cumulative_rewards": [3, 7],
    "final_reward": 7,
    "final_programs": 2,
}


@pytest.fixture
def read(tmp_path):
    def read(id, name, result):
        (tmp_path / name).write_text(json.dumps(result))
        manifest = discover(tmp_path).adapters[id].manifest
        return read_result(manifest, output_dir=tmp_path, cwd=tmp_path, started_at=0)

    return read


def test_osworld(read, tmp_path):
    (tmp_path / "results.json").write_text("[]")
    reading = read("osworld", "osworld-eliza-results-20261123.json", OSWORLD)
    assert (reading.score, reading.samples, reading.synthetic, reading.reason) == (0.25, 4, False, None)
    assert reading.metrics["passed_tasks"] == 1


def test_an_osworld_dry_run_is_synthetic_and_no_tasks_are_no_result(read):
    dry = {**OSWORLD, "run_mode": "smoke_dry_run", "smoke": True, "overall_success_rate": 1.0}
    assert read("osworld", "osworld-eliza-results-1.json", dry).synthetic is True
    assert read("osworld", "osworld-eliza-results-1.json", {**OSWORLD, "total_tasks": 0}).reason == "invalid_result"


def test_solana(read):
    reading = read("solana", "eliza_26-11-23_metrics.json", SOLANA)
    assert (reading.score, reading.samples, reading.reason) == (7.0, 2, None)
    empty = {**SOLANA, "messages": [], "final_reward": 0, "final_programs": 0}
    assert read("solana", "eliza_26-11-23_metrics.json", empty).reason == "invalid_result"
