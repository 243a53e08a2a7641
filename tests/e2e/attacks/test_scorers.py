"""Scorers that fail, hang, lie or attack: each leaves its reason, changes nothing, and stops no other run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import benchmarks

pytestmark = pytest.mark.slow

SECRET = "sk-proj-4fJ2kL9mQ7xV1nB8cZ3aW6eR"
RIGHT = "import json,sys\nfor line in sys.stdin: print(json.dumps({'id': json.loads(line)['id'], 'score': 1}))\n"

HOSTILE = {
    "fails": ("import sys; sys.exit('no such model')", "it ended with 1: no such model"),
    "is killed": ("import os; os.kill(os.getpid(), 9)", "it was ended by SIGKILL"),
    "garbage": ("import os; os.write(1, bytes(range(256)) * 9)", "is not a JSON object"),
    "one nan": (RIGHT.replace("'score': 1", "'score': float('nan')"), "is not a JSON object"),
    "unknown id": (RIGHT + 'print(\'{"id": "q99", "score": 1}\')', "it scored the sample 'q99'"),
    "floods": ("import os\nwhile True: os.write(1, b'x' * 65536)", "its answer is longer than 64 MiB"),
    "hangs": ("import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)", "no answer after 1 s"),
    "hangs with closed pipes": ("import os, time; os.close(1); os.close(2); time.sleep(600)", "it did not end within"),
    "tells a secret": (f"import sys; sys.exit('the key is {SECRET}')", "it ended with 1: the key is [redacted"),
}
"""More wrong answers are in tests/orchestrator/rescoring."""


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("scorers") / "workspace"
    for model in ("a", "b"):
        with benchmarks.record("quiz", model=model, workspace=root) as run:
            for name in ("q1", "q2", "q3"):
                run.sample(name, 0.5)
            run.score(0.5)
    return root


def rescore(root: Path, source: str, tmp_path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    scorer = tmp_path / "scorer.py"
    scorer.write_text(source)
    program = Path(sys.executable).with_name("benchmarks")
    argv = [program, "--workspace", root, "rescore", "quiz", "--with", f"{sys.executable} {scorer}", *more]
    environment = {**os.environ, "OPENAI_API_KEY": SECRET}
    return subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=120)


def head(root: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted((root / "benchmark_results" / "ledger").glob("*.jsonl"))]


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_scorer_leaves_its_reason_and_changes_nothing(root, tmp_path, kind):
    source, reason = HOSTILE[kind]
    before = head(root)
    done = rescore(root, source, tmp_path, "--timeout", "1" if kind.startswith("hangs") else "60")
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("not rescored: ") == 2 and reason in done.stderr
    assert SECRET not in done.stderr + done.stdout
    assert head(root) == before


def test_a_scorer_sees_no_secret_unless_it_is_passed(root, tmp_path):
    source = "import os, sys; sys.exit('sees it' if os.environ.get('OPENAI_API_KEY') else 'sees nothing')"
    assert "sees nothing" in rescore(root, source, tmp_path).stderr
    assert "sees it" in rescore(root, source, tmp_path, "--pass-env", "OPENAI_API_KEY").stderr


def test_what_a_scorer_leaves_running_is_ended(root, tmp_path):
    source = (
        "import os, subprocess, sys\n"
        f"child = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        f"open({str(tmp_path / 'left')!r}, 'a').write(f'{{child.pid}}\\n')\n"
        "print('{\"score\": 1}')\n"
    )
    assert rescore(root, source, tmp_path, "--run", only(root, "a")).returncode == 0
    left = [int(line) for line in (tmp_path / "left").read_text().split()]
    assert left and not any(Path(f"/proc/{pid}/cmdline").exists() and b"sleep" in cmdline(pid) for pid in left)


def cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def only(root: Path, model: str) -> str:
    return next(run.run_id for run in benchmarks.open(root).runs() if run.model == model)


def test_one_run_that_cannot_be_judged_does_not_stop_the_others(root, tmp_path):
    bad = only(root, "b")
    source = f"import os, sys\nif os.environ['BENCHMARK_RUN_ID'] == {bad!r}: sys.exit('no')\n{RIGHT}"
    done = rescore(root, source, tmp_path)
    assert (
        done.returncode == 1
        and "1 rescored" in done.stdout
        and f"{bad}: not rescored: it ended with 1: no" in done.stderr
    )
    assert rescore(root, source, tmp_path).stdout.endswith("1 skipped (scored by it already), 1 not rescored\n")


def test_a_link_in_the_folder_of_a_run_leads_nowhere(root, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    [folder] = root.glob(f"benchmark_results/*/*/{only(root, 'b')}")
    (folder / "rescored").symlink_to(outside)
    try:
        done = rescore(root, RIGHT + "# linked", tmp_path, "--run", only(root, "b"))
        assert done.returncode == 1 and "rescored in the run's folder is not a folder" in done.stderr
        assert not list(outside.iterdir())
    finally:
        (folder / "rescored").unlink()


def test_samples_that_a_scorer_changed_are_noticed(root, tmp_path):
    [file] = root.glob(f"benchmark_results/*/*/{only(root, 'b')}/output/samples.jsonl")
    kept = file.read_bytes()
    source = f"open({str(file)!r}, 'a').write('x')\n{RIGHT}"
    try:
        rescore(root, source, tmp_path, "--run", only(root, "b"))
        done = rescore(root, RIGHT + "# after", tmp_path, "--run", only(root, "b"))
        assert done.returncode == 1 and "is not the file that was recorded" in done.stderr
    finally:
        file.write_bytes(kept)


def test_after_an_interrupt_nothing_is_half_done_and_the_rest_can_follow(tmp_path, tally, rng):
    root = tmp_path / "workspace"
    for number in range(6):
        with benchmarks.record("quiz", model=f"m{number}", workspace=root) as run:
            run.sample("q1", 0.5)
            run.score(0.5)
    scorer = tmp_path / "slow.py"
    scorer.write_text(f"import time; time.sleep(0.3)\n{RIGHT}")
    program = Path(sys.executable).with_name("benchmarks")
    argv = [program, "--workspace", root, "rescore", "quiz", "--with", f"{sys.executable} {scorer}"]
    for kind in (signal.SIGINT, signal.SIGKILL):
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.5, 1.5))
        process.send_signal(kind)
        tally[f"ended by {kind.name}"] += process.wait(60) != 0
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    runs = list(benchmarks.open(root).runs())
    assert {run.score for run in runs} == {1.0} and {len(run.rescores) for run in runs} == {1}
    verified = subprocess.run([program, "--workspace", root, "ledger", "verify"], capture_output=True, text=True)
    assert verified.returncode == 0, verified.stdout
