"""What the ledger costs: durable appends, replay, memory, and the same job done by others."""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from benchmarks.ledger.events import (
    Artifact,
    Counts,
    Finished,
    GroupClosed,
    GroupOpened,
    Heartbeat,
    HighScoreReference,
    NewEvent,
    Owner,
    Progress,
    Request,
    Started,
)
from benchmarks.ledger.history import History
from benchmarks.ledger.storage import codec
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.sqlite.database import rebuild

from .figures import Scale, Table, in_turns, seconds

OWNER = Owner(host="bench", boot_id="0" * 36, pid=4711, process_start=1.0)
BEAT = Heartbeat(progress=Progress(done=3, total=30, note="sample 3 of 30, " + "x" * 120))
RAW = "write + fdatasync alone"
DECODE = "msgspec decode, per line"


def campaign(runs: int) -> Iterator[NewEvent]:
    """The events of many runs, in shapes and sizes as real ones have: groups of ten, ten events a run."""
    for first in range(0, runs, 10):
        group = f"rg_20261123T154419Z_{first:08x}"
        asked = Request(benchmarks=["context_recall", "human_eval"], agent=None, provider="groq", model="qwen3")
        yield NewEvent(group, GroupOpened(request=asked, benchmarks=asked.benchmarks, created_by="run", owner=OWNER))
        for number in range(first, min(first + 10, runs)):
            yield from one_run(group, number)
        yield NewEvent(group, GroupClosed(counts=Counts(succeeded=10), reason="completed"))


def one_run(group: str, number: int) -> Iterator[NewEvent]:
    benchmark, run_id = f"benchmark_{number % 40}", f"run_benchmark_{number % 40}_20261123T154419Z_1_{number:08x}"
    folder = f"/data/benchmarks/benchmark_results/{group}/{benchmark}__{benchmark}/{run_id}"
    config = {"seed": 42, "samples": 30}
    started = Started(
        run_group_id=group,
        benchmark_id=benchmark,
        benchmark_directory=benchmark,
        signature=sha256(run_id.encode()).hexdigest(),
        preimage={"benchmark_id": benchmark, "agent": "eliza", "provider": "groq", "extra_config": config},
        comparison_key=sha256(benchmark.encode()).hexdigest(),
        attempt=1,
        agent="eliza",
        provider="groq",
        model="qwen3",
        extra_config=config,
        command=["/usr/bin/python3", "-m", f"suites.{benchmark}", "--model", "qwen3", "--output", f"{folder}/output"],
        cwd=f"/data/benchmarks/{benchmark}",
        stdout_path=f"{folder}/stdout.log",
        stderr_path=f"{folder}/stderr.log",
        provenance={
            "orchestrator": "0.1.0",
            "python": "3.11.7",
            "manifest": {"sha256": "0" * 64},
            "packages": ["a==1"],
        },
        owner=OWNER,
    )
    yield NewEvent(run_id, started)
    for done in range(7):
        yield NewEvent(run_id, Heartbeat(progress=Progress(done=done, total=30, note="sample")))
    finished = Finished(
        ended_at="2026-11-23T15:44:19.000000Z",
        duration_seconds=49.2,
        return_code=0,
        score=number % 100 / 100,
        unit="ratio",
        higher_is_better=True,
        samples=30,
        stderr=0.08,
        metrics={"accuracy": 0.5, "depth_0": 0.4, "depth_50": 0.6},
        usage={"input_tokens": 18_000, "output_tokens": 569},
        artifacts=[Artifact("output/result.json", 1234, "0" * 64), Artifact("output/samples.jsonl", 12345, "1" * 64)],
        result_json_path=f"{folder}/output/result.json",
        high_score=HighScoreReference("Someone", 0.9, "https://example.org/paper"),
        delta_to_high_score=-0.4,
    )
    yield NewEvent(run_id, finished)


def fill(folder: Path, runs: int) -> JsonlStore:
    """A ledger with that many runs."""
    store = JsonlStore(folder, notice=print)
    events = campaign(runs)
    while some := list(itertools.islice(events, 20_000)):
        store.append(lambda _, some=some: some, lambda _: None)
    store.sync()
    return store


# -- appends

WRITER = """
import sys, time
from pathlib import Path
from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.storage.jsonl import JsonlStore
from tests.perf.ledger import BEAT

store = JsonlStore(Path(sys.argv[1]), notice=print)
appends, batch = int(sys.argv[2]), int(sys.argv[3])
events = [NewEvent("run_1", BEAT)] * batch
store.append(lambda _: events, lambda _: None)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(appends):
    store.append(lambda _: events, lambda _: None)
    store.sync()
"""

