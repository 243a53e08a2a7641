"""Published tables: the event, the page that checks itself, lint, diff and status."""

from __future__ import annotations

import base64
import functools
import http.server
import json
import re
import shutil
import threading
from pathlib import Path

import pytest

from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.published.checking import check_document, read_document

SUITE = """
import os
good = os.environ["MODEL_NAME"] == "new"
bad_luck = pathlib.Path(os.environ.get("BROKEN", "/nonexistent"))
if bad_luck.exists():
    bad_luck.unlink()
    sys.exit(3)
rows = [{"id": str(n), "score": float(n % 10 < (8 if good else 3))} for n in range(40)]
output.joinpath("samples.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
score = sum(row["score"] for row in rows) / 40
output.joinpath("result.json").write_text(json.dumps({"score": score, "n": 40, "usage": {"cost_usd": 0.25}}))
"""

TABLE = """
name = "spring"
title = "Sums in spring"
benchmarks = ["sums"]
"""


@pytest.fixture
def tables(bench, tmp_path):
    """A workspace with runs of two models, and ways to publish a table of them and to check it."""
    bench.add("sums", SUITE)
    file = tmp_path / "table.toml"
    out = tmp_path / "out"

    class Tables:
        def __init__(self):
            self.html, self.json = out / "spring-1.html", out / "spring-1.json"

        def run(self, *models, more=(), code=0, **environ):
            for model in models:
                bench.run("sums", more=("--model", model, *more), code=code, **environ)

        def publish(self, text=TABLE, *more, code=0):
            file.write_text(text)
            done = bench("publish", str(file), "-o", str(out), "--author", "ada", "--json", *more, code=code)
            return json.loads(done.stdout) if code == 0 else done.stderr

        def lint(self, text=TABLE, code=0):
            file.write_text(text)
            found = json.loads(bench("table", "lint", str(file), "--json", code=code).stdout)["findings"]
            return {one["kind"] for one in found if not one["allowed"]}

        def status(self, source, *more, code=0):
            done = bench("table", "status", str(source), "--json", *more, code=code)
            return json.loads(done.stdout) if code in (0, 1) and done.stdout else done.stderr

    return Tables()


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a page as a file, and returns it after it has checked itself; it must have loaded nothing else."""
    pages = []

    def show(content, scheme="light"):
        file = tmp_path / f"page-{len(pages)}.html"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
        pages.append(page)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        page.wait_for_selector("html[data-checked]")
        assert asked == [file.as_uri()]
        return page

    yield show
    for page in pages:
        page.close()


def verdict(page):
    return page.evaluate("document.documentElement.dataset.checked"), page.inner_text("#verdict")


def test_a_table_is_published_once_and_its_rows_are_those_of_the_leaderboard(bench, tables):
    tables.run("new", "old", more=("--repeats", "2"))
    said = tables.publish()
    assert (said["version"], said["is_new"], said["rows"]) == (1, True, 2)
    board = json.loads(bench("leaderboard", "--json").stdout)["standings"]
    document = json.loads(tables.json.read_text())
    shown = [
        (r["model"], r["rank"], r["score"], r["low"], r["high"], r["samples"], r["attempts"]) for r in document["rows"]
    ]
    assert shown == [
        (
            s["model"],
            s["rank"],
            s["score"]["mean"],
            s["score"]["low"],
            s["score"]["high"],
            40,
            s["attempts"]["attempts"],
        )
        for s in board
    ]
    assert [row["cost_usd"] for row in document["rows"]] == [0.0, 0.0]
    again = tables.publish()
    assert (again["version"], again["is_new"]) == (1, False) and len(bench.events("published")) == 1
    tables.run("old", more=("--force",))
    assert tables.publish()["version"] == 2
    assert tables.publish(TABLE + 'revision = "all"\n')["version"] == 3
    listed = json.loads(bench("table", "list", "--json").stdout)["tables"]
    assert [(one["name"], one["version"]) for one in listed] == [("spring", 1), ("spring", 2), ("spring", 3)]


def test_the_page_checks_itself_and_says_what_it_could_not_check(bench, tables, opened, tmp_path):
    tables.run("new", "old", more=("--repeats", "2"))
    key = tmp_path / "signing.key"
    public = bench("ledger", "keygen", "bench.example.org/team", "--output", str(key)).stdout.strip()
    tables.publish(TABLE, "--sign", str(key))
    page = opened(tables.html.read_text())
    state, text = verdict(page)
    assert state == "good" and "bench.example.org/team has signed the checkpoint" in text
    assert [one.strip() for one in page.locator("#rows .mark").all_inner_texts()] == ["✓ proven"] * 2
    assert "0.8" in page.inner_text("tr[data-row='1']") and "Compare it" in page.inner_text("#unchecked")
    assert page.locator("#errata").inner_text() == "none up to the checkpoint below"
    page.fill("#key", public)
    page.press("#key", "Enter")
    page.wait_for_function("document.getElementById('judged').textContent.includes('has signed')")
    other = bench("ledger", "keygen", "bench.example.org/team", "--output", str(tmp_path / "other.key")).stdout.strip()
    page.fill("#key", other)
    page.press("#key", "Enter")
    page.wait_for_function("document.getElementById('judged').textContent.includes('has not signed')")
    page.locator("tr[data-row='1'] button").click()
    proof = tmp_path / "run.tlog-proof"
    proof.write_text(page.locator("pre").nth(1).inner_text())
    event = tmp_path / "event.json"
    event.write_text(page.locator("pre").nth(0).inner_text())
    args = ("--verify-key", public, "--event", str(event))
    assert "proven" in bench("ledger", "verify-proof", str(proof), *args).stdout


def test_without_a_signature_the_page_says_so(tables, opened):
    tables.run("new", "old")
    tables.publish()
    page = opened(tables.html.read_text())
    assert verdict(page)[0] == "good" and "the checkpoint is not signed" in page.inner_text("#unchecked")


def test_a_withheld_line_is_stated_until_the_publisher_gives_it_away(bench, tables, opened, tmp_path):
    tables.run("new", "old")
    tables.publish(TABLE + 'withhold = ["started"]\n', "--redact", "finished")
    page = opened(tables.html.read_text())
    state, text = verdict(page)
    assert state == "good" and "2 rows are stated in part" in text
    assert page.locator("#rows .mark").all_inner_texts() == ["stated"] * 2
    assert "score, interval, samples, cost and seconds of rows 1, 2" in page.inner_text("#unchecked").lower()
    assert "suite.py" not in tables.json.read_text()
    run_id = json.loads(tables.json.read_text())["rows"][0]["runs"][0]["run_id"]
    event, proof = tmp_path / "event.json", tmp_path / "run.tlog-proof"
    proof.write_text(bench("ledger", "prove", run_id, "--save-event", str(event)).stdout)
    assert tables.status(tables.html)["checked"]["stated"] == [1, 2]
    told = tables.status(tables.html, "--event", str(event))["checked"]
    assert any("completion of row 2:" in one or "seconds of row 2:" in one for one in told["unchecked"])
    event.write_text(event.read_text().replace('"score":0.8', '"score":0.9', 1))
    assert "its hash is another" in tables.status(tables.html, "--event", str(event), code=1)


def changed(document, name):
    """The document with one digit changed, by the kind of the change; and what the sentence must name.

    `test_publishing_agreement` changes every field; these are changes that only a whole page shows.
    """
    of_run = document["rows"][1]["runs"][0]["run_id"]
    ended = next(
        one
        for one in document["events"]
        if f'"stream":"{of_run}"' in one["line"] and '"type":"finished"' in one["line"]
    )
    if name == "the score in the event":
        ended["line"] = ended["line"].replace('"score":0.3', '"score":0.4', 1)
        return "Row 2"
    if name == "the root":
        root = document["checkpoint"].split("\n")[2]
        swapped = root[:3] + ("B" if root[3] != "B" else "C") + root[4:]
        document["checkpoint"] = document["checkpoint"].replace(root, swapped)
        return "not in the tree"
    assert name == "the signature"
    head, _, line = document["checkpoint"].rpartition(" ")
    raw = bytearray(base64.b64decode(line))
    raw[20] ^= 1
    document["checkpoint"] = f"{head} {base64.b64encode(bytes(raw)).decode()}\n"
    return "signature by"


def test_one_digit_changed_is_found_by_the_page_and_by_the_command(bench, tables, opened, tmp_path):
    tables.run("new", "old", more=("--repeats", "2"))
    key = tmp_path / "signing.key"
    bench("ledger", "keygen", "bench.example.org/team", "--output", str(key))
    tables.publish(TABLE, "--sign", str(key))
    html, pure = tables.html.read_text(), tables.json.read_text()
    for name in ("the root", "the signature", "the score in the event"):
        document = json.loads(pure)
        sentence = changed(document, name)
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
        before, after = re.split(r'(?<=id="table">).*?(?=</script>)', html, maxsplit=1, flags=re.DOTALL)
        page = opened(f"{before}{text}{after}")
        state, said = verdict(page)
        assert state == "bad" and sentence.lower() in said.lower(), f"{name}: {said}"
        wrong = tmp_path / "wrong.json"
        wrong.write_text(text)
        problems = " ".join(one.text for one in check_document(read_document(text.encode(), name)).problems)
        assert sentence.lower() in problems.lower(), f"{name}: {problems}"
        page.close()
    assert "is wrong" in tables.status(wrong, code=3)


def test_bad_documents_are_refused_in_a_sentence(bench, tables, tmp_path):
    tables.run("new", "old")
    key = tmp_path / "signing.key"
    bench("ledger", "keygen", "bench.example.org/team", "--output", str(key))
    other = bench("ledger", "keygen", "bench.example.org/team", "--output", str(tmp_path / "o.key")).stdout.strip()
    elsewhere = bench("ledger", "keygen", "else.example.org", "--output", str(tmp_path / "e.key")).stdout.strip()
    tables.publish(TABLE, "--sign", str(key))
    whole = tables.html.read_bytes()
    cut = tmp_path / "cut.html"
    cut.write_bytes(whole[: len(whole) // 2])
    assert "its end is missing" in tables.status(cut, code=3)
    half = tmp_path / "half.json"
    half.write_bytes(tables.json.read_bytes()[:3000])
    assert "truncated" in tables.status(half, code=3)
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(b"PK\x03\x04" + bytes(100))
    assert "not a published table" in tables.status(bundle, code=3)
    document = json.loads(tables.json.read_text())
    swapped = tmp_path / "swapped.json"
    one, two = document["events"][:2]
    one["proof"], two["proof"] = two["proof"], one["proof"]
    swapped.write_text(json.dumps(document))
    assert "is not in the tree" in tables.status(swapped, code=3)
    note = document["checkpoint"].split("\n")
    swapped.write_text(json.dumps({**document, "checkpoint": "\n".join([note[0], "2", *note[2:]])}))
    assert "the tree has 2 leaves" in tables.status(swapped, code=3)
    assert "not signed by" in tables.status(tables.json, "--verify-key", other, code=1)
    assert "else.example.org" in tables.status(tables.json, "--verify-key", elsewhere, code=1)
    assert "cannot be read" in tables.status(tmp_path / "none.html", code=2)
    assert "cannot be read" in tables.status("http://127.0.0.1:9/none.html", code=2)
    assert "http://[redacted]@[ cannot be read: Invalid IPv6 URL" in tables.status("http://u:p@[", code=2)
    assert "no table is published" in bench("table", "diff", "sprong@1", "spring@1", code=2).stderr
    assert "did you mean spring?" in bench("table", "build", "sprung", code=2).stderr
    assert "no version '7'" in bench("table", "build", "spring@7", code=2).stderr
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    assert bench("--workspace", str(foreign), "table", "status", str(tables.json)).returncode == 0


def test_a_table_of_another_ledger_is_named(bench, tables, tmp_path):
    tables.run("new", "old")
    tables.publish()
    there = tmp_path / "there"
    bench("ledger", "export", str(tmp_path / "some.jsonl"))
    lines = (tmp_path / "some.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "some.jsonl").write_text("".join(lines[:5]))
    bench("--workspace", str(there), "ledger", "import", str(tmp_path / "some.jsonl"))
    said = bench("--workspace", str(there), "table", "status", str(tables.json), code=1).stderr
    assert "another ledger" in said and "hint:" in said


def test_a_page_of_a_fork_of_the_ledger_is_named(bench, tables, tmp_path):
    tables.run("new", "old")
    tables.publish()
    run_id = bench.runs()[0]["run_id"]
    fork = ("--workspace", str(tmp_path / "fork"))
    shutil.copytree(bench.root, tmp_path / "fork")
    for at, text in ((fork, "one"), ((), "other")):
        bench(*at, "annotate", run_id, "--note", text, "--author", "ada")
    bench(*fork, "table", "build", "spring", "-o", str(tmp_path / "forked"))
    said = tables.status(tmp_path / "forked" / "spring-1.json", code=3)
    assert "another history" in said and "hint:" in said


def test_a_history_of_every_kind_of_run_makes_a_page_that_is_right(bench, tables, opened, team):
    """Failures, recovered, imported, synthetic, retracted and corrected runs, as the demonstration has them."""
    shutil.copytree(team.root, bench.root, dirs_exist_ok=True)
    names = sorted({row["benchmark_id"] for row in bench.runs()})
    kinds = '["imported", "synthetic", "late", "retracted"]'
    said = tables.publish(TABLE.replace('["sums"]', json.dumps(names)) + f'include = {kinds}\nrevision = "all"\n')
    assert said["rows"] > 20
    page = opened(tables.html.read_text())
    assert verdict(page)[0] == "good", verdict(page)[1]
    assert tables.status(tables.json)["checked"]["problems"] == []


def test_tables_of_one_name_in_merged_ledgers_stay_apart(bench, tables, tmp_path):
    tables.run("new")
    tables.publish()
    there = tmp_path / "there"
    shutil.copytree(bench.root / "sums", there / "sums")
    at = ("--workspace", str(there))
    bench("run", *at, "--benchmarks", "sums", "--provider", "ollama", "--model", "old")
    bench("publish", *at, str(tmp_path / "table.toml"), "-o", str(there / "out"))
    bench("ledger", "export", *at, str(tmp_path / "there.jsonl"))
    bench("ledger", "import", str(tmp_path / "there.jsonl"))
    assert bench("ledger", "verify").returncode == 0
    assert tables.status(tables.html)["newest_version"] == 1
    assert (tables.publish()["version"], len(bench.events("published"))) == (2, 3)
    assert tables.publish()["is_new"] is False


def test_corrections_since_are_errata_in_status_and_on_a_page_built_later(bench, tables, opened):
    tables.run("new", "old")
    tables.publish()
    assert tables.status(tables.html)["errata"] == []
    run_id = json.loads(tables.json.read_text())["rows"][0]["runs"][0]["run_id"]
    bench("retract", run_id, "--reason", "wrong key", "--author", "bo")
    [erratum] = tables.status(tables.html, code=1)["errata"]
    assert (erratum["kind"], erratum["run_id"], erratum["rows"], erratum["reason"]) == (
        "retracted",
        run_id,
        [1],
        "wrong key",
    )
    bench("table", "build", "spring@1", "-o", str(tables.html.parent))
    page = opened(tables.html.read_text())
    assert verdict(page)[0] == "good"
    assert "was retracted" in page.inner_text("#errata") and "erratum" in page.inner_text("tr[data-row='1'] .mark")
    tables.run("new")
    assert tables.publish()["version"] == 2
    [moved] = json.loads(bench("table", "diff", "spring@1", "spring@2", "--json").stdout)["differences"]
    assert moved["row"].startswith("sums") and f"{run_id} was retracted by bo: wrong key" in moved["reasons"]
    assert any(reason.startswith("new runs") for reason in moved["reasons"])
    files = (str(tables.html), str(tables.html.with_name("spring-2.html")))
    assert len(json.loads(bench("table", "diff", *files, "--json").stdout)["differences"]) == 1


def test_a_page_at_an_address_is_compared_with_the_ledger(bench, tables):
    tables.run("new", "old")
    tables.publish()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tables.html.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert tables.status(f"{address}/{tables.html.name}")["newest_version"] == 1
        assert "404" in tables.status(f"{address}/none.html", code=2)
        server.shutdown()


def test_excluded_samples_are_errata_with_the_new_score(bench, tables):
    tables.run("new", "old")
    tables.publish()
    run_id = json.loads(tables.json.read_text())["rows"][0]["runs"][0]["run_id"]
    bench("exclude", run_id, "--samples", "1", "--reason", "wrong", "--author", "bo")
    [erratum] = tables.status(tables.html, code=1)["errata"]
    assert erratum["kind"] == "samples_excluded" and erratum["score"] == pytest.approx(31 / 39)
    assert tables.publish()["version"] == 2


def test_lint_names_each_thing_that_a_reader_would_object_to(bench, tables, tmp_path):
    assert tables.lint(code=1) == {"no_rows"}
    tables.run("new", "old")
    assert tables.lint() == set()
    assert tables.lint(TABLE + "repeats = 3\n", code=1) == {"too_few_repeats"}
    assert tables.lint(TABLE + 'registration = "reg_none"\n', code=1) == {"unregistered"}
    assert tables.lint(TABLE.replace('["sums"]', '["sums", "more"]'), code=1) == {"missing_row"}
    assert tables.lint(TABLE + '[[contenders]]\nmodel = "ollama:newer"\n', code=1) == {"no_rows", "missing_row"}
    broken = tmp_path / "broken"
    broken.touch()
    tables.run("new", more=("--force",), code=1, BROKEN=str(broken))
    assert tables.lint(code=1) == {"dropped_attempts"}
    assert tables.lint(TABLE + 'allow = ["dropped_attempts"]\n') == set()
    assert tables.lint(TABLE + "min_completion = 0.9\n") == set()
    suite = bench.root / "sums" / "suite.py"
    suite.write_text(suite.read_text() + "\n# changed\n")
    tables.run("old", more=("--force",))
    assert "mixed_revisions" in tables.lint(TABLE + 'revision = "all"\nallow = ["dropped_attempts"]\n', code=1)
    tables.run("new", "old", more=("--extra", '{"seed": 3}'))
    found = tables.lint(TABLE + 'revision = "all"\nallow = ["dropped_attempts"]\n', code=1)
    assert "other_options" in found
    assert "other_options" not in tables.lint(TABLE + 'allow = ["dropped_attempts"]\n[options]\nseed = 3\n')


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("benchmarks", "benchmark"), "unknown key 'benchmark'"),
        (('["sums"]', "[]"), "benchmarks is empty"),
        (('["sums"]', '["sums", "sums"]'), "given twice"),
        (('"spring"', '"../spring"'), "cannot be a name"),
        (('"spring"', '"spring"\nmin_completion = 2.0'), "min_completion"),
        (('"spring"', '"spring"\nrepeats = 0'), "repeats"),
        (('"spring"', '"spring"\ninclude = ["other"]'), "include"),
        (('["sums"]', '["sums"]\n[[contenders]]\nmodel = "old"'), "does not name a provider"),
        (("name =", "name"), "not valid"),
    ],
)
def test_a_bad_table_file_is_refused_in_a_sentence(bench, tables, change, reason):
    said = tables.publish(TABLE.replace(*change), code=2)
    assert reason in said
    assert not (bench.results / "ledger").exists()


def test_strict_publishes_nothing_with_findings(bench, tables):
    tables.run("new")
    tables.publish(TABLE + "repeats = 2\n", "--strict", code=1)
    assert bench.events("published") == []


def test_the_page_looks_right(bench, tables, opened, tmp_path):
    """With LOOKS set to a folder, the page is drawn there in both themes."""
    import os

    tables.run("new", "old", more=("--repeats", "2"))
    tables.publish()
    good = tables.html.read_text()
    for scheme in ("light", "dark"):
        for name, content in (("good", good), ("bad", good.replace('\\"score\\":0.3', '\\"score\\":0.4', 1))):
            page = opened(content, scheme)
            assert verdict(page)[0] == name
            wide = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert wide, "the page must not scroll sideways"
            if folder := os.environ.get("LOOKS"):
                page.screenshot(path=Path(folder) / f"{name}-{scheme}.png", full_page=True)


def test_a_page_of_two_hundred_rows_checks_itself(bench, tables, opened, histories):
    """200 contenders with two repetitions each, and a failure for each: 1,400 events. The time is printed."""
    store = JsonlStore(bench.results / "ledger", notice=pytest.fail)
    events = [NewEvent("rg_1", histories.opened())]
    for number in range(200):
        for repeat in (1, 2, 3):
            run_id = f"run_{number:03d}_{repeat}"
            start = {"run_group_id": "rg_1", "comparison_key": "c", "benchmark_id": "sums", "agent": "bare-model"}
            config = {"seed": 1, "repeat": min(repeat, 2)} if repeat > 1 else {"seed": 1}
            started = histories.started(f"{number}-{repeat}", model=f"m{number}", extra_config=config, **start)
            events.append(NewEvent(run_id, started))
            failed = repeat == 3
            end = histories.failed() if failed else histories.finished(number / 200, stderr=0.05, samples=100)
            events.append(NewEvent(run_id, end))
    histories.append_anyway(store, events)
    store.close()
    assert tables.publish()["rows"] == 200
    page = opened(tables.html.read_text())
    assert verdict(page)[0] == "good", verdict(page)[1]
    assert page.locator("#rows .mark.good").count() == 200
    print(page.inner_text("#took"), f"{tables.html.stat().st_size / 1e6:.1f} MB")
