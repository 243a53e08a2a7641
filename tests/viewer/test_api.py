"""The viewer's API: every request has an answer or a clear error, and no path, header or text is trusted."""

from __future__ import annotations

import gzip
import json

import falcon.testing
import pytest

from benchmarks.ledger.events import Annotated, Heartbeat, HighScoreReference, NewEvent
from benchmarks.ledger.staleness import is_stale
from benchmarks.viewer.app import create_app
from benchmarks.viewer.index.orders import COLUMNS as SORTS

LOCAL = {"Host": "127.0.0.1:8877"}


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [run["run_id"] for run in answer.json["runs"]]


def test_an_empty_ledger_has_no_runs_and_nothing_is_made(client, workspace):
    assert client.simulate_get("/api/runs").json["runs"] == []
    assert client.simulate_get("/api/benchmarks").json["benchmarks"] == []
    assert client.simulate_get("/api/viewer-data").json["runs"] == []
    assert client.simulate_get("/healthz").text == "ok\n"
    assert not workspace.root.exists()


def test_the_page_and_its_files_are_served(client):
    page = client.simulate_get("/")
    assert page.headers["content-type"].startswith("text/html") and "<main" in page.text
    for path in ("/js/main.js", "/css/theme.css", "/icon.svg"):
        answer = client.simulate_get(path)
        assert answer.status_code == 200
        assert client.simulate_get(path, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_runs_are_sorted_by_any_column_with_missing_values_last(client, add):
    add("run_a", 0.5, start={"agent": "zeta"}, delta_to_high_score=-0.1)
    add("run_b", 0.9, start={"agent": "alpha"})
    add("run_c", end=False, start={"agent": "mid"})
    assert ids(client.simulate_get("/api/runs")) == ["run_c", "run_b", "run_a"]
    assert ids(client.simulate_get("/api/runs?sort=agent")) == ["run_b", "run_c", "run_a"]
    assert ids(client.simulate_get("/api/runs?sort=agent&desc=1")) == ["run_a", "run_c", "run_b"]
    assert ids(client.simulate_get("/api/runs?sort=run_id")) == ["run_a", "run_b", "run_c"]
    assert ids(client.simulate_get("/api/runs?sort=score")) == ["run_a", "run_b", "run_c"]
    assert ids(client.simulate_get("/api/runs?sort=score&desc=1")) == ["run_b", "run_a", "run_c"]
    assert ids(client.simulate_get("/api/runs?sort=delta&desc=1"))[0] == "run_a"
    for name in SORTS:
        assert sorted(ids(client.simulate_get(f"/api/runs?sort={name}"))) == ["run_a", "run_b", "run_c"]


def test_filters_facets_search_and_pages(client, add):
    add("run_a", start={"benchmark_id": "one", "model": "50%_off"})
    add("run_b", start={"benchmark_id": "two", "model": "plain"})
    add("run_c", start={"benchmark_id": "two"}, end=False)
    answer = client.simulate_get("/api/runs?benchmark=two&status=running")
    assert ids(answer) == ["run_c"]
    assert answer.json["facets"]["benchmark"] == {"two": 1}
    assert answer.json["facets"]["status"] == {"running": 1, "succeeded": 1}
    assert (answer.json["total"], answer.json["all"]) == (1, 3)
    assert ids(client.simulate_get("/api/runs", params={"q": "50%_"})) == ["run_a"]
    assert ids(client.simulate_get("/api/runs", params={"q": "%"})) == ["run_a"]
    assert ids(client.simulate_get("/api/runs", params={"q": "_b"})) == ["run_b"]
    assert ids(client.simulate_get("/api/runs", params={"q": "two plain"})) == ["run_b"]
    assert ids(client.simulate_get("/api/runs", params={"q": "x' OR 1=1 --"})) == []
    assert ids(client.simulate_get("/api/runs?limit=1&offset=1")) == ["run_b"]
    assert ids(client.simulate_get("/api/runs?offset=99999999")) == []


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("sort=1;drop", "sort: unknown column '1;drop'"),
        ("desc=yes", "desc: must be 0 or 1, got 'yes'"),
        ("status=done", "status: must be running or succeeded or failed"),
        ("benchmrk=one", "benchmrk: unknown parameter"),
        ("limit=many", "limit: 'many' is not a whole number"),
        ("limit=100000", "limit: must be from 1 to 1000, got 100000"),
        ("offset=-1", "offset: must be from 0"),
        ("offset=" + "9" * 40, "offset: "),
    ],
)
def test_a_bad_parameter_is_named(client, query, told):
    answer = client.simulate_get(f"/api/runs?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert told in answer.json["detail"]


def test_an_answer_is_sent_again_only_after_a_new_event(client, add):
    add("run_a")
    for path in ("/api/runs", "/api/viewer-data", "/api/benchmarks"):
        tag = client.simulate_get(path).headers["etag"]
        again = client.simulate_get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
    add("run_b")
    assert client.simulate_get("/api/runs", headers={"If-None-Match": tag}).status_code == 200


def test_large_answers_are_compressed_if_the_client_accepts_it(client, add):
    for number in range(10):
        add(f"run_{number}")
    plain = client.simulate_get("/api/runs")
    packed = client.simulate_get("/api/runs", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.content)) == plain.json
    assert len(packed.content) < len(plain.content) / 3


