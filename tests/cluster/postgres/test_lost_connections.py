"""A connection that is lost at any message: every event is recorded exactly once, or the caller learns that it is not.

KILLS is the number of random kills of server processes; TEST_SEED repeats their order.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from benchmarks.ledger.errors import LedgerBusy, OutcomeUnknown
from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage import postgres
from benchmarks.ledger.storage.postgres_link import LedgerUnreachable

from .server import Server

KILLS = int(os.environ.get("KILLS", "10"))


def note(text: str, stream: str = "run_1", id: str | None = None) -> NewEvent:
    return NewEvent(stream, Annotated(author="a", note=text), id)


def notes(store) -> list[str]:
    return [record.data.note for record in store.read()]


ALONE, CROWDED = "alone", "crowded"


def append_before(kind: str | None, store, other) -> None:
    """Append so that the next append of a store is its first one, one without a turn, or one among many."""
    order = {None: [], ALONE: [store] * 2, CROWDED: [store, other] * 3}[kind]
    for number, one in enumerate(order):
        one.append(lambda _, number=number: [note(f"{kind} {number}")], lambda _: None)


# The kind, a word of the message that is cut, and a word from which on the server does not get that message. Statements
# are known by their names, which are in the message; each is sent once by itself, when it is prepared.
CUTS = [
    *((None, word, b"") for word in (b"BEGIN", b"take_turn", b"new_lines", b"append", b"COMMIT")),
    (ALONE, b"append", b""),
    (CROWDED, b"stand_next", b""),
    (CROWDED, b"leave_next", b""),
    (CROWDED, b"leave_next", b"leave_next"),
    (CROWDED, b"append", b""),
    (CROWDED, b"append", b"commit"),
]


@pytest.mark.parametrize("is_forwarded", [True, False])
@pytest.mark.parametrize(("kind", "word", "before"), CUTS)
def test_an_append_is_recorded_once_wherever_its_connection_is_lost(
    database, through, proxy, monkeypatch, kind, word, before, is_forwarded
):
    monkeypatch.setattr(postgres, "_RECENT_SECONDS", 600)
    monkeypatch.setattr(postgres, "_BUSY_SECONDS", 600)
    append_before(kind, through, database.open())
    earlier = notes(database.open())
    calls = []

    def decide(fresh):
        calls.append([record.seq for record in fresh])
        return [note("a"), note("b")]

    proxy.cut_at(word, is_forwarded=is_forwarded, before=before)
    records = through.append(decide, lambda _: None)
    assert proxy.cuts == 1
    assert notes(database.open()) == [*earlier, "a", "b"]
    assert [record.seq for record in records] == [len(earlier) + 1, len(earlier) + 2]
    through.append(lambda _: [note("c")], lambda _: None)
    assert notes(database.open()) == [*earlier, "a", "b", "c"]
    assert verify(database.open()).damage == []


@pytest.mark.parametrize("kind", [ALONE, CROWDED])
@pytest.mark.parametrize("is_forwarded", [True, False])
def test_a_write_of_unknown_outcome_is_settled_although_another_writer_was_faster(
    database, through, proxy, monkeypatch, kind, is_forwarded
):
    monkeypatch.setattr(postgres, "_RECENT_SECONDS", 600)
    monkeypatch.setattr(postgres, "_BUSY_SECONDS", 600)
    other = database.open()
    append_before(kind, through, other)
    retake = through._lock.retake

    def slow(problem):
        other.append(lambda _: [note("other")], lambda _: None)
        retake(problem)

    through._lock.retake = slow
    proxy.cut_at(b"\0append\0", is_forwarded=is_forwarded)
    through.append(lambda _: [note("mine")], lambda _: None)
    assert notes(other)[-2:] == (["mine", "other"] if is_forwarded else ["other", "mine"])
    assert verify(other).damage == []


@pytest.mark.parametrize("is_forwarded", [True, False])
def test_the_history_of_a_ledger_is_right_after_a_lost_connection(database, server, proxy, histories, is_forwarded):
    ledger = Ledger(database.open(url=server.url(database.name, port=proxy.port)))
    ledger.append("run_1", histories.started("1"))
    proxy.cut_at(b"\0append\0", is_forwarded=is_forwarded)
    ledger.append("run_1", histories.finished())
    proxy.cut_at(b"\0begin\0", is_forwarded=is_forwarded)
    ledger.append("run_2", histories.started("2"))
    assert ledger.look(lambda history: [history.runs[name].status for name in ("run_1", "run_2")]) == [
        "succeeded",
        "running",
    ]
    assert verify(database.open()).damage == []


def test_a_copy_goes_on_after_a_lost_connection(database, through, proxy, tmp_path):
    from benchmarks.ledger.storage.jsonl import JsonlStore
    from benchmarks.ledger.transfer.exchange import copy

    source = JsonlStore(tmp_path / "source", notice=print)
    source.append(lambda _: [note(str(number)) for number in range(300)], lambda _: None)
    proxy.cut_at(b"\0append\0", is_forwarded=True)
    assert copy(source, through) == 300
    assert list(database.open().read_lines()) == list(source.read_lines())


def test_without_its_server_an_append_ends_with_an_unknown_outcome_and_is_settled_later(
    database, through, proxy, monkeypatch
):
    through.append(lambda _: [note("first")], lambda _: None)
    monkeypatch.setenv("BENCHMARKS_LOCK_SECONDS", "0.05")
    retake = through._lock.retake

    def down(problem):
        proxy.is_down = True
        retake(problem)

    through._lock.retake = down
    proxy.cut_at(b"\0append\0", is_forwarded=True)
    with pytest.raises(OutcomeUnknown, match="Whether it was recorded is unknown"):
        through.append(lambda _: [note("mine", id="mine")], lambda _: None)
    with pytest.raises(LedgerUnreachable, match="Nothing was recorded"):
        through.append(lambda _: [note("later")], lambda _: None)
    proxy.is_down = False
    monkeypatch.delenv("BENCHMARKS_LOCK_SECONDS")
    [again] = through.append(lambda _: [note("mine", id="mine")], lambda _: None)
    assert (again.seq, notes(database.open())) == (2, ["first", "mine"])


def test_a_heartbeat_does_not_wait_for_a_server_that_is_gone(database, through, proxy):
    through.append(lambda _: [note("first")], lambda _: None)
    proxy.is_down = True
    proxy.cut_all()
    with pytest.raises(LedgerUnreachable):
        through.append(lambda _: [note("beat")], lambda _: None, patience=0)
    proxy.is_down = False
    through.append(lambda _: [note("later")], lambda _: None)
    assert notes(through) == ["first", "later"]


def test_a_reader_goes_on_after_a_lost_connection(database, through, proxy):
    through.append(lambda _: [note(str(number)) for number in range(5000)], lambda _: None)
    records = through.read()
    read = [next(records).seq for _ in range(10)]
    proxy.cut_all()
    assert [*read, *(record.seq for record in records)] == list(range(1, 5001))


def test_a_writer_that_stands_still_in_its_turn_does_not_stop_the_others(database, monkeypatch):
    from benchmarks.ledger.storage import postgres_link

    monkeypatch.setattr(postgres_link, "IDLE_SECONDS", 1)
    stopped, other = database.open(), database.open()
    has_turn, goes_on = threading.Event(), threading.Event()

    def decide(_):
        if not has_turn.is_set():
            has_turn.set()
            assert goes_on.wait(60)
        return [note("late")]

    thread = threading.Thread(target=lambda: stopped.append(decide, lambda _: None))
    thread.start()
    assert has_turn.wait(60)
    other.append(lambda _: [note("other")], lambda _: None)
    goes_on.set()
    thread.join(60)
    assert notes(other) == ["other", "late"]


def test_an_interrupt_while_a_writer_waits_leaves_no_lock(database, monkeypatch):
    monkeypatch.setattr(postgres, "_RECENT_SECONDS", 0)
    store, other = database.open(), database.open()
    store.append(lambda _: [note("first")], lambda _: None)
    set_clock = store._link.set_clock

    def interrupted(*_):
        monkeypatch.setattr(store._link, "set_clock", set_clock)
        raise KeyboardInterrupt

    monkeypatch.setattr(store._link, "set_clock", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.append(lambda _: [note("never")], lambda _: None)
    other.append(lambda _: [note("other")], lambda _: None, patience=0.5)
    store.append(lambda _: [note("mine")], lambda _: None)
    assert notes(other) == ["first", "other", "mine"]


def test_a_busy_ledger_names_the_session_that_holds_it(database):
    holder, other = database.open(), database.open()

    def decide(_):
        with pytest.raises(LedgerBusy, match=r"session \d+ \(benchmarks .*\) holds it"):
            other.append(lambda _: [note("other")], lambda _: None, patience=0.2)
        return [note("mine")]

    holder.append(decide, lambda _: None)
    assert notes(other) == ["mine"]


WRITER = """
import itertools, os, sys
from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.storage.open import open_store

