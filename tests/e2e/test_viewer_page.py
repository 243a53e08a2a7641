"""What every page has: it fits, is accessible, and says if it is not up to date."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

import benchmarks.viewer
from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.identity import this_process
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.render.text import format_score
from benchmarks.projections.workspace import Workspace
from benchmarks.viewer.api.answers import pack

pytestmark = pytest.mark.browser

MAX_BYTES = 300_000
"""Of all pages together, as they are sent; and of one page, before compression. The script for charts is apart."""
PAGES = (
    ("#/", ".lanes-chart"),
    ("#/runs?status=failed&sort=model,-score", "tr[data-run]"),
    ("#/runs?q=nothing+at+all", ".message"),
    ("#/runs/run_full", "tr[data-line]"),
    ("#/runs/run_014", ".history"),
    ("#/runs/run_live", ".provenance"),
    ("#/leaderboard", "main table"),
    ("#/leaderboard?view=time", "main h2"),
    ("#/campaigns", "main .message"),
    ("#/integrity", ".tiles"),
    ("#/benchmarks/suite_1", "main table"),
    ("#/compare", "main h1"),
    ("#/ask", "main h1"),
    ("#/runs/run_nobody", ".message"),
    ("?as_of=100#/", ".lanes-chart"),
    ("#/nowhere", ".message"),
)
VIEWS = [{"width": 1280, "scheme": "light"}, {"width": 400, "scheme": "dark"}]


@pytest.mark.parametrize("page", VIEWS, indirect=True, ids=str)
def test_every_page_fits_and_axe_finds_nothing(page, url):
    from axe_playwright_python.sync_playwright import Axe

    other = page.context.new_page()  # The console logs the missing run.
    for address, ready in PAGES:
        other.goto("about:blank")
        other.goto(url + address)
        other.wait_for_selector(ready)
        assert other.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{address} scrolls sideways"
        results = Axe().run(other, options={"resultTypes": ["violations"]})
        assert results.violations_count == 0, f"{address}: {results.generate_report()}"


@pytest.mark.parametrize("width", [320, 360, 390, 430])
def test_the_links_of_the_header_fit_on_a_phone(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    for link in page.locator(".top nav a").all():
        box = link.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width, link.inner_text()
        assert link.evaluate("link => link.scrollWidth <= link.clientWidth + 1")


def test_the_page_with_its_scripts_is_small():
    """Bytes as the server sends them to a browser, compressed: that is what a reader waits for."""
    here = Path(benchmarks.viewer.__file__).with_name("page")
    files = [here / "index.html", *here.glob("css/*.css"), *here.glob("js/**/*.js")]
    assert sum(len(pack(file.read_bytes()) or file.read_bytes()) for file in files) < MAX_BYTES


LOADED = (
    "#/",
    "#/leaderboard",
    "#/leaderboard?view=time",
    "#/runs",
    "#/runs/run_full",
    "#/runs/run_full/samples/s0",
    "#/campaigns",
    "#/campaigns/rg_plain_000",
    "#/integrity",
    "#/benchmarks/suite_1",
    "#/benchmarks/full/samples",
    "#/compare?of=run:run_001&of=run:run_005",
    "#/compare/sample?a=run_full&b=run_full&id=s0",
    "#/ask",
)


def test_a_page_with_its_scripts_is_small(browser, url):
    """What a first visit loads, before compression. Scripts are loaded with the page that needs them."""
    loaded = {}
    with browser.new_page() as page:
        files = {}
        page.on("response", lambda one: files.update({one.url: len(one.body())}) if is_own(one) else None)
        for address in LOADED:
            page.goto("about:blank")
            files.clear()
            page.goto(url + address)
            page.wait_for_selector(".loading", state="detached")
            page.wait_for_load_state("load")
            loaded[address] = sum(files.values())
    assert all(50_000 < size < MAX_BYTES for size in loaded.values()), loaded


def is_own(answer):
    return answer.ok and "/api/" not in answer.url and "/charts/" not in answer.url


def test_the_theme_can_be_changed_and_is_remembered(page):
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Change between light and dark").click()
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    page.wait_for_selector("tr[data-run]")
    assert page.evaluate(ground) == dark


@pytest.mark.parametrize("address", ["#/", "#/runs", "#/runs/run_full"])
def test_the_skip_link_leads_to_the_content_and_not_to_another_page(page, url, address):
    page.goto(url + address)
    page.reload()
    page.wait_for_selector("main h1:not(.visually-hidden)")
    title = page.locator("main h1").inner_text()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert page.locator("main h1").inner_text() == title


def test_the_page_lists_its_keys(page):
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("next run")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_the_token_does_not_stay_in_the_address(browser, serving, root):
    with serving(root, "--host", "127.0.0.2", "--port", "0") as url, browser.new_page() as page:
        assert "token=" in url
        page.goto(url)
        page.wait_for_selector("table.recent")
        assert "token" not in page.url
        page.reload()
        page.wait_for_selector("table.recent")


@pytest.mark.parametrize("address", ["#/", "#/runs"])
def test_while_the_server_is_away_the_page_stays_and_says_so(browser, serving, tmp_path, histories, address):
    workspace = Workspace(tmp_path / "w")
    store = JsonlStore(workspace.ledger, notice=print)
    histories.append_anyway(store, [NewEvent("run_1", histories.started(owner=this_process()))])
    with browser.new_page() as page:
        page.clock.install()
        running = page.locator("main .dot.live").first
        with serving(workspace.root) as url:
            page.goto(url + address)
            running.wait_for()
            expect(page.locator("#head")).to_have_attribute("data-state", "live")
        for _ in range(5):
            page.clock.run_for(4_000)
        expect(page.locator("#notice")).to_contain_text("Not up to date")
        assert running.is_visible()
        histories.append_anyway(store, [NewEvent("run_1", histories.finished(0.625))])
        with serving(workspace.root, "--port", url.rstrip("/").rpartition(":")[2]):
            expect(page.locator("#notice")).to_be_hidden(timeout=20_000)
            page.clock.run_for(4_000)
            expect(page.get_by_text("0.625").first).to_be_visible()


def test_the_page_writes_scores_as_the_commands_do(page):
    scores = [0, 0.5, -0.25, 0.0017, 0.00079, 0.0000123, 2.66e-9, 9.9994, 12.34, 99.96, 123.4, 1234.6, 8_000_000]
    pairs = [(score, error) for score in scores for error in (None, 0, 0.04, 0.00079, 0.0004, 3e-5, 1e-9, 17)]
    written = (
        "async pairs => { const { score } = await import('/js/format.js'); return pairs.map(one => score(...one)) }"
    )
    assert page.evaluate(written, pairs) == [format_score(*pair) for pair in pairs]


@pytest.mark.parametrize("width", [320, 400, 1280])
def test_long_names_fit_into_every_page(browser, serving, tmp_path, histories, width):
    workspace = Workspace(tmp_path / "w")
    store = JsonlStore(workspace.ledger, notice=print)
    long = "woob_webarena_with_a_very_long_benchmark_name_indeed"
    names = [f"run_{long}_20261123T074259Z_1_0000012{number}" for number in range(6)]
    events = []
    for number, name in enumerate(names):
        start = histories.started(benchmark_id=long, benchmark_directory=long, model="m-" * 30, agent="a-" * 30)
        # Records first, and then what got worse.
        score = [10.5, 20.5, 90.5, 3.5, 2.5, 1.5][number]
        events += [NewEvent(name, start), NewEvent(name, histories.finished(score, stderr=0.1, unit="%"))]
    histories.append_anyway(store, events)
    addresses = [
        ("#/", "table.recent"),
        ("#/runs", "tr[data-run]"),
        (f"#/runs/{names[0]}", ".provenance"),
        ("#/leaderboard", "main table"),
        ("#/leaderboard?view=time", "main h2"),
        ("#/campaigns", "main .message"),
        ("#/integrity", ".tiles"),
        (f"#/benchmarks/{long}", "main table"),
        ("#/compare?" + "&".join(f"of={name}" for name in names), ".tile"),
        ("#/compare?" + "&".join(f"of={name}" for name in names[:2]), ".tile"),
    ]
    beyond = """[...document.querySelectorAll(".panel")].filter((one) =>
        [...one.querySelectorAll("strong, .name, .delta, .soft")].some((part) => !part.closest(".scroll, svg, .samples")
        && part.getBoundingClientRect().right > one.getBoundingClientRect().right + 1)).map((one) => one.innerText)"""
    with serving(workspace.root) as url, browser.new_page(viewport={"width": width, "height": 900}) as page:
        for address, ready in addresses:
            page.goto("about:blank")
            page.goto(url + address)
            page.locator(ready).first.wait_for()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{address} scrolls sideways"
            assert page.evaluate(beyond) == [], f"{address}: what a panel holds stands beside it"
