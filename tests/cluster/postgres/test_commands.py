"""Every command works on a PostgreSQL ledger, and says in one sentence what is wrong with its address."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Bench

MODEL = ("--provider", "ollama", "--model", "m")


@pytest.fixture
def bench(tmp_path, database) -> Bench:
    bench = Bench(tmp_path / "workspace")
    bench.root.mkdir()
    bench.environ["BENCHMARKS_LEDGER"] = database.url
    return bench


def test_a_campaign_is_recorded_and_read_back(bench, database, tmp_path):
    bench.add("one")
    bench.add("two", "raise SystemExit(3)")
    bench("run", "--benchmarks", "one", "two", *MODEL, code=1)
    assert "skipped" in (again := bench("run", "--benchmarks", "one", *MODEL)).stdout + again.stderr
    rows = json.loads(bench("show-runs", "--json").stdout)
    assert sorted((row["benchmark_id"], row["status"]) for row in rows) == [("one", "succeeded"), ("two", "failed")]
    assert "no runs in progress" in bench("status").stdout
    answer = bench("query", "SELECT benchmark_id, score FROM runs WHERE status = 'succeeded'", "--json")
    assert "0.5" in answer.stdout
    verified = bench("ledger", "verify")
    assert "damage" not in verified.stdout.lower() or "no damage" in verified.stdout.lower()
    for command in (["log"], ["stat"], ["head"], ["checkpoint"]):
        done = bench("ledger", *command)
        assert database.server.password not in done.stdout + done.stderr
    assert "c2sp.org" in bench("ledger", "prove", "1").stdout
    bench("export-viewer-data")
    seen = [path.name for path in (bench.results / "ledger_cache").iterdir()]
    assert any(name.endswith(".json") for name in seen)
    whole = tmp_path / "export.jsonl"
    bench("ledger", "export", str(whole))
    lines = whole.read_bytes().splitlines()
    assert lines == list(database.open().read_lines())
