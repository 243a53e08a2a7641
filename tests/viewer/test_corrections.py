"""Corrections that visitors write: only with the token, only from the page, by the code of the command line."""

from __future__ import annotations

import contextlib
import json
import sqlite3

import falcon.testing
import pytest

from benchmarks.ledger.errors import LedgerUnwritable
from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.viewer.app import create_app

TOKEN = "a-token-for-these-tests"
LOCAL = {"Host": "127.0.0.1:8877"}
WRITE = {"Authorization": f"Bearer {TOKEN}", "X-Benchmarks-Write": "1", "Content-Type": "application/json"}
REMARK = {"kind": "annotate", "author": "Ada", "note": "slow"}
PATH = "/api/runs/run_1/corrections"


def client_of(workspace, store, *, token=TOKEN, open_ledger=None):
    opened = open_ledger or (lambda: Ledger(JsonlStore(workspace.ledger, notice=print)))
    return falcon.testing.TestClient(create_app(workspace.root, store, token=token, open_ledger=opened), headers=LOCAL)


@pytest.fixture
def store(workspace):
    store = JsonlStore(workspace.ledger, notice=print)
    yield store
    store.close()


@pytest.fixture
def client(workspace, store, add):
    samples = [{"id": f"q{number}", "score": number % 2} for number in range(1, 5)]
    add("run_1", 0.5, files={"output/samples.jsonl": b"".join(json.dumps(one).encode() + b"\n" for one in samples)})
    return client_of(workspace, store)


def write(client, body, **headers):
    return client.simulate_post(PATH, body=json.dumps(body), headers={**WRITE, **headers})


def head(store):
    return store.head().seq


def test_each_correction_is_appended_and_shown(client, store):
    corrections = [
        (REMARK | {"tags": ["a"]}, "annotated"),
        ({"kind": "retract", "author": "Ada", "reason": "wrong"}, "retracted"),
        ({"kind": "reinstate", "author": "Ada", "reason": "right"}, "reinstated"),
        ({"kind": "exclude", "author": "Ada", "reason": "key", "samples": ["q2", "q4"]}, "samples_excluded"),
        ({"kind": "include", "author": "Ada", "reason": "key"}, "samples_included"),
    ]
    for body, kind in corrections:
        before = head(store)
        answer = write(client, body)
        assert (answer.status_code, answer.json["type"], answer.json["seq"]) == (201, kind, before + 1)
        events = client.simulate_get("/api/runs/run_1/events", headers=WRITE).json["events"]
        assert (events[-1]["type"], events[-1]["data"]["author"]) == (kind, "Ada")
        if kind == "samples_excluded":
            run = client.simulate_get("/api/runs/run_1", headers=WRITE).json["run"]
            assert (run["score"], run["original_score"], run["excluded"]) == (1.0, 0.5, ["q2", "q4"])
            assert write(client, body).json["seq"] is None
    assert client.simulate_get("/api/runs/run_1", headers=WRITE).json["run"]["score"] == 0.5


def test_nothing_is_written_without_the_token(client, store, workspace):
    before = head(store)
    assert write(client, REMARK, Authorization="Bearer wrong").status_code == 401
    assert write(client, REMARK, Authorization="").status_code == 401
    for viewer in (
        client_of(workspace, store, token=None),
        falcon.testing.TestClient(create_app(workspace.root, store, token=TOKEN), headers=LOCAL),
    ):
        answer = write(viewer, REMARK)
        assert answer.status_code == 403 and "only reads" in answer.json["detail"]
        allowed = viewer.simulate_get("/api/corrections", headers=WRITE).json
        assert not allowed["may_write"] and "only reads" in allowed["reason"]
    assert client.simulate_get("/api/corrections", headers=WRITE).json["may_write"]
    assert head(store) == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"X-Benchmarks-Write": ""}, 403),
        ({"Content-Encoding": "gzip"}, 415),
    ],
)
def test_a_page_of_another_site_cannot_write(client, store, headers, status):
    before = head(store)
    cookie = {"Cookie": f"viewer_token_80={TOKEN}", "Authorization": ""}
    assert write(client, REMARK, **cookie).status_code == 201, "the page itself has a cookie"
    assert write(client, REMARK, **{**cookie, **headers}).status_code == status
    assert head(store) == before + 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"kind": "annotate", "author": "Ada"}, "the remark is empty"),
        ({"kind": "annotate", "note": "x"}, "the author is empty"),
        ({"kind": "retract", "author": "Ada", "reason": ""}, "length >= 1"),
        ({"kind": "retract", "author": "Ada", "reason": " "}, "the reason is empty"),
        ({"kind": "reinstate", "author": "Ada", "reason": "x"}, "is not retracted"),
        ({"kind": "exclude", "author": "Ada", "reason": "x", "samples": ["q_1"]}, "did you mean q1?"),
        ({"kind": "exclude", "author": "Ada", "reason": "x", "samples": []}, "no samples are named"),
        ({"kind": "include", "author": "Ada", "reason": "x"}, "are excluded"),
        ({"kind": "erase", "author": "Ada"}, "Invalid value 'erase'"),
        ({"author": "Ada"}, "missing required field `kind`"),
        ({"kind": "annotate", "author": "Ada", "note": "x", "more": 1}, "unknown field"),
        ({"kind": "annotate", "author": "A" * 201, "note": "x"}, "length <= 200"),
        ([], "Expected `object`"),
    ],
)
def test_a_correction_that_makes_no_sense_is_refused(client, store, body, reason):
    before = head(store)
    answer = write(client, body)
    assert answer.status_code == 400 and reason in answer.json["detail"], answer.json
    assert head(store) == before