SQLITE_WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("PRAGMA synchronous = FULL")
connection.execute("CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, line BLOB)")
line = b"x" * 480
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO events (line) VALUES (?)", (line,))
    connection.execute("COMMIT")
"""


BARE_WRITER = """
import fcntl, os, sys
from hashlib import sha256
import msgspec

# What an append cannot do without: the lock, the proof and the content of what others wrote, a line, a sync.
file = os.open(sys.argv[1], os.O_RDWR | os.O_APPEND | os.O_CREAT)
lock = os.open(sys.argv[1] + ".lock", os.O_RDWR | os.O_CREAT)
template = open(sys.argv[3], "rb").read()
decode = msgspec.json.Decoder().decode_lines
offset, previous = 0, b"0" * 64
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    fcntl.flock(lock, fcntl.LOCK_EX)
    if (size := os.fstat(file).st_size) > offset:
        lines = os.pread(file, size - offset, offset)
        for line in lines[:-1].split(b"\\n"):
            assert sha256(line[:-75]).hexdigest().encode() == line[-66:-2]
        decode(lines)
        previous, offset = line[-66:-2], size
    body = template[:-139] + previous + b'"'
    previous = sha256(body).hexdigest().encode()
    offset += os.write(file, body + b',"hash":"' + previous + b'"}\\n')
    fcntl.flock(lock, fcntl.LOCK_UN)
    os.fdatasync(file)
"""


def together(processes: int, code: str, *arguments: str) -> float:
    """Seconds from the common start of the processes to the end of the last one."""
    argv = [sys.executable, "-c", code, *arguments]
    started = [
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for process in started:
        assert process.stdout and process.stdout.readline() == "ready\n"
    begin = time.perf_counter()
    for process in started:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        assert process.wait() == 0
    return time.perf_counter() - begin


def measure_appends(table: Table, folder: Path, scale: Scale) -> None:
    """Durable appends, by one process and by eight, each beside the same bytes written and synced by one."""
    store = JsonlStore(folder / "one", notice=print)
    store.append(lambda _: [NewEvent("run_1", BEAT)], lambda _: None)
    line = next(store.read_lines()) + b"\n"
    raw = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    count = scale.count(1500, least=16)

    def write_and_sync() -> None:
        for _ in range(count):
            os.write(raw, line)
            os.fdatasync(raw)

    def append() -> None:
        for _ in range(count):
            store.append(lambda _: [NewEvent("run_1", BEAT)], lambda _: None)
            store.sync()

    names = itertools.count()

    def eight(batch: int) -> Callable[[], float]:
        return lambda: (
            8 * count / 8 * batch / together(8, WRITER, str(folder / f"l{next(names)}"), str(count // 8), str(batch))
        )

    def eight_with_sqlite() -> float:
        return count / together(8, SQLITE_WRITER, str(folder / f"s{next(names)}.sqlite"), str(count // 8))

    template = folder / "template"
    template.write_bytes(line[:-1])

    def eight_bare() -> float:
        return count / together(8, BARE_WRITER, str(folder / f"b{next(names)}"), str(count // 8), str(template))

    rates: list[list[float]] = [[], [], [], [], [], []]
    for _ in range(scale.rounds(7)):
        rates[0].append(count / seconds(write_and_sync))
        rates[1].append(count / seconds(append))
        rates[2].append(eight(1)())
        rates[3].append(eight(20)())
        rates[4].append(eight_with_sqlite())
        rates[5].append(eight_bare())
    alone, one, many, batches, sqlite, bare = map(statistics.median, rates)
    table.add("durable appends, 1 process", one, "per s", RAW, alone, ">= 0.9")
    table.add("durable appends, 8 processes", many, "per s", RAW, alone, ">= 1.7")
    table.add("  the same, beside a bare program", many, "per s", "lock, prove, decode, write, sync", bare, ">= 0.5")
    table.add("  the same, beside SQLite", many, "per s", "SQLite WAL FULL, 8 processes", sqlite, ">= 2")
    table.add("events by 20 an append, 8 processes", batches, "per s", RAW, alone, ">= 14")


# -- replay


def read_lines_of(store: JsonlStore) -> Iterator[bytes]:
    for segment in store.files():
        with segment.open("rb") as file:
            yield from file


def measure_replay(table: Table, folder: Path, scale: Scale) -> None:
    """Reading a ledger back: to run states, with and without the proof of the chain, and into the projection."""
    store = fill(folder / "ledger", scale.count(20_000, least=100))
    decode = codec._decoder.decode
    number = sum(1 for _ in store.read_lines())

    def decode_lines() -> None:
        for line in read_lines_of(store):
            decode(line)

    def hash_lines() -> None:
        for line in read_lines_of(store):
            sha256(line).hexdigest()

    def parse_lines() -> None:
        for line in read_lines_of(store):
            json.loads(line)

    def replay_and_prove() -> None:
        History(details=False).read(itertools.chain.from_iterable(store.prove_records(details=False)))

    decoded, hashed, replayed, checked, proven, parsed, built = in_turns(
        scale.rounds(5),
        decode_lines,
        hash_lines,
        lambda: History(details=False).read(store.read(details=False)),
        replay_and_prove,
        lambda: sum(1 for _ in store.prove()),
        parse_lines,
        lambda: rebuild(folder / "db.sqlite", store),
    )
    table.add("events replayed to run states", number / replayed, "per s", DECODE, number / decoded, ">= 0.58")
    table.add("  the same, with the chain proven", number / checked, "per s", DECODE, number / decoded, ">= 0.35")
    table.add(
        "events whose chain is proven", number / proven, "per s", "SHA-256 of each line", number / hashed, ">= 0.7"
    )
    table.add(
        "events into orchestrator.sqlite", number / built, "per s", "json.loads of each line", number / parsed, ""
    )


REPLAYER = """
import resource, sys
from pathlib import Path
from benchmarks.ledger.history import History
from benchmarks.ledger.storage.jsonl import JsonlStore

