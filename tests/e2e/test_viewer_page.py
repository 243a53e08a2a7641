"""The viewer's page in a real browser: Debian's chromium, driven by Playwright, on a server of our own."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from benchmarks.ledger.events import Artifact, Heartbeat, HighScoreReference, NewEvent, Progress
from benchmarks.ledger.identity import this_process
from benchmarks.ledger.jsonl import JsonlStore
from benchmarks.projections.workspace import Workspace

pytestmark = pytest.mark.browser

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


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium")
    assert chromium, "these tests need chromium: make test installs it (apt-get install chromium)"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def root(tmp_path_factory, histories):
    """A workspace with a hundred and some runs of every kind."""
    workspace = Workspace(tmp_path_factory.mktemp("viewer") / "workspace")
    store = JsonlStore(workspace.ledger, notice=print)
    events = []
    for number in range(130):
        start = {
            "signature": str(number),
            "benchmark_id": f"suite_{number % 4}",
            "agent": ["eliza", "hermes"][number % 2],
        }
        events.append(NewEvent(f"run_{number:03d}", histories.started(**start, model="plain")))
        reference = HighScoreReference("someone", 0.5, "https://example.org")
        score = number / 130
        end = histories.finished(score, stderr=0.05, high_score=reference, delta_to_high_score=score - 0.5)
        events.append(NewEvent(f"run_{number:03d}", end if number % 5 else histories.failed()))
    histories.append_anyway(store, events)
    full = histories.started("full", model=EVIL, agent="alpha", benchmark_id="full", benchmark_directory="full")
    folder = workspace.run_folder("rg_1", "full", "full", "run_full")
    samples = [{"id": f"s{n}", "input": "?", "expected": 1, "output": EVIL, "correct": n % 2 == 0} for n in range(6)]
    files = {
        "stdout.log": f"\x1b[32mgreen\x1b[0m {EVIL}\n".encode(),
        "stderr.log": b"to stderr\n",
        "output/samples.jsonl": "\n".join(map(json.dumps, samples)).encode(),
        "output/result.json": b"{}",
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


def serve(root):
    installed = Path(sys.executable).with_name("benchmarks")
    command = [installed, "--workspace", root, "serve-viewer", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    return server, re.search(r"http://\S+", server.stdout.readline())[0]


def end(server):
    server.send_signal(signal.SIGINT)
    assert server.wait(20) == 0


@pytest.fixture(scope="module")
def url(root):
    server, url = serve(root)
    yield url
    end(server)


@pytest.fixture
def page(browser, url, request):
    """A page that must not have complained when the test is over."""
    options = getattr(request, "param", {})
    context = browser.new_context(
        viewport={"width": options.get("width", 1280), "height": 900}, color_scheme=options.get("scheme", "light")
    )
    page = context.new_page()
    complaints = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    page.wait_for_selector("tbody tr")
    yield page
    assert page.evaluate("window.hacked") is None
    assert complaints == []
    context.close()


def column(page, heading):
    headings = page.locator("thead th").all_inner_texts()
    index = next(i for i, text in enumerate(headings) if text.split()[0] == heading)
    cells = [row.locator("th, td").nth(index).inner_text() for row in page.locator("tbody tr").all()[:100]]
    # Around a status stand a symbol and marks.
    return [text.lstrip("✓✕●\n").removesuffix("synthetic").removesuffix("exit_code") for text in cells]


def sort_by(page, heading):
    with page.expect_response(re.compile("/api/runs")):
        page.get_by_role("button", name=heading, exact=True).click()
    expect(page.locator("th[aria-sort]")).to_contain_text(heading)


def test_the_newest_runs_are_shown_and_more_on_request(page):
    assert "132 in the ledger" in page.locator(".intro").inner_text()
    assert page.locator("tbody tr").count() == 100
    assert column(page, "run_id")[0] == "run_live"
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("tbody tr")).to_have_count(132)


@pytest.mark.parametrize("heading", ["agent", "run_id", "benchmark", "status"])
def test_a_click_on_a_heading_sorts_and_another_turns_it_round(page, heading):
    sort_by(page, heading)
    first = column(page, heading)
    assert first == sorted(first)
    with page.expect_response(re.compile("desc=1")):
        page.get_by_role("button", name=heading, exact=True).click()
    page.wait_for_selector("th[aria-sort=descending]")
    second = column(page, heading)
    assert second == sorted(second, reverse=True) and second != first


def test_scores_sort_as_numbers_with_what_is_missing_last(page):
    sort_by(page, "score")
    page.wait_for_selector("th[aria-sort=descending]")
    scores = [float(text.split()[0]) for text in column(page, "score") if text and "of" not in text]
    assert scores == sorted(scores, reverse=True) and len(scores) > 90


def test_high_score_and_delta_are_shown_with_sign_and_colour(page):
    assert set(column(page, "high_score")) == {"0.500", ""}
    assert page.locator("td .delta.better").first.inner_text().startswith("+")
    assert page.locator("td .delta.worse").first.inner_text().startswith("−")


def test_filters_and_search_stand_in_the_address_and_survive_a_reload(page):
    page.get_by_label("Filter by statuses").select_option("failed")
    expect(page.locator("tbody tr")).to_have_count(26)
    assert set(column(page, "status")) == {"failed"}
    page.get_by_label("Filter by benchmarks").select_option("suite_1")
    few = 7
    expect(page.locator("tbody tr")).to_have_count(few)
    assert "status=failed" in page.url and "benchmark=suite_1" in page.url
    page.reload()
    page.wait_for_selector("tbody tr")
    assert page.locator("tbody tr").count() == few
    page.get_by_role("button", name="Clear filters").click()
    page.keyboard.press("/")
    page.keyboard.type("run_07")
    expect(page.locator("tbody tr")).to_have_count(10)
    assert "10 of 132" in page.locator(".intro").inner_text()
    page.get_by_role("searchbox").fill("nothing at all")
    page.get_by_text("No run matches").wait_for()


def test_a_run_has_its_page_with_events_logs_samples_and_artifacts(page):
    page.get_by_role("searchbox").fill("run_full")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody th a").click()
    page.get_by_role("heading", name="full", exact=True).wait_for()
    page.get_by_text("chain verified").wait_for()
    assert page.locator(".run-score strong").inner_text() == "0.750"
    assert page.locator("ol.timeline .kind").all_inner_texts() == ["started", "finished"]
    page.locator("ol.timeline summary").last.click()
    assert '"score": 0.75' in page.locator("ol.timeline pre").last.inner_text()
    assert page.locator(".log[aria-label=Output]").inner_text().strip() == f"green {EVIL}"
    page.get_by_role("button", name="stderr").click()
    expect(page.locator(".log[aria-label=Output]")).to_contain_text("to stderr")
    assert page.locator(".sample").count() == 6
    page.get_by_role("button", name="wrong").click()
    expect(page.locator(".sample")).to_have_count(3)
    page.locator(".sample summary").first.click()
    assert EVIL in page.locator(".sample dd").nth(2).inner_text()
    assert page.get_by_text("by_group.depth_0").is_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="output/result.json").click()
    assert download.value.suggested_filename == "result.json"
    page.keyboard.press("Escape")
    page.wait_for_selector("tbody tr")


def test_text_from_the_ledger_is_never_markup(page):
    page.get_by_role("searchbox").fill("run_full")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert column(page, "model") == [EVIL]
    assert page.locator("tbody img").count() == 0
    assert page.locator("tbody .mark").inner_text() == "synthetic"


def test_a_run_under_way_shows_its_progress(page):
    row = page.locator("tbody tr").first
    assert "3 of 10" in row.inner_text()
    assert row.locator("progress").get_attribute("value") == "3"


def test_rows_can_be_chosen_with_keys(page):
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.locator("tbody tr.chosen").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("#/runs/run_live"))


def test_the_page_follows_the_ledger_by_itself(browser, tmp_path, histories):
    workspace = Workspace(tmp_path / "w")
    server, url = serve(workspace.root)
    page = browser.new_page()
    page.goto(url)
    page.get_by_text("No runs yet").wait_for()
    assert "benchmarks run" in page.locator(".message code").inner_text()
    store = JsonlStore(workspace.ledger, notice=print)
    histories.append_anyway(store, [NewEvent("run_1", histories.started())])
    page.wait_for_selector("tbody tr", timeout=15_000)
    histories.append_anyway(store, [NewEvent("run_1", histories.finished(0.625))])
    page.get_by_text("0.625").wait_for(timeout=15_000)
    page.close()
    end(server)


def test_the_benchmarks_page_sums_up(page):
    page.get_by_role("link", name="Benchmarks", exact=True).last.click()
    page.locator(".card").first.wait_for()
    assert page.locator(".card").count() == 6


def test_the_theme_can_be_changed_and_is_remembered(page):
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Change between light and dark").click()
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    page.wait_for_selector("tbody tr")
    assert page.evaluate(ground) == dark


VIEWS = [{"width": width, "scheme": scheme} for width in (1280, 400) for scheme in ("light", "dark")]


@pytest.mark.parametrize("page", VIEWS, indirect=True, ids=str)
def test_every_page_fits_and_axe_finds_nothing(page, url):
    from axe_playwright_python.sync_playwright import Axe

    for address, ready in (
        ("", "tbody tr"),
        ("#/runs/run_full", ".sample"),
        ("#/runs/run_live", ".timeline"),
        ("#/benchmarks", ".card"),
    ):
        page.goto(url + address)
        page.wait_for_selector(ready)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{address} scrolls sideways"
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()


def test_a_run_that_is_not_there_is_told(browser, url):
    page = browser.new_page()
    page.goto(url + "#/runs/run_nobody")
    page.get_by_text("the ledger has no run 'run_nobody'").wait_for()
    page.close()
