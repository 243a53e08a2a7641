"""`python -m suites.inspect_ai`: has Inspect evaluate a task, and leaves the header of its log as the result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from ..suitekit.command import SuiteError, main, parser
from ..suitekit.harness import json_object, need_success, only_file, run_harness, write_result

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
    write_result(given.output_dir, _header(log))
    need_success(code, "Inspect")


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
