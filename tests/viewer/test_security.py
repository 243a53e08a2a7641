"""Attacks: other sites and names, requests without the token, paths that lead out, text that would be code."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import os
import re
from urllib.parse import quote

import falcon.testing
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ledger.events import NewEvent
from benchmarks.viewer.api.guard import LOOPBACK, host_name
from benchmarks.viewer.app import create_app
from benchmarks.viewer.offline.file import write_page

LOCAL = {"Host": "127.0.0.1:8877"}


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://127.0.0.1.evil.example",
        "null",
        "http://[",
        "http://evil@x",
        "",
        "http://127.0.0.1:3000",
    ],
)
def test_a_request_of_another_site_is_refused(client, origin):
    answer = client.simulate_get("/api/runs", headers={"Origin": origin})
    assert (answer.status_code, answer.json["title"]) == (403, "unknown origin")
    assert "access-control-allow-origin" not in answer.headers
    assert client.simulate_options("/api/runs", headers={"Origin": origin}).status_code == 403


def test_requests_of_the_own_page_are_answered(client):
    for host in ("127.0.0.1:8877", "LOCALHOST:1", "[::1]:8877", "localhost"):
        headers = {"Host": host, "Origin": f"http://{host}"}
        assert client.simulate_get("/api/runs", headers=headers).status_code == 200


def test_a_page_behind_a_proxy_is_answered_under_the_allowed_name(store, workspace):
    client = falcon.testing.TestClient(create_app(workspace.root, store, hosts=LOOPBACK | {"bench.example"}))

    def asked(host, origin):
        return client.simulate_get("/api/runs", headers={"Host": host, "Origin": origin}).status_code

    assert asked("127.0.0.1:8877", "https://bench.example") == 200
    assert asked("bench.example", "https://bench.example") == 200
    assert asked("bench.example", "https://bench.example:8000") == 403
    assert asked("127.0.0.1:8877", "https://other.example") == 403


def test_another_site_may_link_to_the_viewer_but_not_use_it(client):
    def fetched(mode):
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode}
        return client.simulate_get("/api/viewer-data", headers=headers).status_code

    assert (fetched("no-cors"), fetched("cors"), fetched("navigate")) == (403, 403, 200)


def test_a_rebound_name_is_refused_with_a_hint(client):
    answer = client.simulate_get("/", headers={"Host": "rebound.example:8877"})
    assert answer.status_code == 403 and "--allowed-host" in answer.json["detail"]


def test_without_the_token_only_the_health_is_answered(store, workspace, add):
    add("run_a", files={"output/x": b"content"})
    client = falcon.testing.TestClient(create_app(workspace.root, store, token="t0ken"), headers=LOCAL)
    assert client.simulate_get("/healthz").status_code == 200
    paths = ["/", "/js/main.js", "/metrics", "/api/openapi.json", "/api/runs", "/api/stream", "/api/viewer-data"]
    for path in [*paths, "/api/runs/run_a/artifacts/output/x", "/nowhere"]:
        assert client.simulate_get(path).status_code == 401, path
    for wrong in ("Bearer wrong", "Basic t0ken", "Bearer", "t0ken", "Bearer t0ken\u00e9", "bearer  "):
        assert client.simulate_get("/api/runs", headers={"Authorization": wrong}).status_code == 401
    assert client.simulate_get("/api/runs?token=t0ken&token=t0ken").status_code == 401
    assert client.simulate_get("/api/runs", headers={"Cookie": "viewer_token_80="}).status_code == 401
    assert client.simulate_get("/api/runs", headers={"Authorization": "Bearer t0ken"}).status_code == 200
    # What was remembered for who has it is not given to who has not.
    assert client.simulate_get("/api/runs").status_code == 401


def test_two_viewers_of_one_host_have_a_cookie_each(store, workspace):
    client = falcon.testing.TestClient(create_app(workspace.root, store, token="t0ken"), headers=LOCAL)
    asked = client.simulate_get("/?token=t0ken", port=8877, host="127.0.0.1")
    [cookie] = asked.cookies.values()
    assert (cookie.name, cookie.value) == ("viewer_token_8877", "t0ken")
    assert cookie.http_only and cookie.path == "/" and asked.headers["set-cookie"].endswith("SameSite=Strict")
    both = {"viewer_token_8877": "t0ken", "viewer_token_8878": "of another"}
    assert client.simulate_get("/api/runs", port=8877, cookies=both).status_code == 200
    assert client.simulate_get("/api/runs", port=8878, cookies=both).status_code == 401


def test_the_token_is_compared_in_constant_time(monkeypatch, store, workspace):
    import hmac

    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    client = falcon.testing.TestClient(create_app(workspace.root, store, token="t0ken"), headers=LOCAL)
    assert client.simulate_get("/api/runs", cookies={"viewer_token_80": "guess"}).status_code == 401
    assert (b"guess", b"t0ken") in compared


@pytest.mark.parametrize("view", ["", "?view=text"])
@pytest.mark.parametrize(
    "path",
    [
        "..",
        ".",
        "output",
        "output/",
        "output/../output/result.json",
        "output//result.json",
        "./output/result.json",
        "output%2f..%2f..%2fsecret.txt",
        "output/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/secret.txt",
        "%252e%252e%252fsecret.txt",
        "..%5c..%5csecret.txt",
        "output/result.json%00.txt",
        "%00",
        "%c0%ae%c0%ae/secret.txt",
        "output/pipe",
        "output/folder",
        "output/linked/secret.txt",
        "output/loop",
    ],
)
def test_no_path_leads_out_of_the_runs_folder(client, add, workspace, tmp_path, path, view):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret.txt").write_text("the secret")
    names = ("result.json", "pipe", "folder", "linked/secret.txt", "loop")
    add("run_a", files={f"output/{name}": b"{}" for name in names})
    output = workspace.run_folder("rg_1", "b", "b", "run_a") / "output"
    for name in ("pipe", "folder", "loop", "linked/secret.txt"):
        (output / name).unlink()
    os.mkfifo(output / "pipe")  # Without a writer: opening it must not wait.
    (output / "folder").mkdir()
    (output / "linked").rmdir()
    (output / "linked").symlink_to(tmp_path / "elsewhere")
    (output / "loop").symlink_to(output / "loop")
    answer = client.simulate_get(f"/api/runs/run_a/artifacts/{path}{view}")
    assert answer.status_code == 404
    assert "the secret" not in answer.text


def test_a_link_that_appears_late_is_not_followed(client, add, workspace, tmp_path, monkeypatch):
    from benchmarks.ledger import run_files as files

    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.txt").write_text("the secret")
    add("run_a", files={"output/deep/x.txt": b"honest"})
    folder = workspace.run_folder("rg_1", "b", "b", "run_a") / "output" / "deep"
    opened = files._open_below

    def swap_and_open(root, path):
        (folder / "x.txt").unlink()
        folder.rmdir()
        folder.symlink_to(tmp_path / "elsewhere")
        return opened(root, path)

    monkeypatch.setattr(files, "_open_below", swap_and_open)
    answer = client.simulate_get("/api/runs/run_a/artifacts/output/deep/x.txt")
    assert answer.status_code == 404 and "the secret" not in answer.text


def test_data_that_are_nested_deep_stop_no_answer(client, add):
    """Those that can be read can nearly all be given; the deepest get an answer that says why not."""
    depths = (10, 300, 600, 900, *range(930, 1000, 4))
    rows = []
    for depth in depths:
        call = '[{"type": "tool_use", "name": "t", "result": ' * depth + "1" + "}]" * depth
        rows.append(f'{{"id": "{depth}", "messages": [{{"role": "user", "content": {call}}}]}}')
        rows.append(f'{{"id": "list {depth}", "input": {"[" * depth + "]" * depth}}}')
    samples = "\n".join(rows).encode()
    add("run_a", files={"output/samples.jsonl": samples, "output/trajectories.jsonl": rows[4].encode()})
    asked = [f"sample?id={name}" for n in depths for name in (n, f"list {n}")]
    asked += ["samples?brief=1", "samples", "trajectories", *(f"samples?id=list {n}" for n in depths)]
    statuses = {path: client.simulate_get(f"/api/runs/run_a/{path}").status_code for path in asked}
    assert set(statuses.values()) <= {200, 404, 422}, statuses
    assert {statuses["sample?id=300"], statuses["samples?brief=1"], statuses["trajectories"]} == {200}


def test_files_of_a_benchmark_are_downloads_or_sandboxed_text(client, add):
    page = b"<script>alert(1)</script>"
    add("run_a", files={"output/page.html": page, "output/pic.svg": page, "stdout.log": page, "stderr.log": page})
    for name in ("page.html", "pic.svg"):
        kept = client.simulate_get(f"/api/runs/run_a/artifacts/output/{name}")
        assert kept.headers["content-type"] == "application/octet-stream"
        assert kept.headers["content-disposition"].startswith("attachment")
    texts = ["artifacts/output/page.html?view=text", "logs/stdout", "logs/stderr"]
    for path in texts:
        answer = client.simulate_get(f"/api/runs/run_a/{path}")
        assert answer.content == page
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")


def test_a_files_name_cannot_add_a_header(client, add):
    add("run_a", files={'output/a"b\r\nX-Evil: 1;.txt': b"x"})
    answer = client.simulate_get("/api/runs/run_a/artifacts/output/a%22b%0d%0aX-Evil:%201;.txt")
    assert answer.status_code == 200 and "x-evil" not in answer.headers
    assert answer.headers["content-disposition"] == 'attachment; filename="a_b__X-Evil__1_.txt"'


def test_text_of_a_benchmark_is_not_a_formula_in_a_spreadsheet(client, add):
    add("run_a", -0.5, start={"model": '=HYPERLINK("http://evil.example")', "agent": "@SUM(A1)"})
    answer = client.simulate_get("/api/runs?format=csv")
    [row] = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert row["model"].startswith("'=") and row["agent"].startswith("'@")
    assert row["score"] == "-0.5", "a number is none"
    assert answer.headers["content-disposition"] == 'attachment; filename="runs.csv"'


def test_text_of_a_ledger_is_only_text_in_an_error(client):
    answer = client.simulate_get("/api/runs/<script>alert(1)</script>")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "query",
    ["q=" + "x" * 2001, "model=" + "x" * 2001, "cursor=" + "A" * 2001, "limit=1&limit=2", "limit=" + "9" * 30, "a=1"],
)
def test_a_request_has_limits(client, query):
    assert client.simulate_get(f"/api/runs?{query}").status_code == 400


@pytest.mark.parametrize(
    "cursor",
    [
        "!!!",
        "AAAA",
        "é",
        "W10",
        "bnVsbA",
        "W1tbInN0YXJ0ZWQiLHRydWVdXSxbMV0sMF0",
        "W1tbInN0YXJ0ZWQiLHRydWVdXSxbXSwwXQ",
        # More than it has, nested too deep to be read.
        base64.urlsafe_b64encode(b'[[["started",true]],[1],0,' + b"[" * 1400).decode(),
    ],
)
def test_an_invented_cursor_is_refused(client, add, cursor):
    add("run_a")
    add("run_b")
    answer = client.simulate_get("/api/runs", params={"cursor": cursor})
    assert (answer.status_code, answer.json["title"]) == (400, "bad parameter cursor")


OWN = ("127.0.0.1", "localhost", "::1")


@pytest.mark.parametrize(
    "host",
    [
        "[::1]evil.com",
        "[::1].evil.com",
        "[::1]:80.evil.com",
        "[::1",
        "::1",
        "::1]",
        "[::1]]",
        "[[::1]]",
        "[::1%25eth0]",
        "localhost:80:80",
        "localhost:",
        "localhost:8x",
        "localhost:888888",
        "localhost/evil.com",
        "localhost evil.com",
        "localhost@evil.com",
        "evil.com@localhost",
        "localhost#evil.com",
        "localhost?evil.com",
        "localhost\\evil.com",
        "localhost,evil.com",
        "localhost.",
        "localhost\u0131",
        "[127.0.0.1]",
        "127.1",
        "",
        ":80",
        "[]",
    ],
)
def test_a_host_that_begins_or_ends_like_the_own_is_refused(client, host):
    assert client.simulate_get("/api/runs", headers={"Host": host}).status_code == 403
    own = {"Host": "localhost:8877"}
    for origin in (f"http://{host}", f"http://{host}:8877", host, f"//{host}"):
        assert client.simulate_get("/api/runs", headers={**own, "Origin": origin}).status_code == 403, origin


@given(st.text(alphabet=st.sampled_from("[]:/@?#%\\., \t019azlocahst"), max_size=20))
def test_the_whole_name_of_a_host_is_compared(text):
    """Whatever is taken for a name of ours is that name, perhaps with a port, and nothing else."""
    for host in [text, *(f"{name}{text}" for name in OWN), *(f"[{name}]{text}" for name in OWN), f"{text}localhost"]:
        name = host_name(host)
        if name in OWN:
            port = host.lower().replace(f"[{name}]" if ":" in name else name, "", 1)
            assert port == "" or (port[0] == ":" and port[1:].isdecimal()), host


@pytest.mark.parametrize("run_id", ["a/b", "/", "a%2Fb", "a b?c#d", "..%2f", "ü/é\n", "a//b", "q'\"<>&", "a(b)!*"])
def test_an_id_may_contain_any_character(store, workspace, add, histories, run_id):
    histories.append_anyway(
        store,
        [
            NewEvent(run_id, histories.started(benchmark_id=run_id, benchmark_directory="x")),
            NewEvent(run_id, histories.finished(0.5)),
        ],
    )
    client = falcon.testing.TestClient(create_app(workspace.root, store), headers=LOCAL)
    part = quote(run_id, safe="")
    assert client.simulate_get(f"/api/runs/{part}").json["run"]["run_id"] == run_id
    assert len(client.simulate_get(f"/api/runs/{part}/events").json["events"]) == 2
    assert client.simulate_get(f"/api/benchmarks/{part}").json["benchmark_id"] == run_id
    assert client.simulate_get(f"/api/runs/{part}/logs/stdout").status_code == 200
    workspace.root.mkdir(exist_ok=True)
    page = workspace.root / "page.html"
    assert write_page(workspace.root, store, page, details=10, with_charts=False) == 1
    found = re.search(r'<script type="application/gzip" id="data">([\w+/=]*)</script>', page.read_text())
    inside = json.loads(gzip.decompress(base64.b64decode(found[1])))
    held = json.dumps(inside)
    javascript = quote(run_id, safe="!'()*")  # encodeURIComponent
    assert json.dumps(f"/api/benchmarks/{javascript}") in held
    assert json.dumps(run_id) in held


def test_the_address_loses_the_token_before_the_page_is_sent(store, workspace):
    client = falcon.testing.TestClient(create_app(workspace.root, store, token="t0ken"), headers=LOCAL)
    typed = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}
    led = client.simulate_get("/?token=t0ken&as_of=5", headers=typed)
    # The address is relative, since a proxy may serve the page below a prefix.
    assert (led.status_code, led.headers["location"]) == (303, "./?as_of=5")
    [cookie] = led.cookies.values()
    assert client.simulate_get("/?as_of=5", headers=typed, cookies={cookie.name: cookie.value}).status_code == 200
    assert client.simulate_get("/?token=wrong", headers=typed).status_code == 401
    # A program that asks with the token is answered where it asks.
    assert client.simulate_get("/api/runs?token=t0ken").status_code == 200
    assert client.simulate_get("/?token=t0ken").status_code == 200
    # After a link on another site the browser would not bring the cookie along.
    from_elsewhere = {**typed, "Sec-Fetch-Site": "cross-site"}
    assert client.simulate_get("/?token=t0ken", headers=from_elsewhere).status_code == 200
