"""The viewer's page in a real browser: Debian's chromium, driven by Playwright, on a server of our own."""

from __future__ import annotations

import contextlib
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

from benchmarks.ledger.events import (
    Artifact,
    Heartbeat,
    HighScoreReference,
    Imported,
    ImportSource,
    NewEvent,
    Progress,
    Retracted,
)
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


@contextlib.contextmanager
def serving(root, *more):
    """The URL of a server that ends with the block, also where a test fails in it."""
    installed = Path(sys.executable).with_name("benchmarks")
    command = [installed, "--workspace", root, "serve-viewer", *(more or ("--port", "0"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield re.search(r"http://\S+", server.stdout.readline())[0]
        finally:
            server.send_signal(signal.SIGINT)
            assert server.wait(20) == 0


@pytest.fixture(scope="module")
def url(root):
    with serving(root) as url:
        yield url


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


@pytest.fixture
def live(browser, tmp_path):
    """A ledger that a test writes to while its page is open: (page, url, workspace, store)."""
    workspace = Workspace(tmp_path / "w")
    with serving(workspace.root) as url, browser.new_page(viewport={"width": 1280, "height": 900}) as page:
        yield page, url, workspace, JsonlStore(workspace.ledger, notice=print)


def test_the_page_follows_the_ledger_by_itself(live, histories):
    page, url, _, store = live
    page.goto(url)
    page.get_by_text("No runs yet").wait_for()
    assert "benchmarks run" in page.locator(".message code").inner_text()
    histories.append_anyway(store, [NewEvent("run_1", histories.started())])
    page.wait_for_selector("tbody tr", timeout=15_000)
    histories.append_anyway(store, [NewEvent("run_1", histories.finished(0.625))])
    page.get_by_text("0.625").wait_for(timeout=15_000)


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


def test_what_somebody_does_in_the_table_survives_its_refresh(live, histories):
    page, url, _, store = live
    add = histories.append_anyway
    add(store, [NewEvent(f"run_{number:02d}", histories.started()) for number in range(60)])
    page.goto(url)
    page.wait_for_selector("tbody tr")
    page.locator("tbody th a").nth(40).focus()
    top = page.evaluate("document.querySelector('.scroll').scrollTop")
    assert top > 0
    ends = [NewEvent(f"run_{number:02d}", histories.finished(0.5)) for number in range(60)]
    add(store, [*ends, NewEvent("run_new", histories.started())])
    page.get_by_text("61 in the ledger").wait_for(timeout=15_000)
    assert page.evaluate("document.activeElement.closest('tr').dataset.run") == "run_19"
    assert page.locator("tr.chosen").get_attribute("data-run") == "run_19"
    assert page.evaluate("document.querySelector('.scroll').scrollTop") >= top


def test_a_run_under_way_is_followed_and_what_is_open_stays_open(live, histories):
    page, url, workspace, store = live
    log = workspace.run_folder("rg_1", "b", "b", "run_1") / "stdout.log"
    log.parent.mkdir(parents=True)
    log.write_text("first\n\x1b[3")
    histories.append_anyway(store, [NewEvent("run_1", histories.started(owner=this_process()))])
    page.goto(url + "#/runs/run_1")
    output = page.locator(".log[aria-label=Output]")
    expect(output).to_have_text("first\n")
    page.locator("ol.timeline summary").first.click()
    with log.open("a") as file:
        file.write("2mgreen\x1b[0m\n10 %\r20 %\r")
    beat = Heartbeat(progress=Progress(done=1, total=4))
    histories.append_anyway(store, [NewEvent("run_1", beat) for _ in range(3)])
    expect(output).to_have_text("first\ngreen\n20 %", timeout=15_000)
    expect(page.locator(".run-score")).to_contain_text("1 of 4", timeout=15_000)
    assert page.locator("ol.timeline li").count() == 2, "heartbeats in a row stand together"
    assert page.locator("ol.timeline details[open]").count() == 1
    histories.append_anyway(store, [NewEvent("run_1", histories.finished(0.5))])
    expect(page.locator(".run-score strong")).to_have_text("0.500", timeout=15_000)
    assert page.locator("ol.timeline details[open]").count() == 1
    assert output.inner_text().count("first") == 1


@pytest.mark.parametrize("address", ["", "#/runs/run_1", "#/benchmarks"])
def test_while_the_server_is_away_the_page_stays_and_says_so(browser, tmp_path, histories, address):
    workspace = Workspace(tmp_path / "w")
    store = JsonlStore(workspace.ledger, notice=print)
    histories.append_anyway(store, [NewEvent("run_1", histories.started(owner=this_process()))])
    with browser.new_page() as page:
        page.clock.install()
        running = page.locator("main .status.running").first
        with serving(workspace.root) as url:
            page.goto(url + address)
            running.wait_for()
        page.clock.run_for(20_000)
        expect(page.locator(".notice")).to_contain_text("Not up to date")
        assert running.is_visible()
        histories.append_anyway(store, [NewEvent("run_1", histories.finished(0.625))])
        with serving(workspace.root, "--port", url.rstrip("/").rpartition(":")[2]):
            page.clock.run_for(20_000)
            expect(page.get_by_text("0.625").first).to_be_visible()
            expect(page.locator(".notice")).to_be_hidden()


def test_every_run_of_a_long_history_can_be_reached(live, histories):
    page, url, _, store = live
    names = [f"run_{number:04d}" for number in range(1050)]
    histories.append_anyway(store, [NewEvent(name, histories.started()) for name in names])
    page.goto(url + "#/?sort=run_id")
    more = page.locator(".pager button").last
    for shown in range(100, 1000, 100):
        expect(page.locator("tbody tr")).to_have_count(shown)
        more.click()
    expect(page.locator("tbody tr")).to_have_count(1000)
    expect(more).to_have_text("Next 50")
    more.click()
    expect(page.locator("tbody tr")).to_have_count(50)
    assert column(page, "run_id") == names[1000:]
    assert "1,001 to 1,050" in page.locator(".intro").inner_text()
    page.get_by_role("button", name="Previous").click()
    expect(page.locator("tbody tr")).to_have_count(100)


def test_back_leads_to_where_one_was(page):
    page.get_by_label("Filter by statuses").select_option("succeeded")
    expect(page.locator(".intro")).to_contain_text("of 132")
    page.get_by_label("Filter by agents").select_option("eliza")
    page.wait_for_url(re.compile("agent=eliza"))
    for _ in range(30):
        page.keyboard.press("j")
    chosen = page.locator("tr.chosen").get_attribute("data-run")
    remembered = "const look = () => history.state?.table > 0 ? done(history.state.table) : requestAnimationFrame(look)"
    given_up = "setTimeout(() => fail(new Error('the scroll position is not remembered')), 5000)"
    table = page.evaluate(f"new Promise((done, fail) => {{ {remembered}; look(); {given_up}; }})")
    page.keyboard.press("Enter")
    page.wait_for_selector(".timeline")
    page.keyboard.press("Escape")
    page.wait_for_selector("tr.chosen")
    assert page.locator("tr.chosen").get_attribute("data-run") == chosen
    assert page.evaluate("document.querySelector('.scroll').scrollTop") == table
    page.go_back()
    expect(page.get_by_label("Filter by agents")).to_have_value("")
    expect(page.get_by_label("Filter by statuses")).to_have_value("succeeded")


@pytest.mark.parametrize("address", ["", "#/runs/run_full", "#/benchmarks"])
def test_the_skip_link_leads_to_the_content_and_not_to_another_page(page, url, address):
    page.goto(url + address)
    page.reload()
    page.wait_for_selector("main h1")
    title = page.locator("main h1").inner_text()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert page.locator("main h1").inner_text() == title


def test_rows_that_need_care_say_so_and_units_are_shown(live, histories):
    page, url, _, store = live
    start = histories.started()
    source = ImportSource(kind="json", path="x.json", sha256="0" * 64)
    events = {
        "run_retracted": [start, histories.finished(), Retracted(author="ana", reason="wrong data")],
        "run_recovered": [start, histories.recovered()],
        "run_late": [start, histories.recovered(), histories.finished(late=True)],
        "run_imported": [Imported(source=source, run={"benchmark_id": "b", "status": "failed"})],
        "run_synthetic": [start, histories.finished(67.25, stderr=1.5, unit="points", synthetic=True)],
    }
    histories.append_anyway(store, [NewEvent(run_id, event) for run_id, some in events.items() for event in some])
    page.goto(url)
    page.wait_for_selector("tbody tr")
    for run_id in events:
        told = page.locator(f"tr[data-run={run_id}] .mark").all_inner_texts()
        assert any(text.startswith(run_id.removeprefix("run_")) for text in told), f"{run_id}: {told}"
    assert page.locator("tr[data-run=run_synthetic] td.number").first.inner_text() == "67.3 ± 1.5 points"


@pytest.mark.parametrize("page", [{"width": 400}], indirect=True)
def test_on_a_narrow_screen_rows_can_be_sorted_too(page):
    page.get_by_label("Sort by").select_option("run_id")
    page.wait_for_url(re.compile("sort=run_id"))
    expect(page.locator("tbody tr").first).to_have_attribute("data-run", "run_000")
    page.get_by_role("button", name="ascending").click()
    expect(page.locator("tbody tr").first).to_have_attribute("data-run", "run_live")


def test_a_group_is_a_filter_that_is_seen_and_can_be_taken_away(page):
    page.locator("tbody td.id a").first.click()
    page.get_by_role("button", name="Remove the filter group").click()
    page.wait_for_url(lambda address: "group" not in address)
    expect(page.get_by_role("button", name="Remove the filter group")).to_have_count(0)


def test_the_token_does_not_stay_in_the_address(browser, root):
    with serving(root, "--host", "127.0.0.2", "--port", "0") as url, browser.new_page() as page:
        assert "token=" in url
        page.goto(url)
        page.wait_for_selector("tbody tr")
        assert "token" not in page.url
        page.reload()
        page.wait_for_selector("tbody tr")
