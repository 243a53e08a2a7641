"""Misbehaving children and killed orchestrators: campaigns still end, and record what happened.

RELIABILITY=1 (`make reliability`) writes more and kills more often; TEST_SEED plays the kills again.
"""

from __future__ import annotations

import collections
import itertools
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.orchestrator.machine.processes import marked_processes

IS_FULL = os.environ.get("RELIABILITY") == "1"
SEED = int(os.environ.get("TEST_SEED", random.randrange(10**6)))
KILLS = 20 if IS_FULL else 4
FLOOD_MIB = 1024 if IS_FULL else 96
GOOD = "\noutput.joinpath('result.json').write_text('{\"score\": 0.5, \"n\": 4}')\n"
MARKER = "RELIABILITY_MARKER"
MEMORY_KIB = 150 * 1024
"""Maximum memory of the orchestrator, including its code."""


class Kind(NamedTuple):
    """`count` benchmarks that run `code`, three at most in the short form.

    Each must end with the reason, and with `note` in its error or notes.
    """

    count: int
    code: str
    reason: str | None = None
    note: str = ""
    run: str = "timeout_seconds = 60"
    more: str = ""


HANG = "import signal, time; {}; time.sleep(1000)"
SHORT = "timeout_seconds = 1"
FORK = """
for _ in range({}):
    if not os.fork():
        {}
        import time; time.sleep(1000)
"""
DAEMON = "os.setsid(); os.fork() and os._exit(0)"
# Each process starts the next one and ends: when it is found, it is already gone.
RUNAWAY = """
import time
end = time.time() + 20
if not os.fork():
    while time.time() < end:
        if os.fork():
            os._exit(0)
        {}
    os._exit(0)
"""
RESULT = "output.joinpath('result.json').write_bytes({})"
VAST = "(output / 'result.json').touch(); os.truncate(output / 'result.json', 2**28)"
TELL = "pathlib.Path(os.environ['{}']).write_bytes({})\n"
DEEP = "b'[' * 100_000 + b']' * 100_000"
DEEP_PROGRESS = f"b'{{\"done\": 1, \"x\": ' + {DEEP} + b'}}\\n'"
LONG = "b'{\"prompt_tokens\": 1, \"pad\": \"' + b'x' * 150_000_000 + b'\"}'"
WAIT = "import time; time.sleep(1.2)\n"

