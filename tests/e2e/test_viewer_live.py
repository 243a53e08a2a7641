"""Open pages follow the ledger by themselves."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from playwright.sync_api import expect

from benchmarks.ledger.events import Heartbeat, NewEvent, Progress
from benchmarks.ledger.identity import this_process

pytestmark = pytest.mark.browser


def test_the_table_follows_the_ledger_by_itself(live, histories):
    page, url, _, store = live
    page.goto(url + "#/runs")
    page.get_by_text("No runs yet").wait_for()
    assert "benchmarks run" in page.locator(".message code").inner_text()
    expect(page.locator("#head")).to_have_attribute("data-state", "live")
    histories.append_anyway(store, [NewEvent("run_1", histories.started())])
    page.wait_for_selector("tr[data-run=run_1] .running")
    histories.append_anyway(store, [NewEvent("run_1", histories.finished(0.625))])
    page.get_by_text("0.625").first.wait_for()


def test_the_overview_shows_progress_age_and_stale_runs(live, histories):
    page, url, _, store = live
    page.goto(url)
    page.get_by_text("No runs yet").wait_for()
    alive = histories.started(owner=this_process())
    histories.append_anyway(store, [NewEvent("run_1", alive), NewEvent("run_2", histories.started("t"))])
    row = page.locator("tr[data-run=run_1]")
    row.wait_for()
    histories.append_anyway(store, [NewEvent("run_1", Heartbeat(progress=Progress(done=3, total=8)))])
    expect(row).to_contain_text("3 of 8")
    expect(row.locator("time-ago")).to_have_text("just now")
    assert row.locator("time-elapsed").inner_text().endswith(" s")
    histories.append_anyway(store, [NewEvent("run_1", histories.finished(0.5))])
    expect(page.locator("section.panel", has_text="Recently finished").locator("tr[data-run=run_1]")).to_have_count(1)


def test_a_stale_run_is_marked_before_anybody_recovers_it(browser, serving, tmp_path, histories):
    from benchmarks.ledger.storage import jsonl
    from benchmarks.projections.workspace import Workspace

    workspace = Workspace(tmp_path / "w")
    store = jsonl.JsonlStore(workspace.ledger, notice=print)
    gone = replace(this_process(), boot_id="another", pid=1)
    long_ago = {"at": "2020-01-01T00:00:00.000000Z"}
    histories.append_anyway(store, [replace(NewEvent("run_1", histories.started(owner=gone)), **long_ago)])
    with serving(workspace.root) as url, browser.new_page() as page:
        for address in ("#/", "#/runs", "#/runs/run_1"):
            page.goto(url + address)
            expect(page.locator("main .mark.stale").first).to_have_text("stale")
