"""Ends without a proof: a forged exit status, a planted result, an event that a benchmark wrote itself."""

from __future__ import annotations

import collections
import json
import os
import random
import signal
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import psutil
from msgspec.structs import replace

from benchmarks.adapters.discovery import discover
from benchmarks.ledger.commitment import Secrets, new_secrets
from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.identity import this_process
from benchmarks.ledger.jsonl import JsonlStore
from benchmarks.orchestrator.running.provenance import content_of
from tests.conftest import Bench, Histories
from tests.waiting import until

GOOD = '{"score": 0.75, "n": 4, "other": 1.0}'
FORGED = '{"score": 1.0, "n": 4}'
GATED = """
print("begun", flush=True)
with open(os.environ["GATE"]) as gate:
    gate.read()
output.joinpath("result.json").write_text(json.dumps({"score": 0.75, "n": 4, "other": 1.0}))
"""
# After a signal it exits with 0, with a result of what it has so far.
ENDS_WELL = """
import signal, time
def end(*_):
    output.joinpath("result.json").write_text(json.dumps({"score": 1.0, "n": 4}))
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("begun", flush=True)
time.sleep(600)
"""
# It writes the end of its own run, and that of another run, into the ledger, with the right hashes.
WRITES_EVENTS = """
import datetime, hashlib, uuid
root = pathlib.Path(os.environ["LEDGER"])
segment = sorted(root.glob("0*.jsonl"))[-1]
lines = segment.read_bytes().splitlines()
events = [json.loads(line) for line in lines]
now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
with segment.open("ab") as file:
    seq, prev = events[-1]["seq"], events[-1]["hash"]
    for run in [event["stream"] for event in events if event["type"] == "started"]:
        version = max(event["version"] for event in events if event["stream"] == run)
        won = {"ended_at": now, "score": 1.0, "unit": "ratio", "higher_is_better": True, "samples": 4, "return_code": 0}
        gone = {"reason": "gone", "last_seen_at": now, "stale_seconds": 1.0, "by": {"host": "h", "pid": 1}}
        for type, data in [
            ("finished", won),
            ("finished", {**won, "revealed": f"{'a' * 64} {'b' * 64}"}),
            ("failed", {**won, "reason": "exit_code"}),
            ("recovered", {**gone, "adopted": won}),
        ]:
            seq, version = seq + 1, version + 1
            head = {"seq": seq, "id": str(uuid.uuid4()), "at": now, "type": type, "stream": run, "version": version}
            body = json.dumps({**head, "data": data, "prev": prev}, separators=(",", ":"))[:-1].encode()
            prev = hashlib.sha256(body).hexdigest()
            file.write(body + b',"hash":"' + prev.encode() + b'"}\\n')
output.joinpath("result.json").write_text(json.dumps({"score": 0.25, "n": 4}))
"""


def gate(tmp_path: Path) -> Path:
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


def killed_with_its_child_done(bench: Bench, tmp_path: Path, *ids: str) -> None:
    """An orchestrator is killed, and its benchmark then ends by itself."""
    path = gate(tmp_path)
    process = bench.start("run", "--benchmarks", *ids, "--provider", "ollama", GATE=str(path))
    assert process.stderr and "started" in process.stderr.readline()
    with path.open("w"):
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.communicate()
    psutil.wait_procs(family, timeout=60)


