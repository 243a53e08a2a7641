"""How runs end: only a valid result of the run itself is a success, and each failure has a reason."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from tests.waiting import until

RESULT = "\noutput.joinpath('result.json').write_text('{\"score\": 0.5, \"n\": 4}')"
WRITE = 'output.joinpath("result.json").write_text({!r})\n'


@pytest.mark.parametrize(
    ("code", "reason", "score"),
    [
        ("sys.exit(5)", "exit_code", None),
        (WRITE.format('{"score": 0.7, "n": 2}') + "sys.exit(5)", "exit_code", 0.7),
        ("os.kill(os.getpid(), 11)", "signal", None),
        ("pass", "no_result", None),
        (WRITE.format("{broken"), "bad_result", None),
        (WRITE.format('{"score": NaN, "n": 2}'), "no_score", None),
        (WRITE.format('{"n": 2}'), "no_score", None),
        (WRITE.format('{"score": "0.9", "n": 2}'), "no_score", None),
        (WRITE.format('{"score": true, "n": 2}'), "no_score", None),
        (WRITE.format('{"score": 0.5}'), "no_samples", 0.5),
        (WRITE.format('{"score": 0.5, "n": 0}'), "no_samples", 0.5),
    ],
)
def test_a_run_without_a_valid_result_fails_with_the_reason(bench, code, reason, score):
    bench.add("bad", "print('a last word', file=sys.stderr)\n" + code)
    bench.run("bad", code=1)
    [run] = bench.runs()
    assert (run["status"], run["reason"], run["score"]) == ("failed", reason, score)
    assert "a last word" in run["error"]
    assert run["delta_to_high_score"] is None


def test_the_score_of_a_failed_run_does_not_count(bench):
    bench.add("bad", WRITE.format('{"score": 0.9, "n": 2}') + "sys.exit(1)")
    bench.run("bad", code=1)
    data = json.loads((bench.results / "viewer_data.json").read_bytes())
    assert data["benchmark_summary"][0]["best_score"] is None
    assert data["latest_scores"] == []


def test_a_run_fails_at_its_timeout(bench):
    bench.add(
        "slow",
        WRITE.format('{"score": 0.5, "n": 1}') + "import time; time.sleep(60)",
        run="timeout_seconds = 1",
    )
    bench.run("slow", code=1)
    [run] = bench.runs()
    assert (run["reason"], run["score"]) == ("timeout", 0.5)
    assert "no end after 1 s" in run["error"]


def test_limits_can_be_given_for_one_command(bench):
    bench.add("slow", "import time\ntime.sleep(60)")
    bench.run("slow", code=1, more=("--timeout", "0.5"))
    bench.run("slow", code=1, more=("--stall", "0.5"))
    assert [run["reason"] for run in bench.runs()] == ["timeout", "stalled"]
    assert [e["data"]["request"]["flags"].get("stall") for e in bench.events("group_opened")] == [None, 0.5]
    for bad in ("0", "-1", "soon"):
        assert "--timeout" in bench.run("slow", code=2, more=("--timeout", bad))


def test_a_success_has_notes_of_its_supervision_too(bench):
    bench.add("daemon", 'import subprocess\nsubprocess.Popen(["sleep", "60"], start_new_session=True)' + RESULT)
    bench.run("daemon")
    [run] = bench.runs()
    assert run["status"] == "succeeded"
    assert run["notes"][0].startswith("left processes behind, which were ended: sleep (")


def test_an_allowed_exit_code_is_a_success(bench):
    bench.add("odd", WRITE.format('{"score": 0.5, "n": 1}') + "sys.exit(4)", run="ok_exit_codes = [0, 4]")
    bench.run("odd")
    assert bench.runs()[0]["return_code"] == 4


def test_everything_about_a_success_is_recorded(bench):
    bench.add("good", more='[high_score]\nlabel = "Someone"\nvalue = 0.75\nsource = "https://example.org/paper"\n')
    bench.run("good")
    [run] = bench.runs()
    assert run["unit"] == "ratio"
    assert (run["high_score_label"], run["high_score_value"], run["delta_to_high_score"]) == ("Someone", 0.75, -0.25)
    usage = run["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["cost_usd"]) == (10, 5, 0.0)
    assert usage["price"]["source"] == "served by this machine"
    assert run["total_tokens"] == 15
    assert [artifact["path"] for artifact in run["artifacts"]] == ["output/result.json"]
    assert run["result_json_path"].endswith("/output/result.json")
    # By its folder: a venv calls the same interpreter by several names.
    assert Path(run["command"][0]).parent == Path(sys.executable).parent
    assert run["provenance"]["manifest"]["source"] == "workspace"
    [published] = bench.events("high_score_published")
    assert published["stream"] == "good"
    bench.run("good", more=("--force",))
    assert len(bench.events("high_score_published")) == 1, "a manifest seeds its reference once"


def test_a_synthetic_result_is_marked_and_cannot_be_a_record(bench):
    bench.add(
        "mock",
        WRITE.format('{"score": 1.0, "n": 1, "mock": true}'),
        result='synthetic = "mock"',
        more='[high_score]\nlabel = "x"\nvalue = 0.5\nsource = "y"\n',
    )
    bench.run("mock")
    [run] = bench.runs()
    assert (run["synthetic"], run["delta_to_high_score"]) == (True, None)
    assert json.loads((bench.results / "viewer_data.json").read_bytes())["benchmark_summary"][0]["best_score"] is None


def test_a_result_in_the_working_directory_counts_only_if_allowed_and_new(bench):
    folder = bench.add("here", "pathlib.Path('result.json').write_text('{\"score\": 0.25, \"n\": 1}')")
    (folder / "result.json").write_text('{"score": 1.0, "n": 1}')
    bench.run("here", code=1)
    assert bench.runs()[0]["reason"] == "no_result"
    allowed = (folder / "benchmark.toml").read_text().replace('unit = "ratio"', 'unit = "ratio"\nfiles_in_cwd = true')
    (folder / "benchmark.toml").write_text(allowed)
    bench.run("here")
    assert bench.runs()[-1]["score"] == 0.25


def test_two_equally_good_result_files_are_an_error(bench):
    bench.add(
        "two",
        "for n in 'ab': output.joinpath(f'r-{n}.json').write_text('{\"score\": 1, \"n\": 1}')",
        files="r-*.json",
    )
    bench.run("two", code=1)
    assert bench.runs()[0]["reason"] == "bad_result"


def test_a_benchmark_that_cannot_run_here_is_incompatible_and_not_a_failure(bench):
    bench.add("good")
    bench.add("needy", more='[requires]\nenv = ["NEEDED_THING"]\ncommands = ["no-such-command"]\n')
    printed = bench.run("good", "needy")
    assert "NEEDED_THING" in printed and "no-such-command" in printed
    assert [run["benchmark_id"] for run in bench.runs()] == ["good"]
    [event] = bench.events("incompatible")
    assert event["data"]["missing"] == ["environment variable NEEDED_THING", "command no-such-command on PATH"]


def test_a_missing_key_is_named_by_its_variable(bench):
    bench.add("good")
    printed = bench("run", "--benchmarks", "good").stderr
    assert "GROQ_API_KEY" in printed
    assert bench.runs() == []


def test_a_child_gets_its_arguments_and_variables(bench):
    bench.add("env", "output.joinpath('env.json').write_text(json.dumps(dict(os.environ)))\n" + RESULT)
    keys = {"GROQ_API_KEY": "gsk-12345678", "OPENAI_API_KEY": "sk-87654321", "ANTHROPIC_API_KEY": "x" * 12}
    bench("run", "--benchmarks", "env", "--model", "m1", "--agent", "eliza", **keys)
    [path] = bench.results.rglob("env.json")
    shown = json.loads(path.read_text())
    [run] = bench.runs()
    assert shown["BENCHMARK_RUN_ID"] == run["run_id"]
    assert shown["BENCHMARK_MODEL_PROVIDER"] == "groq"
    assert shown["BENCHMARK_MODEL_NAME"] == shown["MODEL_NAME"] == "m1"
    assert shown["BENCHMARK_AGENT"] == shown["BENCHMARK_HARNESS"] == "eliza"
    assert shown["BENCHMARK_OUTPUT_DIR"] == shown["BENCHMARK_OUTPUT_ROOT"] == str(path.parent)
    assert shown["OPENAI_BASE_URL"] == "https://api.groq.com/openai/v1"
    assert shown["GROQ_API_KEY"] == shown["OPENAI_API_KEY"] == "gsk-12345678"
    assert "ANTHROPIC_API_KEY" not in shown, "no key of another provider"
    assert {"BENCHMARK_TELEMETRY_JSONL", "BENCHMARK_PROGRESS_FILE", "BENCHMARK_RUN_ROOT"} <= shown.keys()


def test_a_child_may_have_the_keys_that_its_manifest_names(bench):
    code = "output.joinpath('env.json').write_text(json.dumps(dict(os.environ)))\n" + RESULT
    bench.add("judged", code, run='keys = ["ANTHROPIC_API_KEY"]', more='[requires]\nenv = ["CEREBRAS_API_KEY"]\n')
    keys = {
        "GROQ_API_KEY": "g" * 12,
        "ANTHROPIC_API_KEY": "a" * 12,
        "CEREBRAS_API_KEY": "c" * 12,
        "XAI_API_KEY": "x" * 12,
    }
    bench("run", "--benchmarks", "judged", "--model", "m1", **keys)
    [path] = bench.results.rglob("env.json")
    shown = json.loads(path.read_text())
    assert (shown["ANTHROPIC_API_KEY"], shown["CEREBRAS_API_KEY"]) == ("a" * 12, "c" * 12)
    assert "XAI_API_KEY" not in shown


def test_calls_that_a_child_reports_become_its_usage(bench):
    code = """
    with open(os.environ["BENCHMARK_TELEMETRY_JSONL"], "w") as file:
        for latency in (10, 30, 20):
            file.write(json.dumps({"prompt_tokens": 7, "completion_tokens": 2, "latency_ms": latency}) + "\\n")
    output.joinpath("result.json").write_text('{"score": 0.5, "n": 4}')
    """
    bench.add("calls", code)
    bench.run("calls")
    usage = bench.runs()[0]["usage"]
    assert (usage["calls"], usage["input_tokens"], usage["output_tokens"]) == (3, 21, 6)
    assert (usage["latency_p50_ms"], usage["latency_p95_ms"]) == (20, 30)


def test_a_secret_option_is_not_part_of_the_signature(bench):
    bench.add("good")
    bench.run("good", more=("--extra", '{"api_key": "one-secret-1"}'))
    bench.run("good", more=("--extra", '{"api_key": "another-secret-2"}'))
    assert len(bench.runs()) == 1


def test_progress_is_shown_and_carried_by_heartbeats(bench):
    code = (
        "import time\n"
        "with open(os.environ['BENCHMARK_PROGRESS_FILE'], 'w') as file:\n"
        '    print(\'{"done": 3, "total": 10, "note": "three"}\', file=file)\n'
        "ledger = pathlib.Path(os.environ['BENCHMARK_RUN_ROOT']).parents[2] / 'ledger' / f'{1:020d}.jsonl'\n"
        'while \'"type":"heartbeat"\' not in ledger.read_text(): time.sleep(0.1)\n'
    )
    bench.add("busy", code + RESULT)
    bench.run("busy")
    [beat] = bench.events("heartbeat")
    assert beat["data"]["progress"] == {"done": 3, "total": 10, "note": "three"}


def test_a_signal_to_the_orchestrator_ends_and_records_its_runs(bench):
    bench.add("first", "import time; print('begun', flush=True); time.sleep(60)")
    bench.add("second")
    for number in (signal.SIGINT, signal.SIGTERM):
        process = bench.start("run", "--benchmarks", "first", "second", "--provider", "ollama", "--force")
        assert "started run_first" in process.stderr.readline()
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130, err
        assert "Traceback" not in err
    runs = bench.runs()
    assert [(run["benchmark_id"], run["status"], run["reason"]) for run in runs] == [
        ("first", "failed", "interrupted")
    ] * 2
    assert [event["data"]["reason"] for event in bench.events("group_closed")] == ["interrupted"] * 2


def test_an_interrupt_names_the_run_that_it_waits_for_and_a_second_one_kills(bench):
    bench.add("deaf", "import signal, time; signal.signal(15, signal.SIG_IGN); open('deaf', 'w')\ntime.sleep(600)")
    process = bench.start("run", "--benchmarks", "deaf", "--provider", "ollama")
    assert "started run_deaf" in process.stderr.readline()
    until(lambda: list(bench.root.rglob("deaf/deaf")))
    process.send_signal(signal.SIGINT)
    first = process.stderr.readline()
    assert "interrupting" in first and "5 s" in first, "said before it waits"
    assert process.stderr.readline() == "hint: interrupt again to kill them now\n"
    process.send_signal(signal.SIGINT)
    second = process.stderr.readline()
    assert "killing" in second, "said before the run is over"
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert bench.runs()[0]["reason"] == "interrupted"


FLAKY = """
tries = pathlib.Path(os.environ["TRIES"])
number = len(tries.read_text()) if tries.exists() else 0
tries.write_text("x" * (number + 1))
if number < 2:
    sys.exit("HTTP 429 Too Many Requests")
