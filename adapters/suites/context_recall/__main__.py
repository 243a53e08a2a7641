"""`python -m suites.context_recall`: asks for each hidden fact."""

from __future__ import annotations

from ..suitekit.command import SuiteError, comma_list, main, parser
from ..suitekit.fed import open_client
from ..suitekit.report import Report, Sample
from .tasks import MAX_WORDS, make_tasks, score_answer

VERSION = "1"
_MAX_TOKENS = 24


def run() -> None:
    """Ask about every text, and report."""
    arguments = parser("context_recall", __doc__ or "")
    arguments.add_argument("--lengths", type=comma_list, default=["80", "300", "900"], help="words of the texts")
    arguments.add_argument("--depths", type=comma_list, default=["0", "0.25", "0.5", "0.75", "1"], help="0 to 1")
    arguments.add_argument("--samples-per-cell", type=int, default=2)
    given = arguments.parse_args()
    try:
        lengths, depths = [int(words) for words in given.lengths], [float(depth) for depth in given.depths]
    except ValueError as problem:
        raise SuiteError(f"lengths are whole numbers and depths are numbers: {problem}") from problem
    if not lengths or not all(1 <= words <= MAX_WORDS for words in lengths):
        raise SuiteError(f"lengths are one or more numbers of words from 1 to {MAX_WORDS}")
    if not depths or not all(0 <= depth <= 1 for depth in depths) or given.samples_per_cell < 1:
        raise SuiteError("depths are one or more numbers from 0 to 1, and samples_per_cell is at least 1")
    if len(set(lengths)) < len(lengths) or len(set(depths)) < len(depths):
        raise SuiteError("a length or a depth is named twice: its texts would be the same ones")
    tasks = make_tasks(given.seed, lengths, depths, given.samples_per_cell)
    options = {"lengths": lengths, "depths": depths, "samples_per_cell": given.samples_per_cell}
    client = open_client(given.model, [task.code for task in tasks], given.seed)
    with Report("context_recall", VERSION, given.output_dir, total=len(tasks), options=options) as report:
        for task in tasks:
            prompt = f"Here is a log.\n\n{task.text}\n\n{task.question}"
            answer = client.ask([{"role": "user", "content": prompt}], max_tokens=_MAX_TOKENS, seed=given.seed)
            report.add(
                Sample(
                    id=task.id,
                    input=task.question,
                    expected=task.code,
                    output=answer.text,
                    score=score_answer(task, answer.text),
                    answer=answer,
                    groups={"words": str(task.words), "depth": f"{task.depth:g}"},
                )
            )
        report.finish(model=given.model, seed=given.seed, facts=client.facts(), notes=client.notes())


if __name__ == "__main__":
    main(run)
