"""Two folds that share no code, Python's and the one in SQL, say the same of every history."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ledger.equivalence import Equivalences
from benchmarks.ledger.events import (
    EquivalenceDeclared,
    EquivalenceWithdrawn,
    Failed,
    Finished,
    HighScorePublished,
    NewEvent,
    Reinstated,
    Rescored,
    Retracted,
    Scorer,
    Started,
    TaskRevision,
)
from benchmarks.ledger.history import History
from benchmarks.ledger.storage.chain import seal
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.sqlite import SqliteStore
from benchmarks.projections.analytics.build import open_analytics
from benchmarks.projections.scores.attempts import Attempts, Work
from benchmarks.projections.scores.destinations import attempts_of
from benchmarks.projections.scores.high_scores import holding, read_history
from benchmarks.projections.scores.leaderboard import is_eligible, leaderboard
from benchmarks.projections.sqlite.database import read_runs
from benchmarks.projections.sqlite.equivalence import meeting
from benchmarks.projections.sqlite.opening import open_history
from benchmarks.projections.sqlite.rows import GROUP_COLUMNS, RUN_COLUMNS, TOKEN_COLUMNS, group_values, run_values
from benchmarks.projections.workspace import Workspace
from benchmarks.viewer.index.row import row_of
from benchmarks.viewer.index.scoreboard import Scoreboard

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parents[2] / "golden"
EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", "12"))

FOLLOWER = """
import sys
from pathlib import Path
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.analytics.build import open_analytics
from benchmarks.projections.workspace import Workspace

root = Path(sys.argv[1])
with open_analytics(Workspace(root), JsonlStore(root / "benchmark_results" / "ledger", notice=print)):
    print("ready", flush=True)