KINDS = {
    # Children that succeed, and children that fail in common ways.
    "good": Kind(40, GOOD),
    "exits": Kind(20, "print('last words', file=sys.stderr); sys.exit(3)", "exit_code", "last words"),
    "raises": Kind(10, GOOD + "raise KeyError('gone')", "exit_code", "KeyError: 'gone'"),
    "crashes": Kind(8, GOOD + "os.kill(os.getpid(), 11)", "signal", "SIGSEGV"),
    "killed": Kind(6, "os.kill(os.getpid(), 9)", "signal", "SIGKILL"),
    "mute": Kind(10, "pass", "no_result"),
    "no_space": Kind(4, GOOD, "environment", "MiB are free", more='[resources]\ndisk = "900 TiB"'),
    "nowhere": Kind(4, "os.chdir('/'); import shutil; shutil.rmtree(os.environ['BENCHMARK_RUN_ROOT'])", "no_result"),
    # Children that do not end.
    "hangs": Kind(8, HANG.format("pass"), "timeout", run=SHORT),
    "deaf": Kind(2, HANG.format("signal.signal(15, signal.SIG_IGN)"), "timeout", run=SHORT),
    "stopped": Kind(2, "os.kill(os.getpid(), 19)", "timeout", run=SHORT),
    "silent": Kind(4, HANG.format("print('begun', flush=True)"), "stalled", run="stall_seconds = 1"),
    "chatters": Kind(2, "while True: print('again')", "timeout", run=SHORT + "\nlog_bytes = 2_000_000"),
    # Children with children of their own, or that end processes that are not theirs.
    "forks": Kind(6, FORK.format(12, "pass") + GOOD, note="left processes behind"),
    "daemons": Kind(6, FORK.format(2, DAEMON) + GOOD, note="left processes behind"),
    "deaf_daemon": Kind(1, FORK.format(1, DAEMON + "; import signal; signal.signal(15, signal.SIG_IGN)") + GOOD),
    "fails_with_daemon": Kind(4, FORK.format(1, DAEMON) + "sys.exit(4)", "exit_code", "exit code 4"),
    "runaway": Kind(4, RUNAWAY.format("pass") + GOOD),
    "runaway_daemon": Kind(4, RUNAWAY.format("os.setsid()") + GOOD),
    "kills_parent": Kind(6, "os.kill(os.getppid(), 9); import time; time.sleep(1000)", "signal", "SIGKILL"),
    "kills_group": Kind(4, "os.killpg(0, 9)", "signal", "SIGKILL"),
    # Children that write too much, too little at a time, or bytes that cannot be decoded.
    "floods": Kind(1, f"for _ in range({FLOOD_MIB}): os.write(1, b'x' * 2**20)" + GOOD, note="bytes were left out"),
    "floods_stderr": Kind(2, "os.write(2, b'y' * 20_000_000); sys.exit(1)", "exit_code", "yyyy"),
    "drips": Kind(2, "for _ in range(300_000): os.write(1, b'.')\n" + GOOD, run="log_bytes = 0"),
    "binary": Kind(4, "os.write(2, bytes(range(256)) * 9); sys.exit(1)", "exit_code", "exit code 1"),
    "closes": Kind(2, "os.close(1); os.close(2)\n" + WAIT + GOOD),
    # Invalid results.
    "broken": Kind(8, RESULT.format("b'{broken'"), "bad_result"),
    "no_text": Kind(4, RESULT.format("bytes(range(256)) * 9"), "bad_result"),
    "no_utf8": Kind(2, RESULT.format("b'{\"score\": 0.5, \"n\": 1, \"x\": \"\\xff\"}'"), "bad_result"),
    "deep": Kind(3, RESULT.format(DEEP), "bad_result"),
    "vast": Kind(2, VAST, "bad_result", "at most"),
    "big": Kind(1, RESULT.format("b'[' + b'{},' * 20_000_000 + b'{}]'"), "no_score"),
    "large_number": Kind(2, RESULT.format("b'{\"score\": 1%s, \"n\": 1}' % (b'0' * 400)"), "no_score"),
    "pipe": Kind(2, "os.mkfifo(output / 'result.json')", "no_result"),
    "folder": Kind(2, "(output / 'result.json').mkdir()", "no_result"),
    # The files beside the result are not valid.
    "deep_calls": Kind(2, TELL.format("BENCHMARK_TELEMETRY_JSONL", DEEP) + GOOD),
    "no_utf8_calls": Kind(2, TELL.format("BENCHMARK_TELEMETRY_JSONL", "b'{\"x\": \"\\xff\"}'") + GOOD),
    "long_call": Kind(1, TELL.format("BENCHMARK_TELEMETRY_JSONL", LONG) + GOOD),
    "deep_progress": Kind(1, TELL.format("BENCHMARK_PROGRESS_FILE", DEEP_PROGRESS) + WAIT + GOOD),
    "long_progress": Kind(1, TELL.format("BENCHMARK_PROGRESS_FILE", LONG) + WAIT + GOOD),
    "odd_usage": Kind(1, RESULT.format('b\'{"score": 1, "n": 1, "usage": {"in": "ten", "out": 1%s}}\' % (b"0" * 99)')),
}  # fmt: skip

# The program itself, which prints its peak memory (VmHWM begins with exec).
MEASURED = """
import atexit, os, pathlib, re
from benchmarks.cli.main import main
def note():
    status = pathlib.Path("/proc/self/status").read_text()
    pathlib.Path(os.environ["PEAK_FILE"]).write_text(re.search(r"VmHWM:\\s*(\\d+) kB", status)[1])
atexit.register(note)
main()
"""


