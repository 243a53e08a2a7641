"""What the viewer's server costs: a page of 100,000 runs, many clients, memory, and new runs."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from benchmarks.ledger.events import Counts, GroupClosed, NewEvent
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.workspace import Workspace

from .figures import Scale, Table
from .histories import fill
from .ledger import campaign, together

RUNS = 100_000
NEWS = f"run_news_{os.getpid()}_{time.time_ns()}"
COLUMNS = "run_id agent model benchmark status score delta best duration tokens started samples".split()
FILTERS = (
    "",
    "&status=succeeded",
    "&status=failed&benchmark=benchmark_3",
    "&model=model-1&model=model-2&agent=eliza",
    "&q=benchmark_7",
    "&reason=timeout&q=0001",
    "&since=2020-01-01T00:00:00Z&status=succeeded",
)


STATIC = """
import sys, falcon, waitress
class Static:
    def on_get(self, req, resp):
        resp.data = BODY
        resp.content_type = falcon.MEDIA_JSON
BODY = b'{"text": "' + b"x" * 2036 + b'"}'
app = falcon.App()
app.add_route("/static", Static())
server = waitress.create_server(app, host="127.0.0.1", port=0, threads=8, ident="")
print(f"http://127.0.0.1:{server.effective_port}/", flush=True)
server.run()
"""


@contextlib.contextmanager
def server_of(*argv: str) -> Iterator[tuple[int, int]]:
    """A server, its port and its process id."""
    with subprocess.Popen([sys.executable, *argv], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield int(process.stdout.readline().partition("127.0.0.1:")[2].partition("/")[0]), process.pid
        finally:
            process.terminate()


def ask(connection: http.client.HTTPConnection, path: str) -> bytes:
    """The answer to a question; it must be a good one."""
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, body
    return body


CLIENT = """
import http.client, sys, time
port, path, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
connection = http.client.HTTPConnection("127.0.0.1", port)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(count):
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    connection.getresponse().read()
"""


def filled(folder: Path, runs: int) -> Path:
    """A workspace with that many runs in `folder`, or the one of BENCH_VIEWER, which is filled once."""
    root = Path(os.environ.get("BENCH_VIEWER") or folder)
    if not JsonlStore(Workspace(root).ledger, notice=print).files():
        fill(root, runs, heartbeats=False)
    return root


def throughput(port: int, path: str, each: int, clients: int = 8) -> float:
    """Answers per second to that many clients at once."""
    return clients * each / together(clients, CLIENT, str(port), path, str(each))


def page(port: int, is_over: threading.Event, heard: Callable[[str, float], None]) -> None:
    """An open page: its first questions, and then its stream, again and again."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for path in ("/api/overview", "/api/runs?limit=100", "/api/benchmarks"):
        ask(connection, path)
    last = ""
    while not is_over.is_set():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/api/stream", headers={"Last-Event-ID": last} if last else {})
        answer = connection.getresponse()
        while line := answer.readline():
            if line.startswith(b"id: "):
                last = line[4:].strip().decode()
            elif line.startswith(b"data: ") and NEWS.encode() in line:
                heard(json.loads(line[6:])["status"], time.perf_counter())
            if is_over.is_set():
                return
        is_over.wait(0.7)


def measure_server(table: Table, folder: Path, scale: Scale) -> None:
    """A page of runs in any order under any filter, throughput, memory with open pages, and new runs."""
    root = filled(folder, scale.count(RUNS, least=100))
    store = JsonlStore(Workspace(root).ledger, notice=print)
    serve = ("-m", "benchmarks.orchestrator", "--workspace", str(root), "serve-viewer", "--port", "0")
    with server_of(*serve) as (port, pid), server_of("-c", STATIC) as (static, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        ask(connection, "/api/runs?limit=1")
        times = []
        for number, (column, chosen) in enumerate(itertools.product(COLUMNS, FILTERS)):
            path = f"/api/runs?sort={'-' if number % 2 else ''}{column}{chosen}"
            begin = time.perf_counter()
            ask(connection, path)
            times.append((time.perf_counter() - begin) * 1000)
        limit = statistics.quantiles(times, n=20)[-1]
        table.add("/api/runs, any sort and filter, 100k runs: p95", limit, "ms", "target", 50, "<= 1")
        each = scale.count(400, least=2)
        rates = [
            (throughput(port, "/api/runs?sort=-score&limit=100", each), throughput(static, "/static", each))
            for _ in range(scale.rounds(3))
        ]
        ours, theirs = (statistics.median(column) for column in zip(*rates, strict=True))
        table.add("/api/runs, 8 clients", ours, "per s", "2 kB static, same server", theirs, ">= 0.5")
        _measure_pages(table, store, port, pid)


def _measure_pages(table: Table, store: JsonlStore, port: int, pid: int) -> None:
    is_over = threading.Event()
    seen: dict[str, list[float]] = {}
    pages = [
        threading.Thread(target=page, args=(port, is_over, lambda status, at: seen.setdefault(status, []).append(at)))
        for _ in range(20)
    ]
    for some in pages:
        some.start()
    time.sleep(3)
    events = [new for new in campaign(1) if new.data.type in ("started", "finished")]
    began = time.perf_counter()
    for event in events:
        began = time.perf_counter()
        store.append(lambda _, e=event: [NewEvent(NEWS, e.data)], lambda _: None)
        time.sleep(1.5)
    delays = [(at - began) * 1000 for at in seen.get("succeeded", [])]
    table.add("a finished run reaches 20 open pages: the last", max(delays), "ms", "target", 1000, "<= 1")
    table.add("  the same: the median page", statistics.median(delays), "ms", "target", 1000, "<= 1")
    memory = psutil.Process(pid).memory_info().rss / 2**20
    table.add("server's memory, 100k runs, 20 open pages", memory, "MiB", "target", 250, "<= 1")
    is_over.set()
    store.append(lambda _: [NewEvent("rg_end", GroupClosed(counts=Counts(), reason="completed"))], lambda _: None)
    for some in pages:
        some.join()
