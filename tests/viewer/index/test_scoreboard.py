"""The scores that the index keeps are those of all runs, and its file gives back the same index or none."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from benchmarks.ledger.events import Retracted
from benchmarks.projections.scores.check import check, last_before, last_run
from benchmarks.projections.scores.leaderboard import DOUBTFUL, is_eligible, leaderboard
from benchmarks.projections.scores.samples import SampleScores
from benchmarks.projections.sqlite.database import State
from benchmarks.viewer.index import snapshot
from benchmarks.viewer.index.row import STANDING, as_run
from benchmarks.viewer.index.run_table import RunTable
from benchmarks.viewer.index.snapshot import Unusable, pack, read_snapshot, unpack, write_snapshot
from tests.viewer.index.test_run_table import row, times

STATE = State(7, "f" * 64, "2026-01-01T00:00:00.000000Z")
SCORES = [-0.0, 0.0, 0.1, 0.25, 1 / 3, 0.5, 1.0]

rows = st.builds(
    lambda number, **fields: row(f"run_{number}", first_seq=number + 1, last_seq=number + 40, **fields),
    st.integers(0, 14),
    status=st.sampled_from(["running", "succeeded", "succeeded", "succeeded", "failed"]),
    run_group_id=st.sampled_from(["rg_1", "rg_2", "rg_3"]),
    benchmark_id=st.sampled_from(["b1", "b2"]),
    agent=st.sampled_from(["a", "random"]),
    model=st.sampled_from(["m1", "m2"]),
    unit=st.sampled_from([None, "ratio", "s"]),
    score=st.none() | st.sampled_from(SCORES),
    stderr=st.none() | st.sampled_from([0.0, 0.02, 0.2]),
    samples=st.none() | st.sampled_from([0, 10]),
    higher_is_better=st.sampled_from([True, False, None]),
    started_at=st.integers(0, 5).map(times),
    ended_at=st.none() | st.integers(0, 9).map(times),
    ended_seq=st.none() | st.integers(1, 9),
    synthetic=st.booleans(),
    chance=st.none() | st.sampled_from([0.0, 0.25]),
    extra_config=st.sampled_from([{}, {"seed": 1}, {"seed": 1, "repeat": 2}, {"seed": [1, {"x": None}]}]),
    retracted=st.none() | st.just(Retracted(author="a", reason="r")),
    error=st.none() | st.sampled_from(["It broke", "no answer"]),
)
tables = st.lists(rows, unique_by=lambda some: some.run_id, max_size=15)


def holds(table):
    """Whether the scoreboard has what a computation over all runs gives."""
    runs = [as_run(some) for some in table.rows]
    for include in ((), ("synthetic",), DOUBTFUL):
        for which in ("newest", "repeats"):
            found = table.scoreboard.standings({}, include, which)
            assert found == leaderboard(runs, include=include, which=which)
    counting = [run for run in runs if is_eligible(run)]
    not_read = SampleScores(problem="samples are not read here")
    found = check(last_run(counting), last_before(counting), lambda _: not_read, checked="", against="")
    expected = {one.run_ids[-1]: one.contrast for one in found.scores if one.result == "worse"}
    assert {one.run_ids[-1]: one.contrast for one in table.scoreboard.regressions()} == expected
    latest = sorted(table.rows, key=lambda some: some.moment, reverse=True)
    assert [table.rows[number] for number in table.latest()] == latest
    for since in (times(0), times(4), times(9)):
        numbers = table.latest_since(since)
        assert [table.rows[number] for number in numbers] == [some for some in latest if some.moment[0] >= since]


@settings(max_examples=150)
@given(tables, st.lists(st.lists(rows, max_size=4), max_size=4))
def test_scores_that_follow_are_those_of_all_runs(begun, changes):
    table = RunTable(begun)
    holds(table)
    for news in changes:
        table.put(news)
        holds(table)


@settings(max_examples=150)
@given(tables, st.lists(rows, max_size=4))
def test_an_index_from_its_file_is_the_same_and_follows(begun, news):
    table = RunTable(begun)
    again, state = unpack(pack(table.rows, table.parts(), STATE))
    assert state == STATE
    assert repr(again.rows) == repr(table.rows), "also the sign of a zero"
    for place, some in enumerate(table.rows):
        if some.counts:
            assert [*again.records.of(some.task)] == [*table.records.of(some.task)], place
    holds(again)
    for one in (table, again):
        one.put(news)
    assert again.rows == table.rows
    holds(again)


def some_table():
    return RunTable(
        row(f"run_{n}", first_seq=n + 1, score=n / 10, ended_seq=n + 1, ended_at=times(n), unit="ratio", stderr=0.1)
        for n in range(8)
    )


def test_no_changed_byte_of_the_file_goes_unnoticed():
    table = some_table()
    content = pack(table.rows, table.parts(), STATE)
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        with pytest.raises(Unusable):
            unpack(bytes(changed))
    for end in range(0, len(content), 7):
        with pytest.raises(Unusable):
            unpack(content[:end])


def test_a_file_of_another_version_is_not_used(monkeypatch):
    table = some_table()
    content = pack(table.rows, table.parts(), STATE)
    monkeypatch.setattr(snapshot, "_program", lambda: "another")
    with pytest.raises(Unusable, match="another version"):
        unpack(content)


@pytest.mark.parametrize(("name", "value"), [("rows", 9), ("orders", [((("started", True),), b"x")])])
def test_inconsistent_content_is_not_used(name, value):
    table = some_table()
    packed = pack(table.rows, table.parts(), STATE)[snapshot._DIGEST_BYTES :]
    content = msgspec.msgpack.decode(packed, type=snapshot._Content)
    changed = msgspec.msgpack.encode(replace(content, **{name: value}))
    with pytest.raises(Unusable):
        unpack(snapshot.sha256(changed).digest() + changed)


def test_a_file_of_another_writer_is_not_used(tmp_path):
    path = tmp_path / "viewer_index.bin"
    assert read_snapshot(path) is None
    table = some_table()
    write_snapshot(path, table.rows, table.parts(), STATE)
    found = read_snapshot(path)
    assert found is not None and found[0].rows == table.rows
    better = RunTable(replace(some, **STANDING, score=1.0) for some in table.rows)
    path.write_bytes(pack(better.rows, better.parts(), STATE))
    assert read_snapshot(path) is None
    path.unlink()
    path.mkdir()
    assert read_snapshot(path) is None
