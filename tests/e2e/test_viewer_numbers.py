"""What a page shows is what was measured: contenders, errors, axes, bars, and what was left out."""

from __future__ import annotations

import json
import re
from hashlib import sha256

import pytest
from playwright.sync_api import expect

from benchmarks.ledger.events import Artifact, HighScorePublished, Imported, ImportSource, NewEvent

pytestmark = pytest.mark.browser


@pytest.fixture
def add(live, histories):
    """Adds a run with a score; more fields are those of its start, or of its end."""
    _, _, _, store = live

    def add(run_id, score, *, end=None, **start):
        given = {"run_group_id": f"rg_{run_id}", "comparison_key": start.get("benchmark_id", "b"), **start}
        started = histories.started(given.pop("signature", run_id), **given)
        finished = histories.finished(score, **{"stderr": None, **(end or {})})
        histories.append_anyway(store, [NewEvent(run_id, started), NewEvent(run_id, finished)])

    return add


def publish(store, histories, benchmark_id, value, unit="ratio"):
    published = HighScorePublished(label="Paper", value=value, unit=unit, higher_is_better=True, source="x")
    histories.append_anyway(store, [NewEvent(benchmark_id, published)])


def test_every_score_of_the_leaderboard_names_its_agent_and_its_model(live, add):
    page, url, _, _ = live
    for agent, score in (("mini-swe", 0.58), ("openhands", 0.62)):
        for model in ("small", "large"):
            add(f"run_{agent}_{model}", score, agent=agent, model=model, provider="local")
    page.goto(url + "#/benchmarks")
    for agent, score in (("mini-swe", "0.580"), ("openhands", "0.620")):
        for model in ("small", "large"):
            row = page.get_by_role("row", name=f"{model} {agent} · local")
            expect(row.locator(".value")).to_have_text(re.compile(f"^{score}"))
    expect(page.locator("table.leaderboard tbody tr")).to_have_count(4)


def test_the_facts_of_a_score_need_no_mouse(live, add):
    page, url, _, _ = live
    add("run_a", 0.5, end={"stderr": 0.02, "samples": 50})
    page.goto(url + "#/benchmarks")
    page.locator("td.score .value").focus()
    fact = page.locator(".tip-text")
    expect(fact).to_contain_text("0.500 ± 0.020 · 95% interval [0.460, 0.540] from samples")
    expect(fact).to_contain_text("one run · 50 samples")
    page.keyboard.press("Escape")
    expect(fact).to_have_count(0)
    page.get_by_role("button", name="How to read it").click()
    expect(fact).to_contain_text("Bold: the best")


def test_scores_that_agree_by_chance_have_no_error_of_zero(live, add):
    page, url, _, _ = live
    add("run_zero", 0.0, end={"stderr": 0.0, "samples": 10})
    for repeat in (1, 2, 3):
        add(f"run_{repeat}", 0.875, benchmark_id="agree", extra_config={"repeat": repeat})
    for address, ready in (
        ("#/benchmarks", "td.score"),
        ("#/runs", "tr[data-run]"),
        ("#/benchmarks/agree", "td.number"),
    ):
        page.goto(url + address)
        page.locator(ready).first.wait_for()
        assert "± 0.000" not in page.locator("main").inner_text(), address


def test_an_axis_names_the_score_and_the_day_and_the_published_score_is_drawn(live, add, histories):
    page, url, _, store = live
    publish(store, histories, "b", 0.993)
    add("run_a", 0.5, end={"ended_at": "2026-11-20T10:00:00.000000Z", "unit": "ratio"})
    page.goto(url + "#/benchmarks/b")
    chart = page.locator("figure.chart").first
    chart.locator(".mark-symbol path").first.wait_for(timeout=20_000)
    labels = chart.locator(".role-axis-label text").all_text_contents()
    scores = [float(text) for text in labels if re.fullmatch(r"[\d.]+", text)]
    assert {0.5, 1.0} <= set(scores) and len(scores) == len(set(scores))
    assert any(text.startswith("Nov 20, ") for text in labels), labels
    lines = chart.locator(".mark-line path")
    assert lines.count() >= 1
    width = chart.locator("svg").bounding_box()["width"]
    assert max(line.bounding_box()["width"] for line in lines.all()) > width / 2


