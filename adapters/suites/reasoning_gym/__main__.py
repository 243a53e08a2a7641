"""`python -m suites.reasoning_gym`: asks the problems of each dataset."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

import reasoning_gym as package
from reasoning_gym.utils import SYSTEM_PROMPTS, extract_answer

from ..suitekit.command import SuiteError, comma_list, main, parser
from ..suitekit.fed import open_client
from ..suitekit.report import Report, Sample
from . import answers

VERSION = "1"
_INSTRUCTION = SYSTEM_PROMPTS["direct"]


def run() -> None:
    """Ask every problem, and report."""
    arguments = parser("reasoning_gym", __doc__ or "")
    arguments.add_argument("--datasets", type=comma_list, required=True)
    arguments.add_argument("--samples", type=int, default=5, help="problems of each dataset")
    arguments.add_argument("--max-tokens", type=int, default=64)
    given = arguments.parse_args()
    if given.samples < 1 or given.max_tokens < 1 or not given.datasets:
        raise SuiteError("samples and max_tokens are at least 1, and datasets names at least one")
    answers.install()
    datasets = {name: make_dataset(name, given.seed, given.samples) for name in given.datasets}
    rights = [f"<answer>{problem['answer']}</answer>" for dataset in datasets.values() for problem in dataset]
    client = open_client(given.model, rights, given.seed)
    total = sum(len(dataset) for dataset in datasets.values())
    options = {"datasets": given.datasets, "samples": given.samples, "max_tokens": given.max_tokens}
    with Report("reasoning_gym", VERSION, given.output_dir, total=total, options=options) as report:
        for name, dataset in datasets.items():
            for number, problem in enumerate(dataset):
                messages = [
                    {"role": "system", "content": _INSTRUCTION},
                    {"role": "user", "content": problem["question"]},
                ]
                answer = client.ask(messages, max_tokens=given.max_tokens, seed=given.seed)
                points, error = judged(dataset, problem, answer.text)
                report.add(
                    Sample(
                        id=f"{name}-{number}",
                        input=problem["question"],
                        expected=plain(problem["answer"]),
                        output=answer.text,
                        score=points,
                        answer=answer,
                        groups={"dataset": name},
                        details={"error": error} if error else {},
                    )
                )
        report.finish(model=given.model, seed=given.seed, facts=client.facts(), notes=client.notes())


def make_dataset(name: str, seed: int, size: int) -> Any:
    """A dataset of the package; the same arguments make the same problems. Raises SuiteError for an unknown name."""
    from reasoning_gym.factory import DATASETS

    if name not in DATASETS:
        near = difflib.get_close_matches(name, DATASETS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {len(DATASETS)}, such as {min(DATASETS)}"
        raise SuiteError(f"reasoning-gym has no dataset '{name}': {hint}")
    return package.create_dataset(name, seed=seed, size=size)


def judged(dataset: Any, problem: Mapping[str, Any], text: str) -> tuple[float, str]:
    """The score, and the error of a scorer that cannot read the answer: some raise instead of giving 0."""
    try:
        return score(dataset, problem, text), ""
    except Exception as raised:  # noqa: BLE001 - whatever a scorer raises, the answer is what it could not read
        return 0.0, f"{type(raised).__name__}: {raised}"[:300]


def score(dataset: Any, problem: Mapping[str, Any], text: str) -> float:
    """From 0 to 1, by the dataset's own scorer: of what stands in <answer> tags, else of all that was said."""
    tagged = extract_answer(text)
    return float(dataset.score_answer(answer=text.strip() if tagged is None else tagged, entry=problem))


def plain(value: object) -> object:
    """A value that JSON can hold: itself if possible, else as text."""
    try:
        json.dumps(value)
    except TypeError:
        return str(value)
    return value


if __name__ == "__main__":
    main(run)
