"""Many machines on one ledger: claims, clocks that differ, several viewers, and what wakes a follower."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections import Counter

import pytest
from msgspec.structs import replace

from benchmarks.ledger.events import Annotated, Heartbeat, NewEvent
from benchmarks.ledger.follow import follow_lines
from benchmarks.ledger.identity import parse_utc, this_process
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.staleness import is_stale, silence
from benchmarks.projections.workspace import Workspace
from benchmarks.viewer.index.archive import Archive
from tests.conftest import Bench
from tests.perf.postgres import race

from .server import Server

MODEL = ("--provider", "ollama", "--model", "m")
ELSEWHERE = replace(this_process(), boot_id="another boot", machine_id="another machine", host="another")


def machine(tmp_path, database, name: str) -> Bench:
    """A machine of the team: a workspace of its own, and the common ledger."""
    bench = Bench(tmp_path / name)
    bench.root.mkdir()
    bench.environ["BENCHMARKS_LEDGER"] = database.url
    return bench


def test_sixteen_connections_run_two_hundred_signatures_once_each(database):
    claims, _ = race([database.url] * 16, 200)
    assert claims == 200
    store = database.open()
    started = Counter(record.data.signature for record in store.read(types=["started"]))
    assert len(started) == 200 and set(started.values()) == {1}
    assert [record.seq for record in store.read()] == list(range(1, 201))


def test_several_machines_share_the_work_of_one_matrix(database, tmp_path):
    machines = [machine(tmp_path, database, name) for name in ("a", "b", "c")]
    ids = [f"one{number}" for number in range(4)]
    for bench in machines:
        for name in ids:
            bench.add(name)
    running = [bench.start("run", "--benchmarks", *ids, *MODEL, "--jobs", "2") for bench in machines]
    for process in running:
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, f"{out}\n{err}"
    store = database.open()
    assert len(list(store.read(types=["started"]))) == len(list(store.read(types=["finished"]))) == 4
    assert len(list(store.read(types=["group_closed"]))) == 3
    report = verify(store)
    assert (report.damage, report.story) == ([], [])
    rows = [json.loads(bench("show-runs", "--json").stdout) for bench in machines]
    assert rows[0] == rows[1] == rows[2] and len(rows[0]) == 4


def test_the_time_of_an_event_is_that_of_the_database(server, database, monkeypatch):
    ahead = 86_400
    now, now_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: now() + ahead)
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + ahead * 10**9)
    store = database.open()
    [record] = store.append(lambda _: [NewEvent("run_1", Annotated(author="a", note="n"))], lambda _: None)
    with server.connect(database.name) as connection:
        [clock] = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    assert abs(parse_utc(record.at).timestamp() - clock) < 3600
    assert abs(store.now() - clock) < 3600


@pytest.mark.parametrize("skew", [-86_400, 86_400])
def test_a_lease_is_measured_by_the_clock_of_the_database(database, histories, tmp_path, monkeypatch, skew):
    ledger = Ledger(database.open())
    ledger.append("run_1", histories.started(owner=ELSEWHERE))
    ledger.append("run_1", Heartbeat(lease_seconds=7200.0))
    ledger.append("run_2", histories.started("2", owner=ELSEWHERE))
    long_ago = NewEvent("run_3", histories.started("3", owner=ELSEWHERE), at="2026-01-01T00:00:00.000000Z")
    ledger.decide(lambda _: [long_ago])
    now, now_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: now() + skew)
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + skew * 10**9)
    store = database.open()
    runs = ledger.history().runs
    assert [is_stale(run, now=store.now()) for run in runs.values()] == [False, False, True]
    assert 0 <= silence(runs["run_2"], store.now()) < 3600
    with Archive(Workspace(tmp_path / "w"), store).look() as view:
        assert view.stale == {"run_3"}
    bench = machine(tmp_path, database, "machine")
    status = json.loads(bench("status", "--json").stdout)
    assert {row["run_id"]: row["stale"] for row in status} == {"run_1": False, "run_2": False, "run_3": True}


def test_an_append_wakes_a_follower_at_once(database):
    store, other = database.open(), database.open()
    store.wait(0)
    is_awake = threading.Event()

    def wait():
        store.wait(600)
        is_awake.set()

    threading.Thread(target=wait, daemon=True).start()
    other.append(lambda _: [NewEvent("run_1", Annotated(author="a", note="n"))], lambda _: None)
    assert is_awake.wait(60)


def test_a_follower_sees_every_event_in_order_also_after_a_restart_of_the_server(tmp_path):
    from .conftest import Database

    server = Server()
    try:
        database = Database(server, tmp_path)
        lines = follow_lines(database.open())
        store = database.open()
        seen = []

        def follow(count: int) -> None:
            while len(seen) < count:
                if (line := next(lines)) is not None:
                    seen.append(json.loads(line)["seq"])

        def append(number: int) -> None:
            event = NewEvent("run_1", Annotated(author="a", note=str(number)))
            store.append(lambda _: [event] * (1 + number % 3), lambda _: None)

        for number in range(4):
            append(number)
        follow(store.head().seq)
        server.kill()
        server.start()
        for number in range(4):
            append(number)
        follow(store.head().seq)
        assert seen == list(range(1, store.head().seq + 1))
    finally:
        server.close()


def answer(url: str, path: str):
    with urllib.request.urlopen(url.rstrip("/") + path, timeout=60) as response:
        return json.load(response)


def await_runs(url: str, count: int) -> None:
    limit = time.monotonic() + 120
    while True:
        try:
            total = answer(url, "/api/ledger")["runs"]
        except OSError:
            total = None  # The server of the ledger starts again.
        if total == count:
            return
        assert time.monotonic() < limit, total
        time.sleep(0.05)


def test_several_viewers_follow_one_ledger_each_with_its_own_tables(tmp_path, histories):
    """Two of them share a workspace; the server is killed and started again meanwhile."""
    from .conftest import Database

    server = Server()
    viewers = []
    try:
        database = Database(server, tmp_path)
        ledger = Ledger(database.open())
        for number in range(5):
            ledger.append(f"run_{number}", histories.started(str(number)))
            ledger.append(f"run_{number}", histories.finished())
        first, second = machine(tmp_path, database, "a"), machine(tmp_path, database, "b")
        for bench in (first, second):
            bench.results.mkdir()
        viewers += [bench.start("serve-viewer", "--port", "0") for bench in (first, first, second)]
        urls = [process.stdout.readline().split()[4] for process in viewers]
        for url in urls:
            await_runs(url, 5)
        ledger.append("run_5", histories.started("5"))
        for url in urls:
            await_runs(url, 6)
        server.kill()
        server.start()
        ledger.append("run_6", histories.started("6"))
        for url in urls:
            await_runs(url, 7)
        about = [answer(url, "/api/ledger") for url in urls]
        assert len({one["head"]["hash"] for one in about}) == 1
        assert all(one["damage"] == "" and one["bytes"] > 0 for one in about)
        assert (first.results / "orchestrator.sqlite").exists() and (second.results / "orchestrator.sqlite").exists()
    finally:
        for process in viewers:
            process.terminate()
            process.communicate(timeout=60)
        server.close()
