"""What events mean: the state of a run and of a group, and which transitions make no sense."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ledger.errors import ImpossibleTransition
from benchmarks.ledger.events import (
    Annotated,
    CancelRequested,
    Counts,
    GroupClosed,
    Heartbeat,
    Paused,
    Progress,
    Resumed,
    Retracted,
    Skipped,
)
from benchmarks.ledger.history import History
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.storage.jsonl import JsonlStore


@pytest.fixture
def ledger(store):
    return Ledger(store)


def run_of(ledger, run_id="run_1"):
    return ledger.history().runs[run_id]


def test_a_run_begins_and_ends(ledger, histories):
    ledger.append("run_1", histories.started())
    assert run_of(ledger).status == "running"
    ledger.append("run_1", Heartbeat(progress=Progress(done=3, total=9)))
    assert run_of(ledger).progress == Progress(done=3, total=9)
    ledger.append("run_1", histories.finished(0.5))
    run = run_of(ledger)
    assert (run.status, run.score, run.first_seq, run.last_seq, run.is_success) == ("succeeded", 0.5, 1, 3, True)


@pytest.mark.parametrize("end", ["finished", "failed", "recovered"])
@pytest.mark.parametrize("then", ["started", "finished", "failed", "recovered"])
def test_nothing_ends_twice_and_nothing_begins_twice(ledger, histories, end, then):
    ledger.append("run_1", histories.started())
    ledger.append("run_1", getattr(histories, end)())
    before = run_of(ledger)
    with pytest.raises(ImpossibleTransition, match="run_1"):
        ledger.append("run_1", getattr(histories, then)())
    assert run_of(ledger) == before
    assert len(list(ledger.read())) == 2


@pytest.mark.parametrize("event", ["finished", "failed", "recovered"])
def test_nothing_ends_that_never_began(ledger, histories, event):
    with pytest.raises(ImpossibleTransition, match="before it was started"):
        ledger.append("run_1", getattr(histories, event)())
    assert list(ledger.read()) == []


def test_a_late_result_after_a_recovery_is_kept_and_changes_no_status(ledger, histories):
    ledger.append("run_1", histories.started())
    ledger.append("run_1", histories.recovered())
    ledger.append("run_1", histories.finished(0.9, late=True))
    run = run_of(ledger)
    assert (run.status, run.late, run.score, run.reason) == ("failed", True, None, "orchestrator_lost")
    assert run.error == "recovered: gone"
    with pytest.raises(ImpossibleTransition):
        ledger.append("run_1", histories.finished(0.9, late=True))


def test_a_late_end_needs_a_recovered_run(ledger, histories):
    ledger.append("run_1", histories.started())
    with pytest.raises(ImpossibleTransition, match="that was not recovered"):
        ledger.append("run_1", histories.finished(late=True))


@pytest.mark.parametrize("end", ["finished", "failed"])
@pytest.mark.parametrize("then", ["finished", "failed"])
def test_a_late_result_makes_no_sense_after_an_end_that_was_no_recovery(ledger, histories, end, then):
    ledger.append("run_1", histories.started())
    ledger.append("run_1", getattr(histories, end)())
    with pytest.raises(ImpossibleTransition, match="already"):
        ledger.append("run_1", getattr(histories, then)(late=True))


def test_an_adopted_result_is_a_success(ledger, histories):
    ledger.append("run_1", histories.started())
    ledger.append("run_1", histories.recovered(adopted=histories.finished(0.75)))
    run = run_of(ledger)
    assert (run.status, run.score, run.recovered, run.is_success) == ("succeeded", 0.75, True, True)


def test_a_run_that_began_as_synthetic_stays_so(ledger, histories):
    ledger.append("run_1", histories.started(synthetic=True))
    ledger.append("run_1", histories.finished(0.9))
    assert run_of(ledger).synthetic


def test_a_retracted_run_stays_and_counts_nowhere(ledger, histories):
    ledger.append("run_1", histories.started())
    ledger.append("run_1", histories.finished())
    ledger.append("run_1", Retracted(author="me", reason="wrong dataset"))
    run = run_of(ledger)
    assert (run.status, run.is_success, run.retracted.reason) == ("succeeded", False, "wrong dataset")
    ledger.append("run_1", Annotated(author="me", note="see #3"))
    assert run_of(ledger).annotations[0].note == "see #3"


def test_a_heartbeat_that_comes_after_the_end_changes_nothing(ledger, histories):
    ledger.append("run_1", histories.started())
    ledger.append("run_1", histories.recovered())
    before = run_of(ledger)
    ledger.append("run_1", Heartbeat())
    assert run_of(ledger) == before


def test_a_group_that_is_closed_takes_nothing_more(ledger, histories):
    ledger.append("rg_1", histories.opened())
    ledger.append("rg_1", GroupClosed(counts=Counts(succeeded=1), reason="completed"))
    with pytest.raises(ImpossibleTransition, match="closed"):
        ledger.append("rg_1", Skipped(benchmark_id="b", signature="s", reason="already_succeeded"))


def test_attempts_are_the_runs_of_a_signature_in_order(ledger, histories):
    for number, signature in enumerate("xyx"):
        ledger.append(f"run_{number}", histories.started(signature))
    history = ledger.history()
    assert [run.run_id for run in history.attempts("x")] == ["run_0", "run_2"]
    assert history.live_run("x").run_id == "run_0"
    assert history.live_run("unknown") is None


@settings(max_examples=settings.default.max_examples // 2)  # Each takes long.
@given(data=st.data())
def test_what_the_ledger_refuses_is_what_a_reader_reports(histories, data):
    """The same events, once through the ledger's check and once past it, come to the same state."""
    events = data.draw(histories.events())
    with TemporaryDirectory() as folder:
        checked = Ledger(JsonlStore(Path(folder) / "checked", notice=print))
        faulty = JsonlStore(Path(folder) / "faulty", notice=print)
        refused = 0
        for new in events:
            try:
                checked.append(new.stream, new.data, sync=False)
            except ImpossibleTransition:
                refused += 1
            histories.append_anyway(faulty, [new])
        seen, reported = checked.history(), History().read(faulty.read())
        assert len(reported.problems) == refused
        assert seen.problems == []
        assert {id: (run.status, run.score) for id, run in seen.runs.items()} == {
            id: (run.status, run.score) for id, run in reported.runs.items()
        }
        checked.close()
        faulty.close()


