"""Campaigns: a matrix in a file, its preview, its limits, and its notifications."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

TOKENS = """
seed = int(os.environ["SEED"])
output.joinpath("result.json").write_text(json.dumps(
    {"score": seed / 10, "n": 4, "usage": {"in": 1000, "out": 500}}
))
"""
FILE = """
name = "weekend"
options = { seed = 1 }

[matrix]
benchmarks = ["one", "two"]
models = ["ollama:small", "ollama:large"]
options = [{}, { seed = 2 }]

[[exclude]]
benchmark = "two"
model = "ollama:large"

[[override]]
benchmark = "two"
options = { seed = 2 }
set = { seed = 3 }
"""


@pytest.fixture
def campaign(bench):
    bench.add("one", TOKENS)
    bench.add("two", TOKENS)
    file = bench.root / "weekend.toml"
    file.write_text(FILE)

    def run(*more, code=0, **environ):
        return bench("run", "--campaign", str(file), *more, code=code, **environ)

    run.file = file
    return run


def test_each_cell_runs_once_and_never_again(bench, campaign):
    campaign()
    assert sorted((run["benchmark_id"], run["model"], run["extra_config"]["seed"]) for run in bench.runs()) == [
        ("one", "large", 1),
        ("one", "large", 2),
        ("one", "small", 1),
        ("one", "small", 2),
        ("two", "small", 1),
        ("two", "small", 3),
    ]
    said = campaign("--explain")
    assert "6 skipped" in said.stdout
    assert "one bare-model ollama:large seed=2: skipped: run_one_" in said.stderr, "the message names the cell"
    [opened, again] = bench.events("group_opened")
    printed = opened["data"]["request"]["flags"]["campaign"]
    assert (printed["name"], printed["content"]["matrix"]["benchmarks"]) == ("weekend", ["one", "two"])
    assert printed["sha256"] == again["data"]["request"]["flags"]["campaign"]["sha256"]


def test_a_dry_run_shows_the_plan_and_records_nothing(bench, campaign):
    campaign()
    bench.add("three", TOKENS, more='[requires]\nenv = ["NOT_HERE"]')
    campaign.file.write_text(
        FILE.replace('"two"]', '"two", "three"]')
        .replace("seed = 2 }]", "seed = 4 }]", 1)
        .replace("{ seed = 2 }", "{ seed = 4 }")
    )
    before = bench.events()
    table = campaign("--dry-run").stdout
    shown = json.loads(campaign("--dry-run", "--json").stdout)
    assert bench.events() == before
    would = {(row["benchmark_id"], row["model"], row["options"].get("seed")): row for row in shown["work"]}
    assert would["one", "small", 1]["would"] == "skip" and " succeeded at " in would["one", "small", 1]["why"]
    due = would["one", "small", 4]
    assert due["would"] == "run" and ": extra_config.seed" in due["why"]
    assert due["tokens"] == 1500 and due["seconds"] > 0, "as the run that is most like it"
    assert would["three", "small", 1]["would"] == "incompatible"
    assert would["three", "small", 1]["why"] == "environment variable NOT_HERE"
    assert shown["would_run"] == sum(row["would"] == "run" for row in shown["work"]) == 2
    assert shown["expected"]["tokens"] == 3000
    assert f"2 of {len(shown['work'])} would run" in table and "3,000 tokens" in table


def test_the_error_of_an_invalid_option_names_the_file(campaign):
    campaign.file.write_text(FILE[: FILE.index("[[override")].replace("seed", "sede"))
    assert f"{campaign.file}: none of the chosen benchmarks has an option 'sede'" in campaign(code=2).stderr
    campaign.file.write_text(FILE[: FILE.index("[[override")].replace("seed = 2", "seed = 'x'"))
    printed = campaign(code=2).stderr
    assert f"{campaign.file}: one, option seed:" in printed and "--extra" not in printed


def test_the_command_line_overrides_the_flags_of_the_file(bench, campaign):
    campaign.file.write_text(FILE + "\n[run]\nrepeats = 2\nretries = 4\n")
    campaign("--retries", "1", "--max-tokens", "1")
    [opened] = bench.events("group_opened")
    flags = opened["data"]["request"]["flags"]
    assert (flags["repeats"], flags["retries"], flags["max_tokens"]) == (2, 1, 1)
    assert flags["planned"] == 12, "the cells that the file does not exclude, each twice"


def test_after_its_limit_a_campaign_starts_no_run_and_says_so(bench, campaign):
    said = campaign("--max-tokens", "2500")
    assert len(bench.runs()) == 2, "the second came over the limit"
    [closed] = bench.events("group_closed")
    assert closed["data"]["reason"] == "max_tokens"
    assert closed["data"]["notes"] == ["token limit reached (3,000 of 2,500 used); 4 runs not started"]
    assert "token limit reached (3,000 of 2,500 used); 4 runs not started" in said.stdout
    campaign()
    assert len(bench.runs()) == 6, "the same command goes on from there"


def test_cost_is_computed_from_prices_and_missing_prices_are_an_error(bench, campaign):
    campaign.file.write_text(FILE.replace("ollama:", "openai-compatible:"))
    address = {"OPENAI_COMPATIBLE_API_KEY": "k", "OPENAI_COMPATIBLE_BASE_URL": "http://127.0.0.1:9/v1"}
    printed = campaign("--max-cost", "1", code=2, **address).stderr
    assert "the price of openai-compatible:small, openai-compatible:large is unknown" in printed
    assert bench.events() == [], "nothing has begun"
    prices = bench.root / "prices.toml"
    prices.write_text(
        '[[price]]\nprovider = "openai-compatible"\nmodel = "*"\ninput = 100.0\noutput = 200.0\nsource = "me"\n'
        'date = "2026-11-01"\n'
    )
    said = campaign("--max-cost", "0.3", **address).stdout
    assert "cost limit reached ($0.4 of $0.3 spent); 4 runs not started" in said and "$0.2" in said
    [first, _] = bench.runs()
    assert first["usage"]["cost_usd"] == pytest.approx(0.2)
    assert first["usage"]["price"] == {"input": 100.0, "output": 200.0, "source": "me", "date": "2026-11-01"}
    assert "cost" in bench("show-run", first["run_id"]).stdout


def test_skipped_and_incompatible_work_needs_no_price(bench, campaign):
    bench.add("lacking", TOKENS, more='[requires]\nenv = ["NOT_HERE"]')
    address = {"OPENAI_COMPATIBLE_API_KEY": "k", "OPENAI_COMPATIBLE_BASE_URL": "http://127.0.0.1:9/v1"}
    asked = ("run", "--benchmarks", "one", "lacking", "--provider", "openai-compatible", "--model", "m")
    bench(*asked, **address)
    assert "1 skipped, 1 incompatible" in bench(*asked, "--max-cost", "1", **address).stdout
    assert "the price of" in bench(*asked, "--max-cost", "1", "--force", code=2, **address).stderr


def test_a_campaign_ends_at_its_time_limit(bench, campaign):
    campaign("--max-minutes", "0.000001")
    assert bench.runs() == []
    assert bench.events("group_closed")[0]["data"]["reason"] == "max_minutes"


def test_repetitions_are_shown_together(bench, campaign):
    said = bench("run", "--benchmarks", "one", "--provider", "ollama", "--repeats", "3").stdout
    assert "3 of 3  0.100 [0.01, 0.58]   0.000  0.100  0.100" in said
    again = bench("run", "--benchmarks", "one", "--provider", "ollama", "--repeats", "4").stdout
    assert "4 of 4" in again, "also those that were there before"


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_each_end_is_posted_to_a_url(bench):
    bench.add("one", TOKENS)
    bench.add("bad", "sys.exit(3)")
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        server.posted = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            bench.run("one", "bad", code=1, more=("--notify", f"http://127.0.0.1:{server.server_port}/hook"))
        finally:
            server.shutdown()
            thread.join()
    assert sorted(document["type"] for document in server.posted) == [
        "benchmarks.failed",
        "benchmarks.finished",
        "benchmarks.group_closed",
    ]
    head = bench.events()[0]["hash"]
    assert len({document["source"] for document in server.posted}) == 1 and head
    assert "was not delivered to 127.0.0.1" in bench.run("bad", code=1, more=("--notify", "http://127.0.0.1:9/"))


def test_github_actions_gets_groups_and_a_summary(bench, tmp_path):
    bench.add("one", TOKENS)
    bench.add("bad", 'print("::error::mine", "|<b>", file=sys.stderr); sys.exit(3)')
    summary = tmp_path / "summary.md"
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    said = bench("run", "--benchmarks", "one", "bad", "--provider", "ollama", code=1, **environ)
    shown = said.stdout + said.stderr
    assert "::group::one" in shown and shown.count("::group::") == shown.count("::endgroup::")
    [stop] = re.findall(r"::stop-commands::(\w+)\n", shown[shown.index("::group::bad") :])
    guarded = shown[shown.index(f"::stop-commands::{stop}") : shown.index(f"\n::{stop}::")]
    assert "\n::error::mine" in guarded and shown.count("::error::mine") == 1, "a benchmark commands no runner"
    assert "\n::error title=bad::bad: failed (exit_code)" in shown
    text = summary.read_text()
    assert text.startswith("### Benchmarks: 1 succeeded, 1 failed")
    assert "| one | succeeded | 0.100 [0.01, 0.58] |" in text
    assert r"\|\<b\>" in text, "an error is escaped in a Markdown table"
    quiet = bench("run", "--benchmarks", "one", "--provider", "ollama", GITHUB_ACTIONS="true")
    assert quiet.returncode == 0
    missing = {**environ, "GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "where")}
    assert "cannot be written" in bench("run", "--benchmarks", "one", "--provider", "ollama", **missing).stderr


LEAVES_ONE = """
import subprocess
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
"""


def test_processes_that_outlive_a_run_are_named_in_the_output(bench, tmp_path):
    bench.add("leaves", LEAVES_ONE + TOKENS)
    summary = tmp_path / "summary.md"
    for environ in ({}, {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}):
        said = bench.run("leaves", more=("--force",), **environ)
        reported = [line for line in said.splitlines() if "left processes behind, which were ended: python" in line]
        assert len(reported) == 1 and "leaves: 0.100 [0.01, 0.58] in" in reported[0]
    assert "left processes behind" in summary.read_text()
