"""The dialog that corrects a run: with the keyboard, in both themes, and only for visitors with the token."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

import benchmarks

pytestmark = pytest.mark.browser

EVIL = '<img src=x onerror="window.hacked=1">'


@pytest.fixture
def workspace(tmp_path) -> Path:
    root = tmp_path / "workspace"
    with benchmarks.record("quiz", model="m", workspace=root) as run:
        for number in range(1, 5):
            run.sample(f"q{number}", number % 2)
        run.score(0.5)
    return root


@pytest.fixture
def run_id(workspace) -> str:
    return next(iter(benchmarks.open(workspace).runs())).run_id


@pytest.fixture
def guarded(workspace, serving, tmp_path):
    """A viewer with a token; the address with it."""
    token = tmp_path / "token"
    token.write_text("0123456789abcdef-token\n")
    with serving(workspace, "--port", "0", "--token-file", str(token)) as url:
        yield f"{url}?token=0123456789abcdef-token"


def axe(page) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    return [found["id"] for found in Axe().run(page).response["violations"]]


def look(page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_samples_are_excluded_with_the_keyboard(browser, guarded, run_id, scheme):
    page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page.goto(f"{guarded}#/runs/{run_id}")
    button = page.get_by_role("button", name="Correct…")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Correct this run")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_label("What")).to_be_focused()
    look(page, f"corrections-dialog-{scheme}")
    assert axe(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()
    button.click()
    dialog.get_by_label("What").select_option("exclude")
    dialog.get_by_label("Samples").fill("q2\nq9")
    dialog.get_by_label("Reason").fill(EVIL)
    dialog.get_by_label("Author").fill("Ada")
    dialog.get_by_role("button", name="Record").click()
    expect(dialog.get_by_role("alert")).to_contain_text("has no sample 'q9'")
    dialog.get_by_label("Samples").fill("q2\nq4")
    dialog.get_by_role("button", name="Record").click()
    expect(dialog).to_have_count(0)
    expect(page.locator(".run-score strong")).to_have_text("1.000")
    expect(page.locator(".corrections")).to_contain_text("excluded q2, q4; score 1.000")
    expect(page.locator(".corrections")).to_contain_text(EVIL)
    expect(page.locator(".corrections strong")).to_have_text("Ada")
    expect(page.get_by_text("The score was recorded as 0.500, and is 1.000 now.")).to_be_visible()
    look(page, f"corrections-{scheme}")
    assert axe(page) == [] and page.evaluate("window.hacked") is None
    button.click()
    expect(dialog.get_by_label("Author")).to_have_value("Ada")
    page.close()


def test_a_remark_and_a_retraction_are_written_and_shown(browser, guarded, run_id):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{guarded}#/runs/{run_id}")
    for kind, label, text in (("annotate", "Remark", "slow machine"), ("retract", "Reason", "wrong data")):
        page.get_by_role("button", name="Correct…").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("What").select_option(kind)
        dialog.get_by_label(label, exact=True).fill(text)
        if kind == "annotate":
            dialog.get_by_label("Tags").fill("slow night")
        dialog.get_by_label("Author").fill("Ada")
        dialog.get_by_role("button", name="Record").click()
        expect(page.locator(".corrections")).to_contain_text(text)
    expect(page.locator(".corrections .mark")).to_have_text(["slow", "night"])
    page.get_by_role("button", name="Correct…").click()
    options = page.get_by_label("What").locator("option").evaluate_all("all => all.map(one => one.value)")
    assert "reinstate" in options and "retract" not in options
    page.close()


def test_without_a_token_the_page_has_no_form(browser, workspace, run_id, serving):
    from benchmarks.ledger.corrections import annotate
    from benchmarks.ledger.ledger import Ledger
    from benchmarks.ledger.storage.jsonl import JsonlStore

    ledger = Ledger(JsonlStore(workspace / "benchmark_results" / "ledger", notice=print))
    annotate(ledger, run_id, author="Grace", note="as before")
    ledger.close()
    with serving(workspace) as url, browser.new_page() as page:
        page.goto(f"{url}#/runs/{run_id}")
        expect(page.locator(".corrections")).to_contain_text("as before")
        page.wait_for_load_state("networkidle")
        expect(page.get_by_role("button", name="Correct…")).to_be_hidden()
        answer = page.evaluate(
            "async ([path, body]) => (await fetch(path, {method: 'POST', body, headers: "
            "{'Content-Type': 'application/json', 'X-Benchmarks-Write': '1'}})).status",
            [f"api/runs/{run_id}/corrections", json.dumps({"kind": "annotate", "author": "a", "note": "n"})],
        )
        assert answer == 403