@settings(max_examples=settings.default.max_examples // 2)  # Each takes long.
@given(data=st.data())
def test_reading_piece_by_piece_comes_to_the_same_state_as_reading_at_once(histories, data):
    events = data.draw(histories.events())
    with TemporaryDirectory() as folder:
        store = JsonlStore(Path(folder), notice=print)
        histories.append_anyway(store, events)
        records = list(store.read())
        store.close()
    cut = data.draw(st.integers(0, len(records)))
    whole, pieces = History().read(records), History().read(records[:cut]).read(records[cut:])
    assert (whole.runs, whole.groups, whole.problems) == (pieces.runs, pieces.groups, pieces.problems)


def test_a_group_is_paused_resumed_and_cancelled_once_each(ledger, histories):
    ledger.append("rg_1", histories.opened())
    with pytest.raises(ImpossibleTransition, match="resumed on a group that is open"):
        ledger.append("rg_1", Resumed(author="a"))
    ledger.append("rg_1", Paused(author="a", reason="noon"))
    with pytest.raises(ImpossibleTransition, match="paused on a group that is paused"):
        ledger.append("rg_1", Paused(author="b"))
    assert ledger.look(lambda history: history.groups["rg_1"].paused) == Paused(author="a", reason="noon")
    ledger.append("rg_1", Resumed(author="a"))
    ledger.append("rg_1", CancelRequested(author="a"))
    with pytest.raises(ImpossibleTransition, match="on a group that is cancelled"):
        ledger.append("rg_1", CancelRequested(author="b"))
    group = ledger.look(lambda history: history.groups["rg_1"])
    assert (group.paused, group.cancel_requested) == (None, CancelRequested(author="a"))


def test_a_run_is_cancelled_once_and_only_while_it_runs(ledger, histories):
    with pytest.raises(ImpossibleTransition, match="before it was started"):
        ledger.append("run_1", CancelRequested(author="a"))
    ledger.append("run_1", histories.started("x"))
    ledger.append("run_1", CancelRequested(author="a", reason="r"))
    with pytest.raises(ImpossibleTransition, match="a second time"):
        ledger.append("run_1", CancelRequested(author="b"))
    ledger.append("run_1", histories.failed(reason="cancelled"))
    run = ledger.look(lambda history: history.runs["run_1"])
    assert (run.status, run.reason, run.cancel_requested.author) == ("failed", "cancelled", "a")
    with pytest.raises(ImpossibleTransition, match="has failed already"):
        ledger.append("run_1", CancelRequested(author="b"))