def test_a_run_with_its_attempts(client, add, store, histories):
    add("run_a", start={"signature": "same"}, high_score=HighScoreReference("x", 0.7, "y"), delta_to_high_score=-0.2)
    add("run_b", start={"signature": "same", "attempt": 2})
    about = client.simulate_get("/api/runs/run_a").json
    assert (about["run"]["score"], about["run"]["high_score_value"], about["stale"]) == (0.5, 0.7, False)
    assert [other["run_id"] for other in about["attempts"]] == ["run_b"]
    answer = client.simulate_get("/api/runs/run_nobody")
    assert answer.status_code == 404 and "run_nobody" in answer.json["detail"]


def test_a_run_without_a_heartbeat_is_stale(store, histories):
    from msgspec.structs import replace

    from benchmarks.ledger.history import History
    from benchmarks.ledger.identity import this_process

    histories.append_anyway(store, [NewEvent("run_a", histories.started(owner=this_process()))])
    run = History().read(store.read()).runs["run_a"]
    long_ago = "2020-01-01T00:00:00.000000Z"
    assert not is_stale(run)
    assert not is_stale(replace(run, last_seen_at=long_ago)), "its owner is this very process"
    assert is_stale(replace(run, last_seen_at=long_ago, owner=None))


def test_events_come_with_the_proof_of_their_chain(client, add, store):
    add("run_a")
    store.append(lambda _: [NewEvent("run_x", Annotated(author="a", note="between"))], lambda _: None)
    add("run_b", end=False)
    store.append(lambda _: [NewEvent("run_b", Heartbeat())], lambda _: None)
    for run_id, kinds in (("run_a", ["started", "finished"]), ("run_b", ["started", "heartbeat"])):
        events = client.simulate_get(f"/api/runs/{run_id}/events").json["events"]
        assert [event["type"] for event in events] == kinds
        assert all(event["chain_verified"] for event in events)
    [segment] = store.folder.glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b'"score":0.5', b'"score":0.9'))
    events = client.simulate_get("/api/runs/run_a/events").json["events"]
    assert [event["chain_verified"] for event in events] == [True, False]


def test_logs_are_plain_text_in_pieces(client, add):
    add("run_a", files={"stdout.log": b"<b>one</b>\ntwo\n" + b"\xff"})
    path = "/api/runs/run_a/logs/stdout"
    whole = client.simulate_get(path)
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    assert whole.content == b"<b>one</b>\ntwo\n\xff"
    piece = client.simulate_get(f"{path}?offset=3&limit=3")
    assert (piece.content, piece.headers["x-next-offset"], piece.headers["x-log-size"]) == (b"one", "6", "16")
    assert client.simulate_get(f"{path}?offset=-5").content == b"two\n\xff"
    assert client.simulate_get(f"{path}?offset=99999999").content == b""
    assert client.simulate_get("/api/runs/run_a/logs/stderr").content == b""
    assert client.simulate_get("/api/runs/run_a/logs/passwd").status_code == 404
    assert client.simulate_get(f"{path}?limit=99999999").status_code == 400