def test_a_bar_never_adds_up_rows_with_equal_labels(live, add):
    page, url, _, _ = live
    for agent, score in (("mini-swe", 64.0), ("openhands", 60.0)):
        add(f"run_{agent}", score, agent=agent, model="haiku", end={"unit": "percent"})
    page.goto(url + "#/ask?sql=SELECT+benchmark_id,+model,+mean+FROM+leaderboard")
    page.get_by_role("button", name="Chart").click()
    bars = page.locator(".canvas svg .mark-rect path")
    expect(bars).to_have_count(2, timeout=20_000)
    tops = {round(bar.bounding_box()["y"]) for bar in bars.all()}
    assert len(tops) == 2, "each row has a bar of its own"
    labels = page.locator(".canvas svg .role-axis-label text").all_text_contents()
    assert max(float(text) for text in labels if re.fullmatch(r"[\d.]+", text)) <= 80


def test_scores_of_several_units_get_a_chart_each(live, add):
    page, url, _, _ = live
    add("run_a", 64.0, benchmark_id="swe", end={"unit": "percent"})
    add("run_b", 4.5, benchmark_id="latency", end={"unit": "seconds", "higher_is_better": False})
    page.goto(url + "#/ask?sql=SELECT+benchmark_id,+unit,+mean+FROM+leaderboard")
    page.get_by_role("button", name="Chart").click()
    expect(page.locator("figure.chart .canvas svg .mark-rect path")).to_have_count(2, timeout=20_000)
    assert page.locator("figure.chart").count() == 2


def test_what_was_not_compared_is_named_with_the_reason(live, add):
    page, url, _, _ = live
    for model, score in (("one", 0.5), ("two", 0.7)):
        end = {"stderr": 0.05, "samples": 100}
        add(f"run_{model}_32", score, benchmark_id="long", model=model, comparison_key="32",
            extra_config={"context": 32000}, end=end)  # fmt: skip
        add(f"run_{model}_s", 4 + score, benchmark_id="latency", model=model, end=end | {"unit": "seconds"})
    add("run_two_128", 0.6, benchmark_id="long", model="two", comparison_key="128", extra_config={"context": 128000})
    add("run_two_more", 0.6, benchmark_id="other", model="two")
    page.goto(url + "#/compare?of=model:one&of=model:two")
    missing = page.locator("section.panel", has=page.get_by_role("heading", name="Not compared"))
    expect(missing).to_contain_text("only B has a score for context=128000")
    expect(missing).to_contain_text("other")
    # A bar in each cell, each row with its own unit: none is left out because another row has seconds.
    expect(page.locator("table.compare tbody")).to_have_count(2)
    expect(page.locator("table.compare .interval-bar")).to_have_count(4)


@pytest.mark.parametrize("width", [1280, 1440, 1680])
def test_the_table_of_runs_fits_and_marks_and_sheets_are_not_cut(live, add, histories, width):
    page, url, _, store = live
    source = ImportSource("csv", "/elsewhere/table.csv", "0" * 64)
    row = {
        "benchmark_id": "b",
        "status": "succeeded",
        "score": 6.05,
        "unit": "seconds",
        "model": "m",
        "synthetic": True,
    }
    histories.append_anyway(store, [NewEvent("run_imported", Imported(source=source, run=row))])
    add("run_a", 0.5, provider="meta", model="meta-llama/Llama-4-Maverick-17B-128E-Instruct")
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(url + "#/runs")
    page.wait_for_selector("tr[data-run=run_imported]")
    if width >= 1440:
        assert page.locator(".tall").evaluate("box => box.scrollWidth <= box.clientWidth"), "a column is off screen"
    cell = page.locator("tr[data-run=run_imported] .c-status").bounding_box()
    for name in ("imported", "synthetic"):
        mark = page.locator("tr[data-run=run_imported] .mark", has_text=name).bounding_box()
        assert mark["x"] + mark["width"] <= cell["x"] + cell["width"], name
    assert page.locator("tr[data-run=run_imported] .c-score").evaluate("cell => cell.scrollWidth <= cell.clientWidth")
    for menu in page.locator("details.menu").all():
        menu.locator("summary").click()
        sheet = menu.locator(".sheet").bounding_box()
        assert sheet["x"] >= 0 and sheet["x"] + sheet["width"] <= width, menu.inner_text()
        menu.locator("summary").click()


def test_filters_stay_if_nothing_matches(live, add):
    page, url, _, _ = live
    add("run_a", 0.5)
    page.goto(url + "#/runs?q=nothing+at+all")
    page.get_by_text("No runs match").wait_for()
    for name in ("benchmark", "agent", "model", "group"):
        expect(page.locator(f"[data-filter={name}] summary")).to_be_visible()