"""


def test_a_transient_failure_is_retried_as_a_run_of_its_own(bench, tmp_path):
    bench.add("flaky", FLAKY + RESULT)
    printed = bench.run("flaky", more=("--retries", "3", "--retry-delay", "0.1"), TRIES=str(tmp_path / "tries"))
    assert printed.count("retrying in") == 2
    runs = bench.runs()
    assert [(run["status"], run["attempt"]) for run in runs] == [("failed", 1), ("failed", 2), ("succeeded", 3)]
    assert len({run["signature"] for run in runs}) == len({run["run_group_id"] for run in runs}) == 1
    assert bench.events("group_closed")[0]["data"]["counts"]["succeeded"] == 1


def test_retries_are_limited_and_for_transient_failures_only(bench, tmp_path):
    bench.add("flaky", FLAKY + RESULT)
    more = ("--retries", "1", "--retry-delay", "0.1")
    bench.run("flaky", code=1, more=more, TRIES=str(tmp_path / "tries"))
    assert [run["status"] for run in bench.runs()] == ["failed", "failed"]
    bench.add("broken", "sys.exit('KeyError')")
    bench.run("broken", code=1, more=more)
    assert len(bench.runs("--benchmark", "broken")) == 1


def test_a_run_that_waits_for_its_retry_does_not_block_others(bench, tmp_path):
    more = '[resources]\nexclusive = ["docker"]'
    bench.add("flaky", FLAKY + RESULT, more=more)
    bench.add("other", RESULT, more=more)
    arguments = ("run", "--benchmarks", "flaky", "other", "--provider", "ollama", "--retries", "1")
    process = bench.start(*arguments, "--retry-delay", "30", TRIES=str(tmp_path / "tries"))
    while "retrying in" not in process.stderr.readline():
        pass
    assert "started run_other" in process.stderr.readline()
    assert process.stderr.readline().startswith("other: 0.5")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert [run["status"] for run in bench.runs()] == ["failed", "succeeded"]


def test_an_interrupt_ends_the_wait_for_a_retry(bench, tmp_path):
    bench.add("flaky", FLAKY + RESULT)
    arguments = ("run", "--benchmarks", "flaky", "--provider", "ollama", "--retries", "3", "--retry-delay", "100")
    process = bench.start(*arguments, TRIES=str(tmp_path / "tries"))
    while "retrying in" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert [event["data"]["reason"] for event in bench.events("group_closed")] == ["interrupted"]


def test_a_projection_that_cannot_be_written_does_not_change_the_exit_code(bench):
    bench.add("good")
    bench.add("bad", "sys.exit(3)")
    in_the_way = bench.results / ".viewer_data.json.lock"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.symlink_to(in_the_way)
    said = bench("run", "--benchmarks", "good", "bad", "--provider", "ollama", code=1)
    assert "1 succeeded, 1 failed" in said.stdout
    assert "Every run is recorded" in said.stderr and "viewer_data.json" in said.stderr
    assert "1 skipped" in bench("run", "--benchmarks", "good", "--provider", "ollama", code=0).stdout


def test_a_folder_in_place_of_the_database_is_renamed_and_reported(bench):
    bench.add("good")
    in_the_way = bench.results / "orchestrator.sqlite" / "file"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.touch()
    said = bench("run", "--benchmarks", "good", "--provider", "ollama")
    assert "What was there is kept as orchestrator.first.sqlite" in said.stderr
    assert (bench.results / "orchestrator.first.sqlite" / "file").exists()
    assert [run["status"] for run in bench.runs()] == ["succeeded"]
