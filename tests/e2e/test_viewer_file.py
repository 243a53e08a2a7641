"""The page without a server: it has the answers of the server, also as of earlier moments."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime, timedelta
from itertools import pairwise
from urllib.parse import parse_qs, unquote, urlsplit

import falcon.testing
import pytest
from playwright.sync_api import expect

from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.viewer.app import create_app
from benchmarks.viewer.offline.file import write_page

pytestmark = pytest.mark.browser
SLOW = 30_000
"""Milliseconds that a page may take on a busy machine."""

ASKED = [
    "api/runs?limit=200",
    "api/runs?limit=20&model=gpt-5-mini&sort=-score",
    "api/board",
    "api/board?runs=repeats",
    "api/board?benchmark=gsm_hard",
    "api/leaderboard",
    "api/overview?days=7",
    "api/leaders?days=30",
    "api/attention?days=7",
    "api/timeline?days=7",
    "api/benchmarks",
    "api/benchmarks/swe_mini",
    "api/campaigns?limit=50",
    "api/high-scores",
    "api/integrity",
    "api/compare?of=model:gpt-5-mini&of=model:claude-haiku",
]
OF_THE_SERVER = ("state", "proven", "damage", "next")
"""Fields that say something about the server, or how to ask it again."""


@pytest.fixture(scope="module")
def file(team, tmp_path_factory):
    file = tmp_path_factory.mktemp("file") / "history.html"
    with contextlib.closing(JsonlStore(team.ledger, notice=print)) as store:
        assert write_page(team.root, store, file, details=100, moments=5) == 188
    return file


@pytest.fixture
def page(browser, file):
    problems: list[str] = []
    with browser.new_page(viewport={"width": 1440, "height": 900}) as page:
        page.set_default_timeout(SLOW)
        page.on("pageerror", lambda error: problems.append(str(error)))
        yield page
    assert problems == []


def test_a_file_has_the_answers_also_samples_and_stays_small(page, file):
    assert file.stat().st_size < 2_000_000
    page.goto(file.as_uri() + "#/leaderboard")
    expect(page.locator("table.leaderboard tbody tr")).to_have_count(17, timeout=SLOW)
    page.get_by_role("button", name="Score × cost").click()
    page.locator("figure.chart .mark-symbol path").first.wait_for()
    page.get_by_role("link", name="Campaigns", exact=True).click()
    page.get_by_role("link", name="catch up").click()
    expect(page.locator(".campaign-head")).to_contain_text("cost limit reached")
    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_role("link", name="gsm_hard").first.click()
    expect(page.locator("tr[data-line]").first).to_be_visible(timeout=SLOW)
    page.locator("tr[data-line] a").first.click()
    page.wait_for_url(re.compile("/samples/"))
    expect(page.locator("main")).to_contain_text("A shop sells")


def test_the_numbers_of_an_earlier_moment_are_those_of_the_server(page, file, team):
    page.goto(file.as_uri())
    page.locator("main h1").first.wait_for()

    def inside(address):
        return page.evaluate("async (address) => (await fetch(address)).json()", address)

    moments = inside("api/ledger")["moments"]
    runs = [run["run_id"] for run in inside("api/runs?limit=200")["runs"]]
    details = [f"api/runs/{run_id}{part}" for run_id in runs[20:100:40] for part in ("", "/events")]
    since = moments[len(moments) // 3]["position"]
    with contextlib.closing(JsonlStore(team.ledger, notice=print)) as store:
        client = falcon.testing.TestClient(create_app(team.root, store), headers={"Host": "127.0.0.1"})

        def served(address):
            parts = urlsplit("/" + address)
            found = client.simulate_get(unquote(parts.path), params=parse_qs(parts.query))
            return found.json if found.status_code == 200 else None

        for place in (len(moments) // 2, len(moments) - 2):
            position = moments[place]["position"]
            for address in [*ASKED, *details, f"api/changes?since={since}"]:
                address += f"{'&' if '?' in address else '?'}as_of={position}"
                expected, found = served(address), inside(address)
                if expected is None:
                    assert "not known yet" in found["detail"], address
                    continue
                for name in OF_THE_SERVER:
                    expected.pop(name, None), found.pop(name, None)
                assert found == expected, address


def test_the_reader_goes_to_an_earlier_moment_of_a_file(page, file):
    page.goto(file.as_uri() + "#/leaderboard")
    page.get_by_role("button", name="History").click()
    bar = page.get_by_role("region", name="History")
    slider = page.get_by_role("slider", name="Position in the ledger")
    expect(slider).to_be_enabled()
    moments = page.evaluate("async () => (await (await fetch('api/ledger')).json()).moments")
    expect(slider).to_have_value(str(len(moments)))
    slider.press("ArrowLeft")
    expect(bar).to_contain_text(f"event {moments[-1]['position']} of")
    expect(bar).not_to_contain_text("no state of")
    assert f"as_of={moments[-1]['position']}" in page.url
    page.reload()
    expect(bar).to_contain_text(f"event {moments[-1]['position']} of")
    expect(page.locator("#head")).to_have_attribute("data-proof", "proven")
    # A date between two moments: the page says which one it shows.
    before, after = max(pairwise(moments[1:]), key=lambda two: two[1]["position"] - two[0]["position"])
    date = datetime.fromisoformat(after["at"]) - timedelta(seconds=1)
    page.get_by_label("Date and time, UTC").fill(f"{date:%Y-%m-%dT%H:%M:%S}")
    expect(bar).to_contain_text(f"event {before['position']} of")
    expect(bar).to_contain_text("this file has no state of")
    bar.get_by_role("button", name="Back to now").click()
    expect(page.get_by_role("button", name="History")).to_be_visible()
    # What the file does not have stands there in words.
    page.evaluate("location.hash = '#/runs'")
    page.locator("tbody tr[data-run] a").first.click()
    expect(page.locator("[data-panel=proof]")).to_contain_text("This file has no proofs")
