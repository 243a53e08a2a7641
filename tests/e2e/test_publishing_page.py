"""docs/publishing.md: every command works, from a registered plan to a witnessed row that somebody else reproduced."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from pathlib import Path

from tests.conftest import COMMAND
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
    blocks = re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    path = f"{Path(COMMAND[0]).parent}:{bench.environ['PATH']}"
    served, said = None, {}
    try:
        for line in (line for block in blocks for line in block.splitlines()):
            if line.startswith("benchmarks witness serve"):
                argv = [*COMMAND, *line.split()[1:], "--port", "0"]
                served = subprocess.Popen(argv, cwd=bench.root, stdout=subprocess.PIPE, text=True)
                address = re.search(r"http://\S+", served.stdout.readline())[0]
                continue
            shown = line
            if "RUN" in line:
                line = line.replace("RUN", bench.runs()[0]["run_id"])
            if "ledger witness add" in line:
                line = line.replace("http://127.0.0.1:8878", address)
            done = subprocess.run(
                line,
                shell=True,
                cwd=bench.root,
                env={**bench.environ, "PATH": path},
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            said[shown] = done.stdout + done.stderr
    finally:
        if served:
            served.send_signal(signal.SIGINT)
            served.communicate(timeout=20)
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
