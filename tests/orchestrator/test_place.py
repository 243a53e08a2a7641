"""A place answers the same questions as the command line, with the same numbers."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

import benchmarks
from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.scores.selection import SelectionError


@pytest.fixture
def place(bench, histories):
    """A workspace with two groups of two runs each: the second one is worse on `b`."""
    ledger = Ledger(JsonlStore(bench.results / "ledger", notice=lambda _: None))
    for number, scores in enumerate(({"b": 0.75, "c": 0.5}, {"b": 0.5, "c": 0.5}), 1):
        group = f"rg_{number}"
        ledger.append(group, histories.opened())
        for benchmark, score in scores.items():
            run = f"run_{benchmark}_{number}"
            started = histories.started(
                benchmark, run_group_id=group, benchmark_id=benchmark, attempt=number, comparison_key=benchmark
            )
            ledger.decide(lambda _, r=run, s=started, v=score: [NewEvent(r, s), NewEvent(r, histories.finished(v))])
    ledger.close()
    return benchmarks.open(bench.root)


def test_runs_are_those_of_show_runs(place, bench):
    shown = [(row["run_id"], row["score"]) for row in bench.runs()]
    assert [(run.run_id, run.score) for run in place.runs()] == shown
    assert [run.run_id for run in place.runs(benchmark="b", status="succeeded")] == ["run_b_1", "run_b_2"]


def test_the_leaderboard_is_that_of_the_command(place, bench):
    shown = json.loads(bench("leaderboard", "--json").stdout)["standings"]
    assert [(one.task.benchmark_id, one.score.mean) for one in place.leaderboard()] == [
        (row["task"]["benchmark_id"], row["score"]["mean"]) for row in shown
    ]
    assert [one.task.benchmark_id for one in place.leaderboard(benchmark="c")] == ["c"]


def test_a_comparison_is_that_of_the_command(place, bench):
    shown = json.loads(bench("compare", "run_b_1", "run_b_2", "--json").stdout)
    [row] = place.compare("run_b_1", "run_b_2").rows
    assert row.contrasts[1].delta == shown["rows"][0]["contrasts"][1]["delta"] == -0.25


def test_a_check_fails_for_a_drop_that_is_not_allowed(place):
    assert not place.check(baseline="best").passed
    assert place.check(baseline="best", max_drop={"b": "40%"}).passed
    assert place.check(baseline="best", max_drop=0.3).passed


def test_a_query_answers_with_rows_dicts_and_a_relation(place):
    answer = place.query("SELECT benchmark_id, max(score) AS best FROM runs GROUP BY ALL ORDER BY 1")
    assert answer.rows == [["b", 0.75], ["c", 0.5]]
    assert answer.dicts()[0] == {"benchmark_id": "b", "best": 0.75}
    assert answer.relation().fetchall() == [("b", 0.75), ("c", 0.5)]
    assert len(answer) == 2 and not answer.truncated


def test_a_relation_keeps_types_and_names_that_occur_twice(place):
    answer = place.query("SELECT 1 AS a, 2 AS A, TIMESTAMP '2026-11-23 10:00:00' AS t, NULL::DOUBLE AS n")
    assert answer.relation().columns == ["a", "A_2", "t", "n"]
    assert answer.relation().fetchall() == [(1, 2, datetime(2026, 11, 23, 10), None)]


def test_every_question_can_be_asked_of_the_past(place):
    events = list(place.events())
    third = next(event for event in events if event.stream == "run_b_2")
    assert len(place.runs(as_of=third.seq - 1)) == 2
    assert len(place.runs(as_of=str(third.seq - 1))) == 2
    assert len(place.runs(as_of=datetime(2020, 1, 1, tzinfo=UTC))) == 0
    assert place.query("SELECT count(*) FROM runs", as_of=third.seq - 1).rows == [[2]]


def test_the_ledger_is_verified(place, bench):
    assert place.verify(files=False).is_sound
    [segment] = (bench.results / "ledger").glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b'"score":0.75', b'"score":0.99', 1))
    bench.is_damaged = True
    assert not place.verify(files=False).is_sound


def test_the_projections_are_exported(place, bench):
    assert place.export_viewer_data() == bench.results / "viewer_data.json"
    assert len(json.loads((bench.results / "viewer_data.json").read_text())["runs"]) == 4


@pytest.mark.parametrize(
    ("ask", "error", "text"),
    [
        (lambda place: place.compare("b", "nothing"), SelectionError, "unknown run, group, model or agent 'b'"),
        (lambda place: place.runs(as_of="yesterday"), benchmarks.UsageError, "neither a time"),
        (lambda place: place.check(max_drop="much"), ValueError, "not an allowed drop"),
        (lambda place: place.check("run_b_1"), benchmarks.UsageError, "nothing to compare"),
        (lambda place: benchmarks.open(__file__), benchmarks.UsageError, "not a folder"),
    ],
)
def test_bad_input_is_an_error_that_says_what_is_wrong(place, ask, error, text):
    with pytest.raises(error, match=text):
        ask(place)


def test_opening_and_asking_create_nothing(tmp_path):
    place = benchmarks.open(tmp_path / "none")
    assert (place.runs(), place.leaderboard(), list(place.events())) == ([], [], [])
    assert list(tmp_path.iterdir()) == []


def test_the_current_folder_is_the_workspace_if_it_holds_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert benchmarks.open().workspace.root == tmp_path / "benchmarks"
    (tmp_path / "benchmarks.toml").touch()
    assert benchmarks.open().workspace.root == tmp_path
    monkeypatch.setenv("BENCHMARKS_WORKSPACE", str(tmp_path / "other"))
    assert benchmarks.open().workspace.root == tmp_path / "other"
