"""A model that cheats: its answers are programs that try to change their score or to read what they should not."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ...adapters.suites.forgeries import ANSWERS, TRICKS
from ..imitated_provider import ImitatedProvider, Reply, said

KEY = "sk-of-the-driver-4be1f0c8a2"
THEFTS = {
    f"a key is looked for in {place}": f"def add(*a):\n    import glob\n    raise ValueError({code})\n"
    for place, code in {
        "the environment": "dict(__import__('os').environ)",
        "other processes": "[open(p, 'rb').read() for p in glob.glob('/proc/[0-9]*/environ')]",
        "the parent": "open(f'/proc/{__import__(\"os\").getppid()}/environ').read()",
        "files": "[open(p, 'rb').read()[:999] for p in glob.glob('/**/telemetry.jsonl', recursive=True)[:9]]",
    }.items()
}


def renamed(program: str, name: str) -> str:
    """A program for the function `add` as one for a function of that name, with any arguments."""
    program = re.sub(r"\badd\b", name, program)
    return program.replace("(a, b)", "(*a)").replace("lambda a, b:", "lambda *a:")


@pytest.mark.model
def test_a_cheating_model_scores_nothing_and_learns_nothing(bench, rng, is_full, tally):
    programs = {**ANSWERS, **TRICKS, **THEFTS}
    names = list(programs) if is_full else [*THEFTS, *rng.sample([*ANSWERS, *TRICKS], 10)]
    left = iter(names)

    def cheat(asked: dict[str, Any], _: int) -> Reply:
        function = re.findall(r"^def (\w+)", asked["messages"][-1]["content"], re.MULTILINE)[-1]
        return said(f"```python\n{renamed(programs[next(left)], function)}\n```")

    provider = ImitatedProvider({"cheat": cheat})
    try:
        options = ("--provider", "openai-compatible", "--base-url", provider.url("cheat"), "--model", "m")
        extra = json.dumps({"max_samples": len(names), "test_seconds": 1.5})
        done = bench("run", "--benchmarks", "human_eval", *options, "--extra", extra, OPENAI_API_KEY=KEY)
    finally:
        provider.close()
    [row] = bench.runs()
    assert (row["status"], row["score"], row["samples"]) == ("succeeded", 0.0, len(names))
    assert row["metrics"]["isolation"].split(", ")[0] in ("namespaces", "bubblewrap", "landlock", "seccomp")
    assert f"isolation of model-written code: {row['metrics']['isolation']}" in done.stderr
    reported = [path for path in bench.root.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert reported == []
    [samples] = bench.results.glob("*/*/*/output/samples.jsonl")
    for name, line in zip(names, samples.read_text().splitlines(), strict=True):
        tally["theft" if name in THEFTS else "forgery"] += 1
        assert json.loads(line)["correct"] is False, name
