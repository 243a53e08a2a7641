"""Notifications: CloudEvents to a real server, and no server delays a campaign."""

from __future__ import annotations

import base64
import itertools
import json
import socket
import threading
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.cli import notification
from benchmarks.cli.notification import Notifier
from benchmarks.ledger.ledger import Ledger
from benchmarks.orchestrator.errors import UsageError


class Server(ThreadingHTTPServer):
    """Keeps the posted documents, and answers with `status` after `gate` is open."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.posted = []
        self.authorizations = []
        self.location = None
        self.status = 202
        self.gate = threading.Event()
        self.gate.set()
        self.url = f"http://127.0.0.1:{self.server_port}/hook?token=secret"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.server.authorizations.append(self.headers["Authorization"])
        self.server.gate.wait(30)
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()

    def do_GET(self):
        self.server.posted.append((self.path, "GET", None))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.gate.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def tell(store, histories):
    """Append a failed run and a successful one in a group; give each event to a notifier."""

    numbers = itertools.count()

    def tell(url):
        complaints = []
        notifier = Notifier(url, source=lambda: "ledger:here", complain=complaints.append)
        ledger = Ledger(store, on_append=notifier.tell)
        for end in (histories.failed(), histories.finished()):
            number = next(numbers)
            ledger.append(f"run_{number}", histories.started(str(number)))
            ledger.append(f"run_{number}", end)
        notifier.close()
        return complaints, list(store.read())

    return tell


def test_each_end_is_posted_as_a_cloud_event(server, tell):
    complaints, records = tell(server.url)
    assert complaints == []
    assert [path for path, _, _ in server.posted] == ["/hook?token=secret"] * 2
    assert {kind for _, kind, _ in server.posted} == {"application/cloudevents+json; charset=utf-8"}
    failed, finished = (document for _, _, document in server.posted)
    assert (failed["type"], finished["type"]) == ("benchmarks.failed", "benchmarks.finished")
    assert failed["data"]["reason"] == "exit_code"
    record = records[-1]
    for attribute in ("specversion", "id", "source", "type", "subject", "datacontenttype"):
        assert isinstance(finished[attribute], str) and finished[attribute], attribute
    assert finished["specversion"] == "1.0"
    assert (finished["source"], finished["subject"], finished["id"]) == ("ledger:here", record.stream, record.id)
    assert (finished["ledgerseq"], finished["ledgerhash"]) == (record.seq, record.hash)
    assert datetime.fromisoformat(finished["time"]).tzinfo is not None


def test_a_refused_notification_is_reported_once_and_without_the_secret_of_the_url(server, tell):
    server.status = 500
    complaints, records = tell(server.url)
    assert len(records) == 4 and len(server.posted) == 2
    assert len(complaints) == 1 and "failed of run_0 was not delivered to 127.0.0.1: " in complaints[0]
    assert "token" not in complaints[0]


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_answer_that_is_not_http_is_reported(tell):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            with listening.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-nothing\r\n")
            listening.close()

        thread = threading.Thread(target=answer)
        thread.start()
        [complaint], _ = tell(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        thread.join()
    assert "failed of run_0 was not delivered to 127.0.0.1: its answer is not HTTP" in complaint


def test_a_refused_connection_fails_no_run(tell):
    complaints, records = tell("http://127.0.0.1:9/")
    assert len(records) == 4
    assert len(complaints) == 1 and "refused" in complaints[0]


def test_a_server_that_never_answers_delays_the_end_for_a_limited_time(server, tell, monkeypatch):
    monkeypatch.setattr(notification, "TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr(notification, "MAX_CLOSING_SECONDS", 30.0)
    server.gate.clear()
    complaints, _ = tell(server.url)
    assert len(complaints) == 1 and "timed out" in complaints[0]
    assert len(server.posted) == 2, "the next one is still sent"


def test_a_notification_that_is_too_slow_at_the_end_is_dropped(server, tell, monkeypatch):
    monkeypatch.setattr(notification, "MAX_CLOSING_SECONDS", 0.05)
    server.gate.clear()
    complaints, _ = tell(server.url)
    assert complaints == ["--notify: 127.0.0.1 is too slow: the last notifications were not sent"]


@pytest.mark.parametrize("url", ["", "example.org", "file:///etc/passwd", "http://", "ftp://example.org/x"])
def test_a_url_that_is_not_http_is_refused(url):
    with pytest.raises(UsageError, match="--notify needs an http:// or https:// URL"):
        Notifier(url, source=str, complain=print)


def test_a_password_in_the_url_is_sent_to_the_server_only(server, tell):
    complaints, _ = tell(server.url.replace("://", "://me:p%40ss-w0rd@"))
    assert complaints == []
    assert server.authorizations == ["Basic " + base64.b64encode(b"me:p@ss-w0rd").decode()] * 2
    server.status = 500
    [complaint], _ = tell(server.url.replace("://", "://me:p%40ss-w0rd@").replace("127.0.0.1", "localhost"))
    assert "localhost" in complaint and "ss-w0rd" not in complaint


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server, tell, status):
    with Server() as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        server.status, server.location = status, other.url
        [complaint], _ = tell(server.url.replace("://", "://me:p4ss-word@"))
        other.shutdown()
        thread.join()
    assert "redirect" in complaint and other.url not in complaint
    assert other.posted == [] and other.authorizations == []


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://", "http://host:99999999/", "ftp://host", "host", "http://u:p@["]
)
def test_an_invalid_url_is_refused_and_not_shown(url):
    with pytest.raises(UsageError) as problem:
        Notifier(url, source=str, complain=print)
    assert "p@[" not in str(problem.value) and "[::1" not in str(problem.value)
