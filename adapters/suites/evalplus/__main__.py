"""`python -m suites.evalplus`: has EvalPlus ask for each function, and judges what was answered in a sandbox."""

from __future__ import annotations

import multiprocessing
import os
import sys

from ..suitekit.command import SuiteError, main, parser
from ..suitekit.harness import need_success, only_file, read_json, run_harness
from ..suitekit.sandbox.checking import find_sandbox
from ..suitekit.written import write_json
from .judging import install


def run() -> None:
    """Ask, judge, and add to EvalPlus's file of results what isolated the answers."""
    arguments = parser("evalplus", __doc__ or "")
    arguments.add_argument("--dataset", choices=["humaneval", "mbpp"], default="humaneval")
    arguments.add_argument("--mini", action="store_true")
    arguments.add_argument("--parallel", type=int)
    arguments.add_argument("--unsafe", action="store_true", help="run model-written code even if nothing isolates it")
    given = arguments.parse_args()
    base_url = os.environ.get("OPENAI_BASE_URL")
    if not base_url:
        raise SuiteError("OPENAI_BASE_URL is not set: this driver asks OpenAI-compatible APIs")
    output = given.output_dir.absolute()
    sandbox = find_sandbox(allow_none=given.unsafe)
    argv = [sys.executable, "-m", "evalplus.codegen", "--model", given.model, "--dataset", given.dataset]
    argv += ["--backend", "openai", "--base_url", base_url, "--greedy", "--root", str(output)]
    need_success(run_harness(argv), "EvalPlus")
    samples = [path for path in output.glob(f"{given.dataset}/*.jsonl") if not path.name.endswith(".raw.jsonl")]
    if len(samples) != 1:
        raise SuiteError(f"EvalPlus left {len(samples)} files of answers: it has failed, whatever its exit code")
    os.environ.pop("OPENAI_API_KEY", None)
    trouble = output / "not-isolated.txt"
    multiprocessing.set_start_method("fork")
    install(sandbox.isolation, trouble)
    import evalplus.evaluate

    evalplus.evaluate.evaluate(given.dataset, str(samples[0]), parallel=given.parallel, mini=given.mini)
    if trouble.exists():
        raise SuiteError(f"the sandbox ({sandbox.held}) did not hold for every answer: {trouble.read_text()[:300]}")
    path = only_file(output, "**/*_eval_results.json", "EvalPlus")
    results = {**read_json(path), "isolation": sandbox.held, "notes": [sandbox.note]}
    write_json(path, results)


if __name__ == "__main__":
    main(run)
