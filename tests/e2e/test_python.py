"""The Python API as its page shows it, and in processes that race, are interrupted or killed."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import benchmarks

from .test_own_benchmark import model  # noqa: F401 - a fixture

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def blocks() -> list[tuple[str, str]]:
    return re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def test_the_page_says_what_happens(bench, monkeypatch, model):  # noqa: F811
    bench("new", "capitals")
    manifest = bench.root / "capitals" / "benchmark.toml"
    manifest.write_text(manifest.read_text().replace("max_samples", "max_questions"))
    monkeypatch.chdir(bench.root.parent)
    names = {"ADDRESS": model}
    page = blocks()
    checked = 0
    for (kind, code), (after, expected) in zip(page, [*page[1:], ("", "")], strict=True):
        if kind != "python" or "import pytest" in code:
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code.replace('"my-workspace"', repr(str(bench.root))), names)
        if after == "text":
            assert printed.getvalue() == expected
            checked += 1
    assert checked == 3
    assert {run["benchmark_id"] for run in bench.runs()} == {"capitals", "sums"}


def test_a_marked_test_is_a_run_and_is_skipped_once_it_has_succeeded(bench, tmp_path):
    code = next(code for kind, code in blocks() if kind == "python" and "import pytest" in code)
    failing = '\n\n@pytest.mark.recorded("broken")\ndef test_broken(recorded_run):\n    assert 1 + 1 == 3\n'
    once = code.replace('"latency"', '"once"').replace(', policy="force"', "").replace("test_latency", "test_once")
    (tmp_path / "test_it.py").write_text(code + failing + once.replace("import pytest\n", ""))
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--benchmarks-workspace", str(bench.root)]
    outcomes = [
        subprocess.run([*argv, str(tmp_path)], capture_output=True, text=True, cwd=tmp_path).stdout for _ in range(2)
    ]
    assert "1 failed, 2 passed" in outcomes[0], outcomes[0]
    assert "1 failed, 1 passed, 1 skipped" in outcomes[1], outcomes[1]
    runs = [(run["benchmark_id"], run["status"], run["reason"], run["score"], run["unit"]) for run in bench.runs()]
    assert runs.count(("latency", "succeeded", None, 0.25, "s")) == 2
    assert runs.count(("once", "succeeded", None, 0.25, "s")) == 1
    assert [run[1:3] for run in runs if run[0] == "broken"] == [("failed", "exception")] * 2


def test_tests_without_the_marker_are_left_alone(tmp_path):
    (tmp_path / "test_it.py").write_text("def test_it():\n    pass\n")
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert "1 passed" in done.stdout and sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) in (
        [],
        ["__pycache__"],
    )


RECORD = """
import sys, benchmarks
try:
    with benchmarks.record("shared", options={"seed": 1}, workspace=sys.argv[1]) as run:
        print("begun", flush=True)
        sys.stdin.readline()
        run.score(0.5)
    print(run.run.status, run.run.reason, flush=True)
except benchmarks.AlreadyDone as problem:
    print("already", problem.run.status, flush=True)
except KeyboardInterrupt:
    print("interrupted", run.run.reason, flush=True)
"""


@pytest.fixture
def start(bench):
    processes = []

    def start(code: str = RECORD) -> subprocess.Popen[str]:
        argv = [sys.executable, "-c", textwrap.dedent(code), str(bench.root)]
        processes.append(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            pipe.close()


def test_of_processes_that_record_the_same_work_one_succeeds(bench, start):
    first = start()
    assert first.stdout.readline() == "begun\n"
    others = [start() for _ in range(3)]
    assert [other.stdout.readline() for other in others] == ["already running\n"] * 3
    first.stdin.write("\n")
    first.stdin.flush()
    assert first.stdout.readline() == "succeeded None\n"
    assert start().stdout.readline() == "already succeeded\n"
    assert [run["attempt"] for run in bench.runs()] == [1]
    assert len(bench.events("group_opened")) == len(bench.events("group_closed")) == 1


def test_a_killed_recorder_is_recovered_by_the_next_one(bench, start):
    first = start()
    assert first.stdout.readline() == "begun\n"
    first.kill()
    first.wait()
    second = start()
    assert second.stdout.readline() == "begun\n"
    second.stdin.close()
    assert second.stdout.readline() == "succeeded None\n"
    second.wait()
    assert [(run["attempt"], run["status"], run["reason"]) for run in bench.runs()] == [
        (1, "failed", "orchestrator_lost"),
        (2, "succeeded", None),
    ]
    bench("recover-stale-runs")
    assert len(bench.events("group_opened")) == len(bench.events("group_closed"))


def test_an_interrupt_ends_the_run_as_interrupted(bench, start):
    process = start()
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "interrupted interrupted\n"
    [closed] = bench.events("group_closed")
    assert closed["data"]["reason"] == "interrupted"


RUN = """
import sys, benchmarks
place = benchmarks.open(sys.argv[1])
try:
    place.run("slow", model="ollama:m")
except KeyboardInterrupt:
    print("interrupted", [run.reason for run in place.runs()], flush=True)
"""


def test_an_interrupted_campaign_records_its_running_runs(bench, start):
    bench.add("slow", "print('begun', flush=True); import time; time.sleep(1000)")
    process = start(RUN)
    while not bench.results.exists() or not bench.events("started"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "interrupted ['interrupted']\n"


def test_a_campaign_of_a_program_skips_finished_work(bench):
    bench.add("good")
    place = benchmarks.open(bench.root)
    first = place.run("good", model="ollama:m")
    again = place.run(["good"], model="ollama:m")
    assert (first.counts.succeeded, again.counts.succeeded, again.counts.skipped) == (1, 0, 1)
    assert place.run(["good"], model="ollama:m", force=True).counts.succeeded == 1
    assert (bench.results / "viewer_data.json").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"benchmarks": "goood"}, "did you mean good?"),
        ({"benchmarks": "good", "options": {"sed": 1}}, "seed"),
        ({"benchmarks": "good", "options": {"seed": object()}}, "not JSON"),
        ({"benchmarks": []}, "benchmarks"),
        ({"benchmarks": "good", "rerun_failed": True, "force": True}, "exclude each other"),
    ],
)
def test_a_wrong_argument_is_an_error_and_nothing_is_recorded(bench, arguments, text):
    bench.add("good")
    with pytest.raises(benchmarks.UsageError, match=re.escape(text)):
        benchmarks.open(bench.root).run(**{"model": "ollama:m", **arguments})
    assert not (bench.results / "ledger").exists() or bench.events() == []


def test_no_secret_reaches_the_ledger_or_the_files_of_a_recorded_run(bench, monkeypatch):
    key = "sk-proj-" + "Ab3" * 14
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(RuntimeError), benchmarks.record("secret", workspace=bench.root) as run:
        run.log(f"the key is {key}")
        run.sample(id="1", score=1.0, input=f"Bearer {key}")
        run.progress(1, 2, f"with {key}")
        run.score(1.0, metrics={"said": key})
        raise RuntimeError(key)
    assert run.run.reason == "exception"
    assert key not in bench.text()
    assert os.environ["OPENAI_API_KEY"] == key