history = History(details=False).read(JsonlStore(Path(sys.argv[1]), notice=print).read(details=False))
print(len(history.runs), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def measure_memory(table: Table, folder: Path, scale: Scale) -> None:
    """The peak memory of the replay of a million events."""
    store = fill(folder / "ledger", scale.count(108_700, least=100))
    size = sum(path.stat().st_size for path in store.files()) / 2**20
    done = subprocess.run(
        [sys.executable, "-c", REPLAYER, str(store.folder)], check=True, capture_output=True, text=True
    )
    peak = float(done.stdout.split()[1])
    table.add("peak memory of a replay of 1M events", peak, "MiB", "size of the log", size, "<= 0.4")


# -- the same job by others


def measure_peers(table: Table, folder: Path, scale: Scale) -> None:
    """The same job by the `eventsourcing` library: make one event durable, and read the whole log back as events."""
    try:
        from eventsourcing.application import Application
        from eventsourcing.domain import Aggregate, event
    except ImportError:
        print("eventsourcing is not installed: pip install -e '.[bench]'")
        return

    class Job(Aggregate):
        @event("Beat")
        def beat(self, done: float, total: float, note: str) -> None:
            """Changes nothing: only the event counts here."""

    progress = {"done": 3.0, "total": 30.0, "note": BEAT.progress.note if BEAT.progress else ""}
    environ = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(folder / "es.sqlite")}
    application: Application[UUID] = Application(env=environ)
    job = Job()
    application.save(job)
    store = JsonlStore(folder / "ledger", notice=print)
    count, many = scale.count(1000), scale.count(20_000, least=100)

    def save_each() -> None:
        for _ in range(count):
            job.beat(**progress)
            application.save(job)

    def append_each() -> None:
        for _ in range(count):
            store.append(lambda _: [NewEvent("run_1", BEAT)], lambda _: None)
            store.sync()

    saved, appended = in_turns(scale.rounds(5), save_each, append_each)
    table.add("durable appends, 1 process", count / appended, "per s", "eventsourcing", count / saved, ">= 1.3")
    for _ in range(many - scale.rounds(5) * count):
        job.beat(**progress)
    application.save(job)
    store.append(lambda _: [NewEvent("run_1", BEAT)] * (many - scale.rounds(5) * count), lambda _: None)

    def read_theirs() -> int:
        position, number = 1, 0
        while some := application.recorder.select_notifications(start=position, limit=1000):
            number += len([application.mapper.to_domain_event(notification) for notification in some])
            position = some[-1].id + 1
        return number

    assert read_theirs() >= many
    theirs, ours = in_turns(scale.rounds(3), read_theirs, lambda: sum(1 for _ in store.read()))
    table.add("events read back", many / ours, "per s", "eventsourcing", many / theirs, ">= 6")
