"""Events cannot be changed in the database, and a change by its owner is noticed."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone

import psycopg
import pytest

from benchmarks.ledger.errors import LedgerDamaged, LedgerUnwritable
from benchmarks.ledger.events import Annotated, Head, NewEvent
from benchmarks.ledger.identity import parse_utc
from benchmarks.ledger.index.keeping import Keeper
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.past import Past
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.chain import GENESIS, seal
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.postgres_address import Address
from benchmarks.ledger.storage.postgres_init import prepare_ledger
from benchmarks.ledger.storage.postgres_seen import HistoryRewritten
from benchmarks.ledger.storage.sqlite import SqliteStore
from benchmarks.ledger.transfer.exchange import copy
from tests.conftest import Bench

OFF = (
    "ALTER TABLE benchmark_ledger.events DISABLE TRIGGER USER",
    "ALTER TABLE benchmark_ledger.head DISABLE TRIGGER USER",
)


def note(text: str, stream: str = "run_1") -> NewEvent:
    return NewEvent(stream, Annotated(author="a", note=text))


def fill(store, *notes: str) -> None:
    store.append(lambda _: [note(text) for text in notes], lambda _: None)


@pytest.fixture
def member(server, database) -> str:
    name = f"writer_{database.name}"
    server.execute("postgres", f"CREATE ROLE {name} LOGIN")
    prepare_ledger(Address(database.url), writers=[name], readers=[])
    fill(database.open(), "a", "b")
    return name


CHANGES = [
    "UPDATE benchmark_ledger.events SET line = ''",
    "DELETE FROM benchmark_ledger.events",
    "TRUNCATE benchmark_ledger.events",
    "UPDATE benchmark_ledger.head SET seq = 1",
    "DELETE FROM benchmark_ledger.head",
    "TRUNCATE benchmark_ledger.head",
    "INSERT INTO benchmark_ledger.head (one, seq, hash) VALUES (true, 5, '')",
]


@pytest.mark.parametrize("change", [*CHANGES, "INSERT INTO benchmark_ledger.events VALUES (3, 1, '', '', '', '')"])
def test_a_writer_has_no_right_to_change_a_table(server, database, member, change):
    with server.connect(database.name, member) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(change)


@pytest.mark.parametrize("change", CHANGES)
def test_the_owner_is_refused_too(database, member, change):
    for statements in ([change], ["SET session_replication_role = replica", change]):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="the ledger is append-only"):
            database.execute(*statements)


def line(seq: int, prev: str, text: str = "{}") -> bytes:
    return seal(b'{"seq":%d,"id":"x","at":"","type":"t","stream":"s","version":1,"data":%b,"prev":"%b"'
                % (seq, text.encode(), prev.encode()))  # fmt: skip


def test_the_database_refuses_lines_that_do_not_continue_the_chain(server, database, member):
    store = database.open()
    head = store.head()
    good = line(3, head.hash)
    wrong = {
        "position": line(4, head.hash),
        "previous hash": line(3, GENESIS),
        "own hash": good[:-10] + b'00000000"}',
        "changed": good.replace(b'"id":"x"', b'"id":"y"'),
        "garbage": b"no line",
        "empty": b"",
    }
    append = "SELECT benchmark_ledger.append(%s, %s, %s, %s, %s, %s, %s, %b)"
    with server.connect(database.name, member) as connection:

        def add(*lines: bytes, known: Head = head, at: float | None = None) -> bool:
            count = len(lines)
            values = ([1 + n for n in range(count)], [b"i%d" % n for n in range(count)], [b"s"] * count, ["t"] * count)
            [answer] = connection.execute(append, (known.seq, known.hash, at, *values, list(lines))).fetchone()
            return answer is not None

        for what, bad in wrong.items():
            for lines in ([bad], [good, bad]):
                with pytest.raises(psycopg.errors.CheckViolation):
                    add(*lines)
                assert store.head() == head, what
        with pytest.raises(psycopg.errors.CheckViolation):
            add()
        assert add(line(2, "0" * 64), known=Head(1, "0" * 64)) is False, "an older head"
        [now] = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
        assert add(good, at=now + 600) is False, "a time in the future"
        assert add(good, at=now - 600) is False, "a time that is past"
        connection.execute("SET synchronous_commit = off")
        with pytest.raises(psycopg.errors.InvalidTransactionState, match="synchronous_commit is off"):
            add(good)
        connection.execute("SET synchronous_commit = on")
        assert add(good) is True
    assert store.head().seq == 3


def test_a_store_turns_synchronous_commit_on(server, database):
    server.execute("postgres", f'ALTER DATABASE "{database.name}" SET synchronous_commit = off')
    fill(database.open(), "a")


def rewrite(database, tmp_path, *notes: str) -> None:
    """What an owner can do: another history whose chain is sound."""
    other = SqliteStore(tmp_path / "other.sqlite", notice=print)
    fill(other, *notes)
    database.execute(
        *OFF,
        "DELETE FROM benchmark_ledger.events",
        f"UPDATE benchmark_ledger.head SET seq = 0, hash = '{GENESIS}'",
    )
    copy(other, database.open())


def test_a_history_that_the_owner_rewrote_is_noticed_by_a_machine_that_has_seen_it(database, tmp_path):
    bench = Bench(tmp_path / "workspace")
    bench.root.mkdir()
    bench.add("one")
    fill(database.open(), "a", "b", "c")
    bench("--ledger", database.url, "status")
    rewrite(database, tmp_path, "a", "b", "x", "d")
    for command in (
        ["status"],
        ["show-runs"],
        ["ledger", "verify"],
        ["run", "--benchmarks", "one", "--provider", "ollama", "--model", "m"],
    ):
        done = bench("--ledger", database.url, *command, code=3)
        assert "is not the one that this machine has seen: it does not hold event 3" in done.stderr
        assert done.stderr.strip().splitlines()[-1].startswith("hint: ")
    # Another machine has not seen the old one; its chain is sound.
    assert verify(database.open()).damage == []


def test_an_older_copy_and_another_ledger_are_noticed(server, database, tmp_path):
    fill(database.open("cache"), "a", "b", "c")
    store = database.open("cache")
    database.execute(*OFF, "DELETE FROM benchmark_ledger.events WHERE seq = 3",
                     "UPDATE benchmark_ledger.head SET seq = 2, hash = (SELECT convert_from(substring(line from "
                     "length(line) - 65 for 64), 'UTF8') FROM benchmark_ledger.events WHERE seq = 2)")  # fmt: skip
    with pytest.raises(HistoryRewritten, match="does not hold event 3"):
        store.head()
    database.execute("UPDATE benchmark_ledger.about SET ledger = gen_random_uuid()")
    with pytest.raises(HistoryRewritten, match="it is another ledger"):
        database.open("cache").head()


def test_the_last_event_of_a_process_is_remembered(database, tmp_path):
    """It does not close its store, and its last appends follow each other quickly."""
    code = (
        "import sys; from pathlib import Path; from benchmarks.ledger.storage.open import open_store\n"
        "from tests.cluster.postgres.test_trust import fill\n"
        "store = open_store(sys.argv[1], notice=print, cache=Path(sys.argv[2]))\n"
        "[fill(store, str(number)) for number in range(9)]"
    )
    subprocess.run([sys.executable, "-c", code, database.url, str(tmp_path / "cache")], check=True)
    database.execute(*OFF, "DELETE FROM benchmark_ledger.events WHERE seq = 9")
    with pytest.raises(HistoryRewritten, match="does not hold event 9"):
        database.open("cache").head()


@pytest.mark.parametrize("notes", [("a", "b"), ("a", "b", "x"), ("a", "b", "x", "d")])
def test_a_viewer_and_a_follower_notice_while_they_are_connected(database, tmp_path, notes):
    fill(database.open(), "a", "b", "c")
    reader = database.open()
    assert (reader.head().seq, reader.revision()) == (3, 3)
    rewrite(database, tmp_path, *notes)
    with pytest.raises(HistoryRewritten, match="does not hold event 3"):
        reader.revision()


def test_a_writer_notices_within_its_own_life(database, tmp_path):
    store = database.open()
    fill(store, "a", "b", "c")
    rewrite(database, tmp_path, "a", "b")
    with pytest.raises(HistoryRewritten):
        fill(store, "d")
    with pytest.raises(HistoryRewritten):
        fill(store, "d")


TAMPERED = {
    "a line": ("UPDATE benchmark_ledger.events SET line = replace(convert_from(line, 'UTF8'), '\"b\"', '\"x\"')::bytea "
               "WHERE seq = 2", 2),
    "a row is gone": ("DELETE FROM benchmark_ledger.events WHERE seq = 2", 2),
    "the last row is gone": ("DELETE FROM benchmark_ledger.events WHERE seq = 4", 4),
    "garbage": ("UPDATE benchmark_ledger.events SET line = '\\xff0a00' WHERE seq = 3", 3),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
def test_a_changed_event_is_damage_for_verify_and_for_writers(database, tmp_path, what):
    fill(database.open(), "a", "b", "c", "d")
    change, seq = TAMPERED[what]
    database.execute(*OFF, change)
    bench = Bench(tmp_path / "workspace")
    bench.root.mkdir()
    done = bench("--ledger", database.url, "ledger", "verify", code=3)
    if what != "the last row is gone":
        assert f"row {seq}" in done.stdout + done.stderr
    with pytest.raises(LedgerDamaged):
        fill(database.open(), "e")
    # It is repaired only on demand: what cannot be proven goes to a file.
    bench("--ledger", database.url, "ledger", "repair", "--yes", code=None)
    assert verify(database.open()).damage == []
    kept = [path.read_bytes() for path in (bench.results / "ledger_cache" / "quarantine").iterdir()]
    assert len(kept) == 1 and (what in ("the last row is gone",) or b'"d"' in kept[0])
    fill(database.open(), "f")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        database.execute("DELETE FROM benchmark_ledger.events")


def test_columns_that_differ_from_their_line_are_found_and_repaired(database, tmp_path):
    fill(database.open(), "a", "b", "c")
    database.execute(*OFF, "UPDATE benchmark_ledger.events SET stream = '', type = 'other', id = 'x' WHERE seq = 2")
    report = verify(database.open())
    assert [finding.seq for finding in report.damage] == [2]
    assert any("trigger append_only" in remark for remark in report.notes)
    store = database.open("cache")
    store.cut()
    assert verify(store).damage == []
    assert [record.seq for record in store.read(types=["annotated"])] == [1, 2, 3]


def test_only_the_owner_can_repair(server, database, member):
    database.execute(*OFF, "DELETE FROM benchmark_ledger.events WHERE seq = 2")
    address = f"postgresql:///{database.name}?host={server.folder}&port={server.port}&user={member}"
    store = database.open("cache", url=address)
    with pytest.raises(LedgerUnwritable, match="must be owner"):
        store.cut()


def test_a_ledger_moves_through_every_store_and_back_byte_for_byte(database, server, tmp_path, histories):
    source = JsonlStore(tmp_path / "source", notice=print, segment_bytes=4000)
    ledger = Ledger(source)
    for number in range(20):
        ledger.append(f"run_{number}", histories.started(str(number)))
        ledger.append(f"run_{number}", histories.finished())
    lines = list(source.read_lines())
    sqlite = SqliteStore(tmp_path / "ledger.sqlite", notice=print)
    back = JsonlStore(tmp_path / "back", notice=print)
    stores = [source, database.open(), sqlite, database.open(), back]
    assert copy(stores[0], stores[1]) == len(lines)
    assert copy(stores[1], stores[2]) == len(lines)
    assert copy(stores[2], stores[3]) == 0, "an earlier copy has them"
    assert copy(stores[3], stores[4]) == len(lines)
    for store in stores:
        assert list(store.read_lines()) == lines
    Ledger(back).append("run_0", Annotated(author="a", note="later"))
    assert copy(back, database.open()) == 1
    assert verify(database.open()).damage == []


def test_events_with_odd_names_are_kept(database):
    """PostgreSQL's text has no NUL, and its indexes have a maximum length."""
    import msgspec

    from benchmarks.ledger.events import Unknown

    store = database.open()
    long = "é" * 20_000
    odd = ["a\0b", "a\ufffdb", long, "", "'; DROP TABLE events; --"]
    for name in odd:
        event = Unknown(named=name or "empty", raw=msgspec.Raw(b"{}"))
        store.append(lambda _, name=name, event=event: [NewEvent(name, event, id=f"id {name}")], lambda _: None)
    for seq, name in enumerate(odd, 1):
        assert [record.seq for record in store.read(stream=name)] == [seq]
        assert [record.seq for record in store.read(types=[name or "empty"])] == [seq]
    assert verify(store).damage == []


