"""What `run` prints at its end: the runs, statistics of repetitions, and the counts of the campaign."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ....ledger.fold import Run
from ....ledger.usage import cost_in, tokens_of
from ....orchestrator.planning.repetitions import Repetitions
from ....orchestrator.running.conducting import Result
from ....projections.render.score_tables import run_score
from ....projections.render.text import escape_markdown, format_estimate, format_options, format_score
from ...printing import print_table

_ERROR_LENGTH = 300
_RIGHT = ["score", "high_score", "delta", "samples", "tokens", "cost", "seconds"]
_COLUMNS = ["benchmark", "status", *_RIGHT, "run_id"]
_DISPENSABLE = ["run_id", "samples", "high_score", "tokens", "cost", "delta", "seconds"]


def report(result: Result, repetitions: Sequence[Repetitions]) -> None:
    """Tables on stdout, then one line of counts."""
    if result.runs:
        rows = [_cells(run) for run in result.runs]
        # An empty column only takes room.
        shown = [name for index, name in enumerate(_COLUMNS) if name != "cost" or any(row[index] for row in rows)]
        indexes = [_COLUMNS.index(name) for name in shown]
        print_table(shown, [[row[i] for i in indexes] for row in rows], right=_RIGHT, dispensable=_DISPENSABLE)
        print()
    if repetitions:
        _print_repetitions(repetitions)
        print()
    print(f"{result.run_group_id}: {summary(result)}")


def summary(result: Result) -> str:
    """The counts of a campaign in a line, and why it stopped early, if it did."""
    counts = result.counts
    text = (
        f"{counts.succeeded} succeeded, {counts.failed} failed, {counts.skipped} skipped, "
        f"{counts.incompatible} incompatible"
    )
    return f"{text}; {'; '.join(result.notes)}" if result.notes else text


def _print_repetitions(repetitions: Sequence[Repetitions]) -> None:
    columns = ["benchmark", "agent", "model", "options", "repeats", "mean", "spread", "min", "max"]
    print_table(
        columns,
        [
            [
                one.benchmark_id,
                one.agent,
                f"{one.provider}:{one.model}",
                format_options(one.options),
                f"{len(one.scores)} of {one.planned}",
                format_estimate(one.mean, one.uncertainty.stderr, one.uncertainty.low, one.uncertainty.high),
                "" if one.deviation is None else f"{one.deviation:.3f}",
                format_score(min(one.scores)),
                format_score(max(one.scores)),
            ]
            for one in repetitions
        ],
        right=columns[4:],
        dispensable=["agent", "min", "max"],
    )


def _cells(run: Run) -> list[str]:
    tokens, cost = tokens_of(run.usage), cost_in(run.usage)
    delta = run.delta_to_high_score
    return [
        run.benchmark_id,
        run.status + (f" ({run.reason})" if run.reason else " (synthetic)" if run.synthetic else ""),
        run_score(run),
        format_score(run.high_score_value),
        "" if delta is None else f"{delta:+.3f}",
        "" if run.samples is None else str(run.samples),
        "" if tokens is None else str(tokens),
        f"${cost:.4g}" if cost else "",
        "" if run.duration_seconds is None else f"{run.duration_seconds:.1f}",
        run.run_id,
    ]


def write_step_summary(file: Path, result: Result) -> None:
    """Append the campaign as Markdown to the file that a GitHub Actions step shows as its summary. Raises OSError."""
    rows = [
        f"| {escape_markdown(run.benchmark_id)} | {run.status} | {run_score(run)} "
        f"| {escape_markdown(_shortened('; '.join([*filter(None, [run.error]), *run.notes])))} | {run.run_id} |"
        for run in result.runs
    ]
    lines = [f"### Benchmarks: {summary(result)}", ""]
    if rows:
        lines += ["| benchmark | status | score | error, notes | run |", "|---|---|--:|---|---|", *rows, ""]
    with file.open("a", encoding="utf-8") as summary_file:
        summary_file.write("\n".join(lines) + "\n")


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _ERROR_LENGTH else f"{line[: _ERROR_LENGTH - 2]} …"