def test_other_bodies_and_runs_are_refused(client, store):
    before = head(store)
    for body in (b"", b"{", b"\xff", b"[" * 100_000):
        assert client.simulate_post(PATH, body=body, headers=WRITE).status_code == 400
    assert client.simulate_post(PATH, body=b" " * (1024 * 1024 + 1), headers=WRITE).status_code == 413
    assert client.simulate_post("/api/runs/x/corrections", body=json.dumps(REMARK), headers=WRITE).status_code == 404
    assert client.simulate_get(PATH, headers=WRITE).status_code == 405
    assert head(store) == before


def test_a_ledger_that_cannot_be_written_says_so(workspace, store, client):
    def refuse():
        raise LedgerUnwritable("the folder is read-only. Nothing was recorded.")

    answer = write(client_of(workspace, store, open_ledger=refuse), REMARK)
    assert (answer.status_code, answer.json["title"]) == (403, "the ledger cannot be written")
    assert "read-only" in answer.json["detail"]


def test_a_user_whom_a_trusted_proxy_names_is_the_author(workspace, store, client):
    from benchmarks.viewer.api.visitor import USER

    answer = client.simulate_post(PATH, body=json.dumps(REMARK), headers=WRITE, extras={USER: "grace"})
    assert answer.status_code == 201
    run = client.simulate_get("/api/runs/run_1", headers=WRITE).json["run"]
    assert run["annotations"][-1]["author"] == "grace"


def test_a_campaign_says_which_score_is_without_samples(client, store, histories):
    histories.append_anyway(store, [NewEvent("rg_1", histories.opened())])
    before = head(store)
    write(client, {"kind": "exclude", "author": "Ada", "reason": "key", "samples": ["q2", "q4"]})
    [now] = client.simulate_get("/api/campaigns/rg_1", headers=WRITE).json["cells"]
    assert (now["score"], now["excluded"], now["attempts"]["attempts"]) == (1.0, 2, 1)
    [then] = client.simulate_get("/api/campaigns/rg_1", params={"as_of": before}, headers=WRITE).json["cells"]
    assert (then["score"], then["excluded"]) == (0.5, 0), "as of then, nothing was excluded"


def test_a_correction_brings_the_files_beside_the_ledger_up_to_date(client, store, workspace):
    write(client, {"kind": "exclude", "author": "Ada", "reason": "key", "samples": ["q2", "q4"]})
    [row] = json.loads(workspace.viewer_data.read_bytes())["runs"]
    assert (row["score"], row["excluded"]) == (1.0, ["q2", "q4"])
    with contextlib.closing(sqlite3.connect(workspace.database)) as database:
        assert database.execute("SELECT score FROM benchmark_runs").fetchall() == [(1.0,)]
    write(client, REMARK | {"author": "Bea"})
    [row] = json.loads(workspace.viewer_data.read_bytes())["runs"]
    assert row["annotations"][0]["author"] == "Bea"


def test_a_correction_stands_although_the_files_beside_the_ledger_cannot_be_written(client, store, workspace):
    client.simulate_get("/api/runs/run_1", headers=WRITE)
    workspace.viewer_data.unlink(missing_ok=True)
    workspace.viewer_data.mkdir()
    (workspace.viewer_data / "full").touch()
    before = head(store)
    assert (write(client, REMARK).status_code, head(store)) == (201, before + 1)
