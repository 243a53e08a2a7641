"""The viewer behind a reverse proxy: below a prefix, under another name, with the user that the proxy names."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.workspace import Workspace


@contextlib.contextmanager
def proxying(backend: str, prefix: str, way: str, **headers: str) -> Iterator[str]:
    """The address of a reverse proxy in front of a viewer."""
    program = [sys.executable, str(Path(__file__).with_name("reverse_proxy.py"))]
    arguments = [
        str(urlsplit(backend).port),
        prefix,
        way,
        *(f"{name.replace('_', '-')}={value}" for name, value in headers.items()),
    ]
    with subprocess.Popen([*program, *arguments], stdout=subprocess.PIPE, text=True) as proxy:
        try:
            assert proxy.stdout
            yield f"http://127.0.0.1:{int(proxy.stdout.readline())}{prefix}"
        finally:
            proxy.terminate()


def ask(url: str, path: str = "", method: str = "GET", body: str | None = None, **headers: str):
    """The status, the headers and the JSON of an answer, without following redirects."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, parts.path + path, body, named)
    answer = connection.getresponse()
    content = answer.read()
    with contextlib.suppress(ValueError):
        return answer.status, answer.headers, json.loads(content)
    return answer.status, answer.headers, content.decode()


@pytest.fixture
def history(tmp_path, histories) -> Workspace:
    workspace = Workspace(tmp_path / "workspace")
    store = JsonlStore(workspace.ledger, notice=print)
    ledger = Ledger(store)
    ledger.append("rg_1", histories.opened())
    ledger.append("run_b", histories.started("b"))
    ledger.append("run_b", histories.finished(score=0.5))
    ledger.append("run_a", histories.started("a"))
    folder = workspace.run_folder("rg_1", "b", "b", "run_a")
    folder.mkdir(parents=True)
    (folder / "stdout.log").write_text("a line of the log\n")
    return workspace


@pytest.mark.browser
@pytest.mark.parametrize("way", ["keep", "strip"])
def test_every_page_works_below_a_prefix(history, serving, browser, histories, way):
    with (
        serving(history.root, "--port", "0", "--prefix", "/team/benchmarks") as backend,
        proxying(backend, "/team/benchmarks", way) as url,
        contextlib.closing(browser.new_page()) as page,
    ):
        foreign: list[str] = []
        failed: list[str] = []
        page.on("request", lambda request: foreign.append(request.url) if not request.url.startswith(url) else None)
        page.on("response", lambda response: failed.append(response.url) if response.status >= 400 else None)
        page.on("pageerror", lambda problem: failed.append(str(problem)))
        page.goto(url if way == "keep" else f"{url}/")
        expect(page.locator("main h1, main h2").first).to_be_visible()
        assert page.url.split("#")[0] == f"{url}/"
        for place in ("#/runs", "#/benchmarks", "#/compare", "#/ask", "#/runs/run_a"):
            page.goto(f"{url}/{place}")
            page.wait_for_load_state("networkidle" if place != "#/runs/run_a" else "load")
        expect(page.get_by_text("a line of the log")).to_be_visible()
        # The stream tells the page about a new event.
        page.goto(f"{url}/#/runs")
        expect(page.get_by_text("running").first).to_be_visible()
        ledger = Ledger(JsonlStore(history.ledger, notice=print))
        ledger.append("run_a", histories.finished(score=0.875))
        expect(page.get_by_text("0.875").first).to_be_visible()
        assert (foreign, failed) == ([], [])


def test_the_prefix_is_told_by_the_proxy_or_the_option(history, serving):
    trusting = ("--port", "0", "--trusted-proxy", "127.0.0.1")
    with serving(history.root, *trusting) as backend, proxying(backend, "/x", "strip", X_Forwarded_Prefix="/x") as url:
        assert ask(url, "/api/openapi.json")[2]["servers"] == [{"url": "/x"}]
        assert ask(url, "/api/runs")[2]["total"] == 2
    with serving(history.root, *trusting, "--prefix", "/x") as backend, proxying(backend, "/x", "keep") as url:
        assert backend.endswith("/x/")
        assert ask(url, "/api/openapi.json")[2]["servers"] == [{"url": "/x"}]
        status, headers, _ = ask(url)
        assert (status, headers["Location"]) == (302, "/x/")
    with (
        serving(history.root, *trusting) as backend,
        proxying(backend, "/x", "strip", X_Forwarded_Prefix="//evil.example") as url,
    ):
        assert ask(url, "/api/runs")[0] == 400