def measured(bench, tmp_path: Path, *arguments: str, code: int) -> int:
    """Run the command; returns its peak memory in KiB. No process of it may be left."""
    peak, marker = tmp_path / "peak", f"{MARKER}={bench.root}"
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *bench.command(*arguments)[1:]],
        env={**bench.environ, "PEAK_FILE": str(peak), MARKER: str(bench.root)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
    assert not marked_processes(marker), "a process is left"
    return int(peak.read_text())


def test_a_campaign_of_misbehaving_children_ends_with_the_reasons(bench, tmp_path):
    most = 100 if IS_FULL else 3
    kinds = {f"{name}-{number}": kind for name, kind in KINDS.items() for number in range(min(kind.count, most))}
    assert len(kinds) >= (200 if IS_FULL else 90)
    for id, kind in kinds.items():
        bench.add(id, kind.code, run=kind.run, more=kind.more)
    file = tmp_path / "everything.toml"
    file.write_text(f'[matrix]\nbenchmarks = {list(kinds)}\nmodels = ["ollama:m"]\n')

    peak = measured(bench, tmp_path, "run", "--campaign", str(file), "--jobs", "4", code=1)

    runs = {run["benchmark_id"]: run for run in bench.runs("--limit", "1000")}
    assert {id: run["reason"] for id, run in runs.items()} == {id: kind.reason for id, kind in kinds.items()}
    for id, kind in kinds.items():
        run = runs[id]
        assert run["status"] == ("failed" if kind.reason else "succeeded")
        assert kind.note in "\n".join([run["error"] or "", *run["notes"]]), id
    [closed] = bench.events("group_closed")
    failures = sum(kind.reason is not None for kind in kinds.values())
    counts = {"succeeded": len(kinds) - failures, "failed": failures, "skipped": 0, "incompatible": 0}
    assert (closed["data"]["counts"], closed["data"]["reason"]) == (counts, "completed")
    assert max(run["artifacts"][0]["bytes"] for run in runs.values() if run["artifacts"]) > 2**27
    for log in bench.results.rglob("std*.log"):
        assert log.stat().st_size < 66 * 2**20
    bench("ledger", "verify")
    print(f"{len(runs)} runs, at most {peak / 1024:.0f} MiB")
    assert peak < MEMORY_KIB


# Two at once would wait for each other's lock, which the kernel releases when a process dies.
ALONE = """
import fcntl, time
mine = open(os.path.join(os.environ["JOURNAL"], {id!r}), "a")
try:
    fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("twice at once", file=mine, flush=True)
    raise
print("begun", file=mine, flush=True)
time.sleep({seconds})
"""


def kill_at_random(bench, rng, arguments: tuple[str, ...]) -> bool:
    """Start a `run`, and kill it some events later; returns whether it was still working."""
    process = bench.start(*arguments, "--json")
    events = rng.randrange(16)
    for _ in range(events):
        process.stdout.readline()
    time.sleep(rng.random() * (0.05 if events else 0.4))  # Between two events, or before the first one.
    was_at_work = process.poll() is None
    process.kill()
    process.communicate()
    return was_at_work


def test_an_orchestrator_that_is_killed_repeatedly_does_everything_once(bench, tmp_path):
    print(f"TEST_SEED={SEED}")
    rng = random.Random(SEED)
    journal, marker = tmp_path / "journal", f"{MARKER}={bench.root}"
    journal.mkdir()
    bench.environ |= {"JOURNAL": str(journal), MARKER: str(bench.root)}
    good, bad = [f"good{number}" for number in range(3 * KILLS)], [f"bad{number}" for number in range(3)]
    for id in good + bad:
        bench.add(id, ALONE.format(id=id, seconds=rng.random() / 2) + (GOOD if id in good else "sys.exit(3)"))
    arguments = ("run", "--provider", "ollama", "--jobs", "4", "--benchmarks", *good, *bad)

    kills = 0
    while kills < KILLS:
        kills += kill_at_random(bench, rng, arguments)
        if rng.random() < 0.5:  # Its running benchmark ends before the next command looks at it.
            until = time.monotonic() + 20
            while marked_processes(marker) and time.monotonic() < until:
                time.sleep(0.02)
    bench(*arguments, code=1)

    assert not marked_processes(marker), "a process is left"
    assert all("twice" not in file.read_text() for file in journal.iterdir())
    attempts = collections.defaultdict(list)
    for run in bench.runs("--limit", "10000"):
        attempts[run["benchmark_id"]].append(run)
    for id in good:
        assert [run["status"] for run in attempts[id]] == ["failed"] * (len(attempts[id]) - 1) + ["succeeded"], id
        assert {run["reason"] for run in attempts[id][:-1]} <= {"orchestrator_lost"}, id
    for id in bad:
        assert {run["status"] for run in attempts[id]} == {"failed"}, id
        assert attempts[id][-1]["reason"] == "exit_code", id
    for runs in attempts.values():
        assert [run["attempt"] for run in runs] == list(range(1, len(runs) + 1))
        for before, after in itertools.pairwise(runs):
            assert before["last_seq"] < after["first_seq"], "the next one begins when the one before is over"
    adopted = 0
    for event in bench.events("recovered"):
        # None if it was killed before its start; the exit status is empty until the benchmark has ended.
        files = bench.results.glob(f"*/*/{event['stream']}/**/*")
        left = {path.name for path in files if path.stat().st_size}
        has_finished = {"exit_status", "result.json"} <= left
        assert (event["data"]["adopted"] is not None) == has_finished, event
        adopted += has_finished
    assert adopted or not IS_FULL
    assert len(bench.events("group_opened")) == len(bench.events("group_closed"))
    bench("ledger", "verify")
    lost = sum(run["reason"] == "orchestrator_lost" for runs in attempts.values() for run in runs)
    print(f"{kills} kills, {sum(map(len, attempts.values()))} runs, {lost} lost, {adopted} adopted")
