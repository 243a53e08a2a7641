"""What the index answers is what a replay of the ledger answers, on any history and from any position."""

from __future__ import annotations

import tempfile
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from benchmarks.ledger.base import likenesses
from benchmarks.ledger.events import Merged, NewEvent, SetAside, Unknown
from benchmarks.ledger.history import History
from benchmarks.ledger.index.index import NO_INDEX
from benchmarks.ledger.index.keeping import Keeper
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.storage.open import open_store

RUNS = ["run_1", "run_2", "run_3", "run_4", "run_9"]
GROUPS = ["rg_1", "rg_2", "rg_9"]
SIGNATURES = ["x", "y", "z", "never"]
PLANS = ["reg_1", "reg_2"]
KINDS = ["", "sqlite"]


class Wanted(NamedTuple):
    """What decides whether a run belongs to a registered plan."""

    model: str
    options_key: str = "c"
    benchmark_id: str = "b"
    agent: str = "bare-model"
    provider: str = "local"


WORKS = [Wanted("m1"), Wanted("m2"), Wanted("m1", options_key="other")]


def opened(folder: str, kind: str):
    url = f"sqlite://{folder}/ledger.sqlite" if kind else f"{folder}/ledger"
    return open_store(url, notice=print)


def plain(run, details: bool):
    """A run as decisions know it: a detail may or may not be there, but for one that is running with `details`."""
    left_out = {"command": [], "stdout_path": "", "stderr_path": "", "cwd": "", "metrics": {}, "artifacts": []}
    more = {"notes": [], "result_json_path": None, "provenance": {}, "progress": None, "owner": None}
    if run.status != "running":
        return replace(run, usage={}, extra_config={}, **left_out, **more)
    return (
        run if details else replace(run, **left_out | {"cwd": run.cwd}, extra_config={}, provenance={}, progress=None)
    )


def answers(history: History, details: bool = False):
    """Everything that a decision can ask."""
    return {
        "head": (history.seq, history.hash, history.at),
        "runs": {name: plain(run, details) for name, run in history.runs.items()},
        "counts": (len(history.runs), len(history.groups)),
        "known": [name in history.runs for name in RUNS] + [name in history.groups for name in GROUPS],
        "groups": dict(history.groups),
        "attempts": [[run.run_id for run in history.attempts(name)] for name in SIGNATURES],
        "last": [[run.run_id for run in reversed(history.attempts(name))] for name in SIGNATURES],
        "live": [run and run.run_id for run in map(history.live_run, SIGNATURES)],
        "open": [run.run_id for run in history.open_runs()],
        "open groups": [group.run_group_id for group in history.open_groups()],
        "in groups": [[run.run_id for run in history.runs_of(name)] for name in [*GROUPS, ""]],
        "ours": [history.is_ours(run) for run in history.runs.values()]
        + [history.is_ours(group) for group in history.groups.values()],
        "high scores": (history.published("b"), history.own_high_scores("b"), history.high_score("b")),
        "reference": history.reference("b"),
        "plans": [history.registrations.get(name) for name in PLANS],
        "bound": [history.registration_of(run) for run in WORKS],
        "guides": [
            run and run.run_id
            for signature in SIGNATURES
            for model in ("m1", "m2")
            for run in map(history.last_success, likenesses("b", signature, "c", model))
        ],
        "works": [(work.run_id, work.signature, work.model) for work in history.works("b")],
        "aside": history.aside,
        "brought": history.brought,
    }


@st.composite
def histories_of_all_kinds(draw, histories):
    """Random events, among them merges, events of unknown types, and events that set others aside."""
    events = draw(histories.events())
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(events)))
        kind = draw(st.sampled_from(["merged", "aside", "unknown"]))
        if kind == "merged" and place:
            count = draw(st.integers(1, place))
            claim = Merged(
                origin="benchmark-orchestrator/ledger/" + "a" * 16,
                position=count,
                head_hash="0" * 64,
                stretches=[(place - count + 1, count)],
                added=count,
            )
            events.insert(place, NewEvent(claim.origin, claim))
        elif kind == "unknown":
            events.insert(place, NewEvent(draw(st.sampled_from(RUNS)), Unknown(named="of tomorrow", raw=b"{}")))
        elif kind == "aside" and place:
            first = draw(st.integers(1, place))
            events.insert(place, NewEvent("ledger", ("aside", [(first, draw(st.integers(1, place - first + 1)))])))
    return events


