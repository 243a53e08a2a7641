"""What a ledger in PostgreSQL costs: appends by one connection and by eight, and a race for the same work by sixteen.

The server is a real one on this machine, started here; its baseline is the same line written and synced to a file.
"""

from __future__ import annotations

import itertools
import os
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.history import History
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.storage.open import open_store
from benchmarks.ledger.storage.postgres_address import Address
from benchmarks.ledger.storage.postgres_init import prepare_ledger
from benchmarks.ledger.storage.postgres_schema import SCHEMA
from benchmarks.ledger.storage.postgres_wire import BYTEA, INT8, Statement, Wire, int8
from tests.cluster.postgres.server import NoServer, Server

from .figures import Scale, Table, seconds
from .ledger import BEAT, RAW, one_run, together

WRITER = """
import sys
from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.storage.open import open_store
from tests.perf.ledger import BEAT

store = open_store(sys.argv[1], notice=print)
appends, batch = int(sys.argv[2]), int(sys.argv[3])
events = [NewEvent("run_1", BEAT)] * batch
store.append(lambda _: events, lambda _: None)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(appends):
    store.append(lambda _: events, lambda _: None)
    store.sync()
"""


def new_ledger(server: Server) -> str:
    """The URL of a new, empty ledger."""
    url = server.url(server.new_database())
    prepare_ledger(Address(url), writers=[], readers=[])
    return url


def bare_insert(url: str, line: bytes) -> Callable[[], object]:
    """What no append can be faster than: one prepared INSERT of one row into a table like that of the ledger."""
    connection = psycopg.connect(url, autocommit=True)
    connection.execute(f"CREATE TABLE bare (LIKE {SCHEMA}.events INCLUDING ALL)")
    wire = Wire(connection)
    insert = Statement(b"insert", b"INSERT INTO bare VALUES ($1, $1, $2, $2, 'heartbeat', $3)", (INT8, BYTEA, BYTEA))
    numbers = itertools.count(1)

    def perform() -> object:
        number = int8(next(numbers))
        return wire.perform((insert, (number, number * 2, line)))

    return perform


def measure_postgres(table: Table, folder: Path, scale: Scale) -> None:
    """Durable appends, and the claim race."""
    try:
        server = Server(on_disk=True)
    except NoServer as problem:
        print(f"not measured: {problem}")
        return
    try:
        _measure_appends(table, folder, scale, server)
        _measure_race(table, scale, server)
    finally:
        server.close()


def _measure_appends(table: Table, folder: Path, scale: Scale, server: Server) -> None:
    store = open_store(new_ledger(server), notice=print)
    store.append(lambda _: [NewEvent("run_1", BEAT)], lambda _: None)
    line = next(iter(store.read_lines())) + b"\n"
    raw = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    count = scale.count(1000, least=16)

    def write_and_sync() -> None:
        for _ in range(count):
            os.write(raw, line)
            os.fdatasync(raw)

    def append() -> None:
        for _ in range(count):
            store.append(lambda _: [NewEvent("run_1", BEAT)], lambda _: None)

    def eight(batch: int) -> Callable[[], float]:
        return lambda: count / 8 * 8 * batch / together(8, WRITER, new_ledger(server), str(count // 8), str(batch))

    insert = bare_insert(new_ledger(server), line[:-1])
    rates: list[list[float]] = [[], [], [], [], []]
    for _ in range(scale.rounds(5)):
        rates[0].append(count / seconds(write_and_sync))
        rates[1].append(count / seconds(append))
        rates[2].append(eight(1)())
        rates[3].append(eight(20)())
        rates[4].append(count / seconds(lambda: [insert() for _ in range(count)]))
    alone, one, many, batches, bare = map(statistics.median, rates)
    table.add("PostgreSQL: a bare INSERT with the same indexes", bare, "per s", RAW, alone, "")
    table.add("PostgreSQL: durable appends, 1 connection", one, "per s", RAW, alone, ">= 0.45")
    table.add("PostgreSQL: durable appends, 8 connections", many, "per s", RAW, alone, "")
    table.add("PostgreSQL: events by 20 an append, 8 connections", batches, "per s", RAW, alone, ">= 3")
    store.close()


def race(urls: list[str], signatures: int) -> tuple[int, float]:
    """Let every URL have a writer that claims all signatures, in threads; the number of claims, and the seconds."""
    started = threading.Barrier(len(urls) + 1)
    claimed: list[str] = []

    def run(number: int, url: str) -> None:
        ledger = Ledger(open_store(url, notice=print))
        started.wait()
        for place in range(signatures):
            # Each begins at another place, as workers of a campaign do.
            signature = (place + number * signatures // len(urls)) % signatures
            [started_event, *_] = one_run(f"group_{number}", signature)
            run_id = f"{started_event.stream}_{number}"

            def decide(history: History, run_id=run_id, new=started_event) -> list[NewEvent]:  # type: ignore[no-untyped-def]
                known = history.live_run(new.data.signature)  # type: ignore[attr-defined]
                return [] if known else [NewEvent(run_id, new.data)]

            claimed.extend(record.stream for record in ledger.decide(decide).records)
        ledger.close()

    threads = [threading.Thread(target=run, args=(number, url)) for number, url in enumerate(urls)]
    for thread in threads:
        thread.start()
    started.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    return len(claimed), time.perf_counter() - begin


def _measure_race(table: Table, scale: Scale, server: Server) -> None:
    signatures = scale.count(200, least=4)
    claims, taken = race([new_ledger(server)] * 16, signatures)
    table.add("PostgreSQL: claims by 16 connections", claims, "runs", "signatures", signatures, "= 1")
    decisions = 16 * signatures
    table.add("PostgreSQL: decisions by 16 connections", decisions / taken, "per s", "one decision", 1.0, "")