def test_long_lines_are_read_in_small_pieces(database, monkeypatch):
    store = database.open()
    for number in range(6):
        fill(store, f"{number} " + "x" * 1_000_000)
    fill(store, *map(str, range(5000)))
    sizes = [sum(map(len, piece)) for piece in store._pieces()]
    assert len(sizes) >= 6 and max(sizes) < 3_000_000
    assert [record.seq for record in store.read()] == list(range(1, 5007))


def test_one_event_of_a_long_ledger_is_read_alone(database, monkeypatch):
    store = database.open()
    fill(store, *map(str, range(3000)))
    read = []
    ask = store._link.ask
    monkeypatch.setattr(store._link, "ask", lambda *question: read.append(rows := ask(*question)) or rows)
    assert next(store.read(after=1499)).seq == 1500
    assert sum(map(len, read)) <= 2


TIMES = ("2026-11-23T10:00:10.000000Z", "2026-11-23T10:00:20.000000Z", "2026-11-23T10:00:05.000000Z", "nonsense",
         "2026-11-23T08:00:25-02:00", "2026-11-23T10:00:30.000000Z", "2026-11-23T10:00:40.000000Z")  # fmt: skip


def test_a_time_in_the_past_is_found_by_the_server(database, tmp_path, monkeypatch):
    store, local = database.open(), SqliteStore(tmp_path / "local.sqlite", notice=print)
    for one in (store, local):
        event = note('x,"at":"2030"').data
        one.append(lambda _, event=event: [NewEvent(f'a,"at":"{at}', event, id=f'i","at":"2030{number}', at=at)
                          for number, at in enumerate(TIMES)], lambda _: None)  # fmt: skip
    read = []
    ask = store._link.ask
    monkeypatch.setattr(store._link, "ask", lambda *question: read.append(rows := ask(*question)) or rows)
    for second in range(0, 60, 5):
        for later in (0, 1):
            limit = parse_utc(f"2026-11-23T10:00:{second:02}.00000{later}Z")
            read.clear()
            assert Past(store, limit).last == Past(local, limit).last, limit
            assert sum(map(len, read)) <= 4
    for limit in (datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))), parse_utc("0001-01-01T00:00:00Z")):
        assert Past(store, limit).last == Past(local, limit).last


