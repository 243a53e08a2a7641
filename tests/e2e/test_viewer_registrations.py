"""The pages of registered plans and published tables, in a browser: the values of the command, and links to them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from benchmarks.ledger.events import (
    NewEvent,
    PublishedRow,
    PublishedRun,
    RegisteredContender,
    RegisteredTest,
    RegistrationAmended,
    TablePublished,
)
from benchmarks.ledger.storage.jsonl import JsonlStore

pytestmark = pytest.mark.browser
PLAN = "reg_20261128T204342Z_0e243dc8"


@pytest.fixture
def planned(tmp_path, histories):
    """A workspace with a plan, its runs, an amendment that came late, and a published table."""
    store = JsonlStore(tmp_path / "benchmark_results" / "ledger", notice=pytest.fail)

    def say(stream, *events):
        histories.append_anyway(store, [NewEvent(stream, event) for event in events])

    contenders = [
        RegisteredContender(name=name, agent="bare-model", provider="local", model=name) for name in ("large", "small")
    ]
    test = RegisteredTest(kind="better", contender="large", baseline="small")
    say("rg_1", histories.opened())
    say(PLAN, histories.registered(contenders=contenders, test=test, hypothesis="Large solves more."))
    for name, score in (("large", 0.9), ("small", 0.1)):
        say(f"run_{name}", histories.started(name, model=name, registration=PLAN), histories.finished(score))
    say(PLAN, RegistrationAmended(author="ada", reason="a typing error", changes={"stopping_rule": "All have ended."}))
    shown = [PublishedRun(run_id="run_large", score=0.9, seq=4, hash="0" * 64)]
    names = {"comparison_key": "c", "revision": "r", "agent": "bare-model", "provider": "local", "model": "large"}
    row = PublishedRow(benchmark_id="b", rank=1, score=0.9, runs=shown, **names)
    named = {"id": PLAN, "standing": "confirmatory", "outcome": "supported"}
    say("table_quiz", TablePublished(author="ada", name="quiz", version=1, rows=[row], registration=named))
    return tmp_path


def test_a_plan_can_be_found_and_read(planned, browser, serving):
    from axe_playwright_python.sync_playwright import Axe

    with serving(planned) as url:
        for width, scheme in ((1280, "light"), (390, "dark")):
            with browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme) as page:
                page.goto(f"{url}#/integrity")
                page.get_by_role("link", name="Registered plans and published tables").click()
                expect(page.get_by_role("row", name="quiz@1")).to_contain_text("none")
                _looks_right(page, Axe())
                page.get_by_role("rowheader", name=PLAN).get_by_role("link").click()
                expect(page.locator("main")).to_contain_text("Exploratory: a deviation may have moved the result")
                for text in ("Large solves more.", "supported", "1 of 1", "passes", "stopping_rule: a typing error"):
                    expect(page.locator("main")).to_contain_text(text)
                _looks_right(page, Axe())
                page.get_by_role("link", name="run_large").first.click()
                page.get_by_role("link", name="registered", exact=True).first.click()
                expect(page.locator("h1")).to_have_text("Registered plan")


def _looks_right(page, axe) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    results = axe.run(page, options={"resultTypes": ["violations"]})
    assert results.violations_count == 0, results.generate_report()
