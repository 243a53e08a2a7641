"""The past of a ledger: up to a position or a time, whatever came later."""

from __future__ import annotations

from datetime import timedelta

import pytest

from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.identity import parse_utc
from benchmarks.ledger.past import Past


def at(second: int) -> str:
    return f"2026-11-23T10:00:{second:02}.000000Z"


@pytest.fixture
def present(store):
    """Events of the seconds 10, 20, 5 (of another machine), 30 and 40."""
    events = [
        NewEvent(f"run_{second % 20}", Annotated(author="a", note=str(second)), at=at(second))
        for second in (10, 20, 5, 30, 40)
    ]
    store.append(lambda _: events, lambda _: None)
    return store


@pytest.mark.parametrize("position", range(7))
def test_up_to_a_position(present, position):
    past = Past(present, position)
    assert [record.seq for record in past.read()] == list(range(1, min(position, 5) + 1))
    assert list(past.read_lines()) == list(present.read_lines())[:position]
    assert [record.seq for record in past.read(after=2)] == list(range(3, min(position, 5) + 1))
    assert list(past.read_lines(after=2)) == list(present.read_lines())[2 : max(2, position)]


@pytest.mark.parametrize(("second", "last"), [(4, 0), (9, 0), (10, 1), (19, 1), (20, 3), (29, 3), (30, 4), (59, 5)])
def test_up_to_the_last_event_before_the_first_that_was_written_later(present, second, last):
    past = Past(present, parse_utc(at(second)))
    assert [record.seq for record in past.read()] == list(range(1, last + 1))
    assert len(list(past.read_lines())) == last
    later = parse_utc(at(second)) + timedelta(microseconds=1)
    assert [record.seq for record in Past(present, later).read()] == list(range(1, last + 1))


def test_what_comes_later_does_not_change_it(present):
    past = Past(present, 5)
    before = list(past.read())
    present.append(lambda _: [NewEvent("run_1", Annotated(author="a", note="new"))], lambda _: None)
    assert list(past.read()) == before


def test_it_is_narrowed_like_the_present(present):
    past = Past(present, 4)
    assert [record.seq for record in past.read(stream="run_10")] == [1, 4]
    assert [record.seq for record in past.read(1, stream="run_10", types=["annotated"])] == [4]
    assert list(past.read(types=["started"])) == []
    assert list(past.read(details=False)) == list(past.read())
