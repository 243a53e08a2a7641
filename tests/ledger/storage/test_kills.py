"""Writers killed at any moment and at every system call: acknowledged events stay, torn lines are reported.

KILLS is how many writers of each store `test_no_acknowledged_event_is_lost_when_writers_are_killed` kills;
TEST_SEED plays them again, as far as the processes take turns as they did.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import signal
import sqlite3
import time
import traceback

import pytest

from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage import disk, sqlite
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.sqlite import SqliteStore

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("TEST_SEED", random.randrange(10**6)))
KILLS = int(os.environ.get("KILLS", "20"))

CALLS = ("open_file", "lock", "unlock", "write", "sync", "truncate", "rename", "sync_folder")


class Jsonl:
    """How a JSONL store is opened here, and at what moments of a call its writers are killed."""

    moments = ("before", "within", "after")

    def __init__(self, folder, segment_bytes=700):
        self.folder = folder / "ledger"
        self.segment_bytes = segment_bytes

    def open(self, notice=print):
        return JsonlStore(self.folder, notice=notice, segment_bytes=self.segment_bytes)

    def quarantined(self):
        return [path.read_bytes() for path in self.folder.glob("quarantine/*.part")]

    def unfinished(self):
        segments = sorted(self.folder.glob("0*.jsonl"))
        return segments[-1].read_bytes().rpartition(b"\n")[2] if segments else b""


class Sqlite:
    """The same for a SQLite store, which writes without our seam, and calls of which count too."""

    moments = ("before", "after")

    def __init__(self, folder, log_bytes=4_000):
        self.path = folder / "ledger.db"
        self.log_bytes = 10 * log_bytes

    def open(self, notice=print):
        return SqliteStore(self.path, notice=notice)

    def quarantined(self):
        return []

    def unfinished(self):
        return b""


def note(text):
    return NewEvent("run_1", Annotated(author="a", note=text))


class Writer:
    """A forked process that works on a ledger until it is killed, and passes on what was acknowledged."""

    def __init__(self, kind, work, kill_at=None):
        self.kill_at = kill_at
        reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(reading)
                tell = Teller(writing)
                if isinstance(kind, Sqlite):
                    sqlite._LOG_BYTES = kind.log_bytes
                if kill_at is not None:
                    DeadlyCalls(*kill_at, tell).arm()
                work(kind.open(tell.notice), tell)
            except BaseException:  # noqa: BLE001 - the exit code tells the parent
                traceback.print_exc()
            finally:
                os._exit(1)
        os.close(writing)
        self._pipe = os.fdopen(reading, "rb")
        self.heard = []

    def hear(self, count):
        for line in itertools.islice(self._pipe, count):
            self.heard.append(json.loads(line))

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def end(self):
        """Wait for the writer's end, which must be a kill; what it told, by kind."""
        with self._pipe:
            self.heard += map(json.loads, self._pipe)
        _, status = os.waitpid(self.pid, 0)
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)


class Teller:
    """The writer's side of the pipe. One write for each line: no kill tears it."""

    def __init__(self, fd):
        self._fd = fd

    def __call__(self, kind, text):
        os.write(self._fd, json.dumps([kind, text]).encode() + b"\n")

    def notice(self, text):
        self("notice", text)


class DeadlyCalls:
    """Kills this process at a call of the seam, or of SQLite: before or after call `number`, or within that write."""

    def __init__(self, number, moment, tell):
        self._number, self._moment, self._tell = number, moment, tell
        self._calls = itertools.count(1)
        self._segments = set()

    def arm(self):
        for name in CALLS:
            setattr(disk, name, self._deadly(name, getattr(disk, name)))
        deadly = self._deadly
        connect = sqlite3.connect

        class Connection(sqlite3.Connection):
            execute = deadly("execute", sqlite3.Connection.execute)
            executemany = deadly("executemany", sqlite3.Connection.executemany)
            close = deadly("close", sqlite3.Connection.close)

        sqlite3.connect = lambda *arguments, **more: connect(*arguments, **more, factory=Connection)

    def _deadly(self, name, call):
        def called(*arguments):
            is_meant = self._moment != "within" or name == "write"
            is_last = is_meant and next(self._calls) == self._number
            if is_last and self._moment == "before":
                die()
            if is_last and self._moment == "within":
                self._write_some(call, *arguments)
                die()
            result = call(*arguments)
            if name == "open_file":
                (self._segments.add if arguments[0].suffix == ".jsonl" else self._segments.discard)(result)
            if is_last:
                die()
            return result

        return called

    def _write_some(self, write, fd, data):
        part = data[: random.Random(self._number).randrange(1, len(data))]
        write(fd, part)
        if fd in self._segments:
            self._tell("torn", part.decode())


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def writing_on(name):
    """Appends without end, one event or two at once, some of them long; the ledger is closed now and then."""

    def work(store, tell):
        for number in itertools.count():
            texts = [f"{name}-{number}-{part}-" for part in range(1 + (number % 3 == 2))]
            padding = "x" * (30_000 if number % 6 == 5 else number * 7 % 60)
            store.append(lambda _, texts=texts, more=padding: [note(text + more) for text in texts], lambda _: None)
            store.sync()
            for text in texts:
                tell("told", text)
            if number % 5 == 4:
                store.close()

    return work


