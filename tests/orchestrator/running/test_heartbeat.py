"""A run's heartbeats: often at first, seldom later, with each step of progress, and never later than promised."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ledger.events import Heartbeat, NewEvent, Progress
from benchmarks.ledger.storage import codec
from benchmarks.ledger.storage.chain import GENESIS
from benchmarks.orchestrator.running.heartbeat import MAX_SILENCE_SECONDS, Pulse

HOUR = 3600.0


def beats(hours: float, progress=lambda now: None) -> list[tuple[float, Heartbeat]]:
    """The beats of a run that is looked at twice a second."""
    pulse = Pulse(0.0)
    found = []
    for half_seconds in range(int(hours * HOUR * 2)):
        now = half_seconds / 2
        if beat := pulse.beat(now, progress(now)):
            found.append((now, beat))
    return found


def size(beat: Heartbeat) -> int:
    """Bytes of its line."""
    new = NewEvent("run_context_recall_20261123T154419Z_1_67623ca8", beat)
    at, id = "2026-11-23T15:44:19.123456Z", "01933333-7333-7333-8333-333333333333"
    return len(codec.encode(new, seq=1234, id=id, at=at, version=12, prev=GENESIS)[0])


def test_the_silence_doubles_up_to_an_hour():
    times = [now for now, _ in beats(6)]
    assert times[:6] == [5, 10, 20, 40, 80, 160]
    assert max(later - now for now, later in itertools.pairwise(times)) <= MAX_SILENCE_SECONDS
    assert len(times) == 15


def test_each_tenth_of_the_work_is_a_beat():
    done = [beat.progress.done for _, beat in beats(6, lambda now: Progress(done=now // 216, total=100))]
    assert done[-1] >= 90
    assert max(later - value for value, later in itertools.pairwise(done)) == 10


def test_a_benchmark_that_counts_fast_does_not_fill_the_ledger():
    assert len(beats(6, lambda now: Progress(done=int(now * 1000), total=10**9))) <= 25
    assert len(beats(0.1, lambda now: Progress(done=int(now), total=36))) <= 20


def test_six_hours_take_less_than_ten_thousand_bytes():
    note = "wrong: 019-indirect-send_money"
    found = beats(6, lambda now: Progress(done=int(now // 216), total=100, note=note))
    taken = sum(size(beat) for _, beat in found)
    print(f"{len(found)} beats, {taken} bytes in 6 hours; one a minute would be {360 * size(found[-1][1])}")
    assert taken < 10_000


@given(
    st.lists(st.floats(0.1, 900), min_size=1, max_size=200),
    st.one_of(st.none(), st.floats(0, 1)),
)
@pytest.mark.parametrize("total", [None, 0, 10])
def test_no_silence_is_longer_than_announced(total, steps, share):
    pulse, now, promised = Pulse(0.0), 0.0, 300.0
    last = 0.0
    for step in steps:
        now += min(step, 30)
        progress = None if share is None else Progress(done=share * 10, total=total)
        if beat := pulse.beat(now, progress):
            assert now - last <= promised
            last, promised = now, beat.lease_seconds
