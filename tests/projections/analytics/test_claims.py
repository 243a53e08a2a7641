"""The views of registered plans, published tables and reproductions say what the rules in Python say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from benchmarks.ledger.events import (
    NewEvent,
    PublishedRow,
    PublishedRun,
    RegisteredContender,
    RegisteredTask,
    RegistrationAmended,
    Reproduced,
    ReproducedRun,
    Retracted,
    TablePublished,
)
from benchmarks.ledger.history import History
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.analytics.build import open_analytics
from benchmarks.projections.scores.planned import PlanRuns
from benchmarks.projections.workspace import Workspace


class Asked:
    """A ledger with a plan, runs, a table and a check, and what SQL says about it."""

    def __init__(self, root: Path, histories) -> None:
        self.store = JsonlStore(root / "benchmark_results" / "ledger", notice=pytest.fail)
        self.workspace = Workspace(root)
        self.histories = histories

    def say(self, stream: str, *events: Any) -> None:
        self.histories.append_anyway(self.store, [NewEvent(stream, event) for event in events])

    def run(self, name: str, end: Any = None, **start: Any) -> None:
        self.say(name, self.histories.started("s", **start), end or self.histories.finished())

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        with open_analytics(self.workspace, self.store) as file, duckdb.connect(str(file), read_only=True) as asked:
            return asked.execute(query).fetchall()


@pytest.fixture
def asked(tmp_path, histories):
    return Asked(tmp_path, histories)


def test_plans_with_their_amendments_and_the_runs_that_their_verdict_counts(asked, histories):
    """Runs that are early, failed, retracted, made again, not planned, a check, or of somebody else."""
    one = RegisteredContender(name="new", agent="bare-model", provider="Local", model="m")
    other = RegisteredContender(name="old", agent="bare-model", provider="local", model="n")
    tasks = [RegisteredTask(id="b", comparison_key="c"), RegisteredTask(id="b", comparison_key="d", seed=2)]
    asked.run("early")
    plan = histories.registered(benchmarks=tasks, contenders=[one, other], repeats=1, deadline="2026-12-31", n=10)
    asked.say("reg_1", plan)
    asked.say("reg_1", plan)  # It is registered already.
    asked.say("reg_2", RegistrationAmended(author="a", reason="r", changes={"n": 1}))  # Nothing is registered there.
    asked.run("failed", histories.failed(), registration="reg_1")
    asked.run("gone", registration="reg_1")
    asked.say("gone", Retracted(author="a", reason="r"))
    asked.run("first", histories.finished(metrics={"a/b": 0.25}), registration="reg_1")
    asked.run("second", histories.finished(metrics={"a/b": 0.5}))
    asked.run("check", reproduces="first")
    asked.run("repeat", extra_config={"repeat": 2})
    asked.run("text", extra_config={"repeat": "1"})
    asked.run("seeded", comparison_key="d")
    asked.run("other", model="n", registration="reg_2")
    asked.run("else", model="x")
    asked.say("reg_1", RegistrationAmended(author="a", reason="r", changes={"repeats": 2, "deadline": None}))
    for metric in ("score", "a/b", "none"):
        asked.say("reg_1", RegistrationAmended(author="a", reason="r", changes={"metric": metric}))
        history = History().read(asked.store.read())
        registration = history.registrations["reg_1"]
        work = PlanRuns(registration, history.runs.values())
        told = asked.sql("FROM registered_runs SELECT run_id, counts, is_earlier, is_reproduction, contender")
        assert {run_id for run_id, counts, *_ in told if counts} == {run.run_id for run in work.all_counted()}
        assert {row[0] for row in told if row[2]} == {run.run_id for run in work.earlier} == {"early"}
        assert {row[0] for row in told if row[3]} == {run.run_id for run in work.reproductions} == {"check"}
        attempts = {(run.run_id, one.name) for one in [one, other] for task in tasks for run in work.of(task, one.name)}
        assert {(row[0], row[4]) for row in told if not row[2] and not row[3]} == attempts
    [row] = asked.sql("SELECT registration_id, n, repeats, metric, deadline, amendments, threshold FROM registrations")
    assert row == ("reg_1", 10, 2, "none", None, 4, 0.05)
    assert registration.plan == msgspec.structs.replace(plan, repeats=2, metric="none", deadline=None)


def test_published_rows_say_what_became_of_their_runs(asked):
    asked.run("run_1")
    asked.run("run_2")
    asked.run("again", reproduces="run_1")
    shown = [PublishedRun(run_id=name, score=0.5, seq=2, hash="0" * 64) for name in ("run_1", "run_2")]
    row = PublishedRow(
        benchmark_id="b", comparison_key="c", revision="r", agent="a", provider="p", model="m", rank=1, score=0.5,
        low=0.4, runs=shown, attempts=3,
    )  # fmt: skip
    named = {"id": "reg_1", "standing": "open", "outcome": "open"}
    table = TablePublished(author="a", name="t", version=1, rules={"title": "T"}, rows=[row], registration=named)
    asked.say("table_t", table)
    asked.say("nothing", Reproduced(of=ReproducedRun(origin="o", run="run_1", hash="0" * 64), verdict="same", by="x"))
    checked = ReproducedRun(origin="o", run="run_1", hash="0" * 64)
    asked.say("again", Reproduced(of=checked, verdict="same", evidence={"score": 0.5, "score_again": 0.25}, by="b"))
    asked.say("run_2", Retracted(author="a", reason="r"))
    assert asked.sql("SELECT name, version, title, rows, registration_id, standing FROM published_tables") == [
        ("t", 1, "T", 1, "reg_1", "open")
    ]
    assert asked.sql("SELECT rank, score, low, high, attempts, run_ids, retracted, reproduced FROM published_rows") == [
        (1, 0.5, 0.4, None, 3, ["run_1", "run_2"], 1, 1)
    ]
    seen = "SELECT run_id, of_run, verdict, author, holds, score_of, score_again FROM reproductions"
    assert asked.sql(seen) == [("again", "run_1", "same", "b", True, 0.5, 0.25)]
    asked.say("again", Retracted(author="a", reason="r"))
    assert asked.sql("SELECT holds FROM reproductions") == [(False,)]
    assert asked.sql("SELECT reproduced FROM published_rows") == [(0,)]
