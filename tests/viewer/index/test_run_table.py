"""The rows in memory: filters, counts and orders are those of a plain search through all of them."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from benchmarks.ledger.events import Retracted
from benchmarks.viewer.index.names import Names, both
from benchmarks.viewer.index.orders import COLUMNS
from benchmarks.viewer.index.row import STANDING, RunRow
from benchmarks.viewer.index.run_table import FILTERS, KINDS, MAX_IN_FACET, Question, RunTable

_EMPTY = (
    "reason ended_at duration_seconds score stderr unit higher_is_better samples high_score_label high_score_value "
    "delta_to_high_score input_tokens output_tokens total_tokens call_count cost_usd error retracted imported progress "
    "ended_seq"
)
NONE: dict[str, object] = dict.fromkeys(_EMPTY.split())


def row(run_id, **given):
    fields = {
        **NONE,
        **STANDING,
        **dict.fromkeys(("run_group_id", "benchmark_directory", "provider", "last_seen_at", "comparison_key"), ""),
        "benchmark_id": "b",
        "agent": "a",
        "model": "m",
        "status": "succeeded",
        "attempt": 1,
        "started_at": "2026-01-01T00:00:00.000000Z",
        "synthetic": False,
        "late": False,
        "recovered": False,
        "extra_config": {},
        "first_seq": 1,
        "last_seq": 1,
    }
    return RunRow(run_id=run_id, **{**fields, **given})


def times(second):
    return f"2026-01-01T00:00:{second:02d}.000000Z"


rows = st.builds(
    lambda number, **given: row(f"run_{number}", first_seq=number + 1, **given),
    st.integers(0, 11),
    status=st.sampled_from(["running", "succeeded", "failed"]),
    benchmark_id=st.sampled_from(["b1", "b2"]),
    model=st.sampled_from(["m1", "M2", "50%"]),
    reason=st.none() | st.sampled_from(["timeout", "no_result"]),
    score=st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    higher_is_better=st.sampled_from([True, False]),
    started_at=st.integers(0, 5).map(times),
    ended_at=st.none() | st.integers(0, 9).map(times),
    ended_seq=st.none() | st.integers(1, 9),
    synthetic=st.booleans(),
    retracted=st.none() | st.just(Retracted(author="a", reason="r")),
    error=st.none() | st.sampled_from(["It broke", "no answer"]),
    tags=st.lists(st.sampled_from(["look", "old"]), unique=True, max_size=2),
)
sorts = st.lists(st.tuples(st.sampled_from(sorted(COLUMNS)), st.booleans()), min_size=1, max_size=3).map(tuple)
questions = st.builds(
    Question,
    names=st.dictionaries(
        st.sampled_from(["status", "model", "reason", "benchmark"]),
        st.frozensets(st.sampled_from(["succeeded", "failed", "m1", "M2", "timeout", "", "b1"]), min_size=1),
        max_size=2,
    ),
    since=st.sampled_from(["", times(2)]),
    until=st.sampled_from(["", times(4)]),
    words=st.lists(st.sampled_from(["run_1", "broke", "m2", "b1"]), max_size=2).map(tuple),
    sort=sorts,
)


def text_of(some):
    told = (some.run_id, some.run_group_id, some.benchmark_id, some.agent, some.provider, some.model, some.error or "")
    return " ".join(told).lower()


def keeps(asked, some, but=""):
    return (
        all((getattr(some, COLUMNS[name]) or "") in wanted for name, wanted in asked.names.items() if name != but)
        and some.started_at >= asked.since
        and (not asked.until or some.started_at < asked.until)
        and all(word in text_of(some) for word in asked.words)
    )


def in_order(found, sort):
    """Of (number, row): sorted plainly, the least important column first."""
    found = sorted(found, key=lambda pair: -pair[0])
    for name, is_descending in reversed(sort):
        there = [pair for pair in found if getattr(pair[1], COLUMNS[name]) is not None]
        missing = [pair for pair in found if getattr(pair[1], COLUMNS[name]) is None]
        found = [*sorted(there, key=lambda p: getattr(p[1], COLUMNS[name]), reverse=is_descending), *missing]
    return [some for _, some in found]


def check(table, asked):
    found = table.matching(asked)
    expected = in_order([(n, r) for n, r in enumerate(table.rows) if keeps(asked, r)], asked.sort)
    assert table.page(found, asked.sort) == expected
    assert table.count(found) == len(expected)
    assert table.page(found, asked.sort, first=1, most=2) == expected[1:3]
    for place, some in enumerate(expected):
        behind = table.page_after(found, asked.sort, some, table.numbers[some.run_id], 3)
        assert behind == expected[place + 1 : place + 4]
    counts = table.facets(asked).counts
    for name in ("status", "model", "benchmark"):
        others = [some for some in table.rows if keeps(asked, some, but=name)]
        assert counts[name] == dict(Counter(getattr(some, COLUMNS[name]) for some in others))
    within = [some for some in table.rows if keeps(asked, some)]
    assert counts["kind"] == dict(Counter(name for some in within for name, is_one in KINDS.items() if is_one(some)))
    assert counts["tag"] == dict(Counter(tag for some in within for tag in some.tags))


@given(st.lists(rows, unique_by=lambda some: some.run_id), questions)
def test_filters_counts_and_orders_equal_a_plain_search(some, asked):
    check(RunTable(some), asked)


@settings(max_examples=60)
@given(st.lists(rows, unique_by=lambda some: some.run_id), st.lists(st.lists(rows, max_size=4), max_size=4), questions)
def test_a_table_that_follows_equals_a_new_one(begun, changes, asked):
    table = RunTable(begun)
    check(table, asked)  # So that orders, names and texts are there, and must be kept current.
    for news in changes:
        told = table.put(news)
        assert {some.run_id for some in news} <= {some.run_id for some in told}
        assert all(table.find(some.run_id) == some for some in told)
        anew = RunTable(replace(some, **STANDING) for some in table.rows)
        assert table.rows == anew.rows
        assert [[*table.records.of(r.task)] for r in table.rows] == [[*anew.records.of(r.task)] for r in anew.rows]
        check(table, asked)


def test_the_best_so_far_follows_the_direction_of_the_score():
    def scores(higher_is_better):
        given = [
            row(f"run_{place}", score=score, ended_seq=place + 2, higher_is_better=higher_is_better)
            for place, score in enumerate([0.5, 0.4, 0.7])
        ]
        return [(r.best_so_far, r.previous_best, r.is_record) for r in RunTable(given).rows]

    assert scores(True) == [(0.5, None, True), (0.5, 0.5, False), (0.7, 0.5, True)]
    assert scores(False) == [(0.5, None, True), (0.4, 0.5, True), (0.4, 0.4, False)]


def test_a_retracted_run_gives_its_record_to_others():
    table = RunTable([row(f"run_{n}", score=score, ended_seq=n + 2) for n, score in enumerate([0.5, 0.9, 0.7])])
    assert [r.is_record for r in table.rows] == [True, True, False]
    told = table.put([replace(table.rows[1], retracted=Retracted(author="a", reason="r"), **STANDING)])
    assert [r.is_record for r in table.rows] == [True, False, True]
    assert {some.run_id for some in told} == {"run_1", "run_2"}, "also the run whose record changed"


def test_more_names_than_a_byte_can_number():
    names = Names(str(number % 300) for number in range(1000))
    assert sum(names.flags({"7"})) == 4 and names.counts(None)["299"] == 3
    few = Names(["0"] * 10)
    for number in range(300):
        few.put(number, str(number))
    assert [number for number, flag in enumerate(few.flags({"299", "5"})) if flag] == [5, 299]
    assert both(few.flags({"5", "6"}), few.flags({"6"})) == few.flags({"6"})


def test_a_facet_counts_the_values_that_it_leaves_out():
    table = RunTable(row(f"run_{number}", model=f"m{number}") for number in range(MAX_IN_FACET + 7))
    facets = table.facets(Question())
    assert len(facets.counts["model"]) == MAX_IN_FACET and facets.left_out == {"model": 7}
    assert set(FILTERS) <= {*COLUMNS, "options", "kind", "tag"}
    groups = RunTable(row(f"run_{number:03d}", run_group_id=f"rg_{number:03d}") for number in range(60))
    shown = [*groups.facets(Question()).counts["group"]]
    assert len(shown) == 50 and shown[0] == "rg_059", "the newest first"
