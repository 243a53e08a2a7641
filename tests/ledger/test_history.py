"""The history that a writer decides on is the ledger's, whatever happened to the writer before."""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ledger.events import HighScorePublished, HighScoreReference, NewEvent
from benchmarks.ledger.history import History
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.storage import disk
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.open import open_store


def published(value: float, benchmark_id: str = "b"):
    return benchmark_id, HighScorePublished(label=f"label {value}", value=value, source="https://example.org")


def state(history: History):
    runs = {id: (run.status, run.signature, run.score, run.first_seq, run.last_seq) for id, run in history.runs.items()}
    published = {name: history.published(name) for name in ("b", "another")}
    return history.seq, history.hash, runs, dict(history.groups), published, history.problems


@pytest.fixture
def ledger(store, histories):
    ledger = Ledger(store)
    ledger.append("rg_1", histories.opened())
    ledger.append("run_1", histories.started())
    ledger.append(*published(0.5))
    return ledger


def test_an_empty_history_says_nothing():
    history = History()
    assert (history.seq, list(history.attempts("s"))) == (0, [])
    assert (history.live_run("s"), history.high_score("b")) == (None, None)
    assert (list(history.open_runs()), list(history.open_groups()), history.reference("b")) == ([], [], None)


def test_what_is_open_is_what_has_no_end(ledger, histories):
    ledger.append("run_2", histories.started("other"))
    ledger.append("run_1", histories.failed())
    history = ledger.history()
    assert [run.run_id for run in history.open_runs()] == ["run_2"]
    assert [run.run_id for run in history.runs_of("rg_1")] == ["run_1", "run_2"]
    assert [group.run_group_id for group in history.open_groups()] == ["rg_1"]


def test_the_reference_that_holds_is_the_last_one_published(ledger):
    ledger.append(*published(0.75))
    ledger.append(*published(0.1, "another"))
    assert ledger.history().reference("b") == HighScoreReference("label 0.75", 0.75, "https://example.org")
    assert [event.value for event in ledger.history().published("b")] == [0.5, 0.75]


def test_a_history_that_refuses_a_record_is_unchanged(ledger, histories):
    from benchmarks.ledger.errors import ImpossibleTransition

    history = ledger.history()
    before = state(history)
    [record] = [record for record in ledger.read() if record.type == "started"]
    with pytest.raises(ImpossibleTransition):
        history.apply(record)
    assert state(history) == before


def seen(ledger: Ledger):
    return ledger.look(state)


def test_a_ledger_that_was_closed_reads_its_history_once(ledger):
    ledger.close()
    ledger.append(*published(0.75))
    assert seen(ledger) == state(ledger.history())
    assert len(ledger.history().published("b")) == 2


