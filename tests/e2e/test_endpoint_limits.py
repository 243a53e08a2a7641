"""`[endpoints] max_concurrency`: a limit of calls in flight across all runs of a campaign."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.counting_server import CALLER, counting_server

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("where", ["workspace", "campaign"])
def test_a_limit_holds_for_benchmarks_that_know_nothing_of_it(bench, tmp_path, where):
    for name in "abcd":
        bench.add(name, CALLER)
    limits = "[endpoints]\nmax_concurrency = 3\n"
    with counting_server() as counting:
        model = f'{{ provider = "openai-compatible", model = "m", base_url = "{counting.base_url}" }}'
        matrix = f'[matrix]\nbenchmarks = ["a", "b", "c", "d"]\nmodels = [{model}]\n'
        (tmp_path / "c.toml").write_text(matrix + (limits if where == "campaign" else ""))
        if where == "workspace":
            (bench.root / "benchmarks.toml").write_text(limits)
        counting.refusals, counting.retry_after = 2, "0"
        bench("run", "--campaign", str(tmp_path / "c.toml"), "--jobs", "4", OPENAI_API_KEY="none-of-it-42")
    assert counting.most == 3 and counting.calls == 4 * 12 + 2
    for row in bench.runs():
        assert row["score"] == 1.0
        assert row["provenance"]["base_url"] == counting.base_url, "the endpoint, not the proxy"
        assert "http://127.0.0.1:" in Path(row["stdout_path"]).read_text()
        assert counting.base_url not in Path(row["stdout_path"]).read_text()


def test_without_a_limit_nothing_stands_between(bench):
    bench.add("a", CALLER)
    with counting_server() as counting:
        bench(
            "run",
            "--benchmarks",
            "a",
            "--provider",
            "openai-compatible",
            "--model",
            "m",
            "--base-url",
            counting.base_url,
        )
    assert counting.most > 3
    assert bench.runs()[0]["provenance"]["base_url"] == counting.base_url


@pytest.mark.parametrize("table", ["[endpoints]\nmax_concurrency = 0", "[endpoints.grok]\nmax_concurrency = 1"])
def test_a_wrong_limit_is_refused_before_anything_starts(bench, table):
    bench.add("a")
    (bench.root / "benchmarks.toml").write_text(table)
    done = bench("run", "--benchmarks", "a", "--provider", "ollama", code=2)
    assert "benchmarks.toml: endpoints" in done.stderr
    assert not (bench.results / "ledger").exists()
