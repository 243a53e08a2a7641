"""A viewer on a history of every kind of run, and Debian's chromium, driven by Playwright, to look at it."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.ledger.events import Artifact, Heartbeat, HighScoreReference, NewEvent, Progress
from benchmarks.ledger.identity import this_process
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.workspace import Workspace

CHROMIUM = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
EVIL = '<img src=x onerror="window.hacked=1">'


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "these tests need chromium: make test installs it (apt-get install chromium)"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        yield browser
        browser.close()


@contextlib.contextmanager
def _serving(root: Path, *more: str) -> Iterator[str]:
    installed = Path(sys.executable).with_name("benchmarks")
    command = [installed, "--workspace", root, "serve-viewer", *(more or ("--port", "0"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found
            yield found[0]
        finally:
            server.send_signal(signal.SIGINT)
            assert server.wait(20) == 0


@pytest.fixture(scope="session")
def serving() -> Callable[..., AbstractContextManager[str]]:
    """The URL of a server that ends with the block, even if a test fails in it."""
    return _serving


@pytest.fixture(scope="session")
def root(tmp_path_factory, histories) -> Path:
    """A workspace with 132 runs: of four suites, a run with everything that a run can have, and one in progress."""
    workspace = Workspace(tmp_path_factory.mktemp("viewer") / "workspace")
    store = JsonlStore(workspace.ledger, notice=print)
    events = []
    for number in range(130):
        start = {
            # A score is the mean of its group's runs, so each run has a group of its own.
            "run_group_id": f"rg_plain_{number:03d}",
            "signature": str(number),
            "comparison_key": f"suite_{number % 4}",
            "benchmark_id": f"suite_{number % 4}",
            "agent": ["eliza", "hermes"][number % 2],
        }
        events.append(NewEvent(f"run_{number:03d}", histories.started(**start, model="plain")))
        reference = HighScoreReference("someone", 0.5, "https://example.org")
        score = (number * 53 % 130) / 130
        end = histories.finished(score, stderr=0.05, high_score=reference, delta_to_high_score=score - 0.5)
        events.append(NewEvent(f"run_{number:03d}", end if number % 5 else histories.failed()))
    histories.append_anyway(store, events)
    full = histories.started("full", model=EVIL, agent="alpha", benchmark_id="full", benchmark_directory="full")
    folder = workspace.run_folder("rg_1", "full", "full", "run_full")
    samples = [{"id": f"s{n}", "input": "?", "expected": 1, "output": EVIL, "correct": n % 2 == 0} for n in range(6)]
    files = {
        "stdout.log": f"\x1b[32mgreen\x1b[0m {EVIL}\n".encode() + b"a needle here\n",
        "stderr.log": b"to stderr\n",
        "output/samples.jsonl": "\n".join(map(json.dumps, samples)).encode(),
        "output/result.json": b'{"evil": "<img src=x onerror=window.hacked=1>"}',
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    artifacts = [
        Artifact(name, len(content), sha256(content).hexdigest())
        for name, content in files.items()
        if name.startswith("output/")
    ]
    metrics = {"accuracy": 0.75, "by_group": {"depth_0": 0.5}}
    running = histories.started("live", benchmark_id="live", owner=this_process())
    histories.append_anyway(
        store,
        [
            NewEvent("run_full", full),
            NewEvent("run_full", histories.finished(0.75, artifacts=artifacts, metrics=metrics, synthetic=True)),
            NewEvent("run_live", running),
            NewEvent("run_live", Heartbeat(progress=Progress(done=3, total=10))),
        ],
    )
    store.close()
    return workspace.root


@pytest.fixture(scope="session")
def url(root) -> Iterator[str]:
    with _serving(root) as url:
        yield url


@pytest.fixture
def page(browser, url, request) -> Iterator[Page]:
    """The table of runs; the page must not have logged an error during the test."""
    options = getattr(request, "param", {})
    context = browser.new_context(
        viewport={"width": options.get("width", 1280), "height": 900}, color_scheme=options.get("scheme", "light")
    )
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(url + "#/runs")
    page.wait_for_selector("tr[data-run]")
    yield page
    assert page.evaluate("window.hacked") is None
    assert problems == []
    context.close()


@pytest.fixture
def live(browser, tmp_path) -> Iterator[tuple[Page, str, Workspace, JsonlStore]]:
    """A ledger that a test writes to while its page is open: (page, url, workspace, store)."""
    workspace = Workspace(tmp_path / "w")
    with _serving(workspace.root) as url, browser.new_page(viewport={"width": 1280, "height": 900}) as page:
        yield page, url, workspace, JsonlStore(workspace.ledger, notice=print)
