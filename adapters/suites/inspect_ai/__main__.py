"""`python -m suites.inspect_ai`: has Inspect evaluate a task, and leaves the header of its log as the result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..suitekit.command import SuiteError, main, parser
from ..suitekit.foreign import at, table
from ..suitekit.harness import json_object, leave_samples, need_success, only_file, run_harness, write_result
from .samples import reduced, row, sought_in
from .scores import headline

_LIMITS = ("limit", "epochs", "temperature", "max_tokens", "max_connections")
"""Arguments that Inspect knows by the same name."""


def run() -> None:
    """Evaluate the task, and read its log."""
    arguments = parser("inspect_ai", __doc__ or "")
    arguments.add_argument("--task", required=True, help="a file, file@task, or a registered task")
    arguments.add_argument("--task-args", type=json_object, default={}, help="a JSON object")
    for name in _LIMITS:
        arguments.add_argument(f"--{name.replace('_', '-')}")
    given = arguments.parse_args()
    logs = given.output_dir / "logs"
    service = os.environ.get("BENCHMARK_MODEL_PROVIDER") or "openai-compatible"
    argv = [sys.executable, "-m", "inspect_ai", "eval", given.task, "--model", f"openai-api/{service}/{given.model}"]
    argv += ["--log-dir", str(logs), "--log-format", "eval", "--display", "plain", "--seed", str(given.seed)]
    for name in _LIMITS:
        if (value := getattr(given, name)) is not None:
            argv += [f"--{name.replace('_', '-')}", value]
    for name, value in given.task_args.items():
        argv += ["-T", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    code = run_harness(argv, environ=_service_address(service))
    log = only_file(logs, "*.eval", "Inspect")
    header = _header(log)
    leave_samples(given.output_dir, _samples(log, header))
    write_result(given.output_dir, header)
    need_success(code, "Inspect")


_PRINT_SAMPLES = """
import json, sys
from inspect_ai.log import read_eval_log, read_eval_log_samples
if sys.argv[2]:
    reductions = read_eval_log(sys.argv[1]).reductions or []
    print(json.dumps({"reductions": [one.model_dump(mode="json") for one in reductions]}))
for sample in read_eval_log_samples(sys.argv[1], all_samples_required=False):
    print(sample.model_dump_json(exclude={"events", "store"}, exclude_none=True))
"""
"""Prints the samples of a log, a line each; before them, if it is asked for, what its epochs are reduced to."""


def _samples(log: Path, header: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The samples of the log by the score that is its headline; read by Inspect itself, one by one."""
    results = table(header.get("results"))
    sought = sought_in(results, headline(results, table(at(header, "eval", "headline_metric"))))
    is_reduced = sought.get("reducer") not in (None, "mean")
    argv = [sys.executable, "-c", _PRINT_SAMPLES, str(log), "reduced" if is_reduced else ""]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    over_all: dict[str, object] = {}
    done: set[str] = set()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environ) as reading:
        assert reading.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
        for line in reading.stdout:
            one = table(json.loads(line)) if line.startswith(b"{") else {}
            if "reductions" in one:
                over_all = reduced(one["reductions"], sought)
            elif one and not ((id := str(one.get("id"))) in over_all and id in done):
                done.add(id)
                yield row(one, sought, over_all)
    need_success(reading.returncode, f"reading the samples of {log.name}")


def _service_address(service: str) -> dict[str, str]:
    """The variables where Inspect's client looks for the address and key of a service of that name."""
    prefix = service.upper().replace("-", "_")
    base_url = os.environ.get("OPENAI_BASE_URL")
    if not base_url:
        raise SuiteError("OPENAI_BASE_URL is not set: this driver asks OpenAI-compatible APIs")
    return {f"{prefix}_BASE_URL": base_url, f"{prefix}_API_KEY": os.environ.get("OPENAI_API_KEY") or "none"}


def _header(log: Path) -> dict[str, object]:
    """What the log says without its samples, which may be gigabytes; read by Inspect itself."""
    argv = [sys.executable, "-m", "inspect_ai", "log", "dump", "--header-only", str(log)]
    done = subprocess.run(argv, capture_output=True, text=True)
    need_success(done.returncode, f"reading {log.name}")
    return json_object(done.stdout)


if __name__ == "__main__":
    main(run)
