"""Pages that compare scores, in a real browser: the leaderboard, one benchmark, comparisons, questions in SQL."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from benchmarks.ledger.events import HighScorePublished, NewEvent

pytestmark = pytest.mark.browser


@pytest.fixture
def scores(live, histories):
    """A page, its address, and a ledger with the scores of three models on two benchmarks."""
    page, url, _, store = live
    reported: list[str] = []
    page.on("console", lambda message: reported.append(message.text) if is_wrong(message) else None)
    page.on("pageerror", lambda problem: reported.append(str(problem)))
    events = []
    for name, upwards, unit in (("recall", True, "ratio"), ("speed", False, "s")):
        events.append(
            NewEvent(
                name,
                HighScorePublished(
                    label="Paper", value=0.8, unit=unit, higher_is_better=upwards, source="https://example.org/p"
                ),
            )
        )
        for number, model in enumerate(("small", "middle", "large")):
            for repeat in (1, 2, 3):
                run = f"run_{name}_{model}_{repeat}"
                config = {"seed": 1} if repeat == 1 else {"seed": 1, "repeat": repeat}
                started = histories.started(
                    run, benchmark_id=name, model=model, comparison_key=name, extra_config=config
                )
                ended = histories.finished(
                    0.3 + number / 5 + repeat / 100, unit=unit, higher_is_better=upwards, stderr=0.01,
                    ended_at=f"2026-11-{10 + number * 3 + repeat}T10:00:00.000000Z",
                )  # fmt: skip
                events += [NewEvent(run, started), NewEvent(run, ended)]
    histories.append_anyway(store, events)
    yield page, url
    assert reported == [], "nothing that the page's policy forbids, no error, and no warning"


def test_one_file_holds_the_page_with_its_data(scores, live, bench, tmp_path):
    page, _ = scores
    _, _, workspace, _ = live
    file = tmp_path / "history of ours.html"
    printed = bench(
        "export-viewer-data", "--workspace", str(workspace.root), "--html", str(file), "--details", "5"
    ).stderr
    assert "wrote 18 runs to" in printed
    page.route(
        "**/*", lambda route: route.continue_() if route.request.url.startswith(("file:", "data:")) else route.abort()
    )
    page.goto(file.as_uri())
    expect(page.locator(".intro")).to_contain_text("18 runs of 2 benchmarks")
    expect(page.locator("#head")).to_contain_text("#38")
    page.get_by_role("link", name="Runs", exact=True).click()
    expect(page.locator(".intro")).to_contain_text("18 runs")
    page.get_by_role("searchbox", name="Search runs").fill("large speed")
    expect(page.locator(".intro")).to_contain_text("3 of 18")
    page.locator("tbody a").first.click()
    expect(page.locator(".timeline")).to_contain_text("finished")
    page.get_by_role("link", name="Leaderboard", exact=True).click()
    page.get_by_role("link", name="ratio").click()
    expect(page.locator(".canvas svg .mark-symbol path").first).to_be_visible()
    page.get_by_role("link", name="SQL", exact=True).click()
    expect(page.locator("main")).to_contain_text("Queries need the viewer's server")
    page.get_by_role("link", name="Integrity", exact=True).click()
    expect(page.locator(".proof")).to_contain_text("The chain is proven")
    page.evaluate("location.hash = '#/compare?of=model%3Asmall&of=model%3Alarge'")
    expect(page.get_by_role("row", name=re.compile("recall"))).to_contain_text("+0.400 better")


def is_wrong(message):
    # A browser logs every 400, also one that a test provokes.
    return message.type in ("error", "warning") and "400 (Bad Request)" not in message.text


def test_the_leaderboard_shows_the_best_contender_in_either_direction(scores):
    page, url = scores
    page.goto(url + "#/benchmarks")
    large = page.get_by_role("row", name=re.compile("large"))
    small = page.get_by_role("row", name=re.compile("small"))
    expect(large.locator("a.tied")).to_have_text(re.compile("^0.720"))
    expect(small.locator("a.tied")).to_have_text(re.compile("^0.320"))
    large.locator("a.tied").focus()
    expect(page.locator(".tip-text")).to_contain_text("the best")
    page.get_by_role("link", name="ratio").click()
    page.wait_for_url(re.compile("#/benchmarks/recall"))


def test_one_benchmark_has_its_history_as_a_chart(scores):
    page, url = scores
    page.goto(url + "#/benchmarks/recall")
    chart = page.get_by_role("img", name=re.compile("9 scores of recall, from 0.310 to 0.730"))
    expect(chart.locator("svg .mark-symbol path").first).to_be_visible(timeout=20_000)
    expect(page.locator(".standing-tiles")).to_contain_text("Paper")
    expect(page.get_by_role("row", name=re.compile("large"))).to_contain_text("0.720 ± 0.006")
    before = chart.locator("svg").get_attribute("width")
    page.set_viewport_size({"width": 700, "height": 900})
    expect(chart.locator("svg")).not_to_have_attribute("width", before)
    colour = "document.querySelector('.canvas svg .role-axis-label text').getAttribute('fill')"
    was = page.evaluate(colour)
    page.get_by_role("button", name="Change between light and dark").click()
    page.wait_for_function(f"was => {colour} !== was", arg=was)


def test_models_are_compared_and_the_address_says_which(scores):
    page, url = scores
    page.goto(url + "#/compare")
    page.get_by_text("Choose 2–6").wait_for()
    for name in ("model:small", "model:large"):
        page.get_by_label("What to compare").fill(name)
        page.keyboard.press("Enter")
    row = page.get_by_role("row", name=re.compile("recall"))
    expect(row).to_contain_text("+0.400 better, p < 0.001")
    expect(page.get_by_role("row", name=re.compile("speed"))).to_contain_text("+0.400 worse")
    assert page.url.endswith("#/compare?of=model%3Asmall&of=model%3Alarge")
    page.reload()
    expect(row).to_contain_text("better")
    page.get_by_role("button", name="Set model:large as baseline").click()
    expect(row).to_contain_text("−0.400 worse")
    page.get_by_role("button", name="Remove model:small").click()
    page.get_by_text("Choose 2–6").wait_for()


def test_letters_replace_the_names_of_sides_on_a_narrow_page(live, histories):
    page, url, _, store = live
    for number in range(3):
        events = [NewEvent(f"run_{number}", histories.started(str(number)))]
        events.append(NewEvent(f"run_{number}", histories.finished(number / 10, stderr=0.02)))
        histories.append_anyway(store, events)
    page.set_viewport_size({"width": 400, "height": 900})
    page.goto(url + "#/compare?of=run_0&of=run_1&of=run_2")
    expect(page.locator("table.compare td .interval-bar")).to_have_count(3)
    assert [cell.get_attribute("data-label") for cell in page.locator("table.compare td").all()][:3] == ["A", "B", "C"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    for letter in page.locator(".sides .letter").all():
        box = letter.bounding_box()
        assert box and box["width"] == box["height"]


def test_the_page_lists_scores_that_cannot_be_compared(scores):
    page, url = scores
    page.goto(url + "#/compare?of=model:small&of=model:unknown")
    expect(page.get_by_role("alert").get_by_text(re.compile("unknown"))).to_be_visible()


def test_a_question_is_answered_as_a_table_and_as_a_chart(scores):
    page, url = scores
    page.goto(url + "#/ask")
    expect(page.get_by_label("SQL")).not_to_have_value("")
    page.get_by_label("SQL").fill("SELECT model, max(score) AS best FROM runs GROUP BY model ORDER BY best DESC")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("row").nth(1)).to_contain_text("large", timeout=20_000)
    expect(page.get_by_role("row")).to_have_count(4)
    page.get_by_role("button", name="Chart").click()
    expect(page.locator(".canvas svg .mark-rect path")).to_have_count(3, timeout=20_000)
    page.reload()
    expect(page.get_by_role("row")).to_have_count(4, timeout=20_000)
    page.get_by_label("SQL").fill("SELECT modell FROM runs")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("alert").get_by_text(re.compile('Referenced column "modell" not found'))).to_be_visible(
        timeout=20_000
    )
    page.get_by_text("score_history", exact=True).click()
    page.get_by_role("button", name="is_record").click()
    assert page.get_by_label("SQL").input_value().endswith("is_record")


def test_the_providers_of_one_model_are_kept_apart(live, histories):
    page, url, _, store = live
    for number in range(4):
        start = histories.started(provider=["groq", "local"][number // 2], model="one")
        events = [NewEvent(f"run_{number}", start), NewEvent(f"run_{number}", histories.finished(number / 10))]
        histories.append_anyway(store, events)
    page.goto(url + "#/benchmarks/b")
    contenders = page.get_by_role("region", name="Contenders")
    expect(contenders.locator("tbody tr")).to_have_count(2)
    for provider in ("groq", "local"):
        expect(contenders.get_by_text(f"bare-model · {provider}")).to_be_visible()
