"""Bad input gives one clear line and a hint on stderr, and exit code 2: no traceback, no event, no folder."""

from __future__ import annotations

import os
import socket

import pytest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "benchmarks run: no benchmarks given\nhint: name them with --benchmarks, or use --all"),
        (
            ["run", "--benchmarks", "goood", "--provider", "ollama"],
            "benchmarks run: unknown benchmark 'goood'\nhint: did you mean good?\n",
        ),
        (
            ["run", "--benchmarks", "good", "--provider", "grok"],
            "benchmarks run: unknown provider 'grok'\nhint: did you mean groq?",
        ),
        (["run", "--benchmarks", "good", "--provider", "ollama", "--extra", "{nope"], "--extra is not JSON"),
        (["run", "--benchmarks", "good", "--provider", "ollama", "--extra", "[1]"], "--extra must be a JSON object"),
        (
            ["run", "--benchmarks", "good", "--provider", "ollama", "--extra", '{"sed": 1}'],
            "good has no option 'sed'\nhint: did you mean seed?\n",
        ),
        (
            ["run", "--benchmarks", "good", "--provider", "ollama", "--extra", '{"seed": "x"}'],
            'option seed: "x" is not a whole number',
        ),
        (
            ["run", "--benchmarks", "good,other", "--provider", "ollama", "--extra", '{"nobody_knows": 1}'],
            "none of the chosen benchmarks has an option 'nobody_knows'",
        ),
        (
            ["run", "--benchmarks", "good", "--provider", "ollama", "--extra", '{"per_benchmark": {"god": {}}}'],
            "unknown benchmark 'god'\nhint: did you mean good?\n",
        ),
        (
            ["run", "--benchmarks", "good", "--provider", "ollama", "--extra", '{"per_benchmark": {"good": {"x": 1}}}'],
            "good has no option 'x'",
        ),
        (["run", "--benchmarks", "good", "--provider", "local", "--model", "nope"], "unknown local model 'nope'"),
        (["run", "--benchmarks", "good", "--provider", "groq", "--base-url", "nowhere"], "is not a base URL"),
        (["run", "--benchmarks", "good", "--rerun-failed", "--force"], "exclude each other"),
        (["run", "--benchmarks", "good", "--agent", "a", "--agents", "b"], "exclude each other"),
        (["run", "--benchmarks", "good", "--provider", "ollama", "--model", " "], "--model is empty"),
        (["run", "--benchmarks", "good", "--provider", "ollama", "--model", "\udcff"], "is not UTF-8 text"),
        (["run", "--benchmarks", "good", "--jobs", "0"], "--jobs"),
        (["run", "--benchmarks", "good", "--timeout", "nan"], "--timeout"),
        (["run", "--benchmarks", "good", "--max-minutes", "inf"], "--max-minutes"),
        (["run", "--benchmarks", "good", "--retries", "1", "--retry-delay", "1e12"], "--retry-delay"),
        (["rum"], "benchmarks: unknown command 'rum'\nhint: did you mean run?\n"),
        (["ledger", "verfy"], "benchmarks ledger: unknown command 'verfy'\nhint: did you mean verify?\n"),
        (["ledger", "replay", "run_x"], "benchmarks ledger replay: the ledger has no events of 'run_x'\nhint: "),
        (["show-runs", "--limit", "many"], "--limit"),
        (["show-runs", "--sttus", "failed"], "show-runs: unknown option --sttus\nhint: did you mean --status?\n"),
        (["show-run", "run_x"], "benchmarks show-run: the ledger has no run 'run_x'\nhint: benchmarks show-runs"),
        (["export-viewer-data", "--as-of", "yesterday"], "neither a time"),
        (["list-benchmarks", "--provider", "nope"], "unknown provider"),
        (["serve-viewer", "--host", "203.0.113.7", "--port", "0"], "203.0.113.7"),
        (["--ledger", "mysql://x", "show-runs"], "mysql://x"),
    ],
)
def test_an_error_is_one_line_with_a_hint_and_changes_nothing(bench, arguments, message):
    bench.add("good")
    bench.add("other")
    before = sorted(bench.root.rglob("*"))
    done = bench(*arguments, code=2)
    assert message in done.stderr
    first, *hints = done.stderr.splitlines()
    assert first.startswith("benchmarks"), done.stderr
    assert len(hints) <= 1 and all(line.startswith("hint: ") for line in hints), done.stderr
    assert done.stdout == ""
    assert sorted(bench.root.rglob("*")) == before


