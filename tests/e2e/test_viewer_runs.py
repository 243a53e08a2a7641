"""The table of runs: rows in sight only, sorted, filtered and searched by the server, its state in the address."""

from __future__ import annotations

import csv
import re

import pytest
from playwright.sync_api import expect

from benchmarks.ledger.events import Imported, ImportSource, NewEvent, Retracted

pytestmark = pytest.mark.browser

ROWS = "tr[data-run]"


def column(page, name):
    """The texts of a column, of the rows that exist."""
    return page.locator(f"{ROWS} .c-{name}").all_inner_texts()


def sort_by(page, name, **how):
    with page.expect_response(re.compile("/api/runs")):
        page.locator(f"[data-sort={name}]").click(**how)
    page.wait_for_timeout(50)


def test_every_run_of_a_long_history_can_be_reached_and_few_rows_exist_at_a_time(live, histories):
    page, url, _, store = live
    names = [f"run_{number:04d}" for number in range(1050)]
    histories.append_anyway(store, [NewEvent(name, histories.started()) for name in names])
    page.goto(url + "#/runs?sort=run_id")
    page.wait_for_selector(ROWS)
    assert page.locator(ROWS).first.get_attribute("data-run") == "run_0000"
    assert page.locator(ROWS).count() < 60
    assert page.locator("table").get_attribute("aria-rowcount") == "1051"
    page.locator(".tall").evaluate("box => box.scrollTop = box.scrollHeight")
    expect(page.locator(ROWS).last).to_have_attribute("data-run", "run_1049")
    assert page.locator(ROWS).last.get_attribute("aria-rowindex") == "1051"
    assert page.locator(ROWS).count() < 60


@pytest.mark.parametrize("name", ["agent", "run_id", "benchmark", "score"])
def test_a_click_on_a_heading_sorts_and_another_turns_it_round(page, url, name):
    page.goto(url + "#/runs?columns=agent,run_id,score")
    page.reload()
    page.wait_for_selector(ROWS)
    sort_by(page, name)
    first = column(page, name)
    sort_by(page, name)
    second = column(page, name)
    orders = [sorted(first), sorted(second, reverse=True)]
    assert [first, second] == (orders if name != "score" else [sorted(first, reverse=True), sorted(second)])
    assert first != second
    assert f"sort={'' if name == 'score' else '-'}{name}" in page.url


def test_the_shift_key_adds_a_second_key(page):
    sort_by(page, "agent")
    sort_by(page, "score", modifiers=["Shift"])
    page.wait_for_url(re.compile("sort=agent%2C-score"))
    assert set(column(page, "agent")[2:20]) == {"eliza"}
    scores = column(page, "score")[2:20]
    assert scores == sorted(scores, reverse=True)
    assert page.locator("[data-sort=score] .arrow").inner_text() == "↓2"


def test_differences_are_shown_with_a_sign(page, url):
    page.goto(url + "#/runs?columns=score,delta")
    page.wait_for_selector("td.c-delta")
    assert {text[:1] for text in column(page, "delta")} == {"+", "−", ""}
    assert page.locator(".c-delta .worse").count() == 0, "a difference that was not tested has no colour"
    assert "±" in column(page, "score")[5]
    page.get_by_text("Columns").click()
    page.locator(".columns-menu").get_by_label("Published score").check()
    expect(page.locator("[data-sort=high_score]")).to_have_count(1)
    assert set(column(page, "high_score")) == {"0.500", ""}


def test_filters_and_search_stand_in_the_address_and_survive_a_reload(page):
    summary = page.locator(".intro")
    page.get_by_role("button", name="failed").click()
    expect(summary).to_contain_text("26 of 132")
    page.get_by_role("button", name="running").click()
    expect(summary).to_contain_text("27 of 132")
    page.get_by_role("button", name="running").click()
    expect(summary).to_contain_text("26 of 132")
    page.locator("[data-filter=benchmark] summary").click()
    page.get_by_label("suite_1").check()
    expect(summary).to_contain_text("7 of 132")
    page.get_by_label("suite_2").check()
    expect(summary).to_contain_text("13 of 132")
    assert "status=failed" in page.url and "benchmark=suite_1" in page.url
    page.reload()
    expect(summary).to_contain_text("13 of 132")
    page.get_by_role("button", name="Remove the filter benchmark suite_2").click()
    expect(summary).to_contain_text("7 of 132")
    page.get_by_role("button", name="Clear filters").click()
    expect(summary).to_contain_text("132 runs")
    page.get_by_role("heading", name="Runs").click()
    page.keyboard.press("/")
    page.keyboard.type("run_07")
    expect(summary).to_contain_text("10 of 132")
    page.get_by_role("searchbox").fill("nothing at all")
    page.get_by_text("No runs match").wait_for()
    page.keyboard.press("Escape")
    expect(summary).to_contain_text("132 runs")


def test_columns_can_be_chosen_and_stand_in_the_address(page):
    assert page.locator("[data-sort=attempt]").count() == 0
    page.get_by_text("Columns").click()
    page.locator(".columns-menu").get_by_label("Attempt").check()
    page.locator(".columns-menu").get_by_label("Model").uncheck()
    expect(page.locator("[data-sort=attempt]")).to_have_count(1)
    expect(page.locator("[data-sort=model]")).to_have_count(0)
    page.reload()
    expect(page.locator("[data-sort=attempt]")).to_have_count(1)
    assert set(column(page, "attempt")) == {"1"}


def test_filtered_runs_can_be_downloaded(page):
    page.get_by_role("button", name="failed").click()
    expect(page.locator(".intro")).to_contain_text("26 of 132")
    page.get_by_text("Download").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    assert len(rows) == 26 and {row["status"] for row in rows} == {"failed"}