def append(store, events) -> None:
    """Past the fold, as a faulty program might; an event that sets others aside names the one before it."""
    for new in events:
        if isinstance(new.data, tuple):
            head = store.head()
            fitting = SetAside(author="a", reason="r", head_hash=head.hash, events=new.data[1])
            new = NewEvent(new.stream, fitting)
        store.append(lambda _, new=new: [new], lambda _: None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
@settings(max_examples=30)
@given(data=st.data())
def test_the_index_decides_as_a_replay_does(histories, kind, data):
    """The index is written at random positions, by one writer that goes on or by new ones."""
    events = data.draw(histories_of_all_kinds(histories))
    with tempfile.TemporaryDirectory() as folder:
        store = opened(folder, kind)
        ledger = Ledger(opened(folder, kind), behind=data.draw(st.integers(0, 5)))
        while events:
            number = data.draw(st.integers(1, len(events)))
            append(store, events[:number])
            events = events[number:]
            if data.draw(st.booleans()):
                ledger = Ledger(opened(folder, kind), behind=data.draw(st.integers(0, 5)))
            expected = answers(History.of(store))
            assert ledger.look(answers) == expected
            expected_with_details = answers(History.of(store), details=True)
            assert ledger.look(lambda history: answers(history, details=True), details=True) == expected_with_details
            decided = []
            ledger.decide(lambda history, decided=decided: decided.append(answers(history)) or [])
            assert decided == [expected]
        store.close()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30)
@given(data=st.data())
def test_a_writer_that_begins_with_the_index_counts_versions_on(histories, kind, data):
    events = data.draw(histories.events())
    cut = data.draw(st.integers(0, len(events)))
    with tempfile.TemporaryDirectory() as folder:
        append(opened(folder, kind), events[:cut])
        ledger = Ledger(opened(folder, kind), behind=0)
        ledger.look(lambda history: history.seq)
        ledger.store.append(lambda _: events[cut:], lambda _: None)
        versions: dict[str, int] = {}
        for record in ledger.store.read():
            versions[record.stream] = versions.get(record.stream, 0) + 1
            assert record.version == versions[record.stream]


def test_details_of_runs_in_progress_are_in_the_index(tmp_path, histories):
    store = opened(str(tmp_path), "")
    started = histories.started(command=["a", "b"], provenance={"manifest": {"sha256": "1"}})
    append(store, [NewEvent("rg_1", histories.opened()), NewEvent("run_1", started)])
    Keeper(store, behind=0).open()
    ledger = Ledger(store, behind=100)
    [run] = ledger.look(lambda history: list(history.open_runs()), details=True)
    assert (run.command, run.provenance) == (["a", "b"], {"manifest": {"sha256": "1"}})
    assert ledger.started(run) == started


def test_runs_get_their_details_back_from_the_ledger(tmp_path, histories):
    store = opened(str(tmp_path), "")
    finished = histories.finished(metrics={"accuracy": 0.5}, notes=["cut"])
    append(store, [NewEvent("rg_1", histories.opened()), NewEvent("run_1", histories.started(command=["a"]))])
    append(store, [NewEvent("run_1", finished)])
    ledger = Ledger(store, behind=0)
    lean = ledger.look(lambda history: history.runs_of("rg_1"))
    assert [(run.command, run.metrics, run.notes) for run in lean] == [([], {}, [])]
    assert ledger.detailed(lean) == [History.of(store).runs["run_1"]]


def test_the_details_of_no_runs_are_not_looked_for(tmp_path, histories, monkeypatch):
    store = opened(str(tmp_path), "")
    append(store, [NewEvent("run_1", histories.started())])
    monkeypatch.setattr(type(store), "read", lambda *_, **__: pytest.fail("the ledger was read"))
    assert Ledger(store).detailed([]) == []


def test_an_index_counts_events_runs_and_groups(tmp_path, histories):
    store = opened(str(tmp_path), "")
    append(store, [NewEvent("rg_1", histories.opened()), NewEvent("run_1", histories.started())])
    Keeper(store, behind=0).open()
    append(store, [NewEvent("run_1", histories.finished()), NewEvent("run_2", histories.started("y"))])
    meta = Keeper(store, behind=0).open().layers.meta
    lines = {record.type: len(line) + 1 for record, line in zip(store.read(), store.read_lines(), strict=True)}
    assert {kind: count.events for kind, count in meta.events.items()} == {
        "group_opened": 1,
        "started": 2,
        "finished": 1,
    }
    assert sum(count.bytes for count in meta.events.values()) == store.files()[0].stat().st_size
    assert meta.events["finished"].bytes == lines["finished"]
    assert (meta.runs, meta.groups) == ({"running": 1, "succeeded": 1}, 1)
    assert NO_INDEX.layers.meta.runs == {}