def test_no_forged_end_is_adopted(
    bench: Bench, histories: Histories, rng: random.Random, tally: collections.Counter[str]
) -> None:
    bench.add("odd")
    manifest = content_of(discover(bench.root).adapters["odd"].manifest)
    lenient = manifest.replace(b'"ok_exit_codes":[0]', b'"ok_exit_codes":[0,3]')
    assert lenient != manifest
    mine, other = new_secrets(), new_secrets()
    swapped = " ".join(reversed(mine.by_shell.split()))
    status: dict[str, str] = {
        **{f"status {text!r}": text for text in ("0", "0_0", " 0", "+0", "00", "0 -", "0\n", "", "-0", "0x0", "٠")},
        "the proof of another run": f"0 {other.by_shell}",
        "half of a proof": f"0 {mine.by_shell[:64]}",
        "a proof the wrong way round": f"0 {swapped}",
        "a proof in capital letters": f"0 {mine.by_shell.upper()}",
        "the commitment": f"0 {mine.commitment} {mine.commitment}",
        "a guess": f"0 {rng.randbytes(32).hex()} {rng.randbytes(32).hex()}",
    }
    cases: list[tuple[str, str, Secrets | None, Callable[[Path], object]]] = [
        (name, text, mine, lambda _: None) for name, text in status.items()
    ]
    cases += [
        ("a run of an older version", f"0 {mine.by_shell}", None, lambda _: None),
        (
            "another manifest",
            f"3 {mine.by_shell}",
            mine,
            lambda folder: (folder / "manifest.json").write_bytes(lenient),
        ),
        ("a link", "", mine, lambda folder: link_to_a_proof(folder, mine)),
    ]
    proven = [("in 2096", 4e9), ("before its start", 1.0), ("now", None)]
    store = JsonlStore(bench.results / "ledger", notice=print)
    recorded = {"manifest": {"content_sha256": sha256(manifest).hexdigest()}}
    histories.append_anyway(store, [NewEvent("rg_1", histories.opened())])

    def lost(name: str, text: str, secrets: Secrets | None) -> Path:
        """A run of a dead orchestrator, with a result and this exit status."""
        owner = replace(this_process(), pid=2**22 - 1, commitment=secrets.commitment if secrets else "")
        work = {"benchmark_id": "odd", "benchmark_directory": "odd", "cwd": str(bench.root / "odd")}
        run_id = f"run_{sha256(name.encode()).hexdigest()[:8]}"
        started = histories.started(name, **work, owner=owner, provenance=recorded)
        histories.append_anyway(store, [NewEvent(run_id, started)])
        folder = bench.results / "rg_1" / "odd__odd" / run_id
        (folder / "output").mkdir(parents=True)
        (folder / "output" / "result.json").write_text(FORGED)
        (folder / "manifest.json").write_bytes(manifest)
        (folder / "exit_status").write_text(text)
        return folder

    for name, text, secrets, forge in cases:
        forge(lost(name, text, secrets))
    for name, at in proven:
        folder = lost(name, f"0 {mine.by_shell}", mine)
        if at is not None:
            os.utime(folder / "exit_status", (at, at))
    began = time.time()
    bench("recover-stale-runs", "--stale-seconds", "0")
    runs = {run["signature"]: run for run in bench.runs("--limit", "1000")}
    for name, *_ in cases:
        assert (runs[name]["status"], runs[name]["score"]) == ("failed", None), name
        assert runs[name]["duration_seconds"] is not None
        tally["forged ends not adopted"] += 1
    for name, _ in proven:
        assert (runs[name]["status"], runs[name]["score"]) == ("succeeded", 1.0), name
        assert 0 <= runs[name]["duration_seconds"] <= time.time() - began + 60, name
        tally["proven ends adopted"] += 1


def link_to_a_proof(folder: Path, secrets: Secrets) -> None:
    (folder.parent / "proof").write_text(f"0 {secrets.by_shell}")
    (folder / "exit_status").unlink()
    (folder / "exit_status").symlink_to(folder.parent / "proof")


def test_the_end_of_a_run_is_judged_by_the_manifest_that_it_began_with(
    bench: Bench, tmp_path: Path, tally: collections.Counter[str]
) -> None:
    folder = bench.add("slow", GATED)
    killed_with_its_child_done(bench, tmp_path, "slow")
    toml = folder / "benchmark.toml"
    toml.write_text(toml.read_text().replace('score = "score"', 'score = "other"'))
    bench("recover-stale-runs", "--stale-seconds", "0")
    [run] = bench.runs()
    assert (run["status"], run["score"], run["recovered"]) == ("succeeded", 0.75, True)
    tally["judged by what was recorded"] += 1