def test_re_runs_are_those_of_the_chosen_options(live, add):
    page, url, _, _ = live
    for context in (32, 128):
        for number in (1, 2):
            add(f"run_{context}_{number}", context / 1000 + number / 100, comparison_key=str(context),
                signature=f"s{context}", extra_config={"context": context},
                end={"ended_at": f"2026-11-2{number}T10:00:00.000000Z"})  # fmt: skip
    page.goto(url + "#/benchmarks/b?task=32")
    expect(page.locator(".attempts-list > li")).to_have_count(1)
    assert {link.get_attribute("href") for link in page.locator(".attempts a").all()} == {
        "#/runs/run_32_1",
        "#/runs/run_32_2",
    }


def test_a_found_line_stands_among_its_neighbours_and_a_failure_shows_stderr(live, histories):
    page, url, workspace, store = live
    folder = workspace.run_folder("rg_1", "b", "b", "run_a")
    folder.mkdir(parents=True)
    (folder / "stdout.log").write_text("".join(f"line {number}\n" for number in range(60_000)))
    (folder / "stderr.log").write_text("Traceback: the reason\n")
    histories.append_anyway(store, [NewEvent("run_a", histories.started()), NewEvent("run_a", histories.failed())])
    page.goto(url + "#/runs/run_a")
    output = page.get_by_label("Output")
    expect(output).to_contain_text("Traceback: the reason")
    page.get_by_role("button", name="stdout").click()
    expect(output).to_contain_text("line 59999")
    page.get_by_label("Search the log").fill("line 3000")
    page.locator(".matches button").first.click()
    expect(page.locator(".log .found")).to_have_text("line 3000")
    text = output.inner_text()
    assert "line 2999\nline 3000\nline 3001\n" in text and "line 2995\n" in text


def test_a_sample_has_an_address(live, histories):
    page, url, workspace, store = live
    content = "\n".join(
        json.dumps({"id": f"q{number}", "correct": True, "output": f"a{number}"}) for number in range(300)
    )
    file = workspace.run_folder("rg_1", "b", "b", "run_a") / "output" / "samples.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    artifact = Artifact("output/samples.jsonl", len(content), sha256(content.encode()).hexdigest())
    events = [NewEvent("run_a", histories.started()), NewEvent("run_a", histories.finished(artifacts=[artifact]))]
    histories.append_anyway(store, events)
    page.goto(url + "#/runs/run_a")
    page.locator("table.samples tr[data-line]").nth(2).click()
    page.wait_for_url(re.compile("#/runs/run_a/samples/q2$"))
    page.goto("about:blank")
    page.goto(url + "#/runs/run_a?sample=q250")  # An address of an earlier version.
    page.wait_for_url(re.compile("#/runs/run_a/samples/q250$"))
    expect(page.get_by_role("tabpanel")).to_contain_text("a250")
    page.goto("about:blank")
    page.goto(url + "#/runs/run_a/samples/nothing")
    expect(page.get_by_role("alert")).to_contain_text("the run has no sample 'nothing'")


def test_a_ledger_that_was_changed_looks_so_on_every_page(browser, serving, tmp_path, histories):
    from benchmarks.ledger.storage.jsonl import JsonlStore
    from benchmarks.projections.workspace import Workspace

    workspace = Workspace(tmp_path / "w")
    store = JsonlStore(workspace.ledger, notice=print)
    histories.append_anyway(
        store, [NewEvent("run_a", histories.started()), NewEvent("run_a", histories.finished(0.942))]
    )
    store.close()
    with serving(workspace.root) as url, browser.new_page() as page:
        page.goto(url)
        page.wait_for_selector("table.recent")
        page.wait_for_function("async () => (await (await fetch('/api/ledger')).json()).proven === 2")
        expect(page.locator("#notice")).to_be_hidden()
        expect(page.locator("#head")).to_have_attribute("data-proof", "proven")
    [segment] = workspace.ledger.glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b'"score":0.942', b'"score":0.992'))
    with serving(workspace.root) as url, browser.new_page() as page:
        for address in ("#/", "#/runs", "#/leaderboard", "#/campaigns"):
            page.goto(url + address)
            expect(page.locator("#notice")).to_contain_text("event 2: its hash does not match its bytes")
            expect(page.locator("#head")).to_have_attribute("data-proof", "damaged")
        page.goto(url + "?as_of=1#/runs")
        expect(page.locator("#head")).to_have_attribute("data-proof", "damaged")
        page.goto(url + "#/integrity")
        expect(page.locator(".proof")).to_contain_text("The ledger is not sound")
