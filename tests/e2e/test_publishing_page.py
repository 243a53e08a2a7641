"""docs/publishing.md: every command works, from a registered plan to a witnessed row that somebody else reproduced."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path

from tests.e2e.pages import lines_of, shell
from tests.e2e.test_registration import SUITE

TEXT = (Path(__file__).parents[2] / "docs" / "publishing.md").read_text()
PLAN = re.search(r"```toml\n(.*?)```", (Path(__file__).parents[2] / "docs" / "registration.md").read_text(), re.DOTALL)[
    1
].replace("repeats = 2", "repeats = 1")


def test_each_command_of_the_page_works_and_the_row_is_registered_witnessed_and_reproduced(bench, browser):
    bench.add("quiz", SUITE.replace('== "new"', '== "large"'))
    (bench.root / "benchmarks.toml").touch()
    shutil.copytree(bench.root / "quiz", bench.root / "there" / "quiz")
    (bench.root / "plan.toml").write_text(PLAN)
    (bench.root / "table.toml").write_text(re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)[1])
    said = {}
    with shell(bench) as run:
        for line in lines_of(TEXT):
            done = run(line.replace("RUN", bench.runs()[0]["run_id"]) if "RUN" in line else line)
            said[line] = done.stdout + done.stderr
    assert re.search(r"table.zip: 2 runs, \d+ events", said["benchmarks bundle quiz-table@1 -o table.zip"])
    assert "row.zip: 1 runs" in said["benchmarks bundle 'quiz-table@1#2' -o row.zip"]
    with zipfile.ZipFile(bench.root / "row.zip") as row:
        lines = [row.read(name) for name in row.namelist() if name.startswith("events/")]
    assert sum(b'"type":"published"' in line for line in lines) == 1
    assert "no row '3'" in bench("bundle", "quiz-table@1#3", "-o", "no.zip", code=2).stderr
    assert "no version '9'" in bench("bundle", "quiz-table@9", "-o", "no.zip", code=2).stderr
    key, witness = ((bench.root / name).read_text().strip() for name in ("public.key", "witness.public"))
    policy = bench.root / "policy.txt"
    policy.write_text(f"log {key}\nwitness w1 {witness}\nquorum w1\n")
    page_file = str(bench.root / "quiz-table-1.html")
    told = json.loads(bench("table", "status", page_file, "--policy", str(policy), "--json").stdout)
    assert told["checked"]["witnesses"] == ["w1"]
    other = bench("witness", "keygen", "witness.example.org/w1", "--output", str(bench.root / "other.key")).stdout
    policy.write_text(f"log {key}\nwitness w1 {other.strip()}\nquorum w1\n")
    assert "w1" in bench("table", "status", page_file, "--policy", str(policy), code=1).stderr
    document = json.loads((bench.root / "quiz-table-1.json").read_text())
    assert [one.partition("+")[0] for one in document["witnesses"]] == ["witness.example.org/w1"]
    assert "0 findings" in said["benchmarks table lint table.toml"]
    fact = re.search(r"^```text\n(reproduced .*?)\n```", TEXT, re.DOTALL | re.MULTILINE)[1].split(None, 1)[1]
    assert re.search(rf"^reproduced +{fact}$", said["benchmarks show-run RUN"], re.MULTILINE)
    page = browser.new_page()
    page.goto((bench.root / "quiz-table-1.html").as_uri())
    page.wait_for_selector("html[data-checked=good]")
    first = page.inner_text("tr[data-row='1']")
    assert "witness.example.org/w1 has signed" in page.inner_text("#verdict")
    assert "1 of 1" in first and fact in first
    assert "confirmatory, supported" in page.inner_text("#facts")
    page.close()
