"""The page of one run: its story, its score, its samples, its files, and its output as it grows."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from playwright.sync_api import expect

from benchmarks.ledger.events import Artifact, Heartbeat, NewEvent, Progress
from benchmarks.ledger.identity import this_process
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.workspace import Workspace

pytestmark = pytest.mark.browser

EVIL = '<img src=x onerror="window.hacked=1">'


def test_a_run_has_its_page_with_events_logs_samples_and_artifacts(page, url):
    page.goto(url + "#/runs/run_full")
    page.get_by_role("heading", name="full", exact=True).wait_for()
    page.get_by_text("chain verified").first.wait_for()
    assert page.locator(".run-score strong").inner_text() == "0.750"
    page.get_by_role("heading", name="Provenance").click()
    assert page.locator("ol.timeline .kind").all_inner_texts() == ["started", "finished"]
    page.locator("ol.timeline summary").last.click()
    assert '"score": 0.75' in page.locator("ol.timeline pre").last.inner_text()
    output = page.get_by_label("Output")
    assert output.inner_text().strip() == f"green {EVIL}\na needle here"
    assert output.locator(".ansi-fg-2").inner_text() == "green"
    page.get_by_role("button", name="stderr").click()
    expect(output).to_contain_text("to stderr")
    assert page.get_by_text("by_group.depth_0").is_visible()
    samples = page.locator("table.samples tr[data-line]")
    expect(samples).to_have_count(6)
    page.get_by_role("button", name="incorrect 3").click()
    expect(samples).to_have_count(3)
    expect(samples.first).to_contain_text(EVIL)
    page.get_by_label("Search samples").fill("no such words")
    page.get_by_text("No samples match").wait_for()


def test_files_are_downloaded_and_looked_into(page, url):
    page.goto(url + "#/runs/run_full")
    with page.expect_download() as download:
        page.get_by_role("link", name="output/result.json").click()
    assert download.value.suggested_filename == "result.json"
    page.get_by_role("row", name="output/result.json").get_by_role("button", name="View").click()
    expect(page.locator(".artifact pre")).to_contain_text('"evil": "<img src=x')
    assert page.locator("main img").count() == 0


def test_a_log_is_searched_and_the_line_shown(page, url):
    page.goto(url + "#/runs/run_full")
    page.get_by_label("Search the log").fill("NEEDLE")
    page.locator(".matches button").click()
    expect(page.locator(".log .found")).to_have_text("a needle here")
    page.get_by_label("Search the log").fill("haystack")
    expect(page.locator(".matches")).to_contain_text("No matches")


def test_the_score_is_shown_beside_reference_and_history(page, url):
    page.goto(url + "#/runs/run_014")
    standing = page.locator(".standing")
    expect(standing).to_contain_text("someone")
    expect(standing.locator("svg .this")).to_have_count(1)
    expect(standing).to_contain_text("previous best")
    assert standing.locator(".dots circle").count() > 10


def test_a_missing_run_is_an_error(browser, url):
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url + "#/runs/run_nobody")
    page.get_by_text("run_nobody").wait_for()
    expect(page.get_by_role("alert")).to_contain_text("no run 'run_nobody'")
    page.wait_for_load_state("networkidle")
    page.close()
    assert [one for one in asked if "run_nobody/" in one] == [], "nothing is asked about a run that is not there"


def test_a_running_run_is_followed_and_open_parts_stay_open(live, histories):
    page, url, workspace, store = live
    log = workspace.run_folder("rg_1", "b", "b", "run_1") / "stdout.log"
    log.parent.mkdir(parents=True)
    log.write_text("first\n\x1b[3")
    histories.append_anyway(store, [NewEvent("run_1", histories.started(owner=this_process()))])
    page.goto(url + "#/runs/run_1")
    output = page.get_by_label("Output")
    expect(output).to_have_text("first\n")
    page.get_by_role("heading", name="Provenance").click()
    page.locator("ol.timeline summary").first.click()
    with log.open("a") as file:
        file.write("2mgreen\x1b[0m\n10 %\r20 %\r")
    beat = Heartbeat(progress=Progress(done=1, total=4))
    histories.append_anyway(store, [NewEvent("run_1", beat) for _ in range(3)])
    expect(output).to_have_text("first\ngreen\n20 %")
    expect(output.locator(".ansi-fg-2")).to_have_text("green")
    expect(page.locator(".run-score")).to_contain_text("1 of 4")
    expect(page.locator("ol.timeline li")).to_have_count(2)  # Consecutive heartbeats are one row.
    assert page.locator("ol.timeline details[open]").count() == 1
    histories.append_anyway(store, [NewEvent("run_1", histories.finished(0.5))])
    expect(page.locator(".run-score strong")).to_have_text("0.500")
    assert page.locator("ol.timeline details[open]").count() == 1
    assert output.inner_text().count("first") == 1


def test_many_samples_scroll_in_their_panel_and_leave_no_empty_page_below(browser, serving, tmp_path, histories):
    workspace = Workspace(tmp_path / "w")
    store = JsonlStore(workspace.ledger, notice=print)
    content = b"".join(b'{"id": "%d", "correct": true}\n' % number for number in range(100))
    file = workspace.run_folder("rg_1", "b", "b", "run_a") / "output" / "samples.jsonl"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    artifact = Artifact("output/samples.jsonl", len(content), sha256(content).hexdigest())
    events = [NewEvent("run_a", histories.started()), NewEvent("run_a", histories.finished(artifacts=[artifact]))]
    histories.append_anyway(store, events)
    with serving(workspace.root) as url, browser.new_page(viewport={"width": 1280, "height": 900}) as page:
        page.goto(url + "#/runs/run_a")
        expect(page.locator("table.samples")).to_have_attribute("aria-rowcount", "101")
        end = page.locator("main").evaluate("main => main.getBoundingClientRect().bottom + scrollY")
        assert page.evaluate("document.documentElement.scrollHeight") <= max(end, 900) + 100


def test_a_sample_shows_all_that_its_benchmark_wrote(live, histories):
    page, url, workspace, store = live
    sample = {
        "id": "fix-me",
        "correct": False,
        "score": 0.0,
        "output": "done",
        "explanation": "the patch does not apply",
        "category": "django",
        "cost_usd": 0.012,
        "scores": {"patch": 0, "style": 1},
        "judge": {"verdict": "refused"},
        "messages": [
            {"role": "system", "content": "You mend software."},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"function": {"name": "bash", "arguments": '{"command": "ls -la"}'}}],
            },
            {"role": "tool", "name": "bash", "content": "setup.py"},
            {"role": "assistant", "content": [{"type": "text", "text": f"I give up {EVIL}"}]},
        ],
        "anything_else": [1, 2],
    }
    lines = [sample, {"id": "lost", "correct": False, "error": "RateLimitError: 429"}, {"id": "well", "correct": True}]
    content = "\n".join(map(json.dumps, lines)).encode()
    file = workspace.run_folder("rg_1", "b", "b", "run_a") / "output" / "samples.jsonl"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    artifact = Artifact("output/samples.jsonl", len(content), sha256(content).hexdigest())
    events = [NewEvent("run_a", histories.started()), NewEvent("run_a", histories.finished(artifacts=[artifact]))]
    histories.append_anyway(store, events)
    page.goto(url + "#/runs/run_a")
    panel = page.locator("[data-panel=samples]")
    expect(panel.locator(".tabs button")).to_have_text(
        ["all 3", "✕ incorrect incorrect 1", "! error error 1", "✓ correct correct 1"]
    )
    panel.get_by_role("link", name="fix-me").click()
    shown = page.locator("main")
    for text in [
        "patch does not apply",
        "django",
        "$0.012",
        "style",
        "refused",
        "You mend software.",
        "ls -la",
        "setup.py",
        EVIL,
    ]:
        expect(shown).to_contain_text(text)
    page.get_by_role("tab", name="Output").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("anything_else")
    page.goto(url + "#/runs/run_a")
    panel.get_by_role("button", name="error").click()
    expect(panel.locator("tr[data-line]")).to_have_count(1)
    expect(panel.locator("tr[data-line]")).to_contain_text("RateLimitError")
    page.set_viewport_size({"width": 390, "height": 800})
    expect(panel.locator("td", has_text="RateLimitError")).to_be_visible()


def test_samples_that_were_changed_are_not_shown(live, histories):
    page, url, workspace, store = live
    for run in ("run_a", "run_b"):
        file = workspace.run_folder("rg_1", "b", "b", run) / "output" / "samples.jsonl"
        file.parent.mkdir(parents=True)
        content = b'{"id": "1", "correct": true}\n{"id": "2", "correct": false}\n'
        file.write_bytes(content)
        artifact = Artifact("output/samples.jsonl", len(content), sha256(content).hexdigest())
        events = [NewEvent(run, histories.started(run)), NewEvent(run, histories.finished(0.5, artifacts=[artifact]))]
        histories.append_anyway(store, events)
    file.write_bytes(content.replace(b"false", b"true "))
    page.goto(url + "#/runs/run_b")
    expect(page.locator("[data-panel=samples]")).to_contain_text("samples.jsonl is not the file that was recorded")
    assert page.locator("tr[data-line]").count() == 0
    page.goto(url + "#/compare?of=run_a&of=run_b")
    expect(page.get_by_text("run_b: samples.jsonl is not the file that was recorded").last).to_be_visible()
