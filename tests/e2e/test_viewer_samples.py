"""Why a sample failed, and what is different: sample pages, comparisons, heat map, playback and logs in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from benchmarks.ledger.events import Artifact, NewEvent
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.workspace import Workspace

pytestmark = pytest.mark.browser

EVIL = '<img src=x onerror="window.hacked=1">'
HOSTILE = ["../..", "a/b?c#d&e", "%2e%2e%2f", EVIL, "\u202egnp.exe", " "]
MANY = 50_000
IMAGE = "https://images.example.invalid/secret.png"

CHAT = [
    {"role": "system", "content": "You mend software."},
    {"role": "user", "content": [{"type": "text", "text": EVIL}, {"type": "image_url", "image_url": {"url": IMAGE}}]},
    {
        "role": "assistant",
        "content": "I look.",
        "tool_calls": [{"id": "c1", "function": {"name": "bash", "arguments": '{"command": "ls -la", "cwd": "/"}'}}],
        "usage": {"prompt_tokens": 1200, "completion_tokens": 34},
        "latency_ms": 870,
        "x_unknown": {"kept": True},
    },
    {"role": "tool", "tool_call_id": "c1", "content": "\n".join(f"file-{number}" for number in range(200))},
    {"role": "assistant", "content": "needle in the end"},
]


def conversation(*texts):
    return [{"role": "assistant", "content": text} for text in texts]


@pytest.fixture(scope="module")
def odd(tmp_path_factory, histories) -> Workspace:
    """Runs with samples of every kind."""
    workspace = Workspace(tmp_path_factory.mktemp("samples") / "w")
    store = JsonlStore(workspace.ledger, notice=print)

    def add(run_id, samples, *, model="m", score=0.5, benchmark="odd", end=None, logs=None, files=None):
        folder = workspace.run_folder("rg_1", benchmark, benchmark, run_id)
        content = {name: text.encode() for name, text in (files or {}).items()}
        if samples is not None:
            content["output/samples.jsonl"] = b"\n".join(json.dumps(sample).encode() for sample in samples)
        for name, text in {**content, **{name: text.encode() for name, text in (logs or {}).items()}}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(text)
        artifacts = [Artifact(name, len(text), sha256(text).hexdigest()) for name, text in content.items()]
        start = histories.started(
            run_id, model=model, benchmark_id=benchmark, benchmark_directory=benchmark, comparison_key=benchmark
        )
        finished = histories.finished(score, artifacts=artifacts, **(end or {}))
        histories.append_anyway(store, [NewEvent(run_id, start), NewEvent(run_id, finished)])

    chat = {"id": "chat", "correct": False, "output": "The capital is Lyon.", "expected": "The capital is Paris.",
            "messages": CHAT, "scores": {"exact": {"value": 0, "explanation": f"Lyon {EVIL}"}, "judge": 1},
            "category": "geo", "latency_ms": 2400, "cost_usd": 0.012, "my_own_field": [1, 2]}  # fmt: skip
    error = {"id": "limited", "correct": False, "error": "RateLimitError: 429 after 5 tries", "category": "geo"}
    plain = {"id": "plain", "correct": True, "output": "4", "expected": "4", "category": "sums"}
    hostile = [{"id": name, "correct": True, "output": f"answer to {name}"} for name in HOSTILE]
    add(
        "run_mixed", [chat, error, plain, *hostile], logs={"stdout.log": "\n".join(f"line {n}" for n in range(1, 3001))}
    )
    add("run_times", [{"id": f"t{n}", "score": n / 10} for n in range(40)], benchmark="times",
        end={"unit": "seconds", "higher_is_better": False})  # fmt: skip
    many = [
        {"id": f"s{n:05d}", "correct": n % 3 > 0, "output": f"answer {n}", "latency_ms": n % 977} for n in range(MANY)
    ]
    add("run_many", many, benchmark="many")
    for run_id, model, word, flips in (("run_a", "a", "mend", (0, 1)), ("run_b", "b", "break", (1, 2))):
        samples = [
            {"id": f"q{n}", "correct": n in flips, "output": f"{word} {n}", "category": ["x", "y"][n % 2],
             "messages": conversation("look", *("step",) * 4, word, "done")}
            for n in range(4)
        ]  # fmt: skip
        add(run_id, samples, model=model, benchmark="pairs", score=0.5, end={"duration_seconds": 5.0})
    steps = [
        {"task_id": "only-here", "request": {"prompt": f"ask {number}"}, "response": {"text": f"say {number}"}}
        for number in range(3)
    ]
    for run_id, name in (("run_path", "only-here"), ("run_path_2", "another name")):
        some = [{**step, "task_id": name} for step in steps]
        add(run_id, None, benchmark="paths", files={"output/trajectories.jsonl": "\n".join(map(json.dumps, some))})
    lines = [f"line {number} \u202eevil" for number in range(30)]
    texts = {"expected": "\n".join(["a", *lines, "b"]), "output": "\n".join(["c", *lines, "d"])}
    add("run_marks", [{"id": "marks", "correct": False, **texts}], benchmark="marks",
        logs={"stdout.log": "\u202eevil\n"})  # fmt: skip
    store.close()
    return workspace


@pytest.fixture(scope="module")
def urls(odd, team, serving) -> Iterator[tuple[str, str]]:
    """The addresses of two servers: of runs of every kind, and of the demonstration history."""
    with serving(odd.root) as odd_url, serving(team.root) as team_url:
        yield odd_url, team_url


@pytest.fixture
def page(browser, urls) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: problems.append(request.url) if "example.invalid" in request.url else None)
    yield page
    assert page.evaluate("window.hacked") is None
    assert problems == []
    context.close()


def test_a_sample_shows_its_conversation_with_calls_and_results(page, urls):
    page.goto(urls[0] + "#/runs/run_mixed/samples/chat")
    turns = page.locator("article.turn")
    expect(turns).to_have_count(4)
    expect(turns.nth(1)).to_contain_text(EVIL)
    expect(turns.nth(1)).to_contain_text(IMAGE)
    assert page.locator("main img").count() == 0, "an image is named, and never loaded"
    call = turns.nth(2)
    for text in ("1,200 in", "34 out", "870 ms", "bash", "ls -la", "file-0", "1 more field: x_unknown"):
        expect(call).to_contain_text(text)
    expect(call).not_to_contain_text("file-150")
    call.get_by_role("button", name="Show all of result").click()
    expect(call).to_contain_text("file-150")
    head = page.locator(".sample-head")
    for text in ("incorrect", "2.4 s", "$0.012", "geo", f"Lyon {EVIL}", "exact", "judge"):
        expect(head).to_contain_text(text)


def test_the_output_stands_against_what_was_expected_and_nothing_is_dropped(page, urls):
    page.goto(urls[0] + "#/runs/run_mixed/samples/chat?tab=output")
    expect(page.locator(".diff del").last).to_have_text("Paris")
    expect(page.locator(".diff ins").last).to_have_text("Lyon")
    expect(page.get_by_role("tabpanel")).to_contain_text("my_own_field")
    page.get_by_role("tab", name="Raw JSON").click()
    expect(page.locator("pre[aria-label='Raw JSON']")).to_contain_text('"my_own_field": [')
    page.wait_for_url(re.compile("tab=raw"))


def test_keys_lead_through_the_list_and_the_address_follows(page, urls):
    page.goto(urls[0] + "#/runs/run_mixed?outcome=correct&sort=file")
    page.get_by_role("link", name="plain").click()
    expect(page.locator(".sample-title h1")).to_have_text("plain")
    page.keyboard.press("j")
    expect(page.locator(".sample-title h1")).to_have_text(HOSTILE[0])
    page.wait_for_url(lambda url: quote(HOSTILE[0], safe="") in url or "..%2F.." in url)
    page.keyboard.press("k")
    expect(page.locator(".sample-title h1")).to_have_text("plain")
    expect(page.locator(".steps")).to_contain_text("1 of 7")
    page.keyboard.press("/")
    page.keyboard.type("sums")
    page.get_by_role("button", name="Copy link").focus()
    page.reload()
    expect(page.locator(".sample-title h1")).to_have_text("plain")
    page.go_back()
    expect(page.locator(".sample-title h1")).to_have_text(HOSTILE[0])


def test_a_search_in_a_sample_opens_what_is_folded(page, urls):
    page.goto(urls[0] + "#/runs/run_mixed/samples/chat")
    page.get_by_label("Search in this sample").fill("file-1")
    expect(page.locator(".find [role=status]")).to_have_text("1 of 111")
    page.keyboard.press("Enter")
    expect(page.locator(".find [role=status]")).to_have_text("2 of 111")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_sample_with_a_hostile_id_has_its_page(page, urls, name):
    page.goto(f"{urls[0]}#/runs/run_mixed/samples/{quote(name, safe='')}")
    shown = name.replace("\u202e", "\\u202e")
    expect(page.get_by_role("tabpanel")).to_contain_text(f"answer to {shown}")


def test_marks_that_turn_a_text_are_shown_and_not_obeyed(page, urls):
    page.goto(urls[0] + "#/runs/run_marks/samples/marks?tab=output")
    page.locator(".diff .unchanged").click()
    page.get_by_role("button", name="Show all of Expected").click()
    page.get_by_role("tab", name="Raw JSON").click()
    page.get_by_role("tab", name="Output").click()
    page.locator(".diff .unchanged").click()
    expect(page.locator(".diff")).to_contain_text("line 15 \\u202eevil")
    assert "\u202e" not in page.locator("body").inner_text()


def test_an_error_is_not_a_wrong_answer(page, urls):
    page.goto(urls[0] + "#/runs/run_mixed")
    panel = page.locator("[data-panel=samples]")
    expect(panel.locator(".tabs")).to_contain_text("incorrect 1")
    panel.get_by_role("button", name="error error 1").click()
    expect(panel.locator("tr[data-line]")).to_have_count(1)
    expect(panel.locator("tr[data-line]")).to_contain_text("RateLimitError: 429")
    page.wait_for_url(re.compile("outcome=error"))
    page.get_by_label("error", exact=True).select_option("RateLimitError")
    page.reload()
    expect(panel.locator("tr[data-line]")).to_have_count(1)
    expect(page.locator("[data-filter=error]")).to_have_value("RateLimitError")


def test_scores_in_seconds_are_spread_and_sorted_and_not_right_or_wrong(page, urls):
    page.goto(urls[0] + "#/runs/run_times")
    panel = page.locator("[data-panel=samples]")
    expect(panel.locator(".tabs")).to_have_text("40 samples")
    expect(panel.locator(".histogram button")).to_have_count(20)
    panel.locator("thead").get_by_role("button", name="Score").click()
    expect(panel.locator("tr[data-line]").first).to_contain_text("t39")
    panel.locator(".histogram button").first.click()
    expect(panel.locator("tr[data-line]")).to_have_count(2)
    page.wait_for_url(re.compile("highest="))


def test_a_wall_of_samples_jumps_anywhere_and_the_address_keeps_the_place(page, urls):
    page.goto(urls[0] + "#/runs/run_many?sort=file")
    place = page.locator("[data-panel=samples] .samples-place")
    rows = place.locator("tr[data-line]")
    expect(rows.first).to_contain_text("s00000")
    assert rows.count() < 100, "only rows in sight are in the document"
    place.evaluate("place => place.scrollTop = place.scrollHeight")
    expect(rows.last).to_contain_text(f"s{MANY - 1:05d}")
    page.wait_for_url(re.compile(r"at=49\d\d\d"))
    page.goto("about:blank")
    page.goto(urls[0] + "#/runs/run_many?sort=file&at=25000")
    expect(place.get_by_text("s25002", exact=True)).to_be_visible()
    page.get_by_label("Search samples").fill("s31415")
    expect(rows).to_have_count(1)
    rows.first.click()
    expect(page.locator(".sample-title h1")).to_have_text("s31415")


def test_samples_stand_above_the_log_and_the_origin_is_one_line(page, urls):
    page.goto(urls[0] + "#/runs/run_mixed")
    expect(page.locator(".provenance > summary")).to_contain_text("chain verified")
    expect(page.locator("ol.timeline")).to_be_hidden()
    tops = [
        page.locator(name).bounding_box()["y"]
        for name in (".run-head", "[data-panel=samples]", "[data-panel=output]", "[data-panel=provenance]")
    ]
    assert tops == sorted(tops)


def test_a_line_of_a_log_has_a_number_and_an_address(page, urls):
    page.goto(urls[0] + "#/runs/run_mixed?log=stdout&line=1500")
    found = page.locator(".log .found")
    expect(found).to_have_text("line 1500")
    expect(page.locator(".log")).to_contain_text("line 1495")
    assert page.locator(".log").evaluate("log => getComputedStyle(log).counterReset") == "line 1489"
    page.get_by_label("Go to line").fill("42")
    page.keyboard.press("Enter")
    expect(found).to_have_text("line 42")
    page.wait_for_url(re.compile("line=42$"))
    line = page.locator(".log-line", has_text=re.compile("^line 45\n$"))
    line.scroll_into_view_if_needed()
    box = line.bounding_box()
    page.mouse.click(box["x"] - 20, box["y"] + 8)
    page.wait_for_url(re.compile("line=45$"))


def test_two_runs_are_compared_with_what_differs_first(page, urls):
    page.goto(urls[0] + "#/compare?of=run:run_a&of=run:run_b")
    samples = page.locator("#samples")
    expect(samples.locator("tbody tr:not(.space)").first).to_contain_text("≠ q0")
    expect(samples.locator(".differs")).to_have_count(2)
    name = samples.locator("tbody tr:not(.space) th").first
    assert name.evaluate("cell => cell.scrollWidth <= cell.clientWidth"), "the id is cut"
    samples.get_by_role("button", name="only A correct 1").click()
    expect(samples.locator("tbody tr:not(.space)")).to_have_count(1)
    expect(page.locator("table.settings tbody tr").first).to_contain_text("model")
    expect(page.locator("table.compare tr.spent").first).to_contain_text("time")
    samples.get_by_role("link", name="q0").click()
    expect(page.locator(".step.folded")).to_have_text("5 equal steps")
    expect(page.get_by_role("button", name="First difference: step 6 of 7")).to_be_visible()
    expect(page.locator("#step-6")).to_contain_text("first difference")
    page.get_by_role("button", name="Output difference").click()
    expect(page.locator(".diff del").last).to_have_text("mend")


def test_only_significant_differences_can_be_shown(page, urls):
    page.goto(urls[1] + "#/compare?of=model:anthropic:claude-haiku&of=model:openai:gpt-5-mini")
    bodies = page.locator("table.compare tbody")
    expect(bodies.first).to_be_visible()
    every = bodies.count()
    assert page.locator("table.compare .interval-bar").count() == 2 * every, "rows in seconds and percent have theirs"
    page.get_by_label("Significant only").check()
    expect(bodies).not_to_have_count(every)
    page.wait_for_url(re.compile("only=significant"))


def test_a_playback_goes_step_by_step(page, urls):
    page.goto(urls[0] + "#/compare/sample?a=run_a&b=run_b&id=q0&view=play")
    step = page.locator(".playback .step-head strong")
    expect(step).to_have_text("Step 1")
    page.keyboard.press("ArrowRight")
    expect(step).to_have_text("Step 2")
    page.get_by_role("button", name="First difference", exact=True).click()
    expect(step).to_have_text("Step 6")
    page.wait_for_url(re.compile("step=5"))
    page.get_by_role("button", name="First step").click()
    page.get_by_role("button", name="Play", exact=True).click()
    expect(step).to_have_text("Step 2", timeout=10_000)
    page.get_by_role("button", name="Pause").click()
    page.emulate_media(reduced_motion="reduce")
    page.reload()
    expect(page.get_by_role("button", name="Next step")).to_be_visible()
    expect(page.get_by_role("button", name="Play", exact=True)).to_have_count(0)


def test_the_heat_map_leads_to_answers_side_by_side(page, urls):
    page.goto(urls[0] + "#/benchmarks/pairs/samples")
    rows = page.locator("table.heat tbody tr:not(.space)")
    expect(rows).to_have_count(4)
    expect(rows.first).to_contain_text("q3")
    page.get_by_role("button", name="never solved 1").click()
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="all 4").click()
    expect(rows).to_have_count(4)
    rows.first.get_by_role("link").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".pair-head")).to_contain_text("correct")
    expect(page.locator(".aligned")).to_be_visible()


def test_a_trajectory_without_a_sample_has_its_page(page, urls):
    page.goto(urls[0] + "#/runs/run_path")
    page.locator("[data-panel=trajectories]").get_by_role("link", name="only-here").click()
    expect(page.locator("article.turn")).to_have_count(6)
    expect(page.locator(".sample-head")).to_contain_text("output/trajectories.jsonl")
    page.goto(urls[0] + "#/compare/sample?a=run_path&b=run_path_2&id=only-here")
    expect(page.locator("main")).to_contain_text("run_path_2: the run has no sample 'only-here'")
    page.get_by_label("Sample of B").select_option("another name")
    expect(page.locator("main")).to_contain_text("6 steps, all the same")


def pages(team) -> list[tuple[str, str, int]]:
    return [
        ("#/runs/run_mixed", "tr[data-line]", 0),
        ("#/runs/run_mixed/samples/chat", "article.turn", 0),
        ("#/runs/run_mixed/samples/chat?tab=output", ".diff", 0),
        ("#/runs/run_mixed/samples/chat?tab=raw", "[role=tabpanel] pre", 0),
        ("#/runs/run_mixed/samples/nothing", ".failure", 0),
        ("#/runs/run_times", ".histogram", 0),
        ("#/runs/run_path/samples/only-here", "article.turn", 0),
        ("#/compare?of=run:run_a&of=run:run_b", "#samples tbody tr:not(.space)", 0),
        ("#/compare/sample?a=run_a&b=run_b&id=q0", ".aligned", 0),
        ("#/compare/sample?a=run_a&b=run_b&id=q0&view=play", ".playback", 0),
        ("#/compare/sample?a=run_a&b=run_b&id=q0&view=output", ".diff", 0),
        ("#/benchmarks/pairs/samples", "table.heat tbody a", 0),
        ("#/benchmarks/swe_mini/samples", "table.heat tbody a", 1),
        ("#/benchmarks/first_token/samples", "table.heat tbody a", 1),
        ("#/compare?of=model:anthropic:claude-haiku&of=model:openai:gpt-5-mini", "#samples tbody tr:not(.space)", 1),
    ]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark"), (320, "light")])
def test_every_state_fits_and_axe_finds_nothing(browser, urls, team, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    with browser.new_page(viewport={"width": width, "height": 850}, color_scheme=scheme) as page:
        for address, ready, at in pages(team):
            page.goto("about:blank")
            page.goto(urls[at] + address)
            page.locator(ready).first.wait_for()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{address} scrolls sideways"
            if width == 320:
                continue  # The same states as at 390, and axe takes a second for each.
            results = Axe().run(page, options={"resultTypes": ["violations"]})
            assert results.violations_count == 0, f"{address}: {results.generate_report()}"
