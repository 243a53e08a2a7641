"""The questions that people come with, asked of the history of a team: what leads, what needs me, can I trust it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from benchmarks.ledger.proof.proof import verify_proof

pytestmark = pytest.mark.browser
SLOW = 30_000
"""Milliseconds that a page may take on a busy machine."""

PAGES = (
    "#/",
    "#/leaderboard",
    "#/leaderboard?view=cost",
    "#/runs",
    "#/campaigns",
    "#/integrity",
    "#/benchmarks/swe_mini",
)


@pytest.fixture(scope="module")
def served(browser, serving, team) -> Iterator[tuple[Page, str, list[str]]]:
    problems: list[str] = []
    with serving(team.root) as url, browser.new_page(viewport={"width": 1440, "height": 900}) as page:
        page.set_default_timeout(SLOW)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        yield page, url, problems


@pytest.fixture
def at(served):
    """Goes to an address of the page, and waits until everything is there. No error may be logged."""
    page, url, problems = served
    page.set_viewport_size({"width": 1440, "height": 900})

    def go(address: str) -> Page:
        page.goto("about:blank")
        page.goto(url + address)
        page.wait_for_selector("main h1")
        page.wait_for_selector(".loading", state="detached")
        return page

    yield go
    assert problems == []


def test_the_leaderboard_ranks_models_with_their_agents(at):
    page = at("#/leaderboard")
    rows = page.locator("table.leaderboard tbody tr")
    expect(rows).to_have_count(17)
    one = page.get_by_role("row", name="claude-haiku openhands")
    other = page.get_by_role("row", name="claude-haiku mini-swe")
    expect(one.locator("a.value")).to_have_text(re.compile("^66.0"))
    expect(other.locator("a.value")).to_have_text(re.compile("^54.0"))
    expect(other.locator("a.value.tied")).to_have_count(1)
    tools = page.get_by_role("row", name="claude-haiku eliza").locator("a.value")
    expect(tools).to_have_text(re.compile("^0.792"))
    tools.focus()
    expect(page.locator(".tip-text")).to_contain_text("worse than the best, p < 0.001, 120 samples paired")
    page.get_by_role("button", name="Newest with repeats").click()
    expect(page.get_by_role("row", name="claude-haiku eliza").locator("a.value")).to_have_text(re.compile("^0.9"))
    assert "runs=repeats" in page.url


def test_rows_and_columns_are_sorted_chosen_and_exported_and_the_address_keeps_it(at):
    page = at("#/leaderboard")
    page.get_by_role("button", name="Tool calling").click()
    expect(page.locator("tbody tr").first).to_contain_text("gpt-5-mini")
    page.locator("[data-menu=hide] summary").click()
    page.locator("[data-menu=hide]").get_by_text("swe_mini").click()
    expect(page.get_by_role("columnheader", name="SWE-mini")).to_have_count(0)
    assert "sort=-tool_calling" in page.url and "hide=swe_mini" in page.url
    page.reload()
    expect(page.get_by_role("columnheader", name="Tool calling")).to_have_attribute("aria-sort", "descending")
    expect(page.get_by_role("columnheader", name="SWE-mini")).to_have_count(0)
    page.locator(".export summary").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    lines = list(csv.DictReader(download.value.path().read_text().splitlines()))
    assert len(lines) == 17 and "swe_mini" not in lines[0]
    assert float(lines[0]["tool_calling"]) == max(float(line["tool_calling"]) for line in lines if line["tool_calling"])


def test_contenders_are_ticked_and_compared(at):
    page = at("#/leaderboard")
    for who in ("anthropic:claude-haiku · eliza", "openai:gpt-5-mini · eliza"):
        page.get_by_label(f"Select {who}").check()
    page.get_by_role("link", name="Compare", exact=True).last.click()
    page.wait_for_url(re.compile("#/compare"))
    expect(page.get_by_role("row", name=re.compile("tool_calling"))).to_contain_text("better")


def test_score_and_cost_are_a_chart_whose_points_are_reached_by_key_and_a_table(at):
    page = at("#/leaderboard?view=cost&task=gsm_hard")
    chart = page.locator("figure.chart")
    chart.locator(".mark-symbol path").first.wait_for()
    chart.locator(".canvas").focus()
    page.keyboard.press("ArrowRight")
    expect(chart.locator(".point")).to_contain_text("1 of 4: ")
    chart.get_by_role("button", name="Table").click()
    expect(chart.locator("tbody tr")).to_have_count(4)
    front = chart.get_by_role("row", name=re.compile("yes"))
    assert front.count() == 3, "claude-haiku costs more than gpt-5-mini, and is not better"
    for name, kind in (("SVG", "svg"), ("PNG", "png"), ("CSV", "csv")):
        with page.expect_download() as download:
            chart.get_by_role("button", name=name).click()
        assert download.value.suggested_filename == f"score-and-cost.{kind}"
    ticks = chart.locator(".role-axis-label text").all_text_contents()
    assert len(ticks) <= 14


def test_the_start_page_says_what_needs_attention(at):
    page = at("#/?days=30")
    needs = page.locator(".slot.attention")
    expect(needs.locator(".dot.bad").first).to_be_visible()
    expect(needs.locator("li").first).to_contain_text("0.792, was 0.933")
    expect(needs).to_contain_text("18 of 36 scores are below their level, within noise")
    limits = needs.locator("li", has_text="RateLimitError: 429")
    expect(limits).to_contain_text("6 of ")
    limits.locator("summary").click()
    expect(limits).to_contain_text("--provider groq --model qwen3-32b")
    expect(page.locator(".slot.leaders tbody tr")).to_have_count(7)
    expect(page.locator(".slot.spend")).to_contain_text("runs succeeded")
    assert page.locator(".lanes-chart rect").count() > 150
    needs.get_by_role("link", name="compare samples").click()
    page.wait_for_url(re.compile("#/compare"))


def test_a_campaign_shows_what_it_did_not_run_and_its_limit(at):
    page = at("#/campaigns")
    page.get_by_role("link", name="catch up").click()
    expect(page.locator(".campaign-head")).to_contain_text("21 skipped, 3 incompatible")
    expect(page.locator(".campaign-head")).to_contain_text("of $0.25")
    expect(page.locator(".campaign-head")).to_contain_text("cost limit reached")
    expect(page.locator("main")).to_contain_text("missing: command docker")
    expect(page.locator("table.cells .dot.good").first).to_be_visible()
    expect(page.locator("table.cells .beside")).to_have_text(["no score", "$0.0191", "$0.337"])
    expect(page.get_by_role("table", name="Failed attempts by reason, of 3 that ended")).to_contain_text("1 of 3")
    expect(page.locator(".command code")).to_contain_text("--benchmarks first_token")


def test_an_open_campaign_has_progress_and_the_time_left(at):
    page = at("#/campaigns")
    page.get_by_role("link", name="today").click()
    expect(page.locator(".campaign-head")).to_contain_text("of 7 cells")
    expect(page.locator(".campaign-head")).not_to_contain_text("at least")
    expect(page.locator("table.cells")).to_contain_text("20 of 50")


def test_runs_are_selected_and_compared_and_doubtful_ones_are_found(at):
    page = at("#/runs")
    page.locator("[data-filter=kind] summary").click()
    page.locator("[data-filter=kind]").get_by_text("imported", exact=True).click()
    expect(page.locator(".intro")).to_contain_text("5 of 188")
    page.keyboard.press("Escape")
    boxes = page.locator("tbody .pick input")
    boxes.nth(0).check()
    expect(page.locator(".action-bar")).to_contain_text("select one more to compare")
    boxes.nth(1).check()
    ids = [row.get_attribute("data-run") for row in page.locator("tbody tr[data-run]").all()[:2]]
    page.locator(".action-bar").get_by_role("link", name="Compare").click()
    page.wait_for_url(re.compile("#/compare"))
    assert [f"of={run_id}" in page.url for run_id in ids] == [True, True]


def test_the_integrity_page_says_whether_the_numbers_can_be_trusted(at):
    page = at("#/integrity")
    expect(page.locator(".proof")).to_contain_text("The chain is proven", timeout=SLOW)
    expect(page.locator("#head")).to_have_attribute("data-proof", "proven")
    expect(page.locator(".plain-tiles")).to_contain_text(re.compile("1\\s*retracted"))
    page.get_by_role("button", name="retracted 2").click()
    expect(page.get_by_role("region", name="Corrections, imports and merges").locator("tbody tr")).to_have_count(2)
    page.get_by_role("button", name="a week ago").click()
    expect(page.locator("main")).to_contain_text(re.compile("runs started, \\d+ succeeded"))
    assert "since=" in page.url


def test_a_number_is_proven_in_the_browser(at):
    page = at("#/runs?status=succeeded")
    page.locator("tbody tr[data-run] a").first.click()
    panel = page.locator("[data-panel=proof]")
    panel.get_by_role("button", name="Prove it").click()
    expect(panel).to_contain_text("Proven in this browser", timeout=SLOW)
    expect(panel).to_contain_text("as the page shows it")
    expect(panel).to_contain_text("it has no signature")
    run_id = page.url.rpartition("/")[2]
    with page.expect_download() as download:
        panel.get_by_role("link", name="run.tlog-proof").click()
    text = download.value.path().read_text()
    proven = verify_proof(text, None)
    assert download.value.suggested_filename == "run.tlog-proof"
    assert proven.accepted.checkpoint.position > proven.position

    def changed(pattern, text):
        """The panel, after an answer in which the pattern was replaced."""

        def answer(route):
            found = route.fetch()
            body, times = re.subn(pattern, text, found.text(), count=1)
            assert times == 1
            route.fulfill(response=found, body=body)

        page.route("**/proof", answer)
        panel.get_by_role("button", name="Prove it").click()
        expect(panel.get_by_role("alert")).to_be_visible(timeout=SLOW)
        page.unroute("**/proof")
        return panel

    # One digit of the score, of a hash in a proof, and of the root.
    said = changed(r'(\\"score\\":[\d.]*)(\d)', lambda found: f"{found[1]}{(int(found[2]) + 1) % 10}")
    expect(said).to_contain_text(re.compile("The line of event \\d+ was changed: its hash does not match its bytes"))
    expect(said).not_to_contain_text("Proven in this browser")
    said = changed(r'("proof":\["..)(.)', lambda found: f"{found[1]}{'A' if found[2] != 'A' else 'B'}")
    expect(said).to_contain_text(re.compile("Event \\d+ is not in the tree of the checkpoint"))
    said = changed(r'("checkpoint":"[^"]*?\\n\d+\\n)(.)', lambda found: f"{found[1]}{'A' if found[2] != 'A' else 'B'}")
    expect(said).to_contain_text("is not in the tree of the checkpoint")
    # An answer about another run, whole and unchanged.
    listed = page.evaluate("async () => (await (await fetch('api/runs?limit=2')).json()).runs.map((one) => one.run_id)")
    [other, *_] = [one for one in listed if one != run_id]
    elsewhere = page.url.partition("#")[0] + f"api/runs/{other}/proof"
    page.route("**/proof", lambda route: route.fulfill(response=route.fetch(url=elsewhere)))
    panel.get_by_role("button", name="Prove it").click()
    expect(panel.get_by_role("alert")).to_contain_text("is about")
    page.unroute("**/proof")

    page = at("#/integrity")
    page.get_by_label("Run", exact=True).fill(run_id)
    page.get_by_role("button", name="Prove it").click()
    expect(page.locator(".proof")).to_contain_text("Proven in this browser", timeout=SLOW)


def test_a_benchmark_ranks_its_contenders_on_one_scale(at):
    page = at("#/benchmarks/tool_calling")
    rows = page.get_by_role("region", name="Contenders").locator("tbody tr")
    expect(rows).to_have_count(5)
    expect(rows.first).to_contain_text("gpt-5-mini")
    assert page.locator("td.forest svg rect.interval").count() == 5
    page.locator("figure.chart .mark-line path").first.wait_for()
    expect(page.locator("main h1")).to_have_text("Tool calling")


@pytest.mark.parametrize("width", [320, 390])
def test_every_page_fits_on_a_phone(at, width):
    for address in PAGES:
        page = at(address)
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function("() => new Promise(done => requestAnimationFrame(() => done(true)))")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address


def test_axe_finds_nothing_in_states_that_a_reader_opens(at):
    from axe_playwright_python.sync_playwright import Axe

    def check(page, what):
        results = Axe().run(page, options={"resultTypes": ["violations"]})
        assert results.violations_count == 0, f"{what}: {results.generate_report()}"

    page = at("#/leaderboard")
    page.locator("tbody input").first.check()
    page.get_by_role("button", name="How to read it").click()
    page.locator("[data-menu=hide] summary").click()
    check(page, "leaderboard with a menu, a tip and a selection")
    page = at("#/leaderboard?view=cost")
    page.locator("figure.chart").get_by_role("button", name="Table").click()
    check(page, "chart as a table")
    page = at("#/")
    for summary in page.locator(".slot.attention summary").all():
        summary.click()
    check(page, "start page with commands")
