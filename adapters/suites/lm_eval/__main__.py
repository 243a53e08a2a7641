"""`python -m suites.lm_eval`: has lm-evaluation-harness evaluate one task or group, and reads its results file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..suitekit.command import SuiteError, main, parser
from ..suitekit.harness import leave_samples, need_success, only_file, read_json, run_harness, write_result
from .samples import read
from .scores import members, summarize

_APIS = {"chat": ("local-chat-completions", "chat/completions"), "completions": ("local-completions", "completions")}
_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def run() -> None:
    """Evaluate the task, and read its results."""
    arguments = parser("lm_eval", __doc__ or "")
    arguments.add_argument("--task", required=True)
    arguments.add_argument("--metric")
    arguments.add_argument("--include-path", type=Path)
    arguments.add_argument("--limit")
    arguments.add_argument("--num-fewshot")
    arguments.add_argument("--api", choices=_APIS, default="chat")
    arguments.add_argument("--tokenizer")
    arguments.add_argument("--gen-kwargs")
    arguments.add_argument("--num-concurrent", default="1")
    arguments.add_argument("--offline", action="store_true")
    given = arguments.parse_args()
    if "," in given.task:
        raise SuiteError("one run evaluates one task or group: its score is the run's")
    base_url = os.environ.get("OPENAI_BASE_URL")
    if not base_url:
        raise SuiteError("OPENAI_BASE_URL is not set: this driver asks OpenAI-compatible APIs")
    kind, path = _APIS[given.api]
    model_args = {"model": given.model, "base_url": f"{base_url.rstrip('/')}/{path}"}
    model_args["num_concurrent"] = given.num_concurrent
    if given.tokenizer:
        model_args["tokenizer"] = given.tokenizer
    else:
        model_args["tokenized_requests"] = "False"
        # Without the model's tokenizer nothing is counted beforehand; the server cuts off what is too long.
        model_args["tokenizer_backend"] = "None"
    results = given.output_dir / "results"
    argv = [sys.executable, "-m", "lm_eval", "run", "--model", kind, "--tasks", given.task]
    argv += ["--model_args", ",".join(f"{name}={value}" for name, value in model_args.items())]
    argv += ["--output_path", str(results), "--log_samples", "--seed", str(given.seed)]
    if given.api == "chat":
        argv.append("--apply_chat_template")
    for flag in ("include_path", "limit", "num_fewshot", "gen_kwargs"):
        if (value := getattr(given, flag)) is not None:
            argv += [f"--{flag}", str(value)]
    code = run_harness(argv, environ=_OFFLINE if given.offline else None)
    need_success(code, "lm-evaluation-harness")
    file = only_file(results, "**/results_*.json", "lm-evaluation-harness")
    document = read_json(file)
    result = summarize(document, given.task, given.metric)
    leave_samples(given.output_dir, read(file, members(document, given.task), result["metric"]))
    write_result(given.output_dir, result)


if __name__ == "__main__":
    main(run)