"""


class Place:
    """A workspace with a ledger, and the tables that are made of it in both ways."""

    def __init__(self, root, *, segment_bytes=None):
        self.workspace = Workspace(Path(root))
        self.workspace.results.mkdir(parents=True, exist_ok=True)
        more = {} if segment_bytes is None else {"segment_bytes": segment_bytes}
        self.store = JsonlStore(self.workspace.ledger, notice=pytest.fail, **more)

    def by_sql(self):
        with open_analytics(self.workspace, self.store) as database:
            return self.read(database)

    @staticmethod
    def read(database):
        with duckdb.connect(str(database), read_only=True) as connection:
            return tuple(
                [
                    {name: plain(value, name) for name, value in zip(names, row, strict=True)}
                    for row in connection.execute(
                        f"SELECT {', '.join(names)} FROM {table} ORDER BY first_seq"
                    ).fetchall()
                ]
                for table, names in (("runs", RUN_NAMES), ("run_groups", GROUP_NAMES))
            )

    def by_python(self):
        history, classes = History().read(self.store.read()), Equivalences(self.store).classes
        runs = sorted((meeting(run, classes) for run in history.runs.values()), key=lambda run: run.first_seq)
        return tuple(
            [{name: plain(value, name) for name, value in zip(names, values(one), strict=True)} for one in some]
            for names, values, some in (
                (RUN_NAMES, run_values, runs),
                (GROUP_NAMES, group_values, history.groups.values()),
            )
        )


RUN_NAMES = [*(column.name for column in RUN_COLUMNS), *TOKEN_COLUMNS]
GROUP_NAMES = [column.name for column in GROUP_COLUMNS]
FLAGS = {column.name for column in RUN_COLUMNS if column.is_flag}


def plain(value, name):
    """A value of a table in the shape that both have: decoded JSON, times, flags as bools."""
    if value is None:
        return [] if name in ("annotations_json", "notes_json") else None
    if name.endswith("_json"):
        return json.loads(value)
    if name.endswith("_at"):
        # An imported time may be written in another way.
        told = value if isinstance(value, datetime) else datetime.fromisoformat(value).astimezone(UTC)
        return told.replace(tzinfo=None)
    return bool(value) if name in FLAGS else value


def differences(sql, python):
    """(table, row, column, by SQL, by Python) wherever the two differ."""
    found = []
    for table, (ours, theirs) in enumerate(zip(sql, python, strict=True)):
        if len(ours) != len(theirs):
            found.append((table, "rows", len(ours), len(theirs)))
        for number, (one, other) in enumerate(zip(ours, theirs, strict=False)):
            found += [(table, number, name, one[name], other[name]) for name in one if one[name] != other[name]]
    return found


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_corrections_of_scores_mean_the_same(data, histories, tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("place"))
    events = data.draw(histories.corrected_lives())
    split = data.draw(st.integers(0, len(events)))
    for some in (events[:split], events[split:]):
        histories.append_anyway(place.store, some)
        assert differences(place.by_sql(), place.by_python()) == []
    place.store.close()


REVISIONS = [TaskRevision.of(version=version, driver="", data="", packages="") for version in "123"]
DIGESTS = [*(revision.digest for revision in REVISIONS), "unknown"]


@st.composite
def revised(draw, histories):
    """Runs of several revisions, and declarations of equivalence among them, some of which are withdrawn."""
    pairs = st.lists(st.sampled_from(DIGESTS), min_size=2, max_size=2, unique=True)
    kinds = st.sampled_from([EquivalenceDeclared, EquivalenceDeclared, EquivalenceWithdrawn])
    events = []
    for number in range(draw(st.integers(1, 12))):
        benchmark = draw(st.sampled_from("bc"))
        if draw(st.booleans()):
            said = draw(kinds)(revisions=draw(pairs), author="a", reason="r")
            events.append(NewEvent(benchmark, said))
            continue
        revision = draw(st.sampled_from([None, *REVISIONS]))
        name = f"run_{number}"
        events.append(NewEvent(name, histories.started(name, benchmark_id=benchmark, task_revision=revision)))
        if draw(st.booleans()):
            events.append(NewEvent(name, histories.finished(draw(st.sampled_from([0.1, 0.2])))))
    return events


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_equivalent_revisions_meet_in_both_at_any_split(data, histories, tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("place"))
    events = data.draw(revised(histories))
    cut = data.draw(st.integers(0, len(events)))
    for some in (events[:cut], events[cut:]):
        histories.append_anyway(place.store, some)
        assert differences(place.by_sql(), place.by_python()) == []
        with open_history(place.workspace, place.store) as tables, open_analytics(place.workspace, place.store) as file:
            expected = leaderboard(list(read_runs(tables)), {})
            with duckdb.connect(str(file), read_only=True) as sql:
                rows = sql.execute("SELECT comparison_key, rank, model, mean, runs FROM leaderboard").fetchall()
        assert sorted(rows) == sorted((s.task.comparison_key, s.rank, s.model, s.score.mean, s.runs) for s in expected)
    place.store.close()


@settings(max_examples=EXAMPLES // 2)
@given(data=st.data())
def test_at_any_split_into_batches(data, histories, tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("place"), segment_bytes=2000)
    events = data.draw(histories.events())
    while events:
        size = data.draw(st.integers(1, len(events)))
        batch, events = events[:size], events[size:]
        histories.append_anyway(place.store, batch)
        if data.draw(st.booleans()):
            assert differences(place.by_sql(), place.by_python()) == []
    assert differences(place.by_sql(), place.by_python()) == []
    (place.workspace.results / "analytics.duckdb").unlink(missing_ok=True)
    assert differences(place.by_sql(), place.by_python()) == [], "anew, from sealed segments"
    place.store.close()


@pytest.mark.parametrize("ledger", sorted(path.name for path in GOLDEN.iterdir() if path.is_dir()))
def test_of_ledgers_of_earlier_versions(ledger, tmp_path):
    place = Place(tmp_path)
    shutil.copytree(GOLDEN / ledger, place.workspace.ledger)
    sql = place.by_sql()
    assert differences(sql, place.by_python()) == []
    assert sql[0] and sql[1]


@settings(max_examples=EXAMPLES // 2)
@given(data=st.data())
def test_of_a_ledger_without_segments(data, histories, tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("place"))
    place.store = SqliteStore(place.workspace.results / "ledger.sqlite", notice=pytest.fail)
    for _ in range(2):
        histories.append_anyway(place.store, data.draw(histories.events()))
        assert differences(place.by_sql(), place.by_python()) == []
    place.store.close()


def test_of_usage_that_is_no_count(histories, tmp_path):
    """A result can say anything of its tokens."""
    odd = [None, True, False, "5", "", 5, 5.0, 5.5, -1, 10**19, 10**30, 10**309, 1e300, [1], {"a": 1}]
    used = [{"input_tokens": value, "output_tokens": 7} for value in odd]
    used += [{name: value} for name in ("total_tokens", "cached_tokens", "calls", "call_count") for value in odd]
    used += [{"calls": value, "call_count": 3} for value in odd] + [{"input_tokens": 10**18, "output_tokens": 10**19}]
    place = Place(tmp_path)
    for number, usage in enumerate(used):
        ended = histories.finished(usage=usage)
        histories.append_anyway(place.store, [NewEvent(f"run_{number}", one) for one in (histories.started(), ended)])
    histories.append_anyway(place.store, [NewEvent("rg_1", histories.opened())])
    assert differences(place.by_sql(), place.by_python()) == []
    with open_analytics(place.workspace, place.store) as database, duckdb.connect(str(database)) as connection:
        assert connection.execute("SELECT total_tokens FROM campaigns").fetchall() == [(2**63 - 1,)]


def test_an_event_that_cannot_be_read_counts_for_nothing_and_spoils_no_other(histories, tmp_path):
    """Its chain is whole: another program wrote it. It comes with the tail of a ledger, or is there from the start."""
    place = Place(tmp_path)
    histories.append_anyway(place.store, [NewEvent("run_1", histories.started())])
    before = place.by_sql()
    [line] = place.store.read_lines()
    data = b'{"label":"l","value":"high","source":"s"}'
    body = (
        b'{"seq":2,"id":"x","at":"2026-11-23T10:00:00.000000Z","type":"high_score_published","stream":"b","version":1,'
    )
    [segment] = place.store.files()
    with segment.open("ab") as file:
        file.write(seal(body + b'"data":%b,"prev":"%b"' % (data, line[-66:-2])) + b"\n")
    assert place.by_sql() == before == place.by_python()
    with open_analytics(place.workspace, place.store) as database, duckdb.connect(str(database)) as connection:
        assert connection.execute("SELECT count(*) FROM high_scores").fetchall() == [(0,)]
    (place.workspace.results / "analytics.duckdb").unlink()
    assert place.by_sql() == before


def test_whatever_the_seed_of_hashes_and_wherever_it_was_killed(histories, tmp_path):
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    place = Place(tmp_path, segment_bytes=20_000)
    add = histories.append_anyway
    for number in range(6):
        for run in range(60):
            name = f"run_{number}_{run}"
            add(place.store, [NewEvent(name, histories.started(name)), NewEvent(name, histories.finished(run / 60))])
        environ = {**os.environ, "PYTHONHASHSEED": str(number)}
        follower = subprocess.Popen(
            [sys.executable, "-c", FOLLOWER, tmp_path], env=environ, stdout=subprocess.PIPE, text=True
        )
        database = place.workspace.results / "analytics.duckdb"
        # It is killed once it has begun to build, after a moment of random length.
        while follower.poll() is None and not list(database.parent.glob(f"{database.name}.build-*")):
            pass
        with contextlib.suppress(subprocess.TimeoutExpired):
            follower.wait(dice.random() / 4)
        follower.kill()
        follower.communicate()
        assert differences(place.by_sql(), place.by_python()) == []
    assert not list(database.parent.glob("*.build-*")), "what a killed one left is cleared away"


def test_two_at_once_and_a_reader_meanwhile(histories, tmp_path):
    place = Place(tmp_path)
    histories.append_anyway(place.store, [NewEvent("run_1", histories.started("1"))])
    place.by_sql()
    database = place.workspace.results / "analytics.duckdb"
    with duckdb.connect(str(database), read_only=True) as reader:
        histories.append_anyway(place.store, [NewEvent("run_1", histories.finished(0.5))])
        argv = [sys.executable, "-c", FOLLOWER, tmp_path]
        followers = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(3)]
        assert [follower.communicate(timeout=60)[0] for follower in followers] == ["ready\n"] * 3
        assert reader.execute("SELECT status FROM runs").fetchall() == [("running",)], (
            "the reader keeps the file that it has"
        )
    assert differences(place.by_sql(), place.by_python()) == []


def standings(draw):
    """Runs of few tasks by few models, some of which do not count, with repetitions in campaigns, and references."""
    kinds = st.sampled_from([{}, {}, {}, {"synthetic": True}])
    return draw(
        st.lists(
            st.tuples(
                st.sampled_from("bcd"),
                st.sampled_from("mno"),
                st.integers(1, 3),
                st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.4, 1.0, 1.5]),
                st.sampled_from([None, 0.0, 0.001, 0.1, 0.153]),
                st.sampled_from([None, 0, 1, 8, 1000]),
                st.sampled_from(["", "rg_1", "rg_2"]),
                kinds,
            ),
            max_size=12,
        )
    )


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_the_standings_and_the_history_of_scores_are_the_same(data, histories, tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("place"))
    which, view = data.draw(st.sampled_from([("newest", "leaderboard"), ("repeats", "leaderboard_of_repeats")]))
    events = []
    for number, (benchmark, model, repeat, score, stderr, samples, group, kind) in enumerate(standings(data.draw)):
        name = f"run_{number}"
        config = {} if repeat == 1 else {"repeat": repeat}
        unit, upwards = {"b": ("ratio", True), "c": ("ratio", False), "d": ("s", True)}[benchmark]
        if number % 4 == 3:
            events.append(
                NewEvent(
                    benchmark, HighScorePublished(label=name, value=score / 10, source="s", higher_is_better=upwards)
                )
            )
        events += [
            NewEvent(
                name,
                histories.started(name, benchmark_id=benchmark, model=model, extra_config=config, run_group_id=group),
            ),
            NewEvent(
                name,
                histories.finished(score, unit=unit, higher_is_better=upwards, stderr=stderr, samples=samples, **kind),
            ),
        ]
    histories.append_anyway(place.store, events)
    with open_history(place.workspace, place.store) as tables:
        runs = list(read_runs(tables))
        expected = leaderboard(runs, holding(read_history(tables)), which=which)
    with (
        open_analytics(place.workspace, place.store) as database,
        duckdb.connect(str(database), read_only=True) as asked,
    ):
        ours = asked.execute(
            "SELECT benchmark_id, coalesce(unit, ''), rank, model, rank_low, rank_high, mean, stderr, stderr_of, low, "
            "high, interval_method, repeats, runs, latest_run_id, best_run_id, reference_value, delta_to_reference "
            f"FROM {view} "
            "ORDER BY benchmark_id, coalesce(unit, ''), rank, model"
        ).fetchall()
        records = asked.execute(
            "SELECT run_id, best_before, is_record, reference_label FROM score_history ORDER BY ended_seq"
        ).fetchall()
    theirs = sorted(
        (
            one.task.benchmark_id,
            one.task.unit,
            one.rank,
            one.model,
            one.rank_low,
            one.rank_high,
            one.score.mean,
            one.score.stderr,
            one.score.stderr_of,
            one.score.low,
            one.score.high,
            one.score.interval_method,
            one.score.repeats,
            one.runs,
            one.latest_run_id,
            one.best_run_id,
            one.high_score.value if one.high_score else None,
            one.delta_to_high_score,
        )
        for one in expected
    )
    assert [tuple(map(near, row)) for row in ours] == [tuple(map(near, row)) for row in theirs]
    assert records == list(simple_history(place.store.read()))


def test_the_name_of_a_metric_is_its_path_without_quotes(histories, tmp_path):
    place = Place(tmp_path)
    metrics = {"pass@1": 0.5, "a.b": {"f1-score": 1, "0": [True, {"x y": "z"}]}, "none": None, 'say "it"': 2}
    histories.append_anyway(
        place.store,
        [NewEvent("run_1", histories.started()), NewEvent("run_1", histories.finished(metrics=metrics))],
    )
    with (
        open_analytics(place.workspace, place.store) as database,
        duckdb.connect(str(database), read_only=True) as asked,
    ):
        told = asked.execute("SELECT metric, value, text FROM metrics ORDER BY metric").fetchall()
    assert told == [
        ("a.b.0[0]", None, "true"),
        ("a.b.0[1].x y", None, "z"),
        ("a.b.f1-score", 1.0, "1"),
        ("pass@1", 0.5, "0.5"),
        ('say "it"', 2.0, "2"),
    ]


def near(value):
    return round(value, 9) if isinstance(value, float) else value


def simple_history(records):
    """Who held the record before each run that counts, and which reference held: as a person would note it."""
    best, begun, held = {}, {}, {}
    for record in records:
        event = record.data
        if isinstance(event, Started):
            begun[record.stream] = event.benchmark_id
        elif isinstance(event, HighScorePublished):
            held[record.stream] = event.label
        elif isinstance(event, Finished) and not event.synthetic:
            benchmark = begun[record.stream]
            before = best.get(benchmark)
            better = before is None or (event.score > before if event.higher_is_better else event.score < before)
            yield record.stream, before, better, held.get(benchmark)
            if better:
                best[benchmark] = event.score


def late_knowledge(histories):
    """Failures of three contenders; two of them have successes that know the revision of their data, one a scorer."""
    early, late = (TaskRevision.of(version='1 "a/é"', driver="d", data=data, packages="p") for data in ("", "v1"))
    scorer = Scorer("strict", "c" * 64)
    for model, has_success in (("one", True), ("two", True), ("three", False)):
        start = histories.started(benchmark_id="late", model=model, task_revision=early)
        yield from (NewEvent(f"run_{model}_failed", event) for event in (start, histories.failed("no_result")))
        if has_success:
            yield from (NewEvent(f"run_{model}", event) for event in (start, histories.finished(task_revision=late)))
    yield NewEvent("run_one", Rescored(scorer=scorer, score=1.0, author="a"))


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_tables_counts_and_attempts_are_the_same_in_sql_in_python_and_in_the_viewer(data, histories, tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("place"))
    events = [
        NewEvent("run_mock", histories.started()),
        NewEvent("run_mock", histories.finished(synthetic=True)),
        NewEvent("run_failed", histories.started()),
        NewEvent("run_failed", Failed(ended_at="2026-11-23T08:00:00Z", reason="exit_code", error="HTTP 429: Rate Limit",
                                      duration_seconds=2.5, usage={"cost": 0.125})),
        *late_knowledge(histories),
        NewEvent("run_lost", histories.started()),
        NewEvent("run_lost", Failed(ended_at="2026-11-23T08:00:00Z", reason="no_score", usage={"cost_usd": True})),
    ]  # fmt: skip
    histories.append_anyway(place.store, [*events, *data.draw(histories.events())])
    runs = History().read(place.store.read()).runs
    names = Attempts.__struct_fields__
    with open_analytics(place.workspace, place.store) as database:
        assert differences(place.read(database), place.by_python()) == []
        with duckdb.connect(str(database), read_only=True) as sql:
            counts = dict(sql.execute("SELECT run_id, counts FROM runs").fetchall())
            rows = sql.execute(
                f"SELECT benchmark_id, comparison_key, agent, provider, model, {', '.join(names)} FROM attempts"
            ).fetchall()
    place.store.close()
    assert {run_id: is_eligible(run) for run_id, run in runs.items()} == counts
    assert {run_id: row_of(run).counts for run_id, run in runs.items()} == counts
    assert (counts["run_mock"], runs["run_mock"].is_success) == (False, True)
    expected = {work: [getattr(one, name) for name in names] for work, one in attempts_of(runs.values()).items()}
    assert {Work(*row[:5]): list(row[5:]) for row in rows} == expected
    board = Scoreboard([row_of(run) for run in runs.values()])
    board.load()
    board.bring_up()
    assert {work: [getattr(one, name) for name in names] for work, one in board.attempts_with().items()} == expected


@pytest.mark.parametrize("last", ["retracted", "reinstated"])
def test_a_reinstated_run_counts_again_in_both(histories, tmp_path, last):
    place = Place(tmp_path)
    told = {"author": "a", "reason": "r"}
    events = [histories.started(), histories.finished(0.5), Retracted(**told), Reinstated(**told)]
    events += [Retracted(author="b", reason="again")] if last == "retracted" else []
    histories.append_anyway(place.store, [NewEvent("run_1", event) for event in events])
    assert differences(place.by_sql(), place.by_python()) == []
    with (
        open_analytics(place.workspace, place.store) as database,
        duckdb.connect(str(database), read_only=True) as asked,
    ):
        [(counts, retracted)] = asked.execute("SELECT counts, retracted_json ->> '$.author' FROM runs").fetchall()
    assert (counts, retracted) == ((False, "b") if last == "retracted" else (True, None))
