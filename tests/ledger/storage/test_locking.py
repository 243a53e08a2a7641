"""A lock that another process holds: the wait has a limit, the holder is named, and nothing is lost."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.ledger.errors import LedgerBusy
from benchmarks.ledger.events import Heartbeat
from benchmarks.ledger.holders import describe_holders
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.sqlite import SqliteStore
from benchmarks.ledger.waiting import NOTICE_SECONDS
from tests.waiting import until

KINDS = {"jsonl": JsonlStore, "sqlite": SqliteStore}


@contextlib.contextmanager
def held(lock: Path) -> Iterator[int]:
    """A process holds the lock by an open file that it inherited; the process that took the lock is gone."""
    fd = os.open(lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    process = subprocess.Popen(["sleep", "600"], pass_fds=[fd])
    os.close(fd)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


@pytest.fixture(params=KINDS)
def ledger(request, tmp_path, histories):
    store = KINDS[request.param](tmp_path / "ledger", notice=print)
    ledger = Ledger(store)
    ledger.append("run_1", histories.started())
    return ledger


def lock_of(ledger: Ledger) -> Path:
    return ledger.store._lock.path


def test_a_wait_has_a_limit_and_names_the_process(ledger, monkeypatch):
    monkeypatch.setenv("BENCHMARKS_LOCK_SECONDS", "0.3")
    with held(lock_of(ledger)) as pid, pytest.raises(LedgerBusy, match=rf"process {pid} \(sleep 600\) holds it"):
        ledger.append("run_1", Heartbeat())
    ledger.append("run_1", Heartbeat())
    assert ledger.history().seq == 2


def test_a_writer_that_must_not_wait_does_not(ledger):
    with held(lock_of(ledger)), pytest.raises(LedgerBusy):
        ledger.append("run_1", Heartbeat(), patience=0)
    assert ledger.append("run_1", Heartbeat(), patience=0).seq == 2


def test_a_writer_that_must_not_wait_does_not_wait_for_another_thread_either(ledger, monkeypatch):
    monkeypatch.setenv("BENCHMARKS_LOCK_SECONDS", "2")
    busy: list[LedgerBusy] = []

    def wait() -> None:
        try:
            ledger.append("run_1", Heartbeat())
        except LedgerBusy as problem:
            busy.append(problem)

    with held(lock_of(ledger)):
        thread = threading.Thread(target=wait)
        thread.start()
        until(lambda: ledger._lock.locked())
        with pytest.raises(LedgerBusy):
            ledger.append("run_1", Heartbeat(), patience=0)
        assert thread.is_alive(), "it was answered while the other one still waited"
        thread.join()
    assert busy


def test_a_wait_goes_on_while_the_holder_appends(tmp_path, monkeypatch, histories):
    monkeypatch.setenv("BENCHMARKS_LOCK_SECONDS", "0.3")
    store = JsonlStore(tmp_path / "ledger", notice=print)
    Ledger(store).append("run_1", histories.started())
    other = Ledger(JsonlStore(tmp_path / "ledger", notice=print))
    other.append("run_1", Heartbeat())
    [segment] = store.files()
    fd = os.open(store.folder / ".lock", os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    done = threading.Event()
    thread = threading.Thread(target=lambda: (other.append("run_1", Heartbeat()), done.set()))
    thread.start()
    size = segment.stat().st_size
    began = time.monotonic()
    while time.monotonic() - began < 1.5:
        # The holder is at work: an import, say.
        with segment.open("ab") as file:
            file.write(b"x")
        time.sleep(0.05)
    os.truncate(segment, size)
    assert not done.is_set() and thread.is_alive()
    os.close(fd)
    thread.join()
    assert done.is_set()


def test_a_long_wait_names_the_holder_and_can_be_cancelled(tmp_path, histories):
    told: list[str] = []
    store = JsonlStore(tmp_path / "ledger", notice=told.append)
    ledger = Ledger(store)
    ledger.append("run_1", histories.started())
    ledger.give_up_if(lambda: bool(told))
    with held(lock_of(ledger)) as pid, pytest.raises(LedgerBusy) as problem:
        ledger.append("run_1", Heartbeat())
    assert NOTICE_SECONDS <= problem.value.seconds < 25
    assert told == [f"waiting for the lock {lock_of(ledger)}: process {pid} (sleep 600) holds it ..."]


def test_a_busy_wait_leaves_the_story_known(ledger, histories):
    read: list[int] = []
    follow: Callable[..., object] = ledger.store.read

    def counted(*arguments, **options):
        read.append(1)
        return follow(*arguments, **options)

    ledger.store.read = counted
    with held(lock_of(ledger)):
        for _ in range(5):
            with pytest.raises(LedgerBusy):
                ledger.append("run_1", Heartbeat(), patience=0)
    ledger.append("run_1", Heartbeat())
    assert not read, "a long history is not read again for each missed heartbeat"


def test_a_free_lock_has_no_holder(tmp_path):
    (tmp_path / "lock").touch()
    assert describe_holders(tmp_path / "lock") == "a process that cannot be seen from here"
    assert describe_holders(tmp_path / "none") == "a process that cannot be seen from here"