def test_decisions_come_from_the_index_of_this_machine_and_not_from_a_replay(database, histories, monkeypatch):
    ledger = Ledger(database.open("cache"), behind=50)
    for number in range(60):
        ledger.append(f"run_{number}", histories.started(str(number)))
        ledger.append(f"run_{number}", histories.finished())
    again = Ledger(database.open("cache"), behind=50)
    index = Keeper(again.store, behind=50).open()
    assert index.seq >= 60
    read = []
    link = again.store._link
    ask = link.ask_once

    def counted(query, values=()):
        rows = ask(query, values)
        read.append(sum(1 for row in rows if any(isinstance(value, bytes) for value in row)))
        return rows

    monkeypatch.setattr(link, "ask_once", counted)
    again.append("run_new", histories.started("new"))
    assert again.look(lambda history: history.runs["run_3"].status) == "succeeded"
    assert sum(read) < 120 - index.seq + 30, "only what is newer than the index went over the wire"


def test_a_role_without_rights_can_neither_read_nor_take_a_turn(server, database):
    server.execute("postgres", f"CREATE ROLE stranger_{database.name} LOGIN")
    with server.connect(database.name, f"stranger_{database.name}") as connection:
        for statement in ("SELECT * FROM benchmark_ledger.head", "SELECT * FROM benchmark_ledger.take_turn()"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
