"""What the viewer's page costs its readers, with 100,000 runs, in a real chromium."""

from __future__ import annotations

import http.client
import os
import shutil
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.workspace import Workspace

from .figures import Scale, Table
from .ledger import campaign
from .viewer import RUNS, ask, filled, server_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

VISITS = 7
FINISHED = 7
ROUNDS = 3
# Runs in the page before its own scripts. `usable`: milliseconds from the request until the rows are painted.
WATCH = """
window.painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
window.usable = new Promise((done) => {
  const look = new MutationObserver(async () => {
    if (!document.querySelector("main h1") || document.querySelector("main .loading")) return;
    look.disconnect();
    await window.painted();
    done(performance.now());
  });
  look.observe(document, { childList: true, subtree: true });
});
"""
TRANSFERRED = """
[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .reduce((sum, entry) => sum + entry.transferSize, 0)
"""
# Until other rows, or another summary, are painted.
ACT = """
async ([selector, text]) => {
  const rows = () => [...document.querySelectorAll("tr[data-run]")].slice(0, 12).map((row) => row.dataset.run);
  const shown = () => rows() + document.querySelector(".intro > p").innerText;
  const before = shown();
  const target = document.querySelector(selector);
  const begin = performance.now();
  if (text === null) target.click();
  else {
    target.value = text;
    target.dispatchEvent(new Event("input"));
  }
  await new Promise((done, fail) => {
    const late = setTimeout(() => fail(new Error(`${selector} ${text}: no other rows`)), 10_000);
    const look = new MutationObserver(() => {
      if (shown() === before) return;
      look.disconnect();
      clearTimeout(late);
      done();
    });
    look.observe(document.querySelector("main"), { childList: true, subtree: true });
  });
  await window.painted();
  return performance.now() - begin;
}
"""
# By the wall clock, because the writer of the event is another process.
FOLLOW = """
(run) => {
  window.seen = new Promise((done) => {
    const look = new MutationObserver(() => {
      if (!document.querySelector(`tr[data-run="${run}"] .state.succeeded`)) return;
      look.disconnect();
      done(Date.now());
    });
    look.observe(document, { childList: true, subtree: true });
  });
}
"""


def measure_page(table: Table, folder: Path, scale: Scale) -> None:
    """The first page, other rows after a sort, a filter or a search, and a run that finishes."""
    from playwright.sync_api import sync_playwright

    root = filled(folder, scale.count(RUNS, least=400))
    store = JsonlStore(Workspace(root).ledger, notice=print)
    serve = ("-m", "benchmarks.orchestrator", "--workspace", str(root), "serve-viewer", "--port", "0")
    with server_of(*serve) as (port, _), sync_playwright() as playwright:
        ask(http.client.HTTPConnection("127.0.0.1", port, timeout=600), "/api/overview")
        url = f"http://127.0.0.1:{port}/"
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, address in (("the start", url), ("runs", f"{url}#/runs")):
            visits = [_visit(browser, address) for _ in range(scale.rounds(VISITS))]
            usable, transferred = (statistics.median(column) for column in zip(*visits, strict=True))
            table.add(f"page of {name}, 100k runs: usable", usable, "ms", "target", 1000, "<= 1")
            table.add("  the same: transferred", transferred / 1000, "kB", "target", 400, "<= 1")
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(WATCH)
        page.goto(f"{url}#/runs")
        page.evaluate("window.usable")
        for name, times in _acts(page, scale.rounds(ROUNDS)).items():
            table.add(f"{name} in the page, 100k runs: median", statistics.median(times), "ms", "target", 150, "<= 1")
            table.add(f"  the same: the slowest of {len(times)}", max(times), "ms", "target", 150, "<= 1")
        page.goto("about:blank")
        page.goto(f"{url}#/runs")
        page.evaluate("window.usable")
        table.add(
            f"a finished run is seen: the slowest of {FINISHED}", max(_news(page, store)), "ms", "target", 1000, "<= 1"
        )
        browser.close()


def _visit(browser: Browser, address: str) -> tuple[float, float]:
    """Milliseconds until the page can be used, and bytes on the wire, in a browser without a cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(address)
    figures = page.evaluate("window.usable"), page.evaluate(TRANSFERRED)
    context.close()
    return figures


def _acts(page: Page, rounds: int) -> dict[str, list[float]]:
    """Milliseconds from each act to the rows that it asks for: the median of some rounds."""
    columns = "benchmark score agent model duration started status".split()
    sorts = [(f"[data-sort={name}]", None) for name in columns for _ in range(2)]
    filters = [
        (f".statuses .{name}", None) for name in ("failed", "failed", "succeeded", "failed", "succeeded", "failed")
    ]
    searches = [("input[type=search]", text) for text in ("benchmark_7", "model-3", "0001", "")]
    acts = {"sort": sorts, "filter": filters, "search": searches}
    taken = {name: [[page.evaluate(ACT, act) for act in some] for _ in range(rounds)] for name, some in acts.items()}
    return {name: [statistics.median(act) for act in zip(*tries, strict=True)] for name, tries in taken.items()}


def _news(page: Page, store: JsonlStore) -> list[float]:
    """Milliseconds from the event to the row that shows it."""
    delays = []
    [started, finished] = [new.data for new in campaign(1) if new.data.type in ("started", "finished")]
    for number in range(FINISHED):
        run = f"run_seen_{os.getpid()}_{number}"
        store.append(lambda _, run=run: [NewEvent(run, started)], lambda _: None)
        page.wait_for_selector(f"tr[data-run={run}] .running")
        page.evaluate(FOLLOW, run)
        began = time.time() * 1000
        store.append(lambda _, run=run: [NewEvent(run, finished)], lambda _: None)
        delays.append(page.evaluate("window.seen") - began)
    return delays