def test_artifacts_are_downloads(client, add):
    add("run_a", files={"output/result.json": b"{}", "output/deep/page.html": b"<script>"})
    answer = client.simulate_get("/api/runs/run_a/artifacts/output/deep/page.html")
    assert answer.content == b"<script>"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == 'attachment; filename="page.html"'
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "stdout.log",
        "../../../../secret.txt",
        "output/../../../../../secret.txt",
        "%2e%2e/%2e%2e/%2e%2e/%2e%2e/secret.txt",
        "..%2f..%2f..%2f..%2fsecret.txt",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "output/link",
        "output/nothing",
        "output/result.json%00",
    ],
)
def test_only_recorded_files_are_served(client, add, workspace, tmp_path, path):
    (tmp_path / "secret.txt").write_text("secret")
    add("run_a", files={"stdout.log": b"x", "output/result.json": b"{}", "output/link": b"was a file"})
    link = workspace.run_folder("rg_1", "b", "b", "run_a") / "output" / "link"
    link.unlink()
    link.symlink_to(tmp_path / "secret.txt")
    answer = client.simulate_get(f"/api/runs/run_a/artifacts/{path}")
    assert answer.status_code == 404
    assert "secret" not in answer.text.replace("secret.txt", "")


@pytest.mark.parametrize(
    "path", ["/../pyproject.toml", "/js/../app.py", "/app.py", "/js/%2e%2e/app.py", "/js/", "/etc/passwd"]
)
def test_only_the_files_of_the_page_are_served(client, path):
    assert client.simulate_get(path).status_code == 404


def test_a_run_whose_names_lead_elsewhere_leads_nowhere(client, add, store, histories, tmp_path):
    (tmp_path / "stdout.log").write_text("secret")
    start = histories.started("s", run_group_id="../..", benchmark_directory="..", benchmark_id="..")
    store.append(lambda _: [NewEvent("..", start)], lambda _: None)
    answer = client.simulate_get("/api/runs/../logs/stdout")
    assert "secret" not in answer.text
    assert "secret" not in client.simulate_get("/api/runs/%2e%2e/logs/stdout").text


def test_samples_can_be_filtered_and_paged(client, add):
    lines = [{"id": str(number), "correct": number % 3 == 0} for number in range(9)]
    content = "\n".join(json.dumps(line) for line in lines).encode() + b"\nnot json\n"
    add("run_a", files={"output/samples.jsonl": content})
    answer = client.simulate_get("/api/runs/run_a/samples").json
    assert answer["total"] == 9 and answer["samples"] == lines
    assert answer["unreadable"] == 1, "what cannot be shown is counted"
    right = client.simulate_get("/api/runs/run_a/samples?correct=1&offset=1&limit=1").json
    assert (right["total"], right["samples"]) == (3, [lines[3]])
    add("run_b")
    assert client.simulate_get("/api/runs/run_b/samples").json["total"] == 0


def test_benchmarks_are_summarised(client, add, store):
    from benchmarks.ledger.events import HighScorePublished

    add("run_a", 0.5)
    add("run_b", 0.9, synthetic=True)
    published = HighScorePublished(label="x", value=0.8, source="y")
    store.append(lambda _: [NewEvent("b", published)], lambda _: None)
    [row] = client.simulate_get("/api/benchmarks").json["benchmarks"]
    assert (row["best_score"], row["best_run_id"], row["latest_run_id"]) == (0.5, "run_a", "run_b")
    assert row["high_score"]["value"] == 0.8


