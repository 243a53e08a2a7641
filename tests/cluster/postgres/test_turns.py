"""How a writer appends: in a turn, without one if it is alone, and prepared for its turn if many writers append."""

from __future__ import annotations

import threading

import pytest

from benchmarks.ledger.errors import ImpossibleTransition, LedgerBusy
from benchmarks.ledger.identity import parse_utc
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage import postgres, postgres_link
from benchmarks.ledger.storage.postgres_wire import Wire

from .test_lost_connections import ALONE, CROWDED, append_before, note, notes


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """However slow this machine is now, an append was recent."""
    monkeypatch.setattr(postgres, "_RECENT_SECONDS", 600)
    monkeypatch.setattr(postgres, "_BUSY_SECONDS", 600)


def append(store, text: str) -> None:
    store.append(lambda _: [note(text)], lambda _: None)


@pytest.mark.parametrize(("kind", "messages"), [(ALONE, 1), (CROWDED, 3)])
def test_an_append_takes_few_messages(database, proxy, through, kind, messages):
    append_before(kind, through, database.open())
    proxy.sent.clear()
    append(through, "x")
    assert len(proxy.sent) == messages


def test_an_append_in_a_turn_takes_two_messages(proxy, through, monkeypatch):
    append(through, "a")
    monkeypatch.setattr(postgres, "_RECENT_SECONDS", 0)
    proxy.sent.clear()
    append(through, "b")
    assert len(proxy.sent) == 2


def test_without_pipelines_the_messages_are_sent_one_after_another(database, monkeypatch):
    """libpq before version 14 has none."""
    stores = [database.open(), database.open()]
    for store in stores:
        append(store, "first")
        store._lock._wire._has_pipeline = False
    append_before(CROWDED, *stores)
    append_before(ALONE, *stores)
    append(stores[1], "last")
    assert len(notes(stores[0])) == 11
    assert verify(stores[0]).damage == []


@pytest.mark.parametrize("answer", ["an event", "nothing", "an error"])
def test_what_was_decided_on_an_old_state_is_decided_again(database, answer):
    store, other = database.open(), database.open()
    append_before(ALONE, store, other)
    append(other, "other")
    seen = []

    def decide(fresh):
        new = [record.data.note for record in fresh]
        seen.append(new)
        if new or answer == "an event":
            return [note("mine")]
        if answer == "an error":
            raise ValueError
        return []

    [record] = store.append(decide, lambda _: None)
    assert (seen, record.seq) == ([[], ["other"]], 4)
    assert notes(other)[2:] == ["other", "mine"]
    append(store, "later")
    assert verify(store).damage == []


def test_the_history_is_right_after_another_writer_was_faster(database, histories):
    ledger, other = Ledger(database.open()), Ledger(database.open())
    ledger.append("run_1", histories.started("1"))
    ledger.append("run_2", histories.started("2"))
    other.append("run_1", histories.finished())
    with pytest.raises(ImpossibleTransition):
        ledger.append("run_1", histories.finished())
    ledger.append("run_2", histories.finished())
    statuses = {name: run.status for name, run in ledger.look(lambda history: dict(history.runs)).items()}
    assert statuses == {"run_1": "succeeded", "run_2": "succeeded"}
    assert verify(database.open()).damage == []


def test_an_event_with_a_known_id_is_not_appended_twice_without_a_turn(database):
    store, other = database.open(), database.open()
    append_before(ALONE, store, other)
    [first] = store.append(lambda _: [note("mine", id="one")], lambda _: None)
    [again] = store.append(lambda _: [note("mine", id="one")], lambda _: None)
    other.append(lambda _: [note("other", id="two")], lambda _: None)
    [known] = store.append(lambda _: [note("other", id="two")], lambda _: None)
    assert (first.seq, again.seq, known.seq, len(notes(store))) == (3, 3, 4, 4)


def test_writers_that_believe_to_be_alone_lose_and_double_nothing(database):
    stores = [database.open() for _ in range(4)]

    def work(number: int) -> None:
        for step in range(25):
            stores[number]._is_alone = True
            append(stores[number], f"{number}-{step}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(notes(stores[0])) == sorted(f"{number}-{step}" for number in range(4) for step in range(25))
    assert verify(stores[0]).damage == []


@pytest.mark.parametrize("wrong", [-3600.0, -60.0, 60.0, 3600.0])
def test_a_wrong_estimate_of_the_time_is_refused_by_the_database(server, database, wrong):
    store = database.open()
    append_before(ALONE, store, None)
    store._link._earliest += wrong
    [record] = store.append(lambda _: [note("x")], lambda _: None)
    with server.connect(database.name) as connection:
        [clock] = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    assert -0.01 <= clock - parse_utc(record.at).timestamp() < 50
    assert abs(store.now() - clock) < 60


def test_the_times_of_a_writer_do_not_go_back(database, monkeypatch):
    store, other = database.open(), database.open()
    for number in range(60):
        append(other if number % 20 == 19 else store, str(number))
    times = [record.at for record in store.read()]
    assert times == sorted(times)


def test_the_place_of_the_next_writer_is_free_afterwards(server, database):
    store, other = database.open(), database.open()
    append_before(CROWDED, store, other)
    append(store, "x")
    append(other, "y")

    def decide(_):
        with pytest.raises(LedgerBusy):
            store._lock.is_crowded = True
            store._lock.acquire(0.1)
        return [note("z")]

    other.append(decide, lambda _: None)
    with server.connect(database.name) as connection:
        assert connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)
    append(store, "later")


def test_a_user_that_keeps_the_place_of_the_next_writer_stops_nobody(server, database, monkeypatch):
    monkeypatch.setattr(postgres_link, "LOCK_SECONDS", 0.1)
    store, other = database.open(), database.open()
    append_before(CROWDED, store, other)
    with server.connect(database.name) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (0x62656E63686E6578,))
        for number in range(3):
            append(store, str(number))
            append(other, str(number))
    assert len(notes(store)) == 12
    assert verify(store).damage == []


def test_an_interrupt_while_a_message_is_under_way_leaves_a_sound_writer(database, monkeypatch):
    store, other = database.open(), database.open()
    append_before(ALONE, store, other)
    read = Wire._next_result

    def interrupted(_):
        monkeypatch.setattr(Wire, "_next_result", read)
        raise KeyboardInterrupt

    monkeypatch.setattr(Wire, "_next_result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        append(store, "perhaps")
    append(other, "other")
    append(store, "later")
    assert [text for text in notes(store)[2:] if text != "perhaps"] == ["other", "later"]
    assert verify(store).damage == []
