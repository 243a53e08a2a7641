"""The limit of calls in flight: it holds for foreign code, on other machines, after a 429 and after a crash."""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest

from benchmarks.orchestrator.errors import UsageError
from benchmarks.orchestrator.models.concurrency import Concurrency, parse_concurrency
from benchmarks.orchestrator.models.gate import Gate, GateClosed, RemoteGate, serving
from benchmarks.orchestrator.models.providers import Endpoint, find_provider
from benchmarks.orchestrator.models.proxy import _seconds, proxied
from tests.counting_server import counting_server
from tests.waiting import until


@pytest.fixture
def counting():
    with counting_server() as counting:
        yield counting


def post(base_url, payload=None, timeout=60):
    request = urllib.request.Request(f"{base_url}/chat/completions", json.dumps(payload or {}).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return answer.status, answer.read()


def all_at_once(base_url, number):
    with concurrent.futures.ThreadPoolExecutor(number) as pool:
        return list(pool.map(lambda n: post(base_url, {"n": n}), range(number)))


@pytest.mark.parametrize("kind", ["here", "elsewhere"])
def test_no_more_calls_than_the_limit_are_in_flight(counting, kind):
    gate = Gate({counting.base_url: 3})
    with serving(gate, {counting.base_url: 3}, "127.0.0.1") as address:
        gates = [gate, gate] if kind == "here" else [RemoteGate(address), RemoteGate(address)]
        # Two proxies, as on two machines.
        with (
            proxied(counting.base_url, gates[0]) as one,
            proxied(counting.base_url, gates[1]) as other,
            concurrent.futures.ThreadPoolExecutor(2) as pool,
        ):
            answers = [*pool.map(all_at_once, (one, other), (12, 12))]
    assert {status for some in answers for status, _ in some} == {200}
    assert counting.calls == 24 and counting.most == 3, "as many as allowed, and not more"


def test_a_request_and_its_answer_pass_unchanged(counting):
    with proxied(counting.base_url, Gate({counting.base_url: 1})) as proxy:
        request = urllib.request.Request(
            f"{proxy}/x?y=1", b'{"a": [1]}', {"Authorization": "Bearer key"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.load(answer) == {"path": "/v1/x?y=1", "echo": {"a": [1]}}
            assert answer.headers["Content-Type"] == "application/json"
    assert counting.keys == {"Bearer key"}


def test_an_answer_is_streamed_as_it_comes(counting):
    counting.hold = 0
    with proxied(counting.base_url, Gate({counting.base_url: 1})) as proxy:
        parts = urlsplit(proxy)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        connection.request("POST", parts.path, b'{"stream": true}')
        answer = connection.getresponse()
        pieces = [answer.read1(), answer.read()]
        connection.close()
    assert pieces == [b"data: one\n\n", b"data: two\n\n"]


@pytest.mark.parametrize(
    "torn",
    [b"Content-Length: 100\r\n\r\nthe beginning", b"Transfer-Encoding: chunked\r\n\r\nd\r\nthe beginning\r\n"],
    ids=["length", "chunks"],
)
def test_a_torn_answer_stays_torn_and_is_not_filled_up(torn):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer_once() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + torn)

        threading.Thread(target=answer_once, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        with proxied(url, Gate({url: 1})) as proxy, pytest.raises(http.client.IncompleteRead) as incomplete:
            post(proxy, timeout=10)
    assert incomplete.value.partial == b"the beginning"


def test_a_request_in_chunks_is_forwarded(counting):
    with proxied(counting.base_url, Gate({counting.base_url: 1})) as proxy:
        parts = urlsplit(proxy)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        connection.request("POST", parts.path, iter([b'{"a":', b" 2}"]), encode_chunked=True)
        assert json.load(connection.getresponse())["echo"] == {"a": 2}
        connection.close()


def test_a_429_stops_the_calls_of_every_run_until_the_named_time(counting):
    counting.refusals, counting.retry_after, counting.hold = 1, "1", 0
    gate = Gate({counting.base_url: 4})

    def lets_nobody_go() -> bool:
        try:
            with gate.enter(counting.base_url, lambda: True):
                return False
        except GateClosed:
            return True

    with proxied(counting.base_url, gate) as one, proxied(counting.base_url, gate) as other:
        assert post(one)[0] == 200, "the proxy sends the refused call again"
        [refused] = counting.refused_at
        counting.refusals, counting.retry_after = 1, "1"
        threads = [threading.Thread(target=post, args=(proxy,)) for proxy in (one, other)]
        threads[0].start()
        until(lambda: len(counting.refused_at) == 2 and lets_nobody_go())
        threads[1].start()
        for thread in threads:
            thread.join(30)
    assert counting.begun_at[0] - refused >= 1.0
    assert min(counting.begun_at[1:]) - counting.refused_at[1] >= 1.0, "no call of any run went before"


def test_a_quota_that_is_used_up_is_passed_on_at_once(counting):
    counting.refusals, counting.quota, counting.retry_after = 99, True, "0"
    with (
        proxied(counting.base_url, Gate({counting.base_url: 1})) as proxy,
        pytest.raises(urllib.error.HTTPError) as refused,
    ):
        post(proxy)
    assert refused.value.code == 429 and b"insufficient_quota" in refused.value.read() and counting.calls == 1


def test_a_429_that_does_not_end_is_passed_on(counting):
    counting.refusals, counting.retry_after = 99, "0"
    with (
        proxied(counting.base_url, Gate({counting.base_url: 1})) as proxy,
        pytest.raises(urllib.error.HTTPError) as refused,
    ):
        post(proxy)
    assert refused.value.code == 429 and counting.calls == 9


def test_the_place_of_a_killed_machine_is_free_again(counting):
    gate = Gate({"e": 1})
    code = (
        "import sys, time, msgspec\n"
        "from benchmarks.orchestrator.models.gate import GateAddress, RemoteGate\n"
        "with RemoteGate(msgspec.json.decode(sys.argv[1], type=GateAddress)).enter('e', lambda: False):\n"
        "    print('in', flush=True); time.sleep(600)\n"
    )
    import msgspec

    with serving(gate, {"e": 1}, "127.0.0.1") as address:
        other = subprocess.Popen(
            [sys.executable, "-c", code, msgspec.json.encode(address).decode()], stdout=subprocess.PIPE, text=True
        )
        assert other.stdout.readline() == "in\n"
        with pytest.raises(GateClosed), gate.enter("e", lambda: True):
            pass
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        with RemoteGate(address).enter("e", lambda: False):
            pass


def test_a_caller_that_went_away_takes_no_place(counting):
    counting.hold = 0.5
    waiting = []

    class Watched(Gate):
        def enter(self, *arguments):
            waiting.append(arguments)
            return super().enter(*arguments)

    with proxied(counting.base_url, Watched({counting.base_url: 1})) as proxy:
        first = threading.Thread(target=post, args=(proxy,))
        first.start()
        until(lambda: counting.flying)
        parts = urlsplit(proxy)
        gone = socket.create_connection((parts.hostname, parts.port))
        gone.sendall(b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        until(lambda: len(waiting) == 2)
        gone.close()
        first.join(30)
        assert post(proxy)[0] == 200
    assert counting.calls == 2


def test_strangers_do_not_get_through_the_server_of_a_gate():
    with serving(Gate({"e": 1}), {"e": 1}, "127.0.0.1") as address:
        for line in (b'{"token": "wrong", "endpoint": "e"}\n', b"nonsense\n", b"x" * 10_000 + b"\n"):
            with socket.create_connection((address.host, address.port), 10) as connection:
                connection.settimeout(10)
                with contextlib.suppress(OSError):  # The server may have closed the connection already.
                    connection.sendall(line)
                    connection.shutdown(socket.SHUT_WR)
                    assert connection.recv(10) == b""


def test_an_endpoint_that_is_down_and_a_gate_that_is_gone_are_answers():
    with socket.create_server(("127.0.0.1", 0)) as free:
        nothing = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with proxied(nothing, Gate({nothing: 1})) as proxy, pytest.raises(urllib.error.HTTPError) as down:
        post(proxy)
    assert down.value.code == 502
    with serving(Gate({nothing: 1}), {nothing: 1}, "127.0.0.1") as address:
        pass
    with proxied(nothing, RemoteGate(address)) as proxy, pytest.raises(urllib.error.HTTPError) as gone:
        post(proxy)
    assert gone.value.code == 503


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), ("1.5", 1.5), ("-3", 0.0), ("soon", None), (None, None), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)],
)
def test_the_forms_of_retry_after(text, seconds):
    assert _seconds(text) == seconds


