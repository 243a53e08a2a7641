"""What score tables read from the tallies is what a full computation gives, wherever the tables caught up."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import subprocess
import sys
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ledger.equivalence import Equivalences
from benchmarks.ledger.events import (
    Annotated,
    EquivalenceDeclared,
    EquivalenceWithdrawn,
    GroupOpened,
    Heartbeat,
    Imported,
    ImportSource,
    NewEvent,
    Request,
    Retracted,
    SetAside,
    Skipped,
    TaskRevision,
)
from benchmarks.ledger.fold import fenced
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.scores.attempts import Attempts, Work, ending, work_of
from benchmarks.projections.scores.check import check
from benchmarks.projections.scores.comparison import compare
from benchmarks.projections.scores.counting import DOUBTFUL, RETRACTED, doubts, repetition_of, task_config, task_of
from benchmarks.projections.scores.destinations import Destinations
from benchmarks.projections.scores.leaderboard import leaderboard, leaderboard_of, score_of
from benchmarks.projections.scores.means import exact, mean_of
from benchmarks.projections.scores.recency import in_order, when
from benchmarks.projections.scores.records import best_of, is_upward, position
from benchmarks.projections.scores.samples import SampleScores
from benchmarks.projections.scores.selection import (
    ListedCatalogue,
    SelectionError,
    find,
    named_baseline,
    newest_group,
    select,
)
from benchmarks.projections.scores.summaries import CALIBRATIONS, Summaries
from benchmarks.projections.scores.tally import board_of
from benchmarks.projections.sqlite import tallies
from benchmarks.projections.sqlite.catalogue import StoredCatalogue
from benchmarks.projections.sqlite.database import open_readonly, read_groups, read_runs, rebuild, refresh
from benchmarks.projections.sqlite.tables import OF_TALLY
from benchmarks.projections.sqlite.tallies import read_board

EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", "15"))
RUNS, GROUPS = [f"run_{letter}" for letter in "abcdefghijkl"], ["rg_1", "rg_2", ""]
TIMES = [f"2026-0{month}-01T10:00:00.000000Z" for month in (1, 2, 3)]
SCORES = st.sampled_from([0.1, 0.2, 0.3, 0.7])


def revision(data):
    return TaskRevision.of(version="1", driver="d", data=data, packages="p")


def mostly(usual, *others):
    """The usual value four times out of five: so several runs meet in one tally."""
    return st.integers(0, 4).flatmap(lambda number: st.sampled_from(others) if number == 4 else st.just(usual))


CONTENDERS = {
    "benchmark_id": mostly("p", "q"),
    "comparison_key": mostly("k1", "k2"),
    "agent": mostly("eliza", "random", "half_v1"),
    "model": mostly("m1", "m2"),
    "extra_config": mostly({}, {"repeat": 2}, {"n": 5}),
}
INCLUDES = [(), ("synthetic",), ("imported", "late"), DOUBTFUL]


@st.composite
def lives(draw, histories, upward):
    """The events of one run, most of which make sense."""
    outcome = {
        "task_revision": mostly(None, *(revision(data) for data in ("2026-10", "2026-11"))),
        "score": SCORES if draw(st.integers(0, 9)) else st.none(),
        "unit": mostly("ratio", "s", None),
        "higher_is_better": mostly(upward, True, False, None),
        "ended_at": st.sampled_from(TIMES),
        "metrics": mostly({}, {"chance": 0.25}, {"chance": 0.5}, {"chance": True}),
        "synthetic": mostly(False, True),
        "stderr": st.none() | st.just(0.05),
    }
    group = st.sampled_from(GROUPS[:2])
    started = st.builds(
        histories.started,
        run_group_id=group,
        task_revision=mostly(revision(""), None, revision("2026-11")),
        **CONTENDERS,
    )
    row = st.fixed_dictionaries(
        {
            **CONTENDERS,
            "run_group_id": st.sampled_from(GROUPS),
            "status": st.sampled_from(["succeeded", "failed"]),
            "score": SCORES,
            "ended_at": st.sampled_from(TIMES),
        }
    )
    imported = st.builds(Imported, source=st.just(ImportSource("json", "x.json", "0" * 64)), run=row)
    finished = st.builds(histories.finished, **outcome)
    recovered = st.builds(histories.recovered, st.none() | finished, st.booleans())
    failed = st.builds(
        histories.failed,
        st.sampled_from(["exit_code", "stalled", "no_result"]),
        error=st.sampled_from(["it broke", "429 too many requests"]),
        duration_seconds=st.none() | st.sampled_from([0.1, 0.2, 0.7]),
        usage=st.sampled_from([{}, {"cost_usd": 0.1}, {"cost_usd": 0.7}]),
    )
    others = st.one_of(failed, failed, recovered, st.just(Heartbeat()))
    late = st.builds(histories.finished, **outcome, late=st.just(True))
    more = (
        mostly(Retracted(author="a", reason="wrong"), Annotated(author="a", note="n"))
        | late
        | st.just(None)
        | histories.rescored()
    )
    if draw(st.integers(0, 5)) == 5:
        return draw(st.tuples(imported, more))
    return draw(st.tuples(started, finished if draw(st.integers(0, 5)) else others, more, st.just(None) | more))


REVISIONS = [*(revision(data).digest for data in ("", "2026-10", "2026-11")), "unknown"]


@st.composite
def statements(draw):
    """A person declares two revisions equivalent, or withdraws that."""
    kind = draw(st.sampled_from([EquivalenceDeclared, EquivalenceDeclared, EquivalenceWithdrawn]))
    pair = draw(st.lists(st.sampled_from(REVISIONS), min_size=2, max_size=2, unique=True))
    return NewEvent(draw(CONTENDERS["benchmark_id"]), kind(revisions=pair, author="a", reason="r"))


@st.composite
def whole_histories(draw, histories):
    """Events of a few runs and groups, in an order in which runs overlap."""
    upward = draw(st.booleans())
    waiting = {run_id: list(draw(lives(histories, upward))) for run_id in RUNS[: draw(st.integers(2, len(RUNS)))]}
    request = Request(benchmarks=["p"], agent=None, provider="local", model="m1")
    events = [
        NewEvent(group, GroupOpened(request=request, benchmarks=["p"])) for group in draw(st.permutations(GROUPS[:2]))
    ]
    while waiting:
        run_id = draw(st.sampled_from(sorted(waiting)))
        if event := waiting[run_id].pop(0):
            events.append(NewEvent(run_id, event))
        if not waiting[run_id]:
            del waiting[run_id]
        if draw(st.integers(0, 5)) == 0:
            events.append(draw(statements()))
        if draw(st.integers(0, 9)) == 0:
            skip = Skipped(
                benchmark_id="p", signature="s", reason="already_succeeded", existing_run_id=draw(st.sampled_from(RUNS))
            )
            events.append(NewEvent(draw(st.sampled_from(GROUPS[:2])), skip))
    return events


@contextlib.contextmanager
def followed(histories, events, cuts):
    """Append events in pieces and follow after each: the database, and what it is made of."""
    with TemporaryDirectory() as folder:
        store = JsonlStore(Path(folder) / "ledger", notice=print)
        database = Path(folder) / "db.sqlite"
        refresh(database, store)
        for begin, end in zip([0, *cuts], [*cuts, len(events)], strict=True):
            histories.append_anyway(store, events[begin:end])
            refresh(database, store)
        yield database, store
        store.close()


def cuts_of(data, events):
    return sorted(data.draw(st.lists(st.integers(0, len(events)), min_size=2, max_size=8)))


def shown(board):
    """A board with ids for runs."""

    def name(run):
        return None if run is None else run.run_id

    works = {work: (worked.runs, name(worked.latest)) for work, worked in board.works.items()}
    kept = {
        key: (tally.runs, tally.total, name(tally.newest), name(tally.best), name(tally.telling))
        for key, tally in board.tallies.items()
    }
    return works, kept, board.attempts


@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_tallies_are_those_of_all_runs_wherever_the_tables_caught_up(histories, data):
    events = data.draw(whole_histories(histories))
    limit, tallies._MAX_KNOWN = tallies._MAX_KNOWN, data.draw(st.sampled_from([0, 2, 4_000]))
    try:
        with (
            followed(histories, events, cuts_of(data, events)) as (database, store),
            open_readonly(database) as connection,
        ):
            board = read_board(connection)
            assert shown(board) == shown(board_of(read_runs(connection)))
            equivalences = Equivalences(store)
            for run in read_runs(connection):
                revision = equivalences.canonical(run.benchmark_id, run.revision)
                assert run.comparison_key == fenced(run.options_key, revision, run.later_scorer)
            rebuild(built := database.with_name("built.sqlite"), store)
            with open_readonly(built) as other:
                assert list(connection.iterdump()) == list(other.iterdump())
    finally:
        tallies._MAX_KNOWN = limit


@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_leaderboard_and_summaries_are_those_of_a_plain_computation(histories, data):
    events = data.draw(whole_histories(histories))
    with followed(histories, events, cuts_of(data, events)) as (database, _), open_readonly(database) as connection:
        runs, board = list(read_runs(connection)), read_board(connection)
        for include in INCLUDES:
            which = data.draw(st.sampled_from(["newest", "repeats"]))
            assert leaderboard(runs, include=include, which=which) == leaderboard_of(
                board, include=include, which=which
            )
            told = {
                (s.task, s.agent, s.provider, s.model): (
                    s.runs,
                    s.latest_run_id,
                    s.best_run_id,
                    s.score,
                    s.config,
                    s.chance,
                    s.attempts,
                )
                for s in leaderboard_of(board, include=include, which=which)
            }
            assert told == plain_leaderboard(runs, include, which)
        summaries = Summaries(board)
        assert summaries.latest_scores() == plain_latest(runs)
        assert summaries.benchmarks() == plain_benchmarks(runs)
        assert summaries.models() == plain_contenders("model_key", runs, lambda run: f"{run.provider}:{run.model}")
        assert summaries.agents() == plain_contenders("agent", runs, lambda run: run.agent)
        assert summaries.calibrations() == plain_calibrations(runs)


def counts(run, include=()):
    return run.status == "succeeded" and run.score is not None and not doubts(run).difference(include)


def grouped(runs, key):
    groups = defaultdict(list)
    for run in runs:
        groups[key(run)].append(run)
    return groups


def plain_score(runs, which):
    """The score of runs in the order of their times: of the last campaign, or of the last one that has repeats."""
    groups = grouped(runs, lambda run: run.run_group_id or run.run_id)
    campaign = runs[-1].run_group_id or runs[-1].run_id
    if which == "repeats":
        for run in reversed(runs):
            if len({repetition_of(other) for other in groups.get(run.run_group_id, ())}) > 1:
                campaign = run.run_group_id
                break
    return score_of(groups[campaign])


def plain_leaderboard(runs, include, which):
    eligible = [run for run in in_order(runs) if counts(run, include)]
    chances = {}
    sound = [run for run in in_order(runs) if run.is_success and run.score is not None]
    for task, some in grouped([run for run in sound if run.agent == "random"], task_of).items():
        own = [run for run in some if (run.provider, run.model) == (some[-1].provider, some[-1].model)]
        chances[task] = plain_score(own, "newest").mean
    for run in sound:
        if type(run.metrics.get("chance")) is float:
            chances[task_of(run)] = run.metrics["chance"]
    tried = plain_attempts(runs, include)
    return {
        key: (
            len(some),
            some[-1].run_id,
            best_of(some).run_id,
            plain_score(some, which),
            task_config(some[-1]),
            chances.get(key[0]),
            tried.get(Work(key[0].benchmark_id, key[0].comparison_key, *key[1:])),
        )
        for key, some in grouped(eligible, lambda run: (task_of(run), run.agent, run.provider, run.model)).items()
    }


def plain_attempts(runs, include):
    own = [run for run in runs if not doubts(run).difference(include) - {"late"}]
    destinations = Destinations(run for run in runs if run.is_success)
    found = {}
    for work, some in grouped(own, lambda run: destinations.of(work_of(run))).items():
        endings = Counter(ending(run) for run in some)
        failures = [run for run in some if run.status == "failed"]
        ended = len(some) - endings["running"]
        found[work] = Attempts(
            attempts=len(some),
            running=endings["running"],
            successes=endings["succeeded"],
            own_failures=endings["own"],
            infrastructure_failures=endings["infrastructure"],
            seconds_lost=round(math.fsum(run.duration_seconds or 0.0 for run in failures), 6),
            cost_lost=round(math.fsum(run.usage.get("cost_usd", 0.0) for run in failures), 9),
            unpriced=sum("cost_usd" not in run.usage for run in failures),
            completion=endings["succeeded"] / ended if ended else None,
        )
    return found


def plain_latest(runs):
    wanted = [run for run in in_order(runs) if run.is_success and not run.synthetic]
    newest = {(run.benchmark_id, run.agent, run.provider, run.model): run.run_id for run in wanted}
    return [newest[key] for key in sorted(newest)]


def plain_benchmarks(runs):
    rows = []
    for benchmark_id, some in sorted(grouped(runs, lambda run: run.benchmark_id).items()):
        over = [run for run in some if run.status != "running"] or some
        latest = in_order(over)[-1]
        scored = in_order(run for run in some if counts(run))
        record = best_of(run for run in scored if task_of(run) == task_of(scored[-1])) if scored else None
        rows.append(
            {
                "benchmark_id": benchmark_id,
                "runs": len(some),
                "succeeded_runs": sum(run.is_success for run in some),
                "best_score": record and record.score,
                "latest_run_id": latest.run_id,
                "latest_started_at": latest.started_at,
                "latest_model": latest.model,
                "latest_provider": latest.provider,
                "best_run_id": record and record.run_id,
                "unit": record.unit if record else latest.unit,
            }
        )
    return rows


def plain_contenders(name_of, runs, key):
    rows = []
    for name, some in sorted(grouped(runs, key).items()):
        scored = [run for run in some if counts(run)]
        is_one_scale = len({(run.unit or "", is_upward(run)) for run in scored}) == 1
        pick = max if scored and is_upward(scored[0]) else min
        best = pick(run.score for run in scored) if is_one_scale else None
        record = min((run for run in scored if run.score == best), key=position) if is_one_scale else None
        average = float(sum(Fraction(run.score) for run in scored) / len(scored)) if is_one_scale else None
        rows.append(
            {
                name_of: name,
                "runs": len(some),
                "succeeded_runs": sum(run.is_success for run in some),
                "average_score": average,
                "best_score": best,
                "unit": record.unit if record else None,
            }
        )
    return rows


def plain_calibrations(runs):
    rows = []
    over = [run for run in in_order(runs) if run.status != "running" and run.agent.partition("_v")[0] in CALIBRATIONS]
    for benchmark_id, some in sorted(grouped(over, lambda run: run.benchmark_id).items()):
        latest = {f"{player}_v1": None for player in CALIBRATIONS}
        latest.update({f"{run.agent.partition('_v')[0]}_v1": run for run in some})
        statuses = {name: run and run.status for name, run in latest.items()}
        scores = {name: run and run.score for name, run in latest.items()}
        complete = set(statuses.values()) == {"succeeded"}
        rows.append({"benchmark_id": benchmark_id, "scores": scores, "statuses": statuses, "complete": complete})
    return rows


NAMES = [
    *RUNS,
    "run_",
    "rg_1",
    "rg_2",
    "rg",
    "m1",
    "local:m2",
    ":m1",
    "eliza",
    "random",
    "now",
    "as-of:now",
    "nothing",
    "",
]


@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_names_comparisons_and_checks_are_those_of_all_runs(histories, data):
    """The catalogue that asks the tables, beside the one that has every run in memory."""
    events = data.draw(whole_histories(histories))
    include = data.draw(st.sampled_from(INCLUDES))
    with followed(histories, events, cuts_of(data, events)) as (database, _), open_readonly(database) as connection:
        groups = {group.run_group_id: group for group in read_groups(connection)}
        listed = ListedCatalogue(runs=list(read_runs(connection)), groups=groups, past=no_past, include=include)
        stored = StoredCatalogue(connection, no_past, include)
        for name in NAMES:
            assert told(find, name, stored) == told(find, name, listed)
            assert told(select, name, stored) == told(select, name, listed)
        assert told(lambda _, catalogue: newest_group(catalogue), "", stored) == told(
            lambda _, catalogue: newest_group(catalogue), "", listed
        )
        names = [name for name in NAMES if isinstance(told(select, name, listed), tuple)]
        if not names:
            return
        specs = data.draw(st.lists(st.sampled_from(names), min_size=2, max_size=3))
        both = [compare([select(spec, some) for spec in specs], no_samples) for some in (stored, listed)]
        assert msgspec.json.encode(both[0]) == msgspec.json.encode(both[1])
        for spec in names:
            for baseline in ("best", "last", data.draw(st.sampled_from(names))):
                for across in (False, True):
                    results = [checked(spec, baseline, some, across) for some in (stored, listed)]
                    found = [msgspec.json.decode(msgspec.json.encode(result)) for result in results]
                    assert found[0] == found[1], (spec, baseline, across)


def checked(spec, baseline, catalogue, across):
    against, title = named_baseline(baseline, catalogue, across=across)
    runs = find(spec, catalogue).to_check()
    return check(runs, against, no_samples, checked=spec, against=title, include=catalogue.include)


def told(ask, name, catalogue):
    try:
        selection = ask(name, catalogue)
    except SelectionError as problem:
        return str(problem)
    every = [run.run_id for run in selection.every()]
    to_check = [run.run_id for run in selection.to_check()]
    return selection.kind, selection.name, selection.count, selection.has_doubtful, every, to_check


def no_past(_):
    raise AssertionError("no moment was named")


def no_samples(_):
    return SampleScores(problem="no samples were recorded")


@pytest.mark.parametrize(("upward", "second"), [(True, "run_1"), (False, "run_2")])
def test_the_second_best_takes_the_place_of_a_record_that_is_retracted(store, histories, tmp_path, upward, second):
    """Of four scores the last is the best, and is retracted; a check of it looks at those before."""
    database = tmp_path / "db.sqlite"
    for number, score in enumerate((0.1, 0.3, 0.2, 0.4) if upward else (0.4, 0.3, 0.2, 0.1)):
        end = histories.finished(score, higher_is_better=upward, ended_at=f"2026-01-0{number + 1}T10:00:00.000000Z")
        histories.append_anyway(store, [NewEvent(f"run_{number}", event) for event in (histories.started("s"), end)])
        refresh(database, store)
    histories.append_anyway(store, [NewEvent("run_3", Retracted(author="a", reason="wrong"))])
    refresh(database, store)
    with open_readonly(database) as connection:
        best = {key.kind: tally.best.run_id for key, tally in read_board(connection).tallies.items()}
        assert best == {0: second, RETRACTED: "run_3"}
        catalogue = StoredCatalogue(connection, no_past, DOUBTFUL)
        found = checked("run_3", "best", catalogue, across=False)
    assert found.scores[0].baseline.run_ids == [second]


def test_events_that_are_set_aside_leave_the_tallies(store, histories, tmp_path):
    database = tmp_path / "db.sqlite"
    for number, score in enumerate((0.5, 0.9)):
        run = [histories.started(f"s{number}"), histories.finished(score)]
        histories.append_anyway(store, [NewEvent(f"run_{number}", event) for event in run])
    refresh(database, store)
    records = list(store.read())
    aside = SetAside(author="a", reason="r", events=[(4, 1)], head_hash=records[-1].hash)
    histories.append_anyway(store, [NewEvent("ledger", aside)])
    refresh(database, store)
    with open_readonly(database) as connection:
        assert shown(read_board(connection)) == shown(board_of(read_runs(connection)))
        [tally] = read_board(connection).tallies.values()
    assert (tally.runs, tally.best.run_id) == (1, "run_0")


def test_a_rebuild_gives_the_same_bytes_whatever_the_order_of_sets(store, histories, tmp_path):
    """Python orders sets of texts differently in each process."""
    for number in range(30):
        started = histories.started(f"s{number}", benchmark_id=f"b{number}")
        histories.append_anyway(store, [NewEvent(f"run_{number}", one) for one in (started, histories.finished())])
    code = (
        "import sys; from pathlib import Path; from benchmarks.ledger.storage.jsonl import JsonlStore\n"
        "from benchmarks.projections.sqlite.database import rebuild\n"
        "rebuild(Path(sys.argv[2]), JsonlStore(Path(sys.argv[1]), notice=print))"
    )
    built = []
    for seed in ("1", "2"):
        path = tmp_path / f"{seed}.sqlite"
        argv = [sys.executable, "-c", code, str(store.folder), str(path)]
        subprocess.run(argv, check=True, env={**os.environ, "PYTHONHASHSEED": seed})
        built.append(path.read_bytes())
    assert built[0] == built[1]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_an_exact_sum_takes_any_order_and_gives_back_what_is_taken_out(scores):
    total = sum(map(exact, scores))
    assert tallies._number(tallies._text(total)) == total
    assert mean_of(total, len(scores)) == float(sum(map(Fraction, scores)) / len(scores))
    assert total - sum(map(exact, scores[1:])) == exact(scores[0])


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (f"SELECT run_id FROM benchmark_runs WHERE {OF_TALLY} ORDER BY moment DESC, first_seq DESC", "runs_by_tally"),
        (f"SELECT score FROM benchmark_runs WHERE {OF_TALLY} ORDER BY score DESC LIMIT 1", "runs_by_score"),
        ("SELECT run_id FROM benchmark_runs WHERE run_group_id = ? AND work_id IN (?, ?, ?, ?)", "runs_by_group"),
    ],
)
def test_what_is_asked_of_a_long_history_goes_through_an_index(store, tmp_path, query, index):
    rebuild(tmp_path / "db.sqlite", store)
    with contextlib.closing(sqlite3.connect(tmp_path / "db.sqlite")) as connection:
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", (1, "", 1, 0, "1")))
    assert index in plan and "TEMP B-TREE" not in plan, plan


def test_times_that_are_equal_are_told_apart_by_the_ledger(make_run):
    runs = [make_run(0.5, ended_at=TIMES[0]), make_run(0.6, ended_at=TIMES[0])]
    [tally] = board_of(runs).tallies.values()
    assert (tally.newest.run_id, when(tally.newest)) == ("run_2", (TIMES[0], 2))