def notes(store):
    return [record.data.note.rstrip("x") for record in store.read()]


def check(kind, heard):
    """After all writers died, acknowledged events are there; torn lines are reported and kept, and appends go on."""
    notices = []
    store = kind.open(notices.append)
    torn = kind.unfinished()
    report = verify(store)
    assert report.damage == [], "before anybody appends"
    assert store.torn_bytes() == report.torn_bytes == len(torn)
    assert any(f"{len(torn)} bytes of an unfinished line" in told for told in report.notes) == bool(torn)
    kept = notes(store)
    assert len(kept) == len(set(kept)), "each is there once"
    lost = {text for told, text in heard if told == "told"} - set(kept)
    assert not lost
    [record] = store.append(lambda _: [note(f"after {len(kept)}")], lambda _: None)
    store.sync()
    assert record.seq == len(kept) + 1
    assert len(notices) == bool(torn)
    if torn:
        assert f"{len(torn)} bytes" in notices[0] and torn in kind.quarantined()
    for told, text in heard:
        if told == "torn" and (tail := text.encode().rpartition(b"\n")[2]):
            assert tail in kind.quarantined()
        # A busy machine may also have said for whom a writer waited.
        if told == "notice" and not text.startswith("waiting for the lock"):
            assert re.search(r"its (\d+) bytes", text)[1] in [str(len(content)) for content in kind.quarantined()]
    report = verify(store)
    assert report.damage == [] and store.torn_bytes() == 0
    store.close()


KINDS = {"jsonl": Jsonl, "sqlite": Sqlite}


@pytest.mark.parametrize("writers", [1, 4, 8])
@pytest.mark.parametrize("store", KINDS)
def test_no_acknowledged_event_is_lost_when_writers_are_killed(tmp_path, store, writers):
    rng = random.Random(SEED * 10 + writers)
    # A fifth of the kills are of writers that are alone.
    share = max(writers, KILLS // 5 if writers == 1 else 2 * KILLS // 5)
    count = dict.fromkeys(("kills", "at calls", "told", "torn", "notice"), 0)
    for number in range(-(-share // writers)):
        if number % 5 == 0:
            (folder := tmp_path / str(number)).mkdir()
            kind = KINDS[store](folder, rng.randrange(2_000, 10_000))
            told = []
        started = []
        for place in range(writers):
            kill_at = (rng.randrange(1, 120), rng.choice(kind.moments)) if rng.random() < 0.5 else None
            started.append(Writer(kind, writing_on(f"{number}-{place}"), kill_at))
            count["at calls"] += kill_at is not None
        for writer in started:
            if writer.kill_at is None:
                writer.hear(rng.randrange(40))
                # How far it comes with its next append is random.
                time.sleep(rng.random() * 0.002)
                writer.kill()
        for writer in started:
            assert writer.end() == signal.SIGKILL
            count["kills"] += 1
            for what, _ in writer.heard:
                count[what] += 1
            told += writer.heard
        check(kind, told)
    print(f"seed {SEED}, {store}, {writers} writers: {count}")


def few(store, tell):
    for text in "abcd":
        store.append(lambda _, text=text: [note(text)], lambda _: None)
        store.sync()
        tell("told", text)
    store.close()
    die()


TORN = '{"seq":4,"id":"torn'


def prepare(kind, state):
    if state != "new":
        store = kind.open()
        store.append(lambda _: [note("1"), note("2"), note("3")], lambda _: None)
        store.sync()
        store.close()
    if state == "torn":
        with store.files()[-1].open("a") as file:
            file.write(TORN)


@pytest.mark.parametrize(
    ("store", "state"), [("jsonl", "new"), ("jsonl", "full"), ("jsonl", "torn"), ("sqlite", "new"), ("sqlite", "full")]
)
def test_no_acknowledged_event_is_lost_at_any_call_of_a_killed_writer(tmp_path, store, state):
    kills = 0
    for number in itertools.count(1):
        lengths = []
        for moment in KINDS[store].moments:
            (folder := tmp_path / f"{number}-{moment}").mkdir()
            kind = KINDS[store](folder)
            prepare(kind, state)
            writer = Writer(kind, few, (number, moment))
            assert writer.end() == signal.SIGKILL
            check(kind, [*writer.heard, ("torn", TORN)] if state == "torn" else writer.heard)
            lengths.append(len([text for told, text in writer.heard if told == "told"]))
            kills += 1
        if min(lengths) == 4:
            break
    print(f"{kills} kills")
    assert kills > 50