def endpoint(provider, base_url):
    return Endpoint(find_provider(provider), base_url, None, None)


def test_a_limit_by_address_comes_before_one_by_provider_and_one_for_all():
    table = {"max_concurrency": 9, "groq": {"max_concurrency": 5}, "http://10.0.0.5/v1/": {"max_concurrency": 2}}
    limits = parse_concurrency(table, "x.toml")
    assert limits.of(endpoint("groq", "http://10.0.0.5/v1")) == 2
    assert limits.of(endpoint("groq", "https://api.groq.com/openai/v1")) == 5
    assert limits.of(endpoint("openai", "https://api.openai.com/v1")) == 9
    assert Concurrency(named={"groq": 1}).over(limits).of(endpoint("groq", "https://x/v1")) == 1


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"max_concurrency": 0}, "x.toml: endpoints.max_concurrency must be a whole number from 1, got 0"),
        ({"max_concurrency": True}, "must be a whole number"),
        ({"groq": {"max_concurrency": "8"}}, "x.toml: endpoints.groq.max_concurrency must be"),
        ({"groq": 8}, "x.toml: endpoints.groq must be a table"),
        ({"groq": {"max": 8}}, "endpoints.groq must be a table with max_concurrency alone"),
        ({"grok": {"max_concurrency": 8}}, "unknown provider 'grok'\nhint: did you mean groq?"),
    ],
)
def test_a_wrong_table_names_its_key(table, told):
    with pytest.raises(UsageError) as problem:
        parse_concurrency(table, "x.toml")
    assert told in str(problem.value)
