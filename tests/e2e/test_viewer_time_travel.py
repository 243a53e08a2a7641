"""The history: every page shows the state of a moment, and says which one."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_every_page_shows_the_past_until_the_reader_returns(page):
    page.get_by_role("button", name="History").click()
    slider = page.get_by_label("Position in the ledger")
    expect(slider).to_have_attribute("max", "264")
    slider.fill("100")
    page.wait_for_url(re.compile("as_of=100"))
    expect(page.locator(".intro")).to_contain_text("50 runs")
    expect(page.locator("time-travel")).to_contain_text("event 100 of 264")
    assert page.evaluate("document.documentElement.hasAttribute('data-past')")
    expect(page.locator("#head")).to_have_attribute("data-state", "past")
    page.get_by_role("link", name="Start", exact=True).click()
    expect(page.locator(".intro")).to_contain_text("50 runs of")
    assert "as_of=100" in page.url
    page.reload()
    expect(page.locator("time-travel")).to_contain_text("event 100 of 264")
    page.get_by_role("button", name="Back to now").click()
    expect(page.locator(".intro")).to_contain_text("132 runs of")
    assert "as_of" not in page.url
    page.go_back()
    expect(page.locator(".intro")).to_contain_text("50 runs of")


def test_a_date_leads_to_its_moment(page):
    page.get_by_role("button", name="History").click()
    page.get_by_label("Date and time, UTC").fill("2020-01-01T00:00:00")
    page.wait_for_url(re.compile("as_of=2020"))
    page.get_by_text("At that moment the ledger had no runs").wait_for()
    expect(page.locator("time-travel")).to_contain_text("2020-01-01 00:00:00 UTC")


def test_a_moment_in_the_future_is_named_as_one(page, url):
    page.goto(url + "?as_of=2999-01-01T00:00:00Z#/")
    expect(page.locator("time-travel")).to_contain_text("2999-01-01 00:00:00 UTC is in the future")
    expect(page.locator(".intro")).to_contain_text("132 runs of")
    page.goto(url + "?as_of=264#/")
    expect(page.locator("time-travel")).to_contain_text("No events since")


def test_a_page_without_data_of_the_history_names_the_moment(page, url):
    page.goto(url + "?as_of=100#/ask")
    expect(page.locator("time-travel")).to_contain_text("Viewing event 100")
    expect(page.get_by_label("Position in the ledger")).to_have_value("100")


def test_a_position_after_the_last_event_is_an_error(browser, url):
    page = browser.new_page()
    page.goto(url + "?as_of=265#/")
    page.get_by_text("event 265 does not exist yet").wait_for()
    page.get_by_role("button", name="Back to now").click()
    expect(page.locator(".intro")).to_contain_text("132 runs of")
    page.close()


def test_a_later_run_is_not_shown(browser, url):
    page = browser.new_page()
    page.goto(url + "?as_of=100#/runs/run_full")
    page.get_by_text("This run cannot be shown").wait_for()
    page.get_by_role("button", name="Back to now").click()
    page.get_by_role("heading", name="full", exact=True).wait_for()
    page.close()


def test_the_slider_waits_until_the_ledger_is_measured(browser, url):
    page = browser.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda problem: problems.append(str(problem)))
    page.add_init_script("""
        const real = window.fetch;
        const held = new Promise((resolve) => (window.release = resolve));
        window.fetch = async (...asked) => {
            if (String(asked[0]).includes("api/ledger")) await held;
            return real(...asked);
        };
    """)
    page.goto(url + "#/runs")
    page.get_by_role("button", name="History").click()
    slider = page.get_by_label("Position in the ledger")
    expect(slider).to_be_disabled()
    slider.evaluate("slider => slider.dispatchEvent(new Event('input'))")
    assert problems == []
    page.evaluate("release()")
    expect(slider).to_be_enabled()
    slider.fill("100")
    page.wait_for_url(re.compile("as_of=100"))
    assert problems == []
    page.close()
