"""Every example of the SQL page works on the history of a team, and a workspace can keep queries of its own."""

from __future__ import annotations

import contextlib

from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.analytics.query import run_query
from benchmarks.projections.analytics.sandbox import Limits
from benchmarks.viewer.resources.examples import EXAMPLES, saved_queries

NOT_IN_THE_DEMO = ("FROM registrations", "FROM published_rows", "FROM reproductions")
"""Views of which the history of the team has nothing."""


def test_each_example_has_an_answer(team):
    parts = [f"SELECT {place} AS place, count(*) AS rows FROM ({one.sql})" for place, one in enumerate(EXAMPLES)]
    with contextlib.closing(JsonlStore(team.ledger, notice=print)) as store:
        found = run_query(team, store, " UNION ALL ".join(parts), Limits(seconds=120, rows=1000))
    empty = {EXAMPLES[place].title for place, rows in found.rows if not rows}
    assert len(found.rows) == len(EXAMPLES)
    assert empty <= {one.title for one in EXAMPLES if any(view in one.sql for view in NOT_IN_THE_DEMO)}


def test_there_is_an_example_for_each_kind_of_question():
    assert len(EXAMPLES) >= 15
    assert len({example.title for example in EXAMPLES}) == len(EXAMPLES)


def test_saved_queries_are_those_of_the_workspace(client, workspace, tmp_path):
    folder = workspace.root / "queries"
    folder.mkdir(parents=True)
    (folder / "b.sql").write_text("-- My question\nSELECT 1")
    (folder / "a.sql").write_text("SELECT 2")
    (folder / "empty.sql").write_text("\n")
    (folder / "bad.sql").write_bytes(b"\xff\xfe")
    (folder / "long.sql").write_text("x" * 200_000)
    (folder / "notes.txt").write_text("SELECT 3")
    secret = tmp_path / "secret"
    secret.write_text("SELECT 'secret'")
    (folder / "link.sql").symlink_to(secret)
    assert [(one.title, one.kind) for one in saved_queries(workspace.root)] == [
        ("a", "saved"),
        ("My question", "saved"),
    ]
    listed = client.simulate_get("/api/query/views").json["examples"]
    assert [one["title"] for one in listed[:3]] == ["a", "My question", EXAMPLES[0].title]