def test_the_dataset_is_the_one_that_is_exported(client, add, store, workspace):
    from benchmarks.projections.sqlite.refresh import rebuild_all

    add("run_a")
    rebuild_all(workspace.database, workspace.viewer_data, store, notice=print)
    assert client.simulate_get("/api/viewer-data").json == json.loads(workspace.viewer_data.read_bytes())


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8877", "127.0.0.1.evil.example", ""])
def test_a_foreign_host_is_refused(client, host):
    answer = client.simulate_get("/api/runs", headers={"Host": host})
    assert answer.status_code == 403
    assert answer.json["title"] == "unknown host"


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost", "LOCALHOST:80", "[::1]:8877"])
def test_the_names_of_this_machine_are_known(client, host):
    assert client.simulate_get("/healthz", headers={"Host": host}).status_code == 200


def test_nothing_can_be_changed(client):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert client.simulate_request(method, "/api/runs").status_code == 405


def test_every_answer_has_the_security_headers(client):
    for path in ("/", "/api/runs", "/nowhere", "/js/main.js"):
        headers = client.simulate_get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_a_token_is_required_if_there_is_one(store, workspace):
    client = falcon.testing.TestClient(create_app(workspace.root, store, token="t0ken"), headers=LOCAL)
    assert client.simulate_get("/api/runs").status_code == 401
    assert client.simulate_get("/api/runs?token=wrong").status_code == 401
    answer = client.simulate_get("/?token=t0ken")
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert client.simulate_get("/api/runs", cookies={"viewer_token_80": "t0ken"}).status_code == 200


def test_reading_never_appends(client, add, store):
    add("run_a")
    before = [path.read_bytes() for path in sorted(store.folder.glob("*.jsonl"))]
    for path in ("/", "/api/runs", "/api/runs/run_a", "/api/runs/run_a/events", "/api/benchmarks", "/api/viewer-data"):
        assert client.simulate_get(path).status_code == 200
    assert [path.read_bytes() for path in sorted(store.folder.glob("*.jsonl"))] == before


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/js/main.js", "/api/runs", "/api/runs/run_a", "/api/runs/run_a/artifacts/output/x"]
)
def test_head_has_the_headers_of_get_and_no_body(client, add, path):
    add("run_a", files={"output/x": b"content"})
    whole, head = client.simulate_get(path), client.simulate_head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == whole.headers


@pytest.mark.parametrize("name", ["stdout.log", "output/samples.jsonl"])
def test_a_link_out_of_the_runs_folder_is_not_followed(client, add, workspace, tmp_path, name):
    secret = tmp_path / "secret"
    secret.write_text('{"id": "secret"}')
    add("run_a", files={"stdout.log": b"x", "output/samples.jsonl": b"{}"})
    file = workspace.run_folder("rg_1", "b", "b", "run_a") / name
    file.unlink()
    file.symlink_to(secret)
    for question in ("logs/stdout", "samples"):
        answer = client.simulate_get(f"/api/runs/run_a/{question}")
        assert "secret" not in answer.text
    if name == "stdout.log":
        refused = client.simulate_get("/api/runs/run_a/logs/stdout")
        assert refused.status_code == 404 and name in refused.json["detail"]
    else:
        told = client.simulate_get("/api/runs/run_a/samples").json
        assert told["samples"] == [] and "samples.jsonl" in told["problem"]


def test_a_run_becomes_stale_without_an_event(client, add, monkeypatch):
    monkeypatch.setattr("benchmarks.viewer.index.archive.SILENCE_EVERY", 0)
    add("run_a", end=False)
    for path in ("/api/runs", "/api/runs/run_a"):
        monkeypatch.setattr("benchmarks.ledger.staleness.STALE_SECONDS", 300)
        fresh = client.simulate_get(path)
        known = {"If-None-Match": fresh.headers["etag"]}
        assert client.simulate_get(path, headers=known).status_code == 304
        monkeypatch.setattr("benchmarks.ledger.staleness.STALE_SECONDS", -1)
        silent = client.simulate_get(path, headers=known)
        assert silent.status_code == 200
        row = silent.json["runs"][0] if path == "/api/runs" else silent.json
        assert row["stale"] is True
        assert (fresh.json["runs"][0] if path == "/api/runs" else fresh.json)["stale"] is False


