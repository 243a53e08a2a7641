"""Inspect AI: a folder of logs, their headers, and an eval set that is done. Runs with an interpreter that has it.

Prints [what, seconds] pairs as JSON. Logs beyond the first ten are copies.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["INSPECT_DISPLAY"] = "none"
import inspect_ai
from inspect_ai import Task, eval_set, task
from inspect_ai.dataset import Sample
from inspect_ai.log import list_eval_logs, read_eval_log
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import includes

folder, total, tasks, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
SAMPLES = [Sample(input=f"How much is {number} + 1?", target=str(number + 1)) for number in range(5)]


@task
def sums(number: int = 0) -> Task:
    """Five questions; the number makes each task other work."""
    return Task(dataset=SAMPLES, scorer=includes(), metadata={"number": number})


def answer(*_: object) -> ModelOutput:
    """An answer with its tokens: without them Inspect downloads a tokenizer to count them."""
    output = ModelOutput.from_content(model="mockllm", content="1")
    output.usage = ModelUsage(input_tokens=9, output_tokens=1, total_tokens=10)
    return output


def median(work: Callable[[], object]) -> float:
    """The median seconds of some rounds."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def run_all() -> None:
    """The same eval set: the first time it runs all tasks, later none."""
    model = get_model("mockllm/model", custom_outputs=answer)
    is_done, _ = eval_set([sums(number) for number in range(tasks)], log_dir=str(folder / "set"), model=model)
    assert is_done


run_all()
originals = sorted((folder / "set").glob("*.eval"))[:10]
logs = folder / "logs"
logs.mkdir()
for number in range(total):
    original = originals[number % len(originals)]
    shutil.copy(original, logs / f"2026-01-01T00-00-00+00-00_sums_{number:022d}.eval")
listed = list_eval_logs(str(logs))
assert len(listed) == total
command = [sys.executable, "-m", "inspect_ai", "list", "logs", "--log-dir", str(logs)]
figures = [
    (f"`inspect list logs` of {total:,}", median(lambda: subprocess.run(command, check=True, capture_output=True))),
    (f"read {total:,} headers", median(lambda: [read_eval_log(log, header_only=True) for log in listed])),
    (f"`eval_set` of {tasks} finished tasks", median(run_all)),
]
print(json.dumps({"version": inspect_ai.__version__, "figures": figures}))
