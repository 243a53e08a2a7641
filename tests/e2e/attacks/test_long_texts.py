"""Texts on which a careless pattern takes hours: long lines of one character, repeated names, digests."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from typing import Any

import msgspec
import pytest

from .test_special_files import SECRETS, lost_runs

PIECES = (
    " ",
    "\t",
    "_",
    "-",
    "0",
    "a",
    "A",
    "=",
    '"',
    "_rate",
    "ci_",
    "ci_1",
    "time_to_",
    "ece_",
    "token=",
    "sk-",
    "a:",
)

JUDGE = """
import json, sys
from benchmarks.adapters.imports import found
from benchmarks.adapters import secret_names, secret_shapes
for text in json.load(sys.stdin):
    for judge in (found.unit_of, found.direction_of, found.slug, secret_shapes.hide_named,
                  secret_shapes.looks_random, secret_shapes.may_go_on, secret_names.names_a_secret):
        judge(text)
    list(secret_shapes.secrets_within({"token": text}))
"""


def texts(rng: random.Random, length: int) -> list[str]:
    """Each piece repeated to that length, with one of a few ends."""
    return [piece * (length // len(piece)) + rng.choice(("", "!", "x")) for piece in PIECES]


@pytest.mark.parametrize("code", ["sys.exit(1)", "os.kill(os.getpid(), 9)"])
def test_a_failed_benchmark_with_long_lines_has_an_outcome(bench: Any, rng: random.Random, code: str) -> None:
    lines = [text for piece in PIECES[:4] for text in (piece * 6000 + "x", f"at {piece * 6000}")]
    rng.shuffle(lines)
    for number, line in enumerate(lines):
        bench.add(
            f"odd_{number}", f"sys.stderr.write({f'first{chr(10)}{line}{chr(10)}last'!r})\nsys.stderr.flush()\n{code}"
        )
    bench.run(*(f"odd_{number}" for number in range(len(lines))), code=1)
    assert {run["status"] for run in bench.runs()} == {"failed"}


def test_names_and_values_of_any_length_are_judged_in_bounded_time(rng: random.Random, tally: Counter[str]) -> None:
    every = texts(rng, 40_000)
    subprocess.run([sys.executable, "-c", JUDGE], input=json.dumps(every), text=True, check=True, timeout=100)
    tally["texts"] += len(every)


RECOVER_QUICKLY = """
import sys
from benchmarks.cli.main import main
from benchmarks.orchestrator.running import recovery
recovery._SEARCH_SECONDS = 1.0
sys.exit(main())
"""


def test_digests_that_a_benchmark_wrote_do_not_stop_recovery(bench: Any, histories: Any, is_full: bool) -> None:
    """Two hundred lengths at each of 300,000 places: texts that cannot be searched in time are left out."""
    bench.add("odd", result='metrics = { a = "a", b = "b", c = "c", d = "d", e = "e" }')
    [folder] = lost_runs(bench, histories, 1)
    (folder / "exit_status").write_text(f"0 {SECRETS.by_shell}")
    document = {"score": 0.5, "n": 4} | dict.fromkeys("abcde", "x" * 60000)
    (folder / "output" / "result.json").write_text(json.dumps(document))
    digests = {"salt": "0" * 32, "names": {"0" * 32: "a"}, "lengths": list(range(30_000, 30_200))}
    (folder / "secrets.digests").write_bytes(msgspec.json.encode(digests))
    if is_full:
        bench("recover-stale-runs", "--stale-seconds", "0")
    else:  # The limit of half a minute is shortened; everything else is as the command does it.
        recover = bench.command("recover-stale-runs", "--stale-seconds", "0")[1:]
        subprocess.run([sys.executable, "-c", RECOVER_QUICKLY, *recover], env=bench.environ, check=True, timeout=60)
    [run] = bench.runs()
    assert run["status"] == "succeeded"
    assert "the time to look" in str(run["metrics"])