name = sys.argv[1]
store = open_store(os.environ["LEDGER"], notice=lambda text: print(text, file=sys.stderr))
for number in itertools.count():
    texts = [f"{name}-{number}-{part}" for part in range(1 + number % 3)]
    store.append(lambda _: [NewEvent(name, Annotated(author="a", note=text)) for text in texts], lambda _: None)
    store.sync()
    print(*texts, flush=True)
"""


@pytest.mark.parametrize(("count", "kills"), [(4, KILLS), (1, KILLS // 3)])
def test_no_event_is_lost_or_doubled_when_processes_of_the_server_are_killed(tmp_path, rng, count, kills):
    """One writer alone appends without turns."""
    own = Server()
    try:
        _kill_again_and_again(own, tmp_path, rng, count, kills)
    finally:
        own.close()


def _kill_again_and_again(server, tmp_path, rng, count, kills):
    from .conftest import Database

    database = Database(server, tmp_path)
    counts = dict.fromkeys(("backend", "server", "writer"), 0)
    environ = {**os.environ, "LEDGER": database.url}
    writers = {}
    acknowledged: set[str] = set()

    def start(name: str) -> None:
        out, err = ((tmp_path / f"{name}{end}").open("wb") for end in (".out", ".err"))
        writers[name] = subprocess.Popen([sys.executable, "-c", WRITER, name], stdout=out, stderr=err, env=environ)

    def lines_of(name: str) -> list[str]:
        return (tmp_path / f"{name}.out").read_text().splitlines(keepends=True)

    def await_progress() -> None:
        """Until every writer has got an acknowledgement since now."""
        before = {name: len(lines_of(name)) for name in writers}
        limit = time.monotonic() + 120
        while any(len(lines_of(name)) <= count for name, count in before.items() if name in writers):
            assert time.monotonic() < limit, [(tmp_path / f"{name}.err").read_text() for name in writers]
            assert all(writer.poll() is None for writer in writers.values()), [
                (tmp_path / f"{name}.err").read_text() for name in writers
            ]
            time.sleep(0.01)

    for number in range(count):
        start(f"w{number}")
    try:
        for number in range(kills):
            await_progress()
            time.sleep(rng.random() * 0.01)  # At which statement the kill comes is random.
            what = rng.choice(["backend", "backend", "server", "writer"])
            counts[what] += 1
            if what == "backend":
                server.kill_backend(rng.choice(server.backends(database.name)))
            elif what == "server":
                server.kill()
                server.start()
            else:
                name = rng.choice(sorted(writers))
                writers[name].kill()
                writers.pop(name).wait()
                start(f"w{number + count}")
        await_progress()
    finally:
        for writer in writers.values():
            writer.send_signal(signal.SIGKILL)
            writer.wait()
    for file in tmp_path.glob("w*.out"):
        # The last line of a killed writer may be torn.
        whole = [line for line in lines_of(file.stem) if line.endswith("\n")]
        acknowledged.update(text for line in whole for text in line.split())
    store = database.open()
    kept = notes(store)
    print(f"{counts}, {len(acknowledged)} acknowledged, {len(kept)} recorded")
    assert len(kept) == len(set(kept)), "an event was recorded twice"
    assert acknowledged <= set(kept), "an acknowledged event was lost"
    assert verify(store).damage == []
