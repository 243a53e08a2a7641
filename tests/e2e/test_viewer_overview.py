"""The start page: running and finished runs, new bests, regressions, failures by reason."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def panel(page, title):
    return page.locator("section.panel", has=page.get_by_role("heading", name=title, exact=False))


def test_it_shows_running_and_finished_runs_bests_regressions_and_failures(page, url):
    page.goto(url + "#/?days=365")
    expect(page.locator(".intro")).to_contain_text("132 runs of 6 benchmarks")
    assert page.locator(".tile strong").all_inner_texts()[:2] == ["1", "105"]
    expect(panel(page, "Running now")).to_contain_text("3 of 10")
    expect(panel(page, "Recently finished").locator("tr[data-run]")).to_have_count(10)
    expect(panel(page, "New bests").locator("li").first).to_contain_text("previous best")
    expect(panel(page, "Regressions").locator("li").first).to_contain_text("before")
    failures = panel(page, "Failures by reason")
    expect(failures).to_contain_text("exit code")
    failures.get_by_role("link", name="exit code").click()
    expect(page.locator(".intro")).to_contain_text("26 of 132")


def test_the_time_span_is_in_the_address(page, url):
    page.goto(url)
    page.get_by_role("button", name="30 days").click()
    assert "days=30" in page.url
    page.reload()
    expect(page.get_by_role("button", name="30 days")).to_have_attribute("aria-pressed", "true")