def test_a_result_that_is_put_there_after_the_end_is_not_adopted(
    bench: Bench, tmp_path: Path, tally: collections.Counter[str]
) -> None:
    bench.add("slow", GATED)
    killed_with_its_child_done(bench, tmp_path, "slow")
    result = next(bench.results.rglob("result.json"))
    status = next(bench.results.rglob("exit_status"))
    while time.time() < status.stat().st_ctime + 1.5:
        time.sleep(0.05)
    result.write_text(FORGED)
    os.utime(result, (1.0, 1.0))
    bench("recover-stale-runs", "--stale-seconds", "0")
    [run] = bench.runs()
    assert (run["status"], run["score"]) == ("failed", None)
    assert "changed after its benchmark had ended" in run["error"]
    tally["late results not adopted"] += 1


def test_a_child_that_recovery_ends_is_not_adopted(
    bench: Bench, tally: collections.Counter[str], is_full: bool
) -> None:
    bench.add("slow", ENDS_WELL)
    for _ in range(10 if is_full else 2):
        process = bench.start("run", "--benchmarks", "slow", "--provider", "ollama", "--force")
        assert process.stderr and "started" in process.stderr.readline()
        until(lambda: any(b"begun" in log.read_bytes() for log in bench.results.rglob("stdout.log")))
        process.kill()
        process.communicate()
        bench("recover-stale-runs", "--stale-seconds", "0")
        run = bench.runs()[-1]
        assert (run["status"], run["reason"]) == ("failed", "orchestrator_lost")
        assert run["duration_seconds"] >= 0
        for log in bench.results.rglob("stdout.log"):
            log.unlink()
        tally["ended by recovery, not adopted"] += 1


def test_a_recovery_that_is_interrupted_leaves_nothing_to_adopt(bench: Bench, tally: collections.Counter[str]) -> None:
    """The child ignores the signal to end, so recovery waits, and is interrupted."""
    bench.add("slow", ENDS_WELL.replace("    sys.exit(0)", "    time.sleep(1)\n    sys.exit(0)"))
    process = bench.start("run", "--benchmarks", "slow", "--provider", "ollama")
    assert process.stderr and "started" in process.stderr.readline()
    until(lambda: any(b"begun" in log.read_bytes() for log in bench.results.rglob("stdout.log")))
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    for number in (signal.SIGINT, signal.SIGTERM):
        recovery = bench.start("recover-stale-runs", "--stale-seconds", "0")
        until(lambda ended=recovery.poll: list(bench.results.rglob("result.json")) or ended() is not None)
        recovery.send_signal(number)
        recovery.communicate(timeout=60)
    psutil.wait_procs(family, timeout=60)
    bench("recover-stale-runs", "--stale-seconds", "0")
    [run] = bench.runs()
    assert (run["status"], run["reason"]) == ("failed", "orchestrator_lost")
    tally["interrupted recoveries"] += 1


def test_an_event_that_a_benchmark_writes_itself_ends_no_run(
    bench: Bench, tmp_path: Path, tally: collections.Counter[str]
) -> None:
    bench.add("victim", GATED)
    bench.add("forger", WRITES_EVENTS)
    path = gate(tmp_path)
    first = bench.start("run", "--benchmarks", "victim", "--provider", "ollama", GATE=str(path))
    assert first.stderr and "started" in first.stderr.readline()
    with path.open("w"):
        bench.run("forger", LEDGER=str(bench.results / "ledger"))
        rows = json.loads(bench("query", "SELECT status FROM runs ORDER BY run_id", "--json").stdout)
        assert "running" in json.dumps(rows)
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert {run["benchmark_id"]: (run["status"], run["score"]) for run in bench.runs()} == {
        "victim": ("succeeded", 0.75),
        "forger": ("succeeded", 0.25),
    }
    shown = json.loads(bench("ledger", "verify", "--json", code=1).stdout)
    assert shown["damage"] == []
    assert sum("not its owner" in str(one) for one in shown["story"]) == 6
    assert sum("without a proof of its end" in str(one) for one in shown["story"]) == 2
    bench.is_damaged = True
    tally["forged events that ended nothing"] += 8
