"""The start page: it has a place for each thing that needs a person, and the time span is in the address."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def panel(page, title):
    return page.locator("section.panel", has=page.get_by_role("heading", name=title, exact=False))


def test_it_shows_leaders_failures_spend_and_recent_runs(page, url):
    page.goto(url + "#/?days=365")
    expect(page.locator(".intro")).to_contain_text("132 runs of 6 benchmarks")
    expect(panel(page, "Leaders").locator("tbody tr")).to_have_count(4)
    expect(panel(page, "Spend")).to_contain_text("of 130 runs succeeded")
    recent = panel(page, "recently finished")
    expect(recent.locator("tbody tr").first).to_contain_text("3 of 10")
    expect(recent.locator("tbody tr")).to_have_count(11)
    failed = panel(page, "Needs attention").get_by_role("link", name="failed")
    expect(failed).to_contain_text("26 of")
    failed.click()
    expect(page.locator(".intro")).to_contain_text("26 of 132")


def test_the_time_span_is_in_the_address(page, url):
    page.goto(url)
    page.get_by_role("button", name="30 days").click()
    assert "days=30" in page.url
    page.reload()
    expect(page.get_by_role("button", name="30 days")).to_have_attribute("aria-pressed", "true")
