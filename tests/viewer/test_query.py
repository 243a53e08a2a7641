"""SQL through the API: results, the past, and refused queries."""

from __future__ import annotations

import gzip

from benchmarks.viewer.resources.examples import EXAMPLES


def ask(client, sql, **more):
    return client.simulate_post("/api/query", json={"sql": sql, **more})


def test_a_select_is_answered_now_and_for_the_past(client, add):
    add("run_a", 0.5)
    add("run_b", 0.9)
    sql = "SELECT run_id, score FROM runs ORDER BY score DESC"
    told = ask(client, sql).json
    assert [column["name"] for column in told["columns"]] == ["run_id", "score"]
    assert told["rows"] == [["run_b", 0.9], ["run_a", 0.5]] and told["truncated"] is False
    short = ask(client, sql, limit=1).json
    assert (len(short["rows"]), short["truncated"]) == (1, True)
    then = ask(client, sql, as_of="2").json
    assert then["rows"] == [["run_a", 0.5]] and then["head"]["past"]


def test_a_compressed_query_is_refused(client, add):
    add("run_a")
    bomb = gzip.compress(b'{"sql": "' + b"x" * 10_000_000)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    refused = client.simulate_post("/api/query", body=bomb, headers=headers)
    assert (refused.status_code, refused.json["title"]) == (415, "compressed body")


def test_a_bad_query_is_refused(client, add):
    add("run_a")
    for sql in ("SELEC 1", "DROP TABLE runs", "SELECT * FROM read_text('/etc/passwd')", "SELECT 1; SELECT 2"):
        refused = ask(client, sql)
        assert refused.status_code == 400 and refused.json["detail"]
        assert "root:" not in refused.text
    for body in ({}, {"sql": 1}, {"sql": "SELECT 1", "limit": 0}, {"sql": "SELECT 1", "more": 1}):
        assert client.simulate_post("/api/query", json=body).status_code == 400
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.simulate_post("/api/query", body="sql=SELECT+1", headers=form).status_code == 415
    foreign = {"Origin": "https://evil.example"}
    assert client.simulate_post("/api/query", json={"sql": "SELECT 1"}, headers=foreign).status_code == 403
    assert client.simulate_get("/api/query").status_code == 405


def test_every_view_and_every_example_has_a_result(client, add):
    add("run_a")
    told = client.simulate_get("/api/query/views").json
    assert {"runs", "score_history", "leaderboard"} <= {view["name"] for view in told["views"]}
    assert len(told["examples"]) == len(EXAMPLES)
    # As one query: each starts a process of its own. On four runs they may have no rows, but all are understood.
    together = " UNION ALL ".join(f"SELECT count(*) FROM ({example['sql']})" for example in told["examples"])
    assert ask(client, together).status_code == 200
