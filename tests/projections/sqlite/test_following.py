"""orchestrator.sqlite with real processes around it: slow readers, several followers, and kills at any moment."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ledger.errors import ImpossibleTransition
from benchmarks.ledger.events import Annotated, Heartbeat, NewEvent, Progress, Record
from benchmarks.ledger.fold import evolve, makes_idle
from benchmarks.projections.sqlite import database
from benchmarks.projections.sqlite.database import open_readonly, read_runs, read_state, rebuild, refresh
from benchmarks.projections.sqlite.following import Follower
from benchmarks.projections.sqlite.viewer_data import update_dataset, write_dataset

READER = """
import sqlite3, sys
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, isolation_level=None, timeout=0)
connection.execute("BEGIN")
count = "SELECT count(*), max(last_seq) FROM benchmark_runs"
before = connection.execute(count).fetchone()
print("ready", flush=True)
sys.stdin.readline()
assert connection.execute(count).fetchone() == before
assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
print("same", flush=True)
"""

FOLLOWER = """
import sys
from pathlib import Path
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.sqlite import following
from benchmarks.projections.sqlite.database import open_readonly, rebuild, refresh
from benchmarks.projections.sqlite.viewer_data import update_dataset

following.BATCH = 7
folder = Path(sys.argv[1])
store = JsonlStore(folder / "ledger", notice=print)
print("ready", flush=True)
for number in range(int(sys.argv[2])):
    (rebuild if number % 5 == 4 else refresh)(folder / "db.sqlite", store)
    with open_readonly(folder / "db.sqlite") as connection:
        update_dataset(connection, folder / "viewer_data.json", store)