def test_a_port_in_use_is_named(bench):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port}" in bench("serve-viewer", "--port", str(port), code=2).stderr
    assert not bench.results.exists()


def test_an_option_of_one_of_several_benchmarks_is_not_an_error(bench):
    bench.add("good")
    bench.add("other", more='[options.depth]\ntype = "int"\nenv = "DEPTH"\n')
    bench.run("good", "other", more=("--extra", '{"depth": 3}'))
    assert {run["benchmark_id"]: run["extra_config"] for run in bench.runs()} == {
        "good": {"seed": 1},
        "other": {"seed": 1, "depth": 3},
    }


def test_a_workspace_that_cannot_be_written_is_named(bench, tmp_path):
    # Root may write anywhere, so the way is blocked by a file.
    bench.add("good")
    bench.results.write_text("in the way")
    done = bench("run", "--benchmarks", "good", "--provider", "ollama", code=2)
    assert str(bench.results) in done.stderr
    assert bench.results.read_text() == "in the way"


def test_a_workspace_that_is_a_file_is_named(bench, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    done = bench("--workspace", str(file), "show-runs", code=2)
    assert str(file) in done.stderr


def test_a_file_that_is_not_a_model_is_named(bench, tmp_path):
    bench.add("good")
    file = tmp_path / "x.gguf"
    file.write_text("no model")
    done = bench("run", "--benchmarks", "good", "--provider", "local", "--model", str(file), code=2)
    assert "is not a GGUF file" in done.stderr
    assert not bench.results.exists()


def test_a_broken_manifest_is_reported_and_stops_no_other(bench):
    bench.add("good")
    bench.add("broken", result="hgher_is_better = true")
    printed = bench.run("good")
    assert str(bench.root / "broken" / "benchmark.toml") in printed
    assert "result.hgher_is_better: unknown key; did you mean higher_is_better?" in printed
    assert bench.runs()[0]["status"] == "succeeded"


@pytest.mark.parametrize(
    "command", ["show-runs", "list-benchmarks", "providers", "export-viewer-data", "recover-stale-runs"]
)
def test_reading_an_empty_workspace_creates_no_ledger(bench, command):
    bench(command)
    assert not (bench.results / "ledger").exists()


def test_reading_does_not_create_a_workspace(bench, tmp_path):
    for command in ("show-runs", "list-benchmarks", "recover-stale-runs"):
        bench("--workspace", str(tmp_path / "nowhere"), command)
    assert not (tmp_path / "nowhere").exists()


def test_output_into_a_closed_pipe_is_not_an_error(bench):
    bench.add("good")
    bench.run("good")
    process = bench.start("ledger", "log")
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(20) in (0, -13)


def test_a_damaged_ledger_stops_every_writer_with_exit_code_3(bench):
    bench.add("good")
    bench.run("good")
    [segment] = (bench.results / "ledger").glob("*.jsonl")
    damaged = segment.read_bytes().replace(b'"score":0.5', b'"score":0.9')
    segment.write_bytes(damaged)
    bench.is_damaged = True
    done = bench("run", "--benchmarks", "good", "--provider", "ollama", "--force", code=3)
    assert segment.name in done.stderr and "line 3" in done.stderr
    assert bench("ledger", "verify", code=3).stdout.startswith("damage: event 3")
    assert segment.read_bytes() == damaged


def test_output_without_a_terminal_has_no_control_characters(bench):
    bench.add("good")
    bench.run("good")
    assert "\x1b" not in bench("show-runs").stdout
    assert os.environ.get("PATH")
