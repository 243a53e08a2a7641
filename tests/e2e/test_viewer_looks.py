"""How the pages look: few sizes, nothing cut or covered, charts in words and files, and readers' own settings."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.workspace import Workspace

pytestmark = pytest.mark.browser
SIZES = {"12px", "14px", "16px", "22px", "32px"}
PAGES = (
    "#/",
    "#/leaderboard",
    "#/leaderboard?view=cost&task=gsm_hard",
    "#/runs",
    "#/campaigns",
    "#/integrity",
    "#/benchmarks/swe_mini",
    "#/benchmarks/swe_mini/samples",
    "#/compare?of=model:anthropic:claude-haiku&of=model:openai:gpt-5-mini",
    "#/ask",
)
SHOWN_SIZES = """() => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const sizes = new Set();
  while (walk.nextNode()) {
    const parent = walk.currentNode.parentElement;
    if (walk.currentNode.data.trim() && parent.checkVisibility()) sizes.add(getComputedStyle(parent).fontSize);
  }
  return [...sizes];
}"""
COVERED = """() => {
  const panels = [...document.querySelectorAll(".panel")].map((one) => one.getBoundingClientRect());
  const after = (a, b) => a.bottom <= b.top + 1 || a.right <= b.left + 1;
  const apart = (a, b) => after(a, b) || after(b, a);
  return panels.some((a, at) => panels.slice(at + 1).some((b) => a.width && b.width && !apart(a, b)));
}"""
HOSTILE = "anna\u202elive"


@pytest.fixture(scope="module")
def team_url(serving, team):
    with serving(team.root) as url:
        yield url


def go(page: Page, url: str, address: str) -> Page:
    page.goto("about:blank")
    page.goto(url + address)
    page.wait_for_selector("main h1")
    page.wait_for_selector(".loading", state="detached")
    return page


@pytest.mark.parametrize("width", [390, 1440])
def test_every_page_has_five_sizes_and_no_panel_covers_another(browser, team_url, width):
    with browser.new_page(viewport={"width": width, "height": 900}) as page:
        for address in PAGES:
            go(page, team_url, address)
            assert set(page.evaluate(SHOWN_SIZES)) <= SIZES, address
            assert not page.evaluate(COVERED), f"{address}: panels overlap"


@pytest.mark.parametrize("width", [1440, 1920])
def test_the_tables_of_a_team_fit_into_a_window(browser, team_url, width):
    with browser.new_page(viewport={"width": width, "height": 900}) as page:
        for address, place in (
            ("#/leaderboard", ".board .scroll"),
            ("#/runs", ".tall"),
            ("#/benchmarks/swe_mini", ".scroll"),
        ):
            go(page, team_url, address)
            fits = page.locator(place).first.evaluate("box => box.scrollWidth <= box.clientWidth")
            assert fits, f"{address}: a column is off screen"


def test_a_phone_shows_scores_beside_names_and_rows_as_cards(browser, team_url):
    with browser.new_page(viewport={"width": 390, "height": 844}) as page:
        go(page, team_url, "#/leaderboard")
        cells = page.locator("table.leaderboard tbody tr").first.locator("td.score").all()
        inside = [cell for cell in cells if cell.bounding_box()["x"] + cell.bounding_box()["width"] <= 390]
        assert len(inside) >= 2, "scores of two benchmarks"
        for address in ("#/", "#/campaigns", "#/integrity"):
            go(page, team_url, address)
            for table in page.locator("table.cards").all():
                assert table.evaluate("table => table.parentElement.scrollWidth <= table.parentElement.clientWidth")
        go(page, team_url, "#/runs?benchmark=gsm_hard&status=succeeded")
        page.locator("tbody a").first.click()
        row = page.locator("table.samples tr[data-line]").first
        expect(row.locator(".c-output")).to_be_visible()
        expect(page.locator("table.samples thead")).to_be_hidden()


def test_every_chart_has_its_points_by_key_a_table_and_files(browser, team_url):
    """At most six labels on an axis."""
    charts = (
        ("#/?days=30", ".slot.spend figure.chart"),
        ("#/?days=30", "figure.lanes"),
        ("#/leaderboard?view=cost&task=gsm_hard", "figure.chart"),
        ("#/benchmarks/swe_mini", "figure.chart"),
        ("#/ask?sql=SELECT+model,+mean+FROM+leaderboard+WHERE+benchmark_id='gsm_hard'", "figure.chart"),
    )
    with browser.new_page(viewport={"width": 1440, "height": 900}) as page:
        for address, place in charts:
            go(page, team_url, address)
            if address.startswith("#/ask"):
                page.get_by_role("button", name="Chart").click()
            chart = page.locator(place).first
            chart.locator("svg").first.wait_for()
            chart.locator(".canvas").focus()
            page.keyboard.press("ArrowRight")
            expect(chart.locator(".point")).to_contain_text("1 of ")
            chart.get_by_role("button", name="Table").click()
            expect(chart.locator("tbody tr").first).to_be_visible()
            starts = {"CSV": b"", "SVG": b"<svg", "PNG": b"\x89PNG"}
            for kind, start in starts.items():
                with page.expect_download() as download:
                    chart.get_by_role("button", name=kind).click()
                content = Path(download.value.path()).read_bytes()
                assert content.startswith(start) and len(content) > 50, f"{address}: {kind}"
            for axis in chart.locator(".role-axis-label").all():
                labels = [
                    text for text in axis.locator("text").all() if text.evaluate("e => getComputedStyle(e).opacity")
                ]
                assert len(labels) <= 6, address
            assert chart.locator(".moments span").count() <= 6


def test_nothing_moves_for_a_reader_who_wants_no_motion(browser, team_url):
    with browser.new_page(reduced_motion="reduce") as page:
        go(page, team_url, "#/")
        expect(page.locator("main .dot.live").first).to_be_visible()
        assert page.evaluate("document.getAnimations().length") == 0
        page.emulate_media(reduced_motion="no-preference")
        assert page.evaluate("document.getAnimations().length") > 0


def test_with_forced_colours_states_and_choices_stay_visible(browser, team_url):
    colour = "one => getComputedStyle(one).backgroundColor"
    with browser.new_page(forced_colors="active") as page:
        go(page, team_url, "#/")
        page.locator("main .dot.bad").first.wait_for()
        page.locator("main .dot.live").first.wait_for()
        chosen = page.locator(".intro [aria-pressed=true]").evaluate(colour)
        assert chosen != page.locator(".intro [aria-pressed=false]").first.evaluate(colour)
        dots = {name: page.locator(f"main .dot.{name}").first.evaluate(colour) for name in ("good", "bad", "live")}
        assert len(set(dots.values())) == 3, dots
        go(page, team_url, "#/benchmarks/first_token/samples")
        page.locator("a.heat-cell").nth(40).wait_for()
        shades = {cell.evaluate(colour) for cell in page.locator("a.heat-cell").all()[:40]}
        assert len(shades) > 2, "a cell without a mark has a shade of its own"


def test_marks_that_turn_names_are_neutral_on_every_page(browser, serving, tmp_path, histories):
    workspace = Workspace(tmp_path / "w")
    store = JsonlStore(workspace.ledger, notice=print)
    for number in (1, 2):
        start = histories.started(str(number), model=HOSTILE, agent=HOSTILE, run_group_id=f"rg_{number}")
        end = histories.finished(number / 3, stderr=0.1)
        histories.append_anyway(store, [NewEvent(f"run_{number}", start), NewEvent(f"run_{number}", end)])
    store.close()
    with serving(workspace.root) as url, browser.new_page() as page:
        for address in (
            "#/?days=365",
            "#/leaderboard",
            "#/leaderboard?view=time",
            "#/runs",
            "#/runs/run_1",
            "#/benchmarks/b",
            f"#/compare?of=model:{quote(HOSTILE)}",
        ):
            go(page, url, address)
            expect(page.locator("main")).to_contain_text("anna\\u202elive")
            everything = page.evaluate(
                "document.body.innerText + [...document.querySelectorAll('[title], [aria-label]')]"
                ".map((one) => one.title + one.getAttribute('aria-label')).join()"
            )
            assert "\u202e" not in everything, address


def test_messages_of_the_server_write_names_as_they_are(browser, team_url):
    with browser.new_page() as page:
        go(page, team_url, "#/benchmarks/nope")
        expect(page.get_by_role("alert")).to_contain_text("'nope'")
        go(page, team_url, "#/runs/run_nobody")
        expect(page.get_by_role("alert")).to_contain_text("'run_nobody'")
        expect(page.get_by_role("button", name="Try again")).to_have_count(0)
