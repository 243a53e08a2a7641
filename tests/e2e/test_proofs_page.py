"""docs/proofs.md: every command in it works, and its verifier proves one score and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.pages import lines_of, shell

PAGE = Path(__file__).parents[2] / "docs" / "proofs.md"
TEXT = PAGE.read_text()
SAMPLES = """
output.joinpath("samples.jsonl").write_text('{"id": "q1", "score": 1}\\n{"id": "q2", "score": 0}\\n')
output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 2}))
"""


@pytest.fixture
def place(bench):
    """A workspace with a run, in which the commands of the page are run by a shell."""
    bench.add("good", SAMPLES)
    bench.run("good")
    (bench.root / "benchmarks.toml").touch()
    return bench


def test_each_command_of_the_page_works(place):
    lines = lines_of(TEXT)
    with shell(place) as run:
        run("benchmarks ledger checkpoint > old-checkpoint.txt")
        for line in lines:
            told = run(line.replace("RUN", place.runs()[-1]["run_id"])).stdout
            if "bundle verify" in line:
                assert ("1 opened samples" in told) == ("--sample" in line)
            if "verify-proof" in line:
                assert "score 0.5" in told and ("seen by w1" in told) == ("--policy" in line)
    assert len(lines) > 10


@pytest.fixture
def proven(place):
    run_id = place.runs()[0]["run_id"]
    with shell(place) as run:
        run("benchmarks ledger keygen bench.example.org/team --output signing.key > public.key")
        run(f"benchmarks ledger prove {run_id} --sign signing.key --save-event event.json > run.tlog-proof")
    [code] = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert len([*filter(None, code.splitlines())]) <= 48
    (place.root / "verify.py").write_text(code)
    return place


def check(place, *files: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-I", "verify.py", *files]
    return subprocess.run(argv, cwd=place.root, capture_output=True, text=True, timeout=60)


def test_the_verifier_of_the_page_proves_a_score(proven):
    done = check(proven, "run.tlog-proof", "event.json", "public.key")
    run = proven.runs()[0]["run_id"]
    assert done.stdout == f"{run}: score 0.5, event 3 of 4 of bench.example.org/team\n", done.stderr
    assert re.search(r"verify\.py run\.tlog-proof event\.json public\.key\nrun_\w+: score 0\.5, event 3 of 4 of", TEXT)


def test_the_verifier_of_the_page_refuses_each_changed_field(proven, tmp_path):
    proof = (proven.root / "run.tlog-proof").read_text()
    event = (proven.root / "event.json").read_text()
    other = tmp_path / "other.key"
    public = proven("ledger", "keygen", "bench.example.org/team", "--output", str(other)).stdout
    lines = proof.split("\n")
    changes = [("event.json", event.replace('"score":0.5', '"score":0.6')), ("public.key", public)]
    for number, line in enumerate(lines):
        if line and not line.startswith("extra "):  # The extra data are for readers without the line.
            at = len(line) // 2
            letter = "7" if line[at] != "7" else "6"
            changed = [*lines[:number], line[:at] + letter + line[at + 1 :], *lines[number + 1 :]]
            changes.append(("run.tlog-proof", "\n".join(changed)))
    proven("ledger", "prove", "1", "--sign", str(proven.root / "signing.key"), "--save-event", str(tmp_path / "e1"))
    changes.append(("event.json", (tmp_path / "e1").read_text()))
    for name, content in changes:
        (tmp_path / "changed").write_text(content)
        files = [
            str(tmp_path / "changed") if one == name else one for one in ("run.tlog-proof", "event.json", "public.key")
        ]
        done = check(proven, *files)
        assert done.returncode == 1 and not done.stdout, content
    assert len(changes) > 8