"""


def start(code, *arguments):
    argv = [sys.executable, "-c", code, *map(str, arguments)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def contents(path):
    with open_readonly(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return list(connection.iterdump())


@pytest.fixture
def add(store, histories):
    def add(*numbers):
        for number in numbers:
            run_id = f"run_{number}"
            events = [histories.started(f"s{number}"), Heartbeat(), histories.finished(number / 100)]
            histories.append_anyway(store, [NewEvent(run_id, event) for event in events])

    return add


def test_a_reader_that_keeps_its_snapshot_neither_stops_a_follower_nor_is_disturbed(store, add, tmp_path, monkeypatch):
    path, expected = tmp_path / "db.sqlite", tmp_path / "expected.sqlite"
    add(*range(20))
    refresh(path, store)
    copies = []
    monkeypatch.setattr(database, "_follow_in_copy", watch(database._follow_in_copy, copies))
    with start(READER, path) as reader:
        add(20)
        assert refresh(path, store).position == 63
        add(21)
        assert refresh(path, store).position == 66
        rebuild(expected, store)
        assert contents(path) == contents(expected), "a new reader sees the new events"
        assert reader.communicate("go on\n", timeout=60)[0] == "same\n"
        assert reader.returncode == 0
    assert len(copies) == 1, "only the file that was being read is copied; the next one is followed where it is"


def watch(function, calls):
    def watched(*arguments):
        calls.append(arguments)
        return function(*arguments)

    return watched


def test_a_writer_of_another_program_in_the_file_does_not_stop_a_follower(store, add, tmp_path):
    path = tmp_path / "db.sqlite"
    add(1)
    refresh(path, store)
    add(2)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert refresh(path, store).position == 6
    with open_readonly(path) as connection:
        assert [run.run_id for run in read_runs(connection)] == ["run_1", "run_2"]


def test_readers_never_wait_for_a_follower_that_is_at_work(store, add, tmp_path, monkeypatch):
    """Until the moment of the commit, a reader without any patience reads."""
    path = tmp_path / "db.sqlite"
    add(1)
    refresh(path, store)
    add(2)
    seen = []
    apply = Follower.apply

    def read_meanwhile(self, batch):
        state = apply(self, batch)
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0)) as reader:
            seen.append(reader.execute("SELECT count(*) FROM benchmark_runs").fetchone()[0])
        return state

    monkeypatch.setattr(Follower, "apply", read_meanwhile)
    assert refresh(path, store).position == 6
    assert seen == [1]


def test_many_may_follow_at_once_while_events_come(store, add, tmp_path):
    add(*range(10))
    followers = [start(FOLLOWER, tmp_path, 30) for _ in range(3)]
    add(*range(10, 60))
    for follower in followers:
        follower.communicate(timeout=120)
        assert follower.returncode == 0
    check(store, tmp_path)


def check(store, folder):
    """What the processes left behind, once it has caught up, is what comes of building anew."""
    expected = folder / "expected"
    expected.mkdir(exist_ok=True)
    rebuild(expected / "db.sqlite", store)
    refresh(folder / "db.sqlite", store)
    assert contents(folder / "db.sqlite") == contents(expected / "db.sqlite")
    for place, write in ((folder, update_dataset), (expected, lambda one, path, _: write_dataset(one, path))):
        with open_readonly(place / "db.sqlite") as connection:
            write(connection, place / "viewer_data.json", store)
    assert (folder / "viewer_data.json").read_bytes() == (expected / "viewer_data.json").read_bytes()


def test_a_follower_may_be_killed_at_any_moment(store, add, tmp_path):
    chance = random.Random(7)
    for number in range(int(os.environ.get("KILLS", "20")) // 2):
        add(*range(number * 20, number * 20 + 20))
        follower = start(FOLLOWER, tmp_path, 1000)
        with contextlib.suppress(subprocess.TimeoutExpired):
            follower.wait(timeout=chance.random() * 0.15)
        follower.send_signal(signal.SIGKILL)
        follower.communicate(timeout=60)
        assert follower.returncode == -signal.SIGKILL
        check(store, tmp_path)


@given(data=st.data())
def test_a_beat_that_is_made_idle_leaves_no_trace(histories, data):
    """What the tables pass over, and that it is not too much: any run, two beats, and any events behind them."""
    events = data.draw(histories.events())
    beats = [new.data for new in events if isinstance(new.data, Heartbeat)]
    if len(beats) < 2 or not makes_idle(beats[1], beats[0]):
        return
    before = [new.data for new in events if new.stream == "run_1"]
    run = fold([histories.started(), *before])
    assert fold(beats[:2], run, 90) == fold([beats[1]], run, 91)


def fold(events, run=None, seq=1):
    for number, event in enumerate(events, seq):
        record = Record(seq=number, id="", at=f"t{number}", stream="run_1", version=1, data=event, prev="", hash="")
        with contextlib.suppress(ImpossibleTransition):
            run = evolve(run, record)
    return run


def test_the_memory_of_a_build_does_not_grow_with_the_history(store, histories, tmp_path):
    """A run is forgotten once it is stored: ten times the runs take no more."""

    def peak(name):
        code = (
            "import sys; from pathlib import Path; from benchmarks.ledger.storage.jsonl import JsonlStore\n"
            "from benchmarks.projections.sqlite.database import rebuild\n"
            "rebuild(Path(sys.argv[2]), JsonlStore(Path(sys.argv[1]), notice=print))\n"
            # Not ru_maxrss: that also counts what the process was before it became this program.
            "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
        )
        argv = [sys.executable, "-c", code, str(store.folder), str(tmp_path / name)]
        return int(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)

    def grow(first, last):
        for number in range(first, last):
            note = Annotated(author="a", note="x" * 2_000)
            events = [NewEvent(f"run_{number}", event) for event in (histories.started(f"s{number}"), note)]
            pending.extend(events)
        histories.append_anyway(store, pending)
        pending.clear()

    pending = []
    grow(0, 1_500)
    small = peak("small.sqlite")
    grow(1_500, 15_000)
    assert Path(next(store.folder.glob("*.jsonl"))).stat().st_size > 40 * 2**20
    assert peak("large.sqlite") < small + 12 * 1024, "in KiB; the log has grown by more than 40 MiB"


def test_the_checkpoint_is_never_ahead_of_the_rows(store, add, tmp_path, monkeypatch):
    path = tmp_path / "db.sqlite"
    add(1)
    refresh(path, store)
    add(2)
    apply = Follower.apply

    def fail(self, batch):
        apply(self, batch)
        raise KeyboardInterrupt

    monkeypatch.setattr(Follower, "apply", fail)
    with pytest.raises(KeyboardInterrupt):
        refresh(path, store)
    with open_readonly(path) as connection:
        assert read_state(connection).position == 3
        assert len(list(read_runs(connection))) == 1


def test_a_heartbeat_that_cannot_have_happened_makes_no_earlier_one_idle(tmp_path, store, histories):
    beats = [Heartbeat(progress=Progress(done=1.0)), Heartbeat(progress=Progress(done=2.0), lease_seconds=-1.0)]
    events = [NewEvent("rg_1", histories.opened()), NewEvent("run_1", histories.started())]
    histories.append_anyway(store, [*events, *(NewEvent("run_1", beat) for beat in beats)])
    rebuild(tmp_path / "tables.sqlite", store)
    with open_readonly(tmp_path / "tables.sqlite") as connection:
        [run] = read_runs(connection)
        problems = connection.execute("SELECT seq FROM ledger_problems").fetchall()
    assert (run.progress, run.last_seq, problems) == (Progress(done=1.0), 3, [(4,)])