def test_a_forked_child_reads_the_history_once(ledger):
    expected = state(ledger.history())
    pid = os.fork()
    if pid == 0:
        os._exit(0 if seen(ledger) == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert seen(ledger) == expected


def test_an_interrupted_wait_for_the_lock_keeps_the_history(ledger, histories, monkeypatch):
    """Ctrl-C during a wait, and then the open runs have to be recorded as failed."""
    other = os.open(ledger.store.folder / ".lock", os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX)
    is_waiting = threading.Event()
    lock = disk.lock
    monkeypatch.setattr(disk, "lock", lambda fd: lock(fd) or is_waiting.set())

    def interrupt_when_waiting():
        is_waiting.wait(10)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    interrupter = threading.Thread(target=interrupt_when_waiting)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        ledger.append(*published(0.75))
    interrupter.join()
    os.close(other)
    assert seen(ledger) == state(ledger.history())
    ledger.append("run_1", histories.failed("interrupted"))
    assert ledger.history().runs["run_1"].reason == "interrupted"


def test_what_another_process_wrote_is_in_the_history_before_the_next_decision(ledger, histories):
    other = Ledger(JsonlStore(ledger.store.folder, notice=print))
    other.append("run_2", histories.started("other"))
    assert seen(ledger) == state(ledger.history())
    other.append("run_2", histories.finished())
    claimed = []
    ledger.decide(lambda history: claimed.append(history.live_run("other")) or [])
    assert claimed == [None]


def test_a_decision_that_fails_leaves_the_history_as_the_ledger_has_it(ledger, histories):
    def fail_after(history: History):
        raise RuntimeError("the caller's own fault")

    with pytest.raises(RuntimeError):
        ledger.decide(fail_after)
    assert seen(ledger) == state(ledger.history())


def test_a_batch_with_an_impossible_event_is_refused_as_a_whole(ledger, histories):
    from benchmarks.ledger.errors import ImpossibleTransition

    batch = [NewEvent("run_1", histories.finished()), NewEvent("run_1", histories.failed())]
    with pytest.raises(ImpossibleTransition):
        ledger.decide(lambda _: batch)
    assert ledger.history().runs["run_1"].status == "running"
    ledger.append("run_1", histories.finished())
    assert seen(ledger) == state(ledger.history())


def test_nothing_of_a_failed_first_batch_haunts_an_empty_ledger(store, histories):
    from benchmarks.ledger.errors import ImpossibleTransition

    ledger = Ledger(store)
    with pytest.raises(ImpossibleTransition):
        ledger.decide(lambda _: [NewEvent("run_1", histories.started()), NewEvent("run_2", histories.finished())])
    assert seen(ledger) == state(History())
    ledger.append("run_1", histories.started())
    assert seen(ledger) == state(ledger.history())


def test_a_look_waits_for_no_writer(ledger, histories):
    other = Ledger(open_store(ledger.store.url, notice=print))
    started = threading.Event()
    done = threading.Event()

    def decide(history: History):
        started.set()
        assert done.wait(60)
        return [NewEvent("run_2", histories.started("other"))]

    writer = threading.Thread(target=other.decide, args=[decide])
    writer.start()
    started.wait(60)
    assert list(ledger.look(lambda history: history.runs)) == ["run_1"]
    done.set()
    writer.join()
    assert list(ledger.look(lambda history: history.runs)) == ["run_1", "run_2"]


def test_a_decision_returns_the_runs_that_it_changed(ledger, histories):
    decided = ledger.decide(lambda _: [NewEvent("run_1", histories.finished(0.25)), NewEvent(*published(0.75))])
    assert [record.stream for record in decided.records] == ["run_1", "b"]
    assert {id: (run.status, run.score) for id, run in decided.runs.items()} == {"run_1": ("succeeded", 0.25)}
    assert ledger.decide(lambda _: []).runs == {}


def test_what_a_look_has_read_is_not_folded_again(ledger, histories, monkeypatch):
    other = Ledger(open_store(ledger.store.url, notice=print))
    other.append("run_2", histories.started("other"))
    expected = seen(ledger)
    other.append("run_3", histories.started("third"))
    monkeypatch.setattr(History, "of", lambda *_, **__: pytest.fail("the ledger was read from its start"))
    found = []
    ledger.decide(lambda history: found.append(state(history)) or [])
    assert expected[0] == 4 and found[0][0] == 5 and list(found[0][2]) == ["run_1", "run_2", "run_3"]


@pytest.mark.parametrize("after", [[], ["run_3"], ["run_3", "run_4"]])
def test_lines_that_their_writer_took_back_after_a_look_decide_nothing(tmp_path, histories, after):
    """A disk that is full in the middle of a write: the writer cuts off what it wrote, and others may have read it."""

    def another() -> Ledger:
        return Ledger(JsonlStore(tmp_path / "ledger", notice=print))

    ledger = another()
    ledger.append("run_1", histories.started())
    [segment] = ledger.store.files()
    size = segment.stat().st_size
    another().append("run_2", histories.started("lost"))
    assert list(ledger.look(lambda history: history.runs)) == ["run_1", "run_2"]
    os.truncate(segment, size)
    for run_id in after:
        another().append(run_id, histories.started(run_id))
    found = []
    ledger.decide(lambda history: found.append(state(history)) or [])
    assert found == [state(ledger.history())] and list(found[0][2]) == ["run_1", *after]


@settings(max_examples=settings.default.max_examples // 2)  # Each takes long.
@given(data=st.data())
def test_a_history_without_details_decides_the_same(histories, data):
    events = data.draw(histories.events())
    with tempfile.TemporaryDirectory() as folder:
        store = JsonlStore(Path(folder), notice=print)
        histories.append_anyway(store, events)
        full = History().read(store.read())
        lean = History(details=False).read(store.read(details=False))
    assert state(lean) == state(full)
    for signature in "xyz":
        assert [run.run_id for run in lean.attempts(signature)] == [run.run_id for run in full.attempts(signature)]
    kept = ("status", "attempt", "score", "stderr", "unit", "reason", "error", "recovered", "retracted", "last_seen_at")
    for run_id, run in full.runs.items():
        assert [getattr(lean.runs[run_id], name) for name in kept] == [getattr(run, name) for name in kept]
        if run.status == "running":
            assert (lean.runs[run_id].owner, lean.runs[run_id].cwd) == (run.owner, run.cwd)