def test_a_proxy_with_another_name_is_allowed_by_that_name_only(history, serving):
    forwarded = {"X_Forwarded_Host": "bench.example.org", "X_Forwarded_Proto": "https"}
    with (
        serving(history.root, "--port", "0", "--trusted-proxy", "127.0.0.0/8") as backend,
        proxying(backend, "", "keep", **forwarded) as url,
    ):
        status, _, problem = ask(url, "/api/runs")
        assert status == 403
        assert "--allowed-host" in problem["detail"]
    options = ("--port", "0", "--trusted-proxy", "127.0.0.0/8", "--allowed-host", "bench.example.org")
    with serving(history.root, *options) as backend, proxying(backend, "", "keep", **forwarded) as url:
        question = '{"sql": "SELECT 1 AS one"}'
        json_type = {"Content_Type": "application/json"}
        assert ask(url, "/api/query", "POST", question, Origin="https://bench.example.org", **json_type)[0] == 200
        for origin in ("https://evil.example", "https://bench.example.org.evil.example", "http://127.0.0.1", "null"):
            assert ask(url, "/api/query", "POST", question, Origin=origin, **json_type)[0] == 403
        # Who reaches the viewer past the proxy does not get its name.
        assert ask(backend.rstrip("/"), "/api/runs", Host="evil.example")[0] == 403


def test_headers_of_an_untrusted_peer_have_no_effect(history, serving):
    spoofed = {
        "X_Forwarded_Host": "bench.example.org",
        "X_Forwarded_Prefix": "/evil",
        "X_Forwarded_For": "10.0.0.1",
        "X_Forwarded_Proto": "https",
        "X_Forwarded_User": "admin",
        "Forwarded": "host=bench.example.org",
    }
    options = ("--port", "0", "--trusted-proxy", "10.9.9.9", "--user-header", "X-Forwarded-User")
    with serving(history.root, *options) as backend:
        assert ask(backend.rstrip("/"), "/api/openapi.json", **spoofed)[2]["servers"] == [{"url": "/"}]
        assert ask(backend.rstrip("/"), "/api/runs", **spoofed)[0] == 200  # The Host is still ours.


def test_a_user_whom_the_proxy_names_needs_no_token(history, serving, tmp_path):
    token = "a-token-that-is-long-enough"
    (tmp_path / "token").write_text(f"{token}\n")
    options = ("--port", "0", "--token-file", str(tmp_path / "token"), "--user-header", "X-Forwarded-User")
    with serving(history.root, *options, "--trusted-proxy", "127.0.0.1") as backend:
        assert token not in backend
        with proxying(backend, "", "keep", X_Forwarded_User="alice") as url:
            assert ask(url, "/api/runs")[0] == 200
        for names in ("alice,mallory", "\x07", "x" * 201):
            with proxying(backend, "", "keep", X_Forwarded_User=names) as url:
                assert ask(url, "/api/runs")[0] == 400
        with proxying(backend, "", "keep") as url:
            assert ask(url, "/api/runs")[0] == 401
            assert ask(url, "/api/runs", Authorization=f"Bearer {token}")[0] == 200
    with serving(history.root, *options, "--trusted-proxy", "10.9.9.9") as backend:
        assert ask(backend.rstrip("/"), "/api/runs", X_Forwarded_User="alice")[0] == 401


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--trusted-proxy", "proxy.example"], "is not an address or a network"),
        (["--user-header", "X-User"], "no effect without --trusted-proxy"),
        (["--user-header", "Cookie", "--trusted-proxy", "10.0.0.1"], "cannot be the header"),
        (["--prefix", "benchmarks"], "write it like /benchmarks"),
        (["--prefix", "/api"], "must not begin with a path of the viewer"),
        (["--prefix", "/a/../b"], "cannot be the path"),
        (["--token-file", "/no/such/file"], "cannot be read"),
    ],
)
def test_a_bad_setting_is_refused(bench, options, told):
    said = bench("serve-viewer", "--port", "0", *options, code=2).stderr
    assert told in re.sub(r"\s+", " ", said)
    assert "\nhint: " in said