def test_equal_values_keep_one_order_over_the_pages(client, add):
    for number in range(7):
        add(f"run_{number}", 0.5)
    for direction in ("0", "1"):
        query = f"/api/runs?sort=score&desc={direction}"
        pages = [client.simulate_get(f"{query}&limit=3&offset={offset}") for offset in (0, 3, 6)]
        assert [run_id for page in pages for run_id in ids(page)] == [f"run_{number}" for number in reversed(range(7))]


def test_every_error_says_what_is_wrong(client):
    for method, path in (("GET", "/nowhere"), ("POST", "/api/runs"), ("GET", "/api/runs/run_nobody")):
        answer = client.simulate_request(method, path)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["status"] == answer.status_code and answer.json["detail"]


def test_an_unreadable_ledger_is_reported(client, add, store):
    add("run_a")
    assert client.simulate_get("/api/runs/run_a/events").status_code == 200
    [segment] = store.folder.glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b'"type":"finished"', b'"type""finished"'))
    answer = client.simulate_get("/api/runs/run_a/events")
    assert (answer.status_code, answer.json["title"]) == (503, "the ledger is damaged")


def test_an_allowed_name_is_answered(store, workspace):
    from benchmarks.viewer.api.guard import LOOPBACK

    app = create_app(workspace.root, store, hosts=LOOPBACK | {"bench.example"})
    client = falcon.testing.TestClient(app)
    assert client.simulate_get("/healthz", headers={"Host": "Bench.Example:8877"}).status_code == 200
    refused = client.simulate_get("/healthz", headers={"Host": "evil.example"})
    assert refused.status_code == 403 and "--allowed-host" in refused.json["detail"]


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
def test_a_kept_answer_is_only_given_to_reading_requests(client, add, method):
    add("run_a")
    for _ in range(2):
        client.simulate_get("/api/runs")
    answer = client.simulate_request(method, "/api/runs")
    assert answer.status_code == (200 if method == "OPTIONS" else 405)
    assert "GET" in answer.headers["Allow"] and "run_a" not in answer.text


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "samples.jsonl is gone"),
        (b'{"id": "1", "correct": false}\n', "samples.jsonl is not the file that was recorded"),
        (b'{"id": "1", "correct": true }', "samples.jsonl is not the file that was recorded"),
    ],
    ids=["gone", "another size", "the same size"],
)
def test_samples_that_are_not_those_of_the_ledger_are_not_shown(client, add, workspace, content, problem):
    recorded = b'{"id": "1", "correct": true}\n'
    for run in ("run_a", "run_b"):
        add(run, files={"output/samples.jsonl": recorded})
    file = workspace.run_folder("rg_1", "b", "b", "run_a") / "output" / "samples.jsonl"
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    answer = client.simulate_get("/api/runs/run_a/samples")
    assert (answer.status_code, answer.json["samples"], answer.json["problem"]) == (200, [], problem)
    pairs = client.simulate_get("/api/compare/samples?a=run_b&b=run_a").json
    assert (pairs["samples"], pairs["problem"]) == ([], f"run_a: {problem}")
    assert client.simulate_get("/api/runs/run_b/samples").json["problem"] == ""


def test_a_sample_that_ended_in_an_error_is_not_an_incorrect_answer(client, add):
    lines = [
        {"id": "1", "correct": True},
        {"id": "2", "correct": False},
        {"id": "3", "correct": False, "error": "RateLimitError: 429"},
        {"id": "4", "score": 12.5},
        {"id": "5", "correct": True, "error": ""},
    ]
    content = b"\n".join(json.dumps(line).encode() for line in lines)
    add("run_a", files={"output/samples.jsonl": content})
    told = client.simulate_get("/api/runs/run_a/samples").json
    assert [told[name] for name in ("total", "right", "wrong", "errors", "unscored")] == [5, 2, 1, 1, 1]
    for query, ids in (("correct=0", ["2"]), ("outcome=error", ["3"]), ("outcome=unscored", ["4"])):
        told = client.simulate_get(f"/api/runs/run_a/samples?{query}").json
        assert [sample["id"] for sample in told["samples"]] == ids