def test_text_from_the_ledger_is_never_markup(page):
    page.get_by_role("searchbox").fill("run_full")
    expect(page.locator(ROWS)).to_have_count(1)
    assert column(page, "model") == ['<img src=x onerror="window.hacked=1"> local']
    assert page.locator("tbody img").count() == 0
    assert page.locator("tbody .mark").inner_text() == "synthetic"


def test_rows_can_be_chosen_with_keys_and_back_returns_to_the_same_place(page):
    page.get_by_role("button", name="succeeded").click()
    expect(page.locator(".intro")).to_contain_text("105 of 132")
    for _ in range(40):
        page.keyboard.press("j")
    page.keyboard.press("k")
    chosen = page.locator("tr.chosen").get_attribute("data-run")
    page.wait_for_function(
        "() => history.state?.table > 0 && history.state.table === document.querySelector('.tall').scrollTop"
    )
    place = page.evaluate("history.state.table")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"#/runs/{chosen}"))
    page.wait_for_selector(".run-head")
    page.keyboard.press("Escape")
    page.wait_for_selector("tr.chosen")
    assert page.locator("tr.chosen").get_attribute("data-run") == chosen
    page.wait_for_function("place => document.querySelector('.tall').scrollTop === place", arg=place)
    page.go_back()
    expect(page.locator(".intro")).to_contain_text("132 runs")


def test_a_selection_in_the_table_survives_its_refresh(live, histories):
    page, url, _, store = live
    add = histories.append_anyway
    add(store, [NewEvent(f"run_{number:02d}", histories.started()) for number in range(60)])
    page.goto(url + "#/runs")
    page.wait_for_selector(ROWS)
    for _ in range(41):
        page.keyboard.press("j")
    chosen = page.locator("tr.chosen").get_attribute("data-run")
    where = "document.querySelector('tr.chosen').getBoundingClientRect().top"
    top = page.evaluate(where)
    ends = [NewEvent(f"run_{number:02d}", histories.finished(0.5)) for number in range(60)]
    add(store, [*ends, NewEvent("run_new", histories.started())])
    expect(page.locator(".intro")).to_contain_text("61 runs")
    page.wait_for_selector("tr.chosen .dot.good")
    assert page.evaluate("document.activeElement.closest('tr').dataset.run") == chosen == "run_19"
    assert page.evaluate(where) == pytest.approx(top, abs=1), "a new row above moved what somebody reads"


def test_rows_that_need_care_say_so_and_units_are_shown(live, histories):
    page, url, _, store = live
    start = histories.started()
    source = ImportSource(kind="json", path="x.json", sha256="0" * 64)
    events = {
        "run_retracted": [start, histories.finished(), Retracted(author="ana", reason="wrong data")],
        "run_registered": [histories.started(registration="reg_1")],
        "run_recovered": [start, histories.recovered()],
        "run_late": [start, histories.recovered(), histories.finished(late=True)],
        "run_imported": [Imported(source=source, run={"benchmark_id": "b", "status": "failed"})],
        "run_synthetic": [start, histories.finished(67.25, stderr=1.5, unit="points", synthetic=True)],
    }
    histories.append_anyway(store, [NewEvent(run_id, event) for run_id, some in events.items() for event in some])
    page.goto(url + "#/runs")
    page.wait_for_selector(ROWS)
    for run_id in events:
        printed = page.locator(f"tr[data-run={run_id}] .mark").all_inner_texts()
        assert any(text.startswith(run_id.removeprefix("run_")) for text in printed), f"{run_id}: {printed}"
    assert page.locator("tr[data-run=run_synthetic] .c-score").inner_text() == "67.3 ± 1.5 points"


def test_a_benchmark_of_another_program_is_shown_by_its_name(live, histories):
    page, url, _, store = live
    row = {"benchmark_id": "name-a3a6502038", "status": "succeeded", "score": 0.5, "extra_config": {}}
    row["extra_config"] = {"benchmark_name": "数学推理"}
    imported = Imported(source=ImportSource("csv", "/elsewhere/table.csv", "0" * 64), run=row)
    histories.append_anyway(store, [NewEvent("run_named", imported)])
    page.goto(url + "#/runs?q=run_named")
    page.wait_for_selector(ROWS)
    assert page.locator("tr[data-run=run_named] .c-benchmark").inner_text() == "数学推理"
    page.goto(url + "#/runs/run_named")
    expect(page.locator("h1")).to_have_text("数学推理")
    page.goto(url + "#/benchmarks/name-a3a6502038")
    expect(page.locator("h1")).to_have_text("数学推理")


@pytest.mark.parametrize("page", [{"width": 400}], indirect=True)
def test_on_a_narrow_screen_rows_can_be_sorted_too(page):
    page.get_by_label("Sort by").select_option("run_id")
    page.wait_for_url(re.compile("sort=run_id"))
    expect(page.locator(ROWS).first).to_have_attribute("data-run", "run_000")
    page.get_by_role("button", name="ascending").click()
    expect(page.locator(ROWS).first).to_have_attribute("data-run", "run_live")


def test_a_group_is_a_filter_that_is_seen_and_can_be_taken_away(page):
    page.get_by_text("Columns").click()
    page.locator(".columns-menu").get_by_label("Group").check()
    page.locator(f"{ROWS} .c-group a").first.click()
    page.get_by_role("button", name="Remove the filter group").click()
    page.wait_for_url(lambda address: "group" not in address)
    expect(page.get_by_role("button", name="Remove the filter group")).to_have_count(0)
    page.locator("[data-filter=group] summary").click()
    page.get_by_label("rg_plain_129", exact=False).check()
    page.wait_for_url(lambda address: "group=rg_plain_129" in address)
