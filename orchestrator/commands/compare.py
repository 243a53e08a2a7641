"""`compare`: runs, groups, models, agents or times side by side."""

from __future__ import annotations

import click

from ...projections.comparison import Comparison, Contrast, Row, compare
from ...projections.leaderboard import Doubtful
from ...projections.samples import sample_reader
from ...projections.selection import select
from ..display import format_score
from ..usage import UsageError
from .history import include_option, load_catalogue
from .leaderboard import format_options, format_unit
from .place import Place, in_place, json_option, print_json
from .table import markdown_table, print_table

RIGHT = ("A", "B", "other", "delta", "p (Holm)", "samples +/=/-")
DISPENSABLE = ("note", "method", "options", "95% interval", "who")


@click.command()
@click.argument("specs", nargs=-1, required=True, metavar="A B [C ...]")
@include_option
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a Markdown table.")
@json_option
@in_place
def command(
    place: Place, specs: tuple[str, ...], include: frozenset[Doubtful], as_markdown: bool, as_json: bool
) -> None:
    """Compare B (and C ...) with A, benchmark by benchmark, and tell differences from noise.

    Each is a run or a group (an id, or its beginning), a model (MODEL or PROVIDER:MODEL), an agent, or as-of:TIME (a
    time or a position of the ledger, or now). Where a name means several things, say which: run:, group:, model: or
    agent: before it.

    Scores are compared sample by sample where both sides have samples.jsonl, else by their standard errors; the
    p-values are corrected for being many (Holm). Scores with other options or units are not compared, but named.
    """
    if len(specs) < 2:
        raise UsageError("compare needs two or more: benchmarks compare A B; leaderboard shows what there is")
    catalogue = load_catalogue(place, include)
    comparison = compare([select(spec, catalogue) for spec in specs], sample_reader(place.workspace))
    if as_json:
        print_json(comparison)
        return
    columns, rows = _table(comparison)
    if as_markdown:
        print(markdown_table(columns, rows, right=RIGHT))
        print()
    elif rows:
        print_table(columns, rows, right=RIGHT, dispensable=("options", "95% interval", "method", "who", "note"))
        print()
    for line in _summary(comparison):
        print(f"- {line}" if as_markdown else line)


def _table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """A line for each task and side but the first."""
    columns = "benchmark,options,who,A,B,delta,95% interval,p (Holm),verdict,samples +/=/-,method,note".split(",")
    if len(comparison.sides) > 2:
        columns[4] = "other"
    return columns, [
        _cells(comparison, row, place, contrast)
        for row in comparison.rows
        for place, contrast in enumerate(row.contrasts)
        if contrast is not None
    ]


def _cells(comparison: Comparison, row: Row, place: int, contrast: Contrast) -> list[str]:
    first, other = row.scores[0], row.scores[place]
    return [
        row.task.benchmark_id,
        format_options(row.task_options),
        _who(comparison, row, place),
        format_score(first.mean, first.stderr) if first else "",
        format_score(other.mean, other.stderr) if other else "",
        f"{contrast.delta:+.3f} {format_unit(row.task.unit, row.task.higher_is_better)}".strip(),
        "" if contrast.low is None else f"{contrast.low:+.3f} to {contrast.high:+.3f}",
        "" if contrast.adjusted_p is None else format_p(contrast.adjusted_p),
        contrast.verdict,
        "" if contrast.pairs is None else f"{contrast.wins}/{contrast.ties}/{contrast.losses}",
        contrast.method or "",
        contrast.note,
    ]


def _who(comparison: Comparison, row: Row, place: int) -> str:
    first, other = row.contenders[0], row.contenders[place]
    who = str(other) if first == other else f"{first} -> {other}"
    return who if len(comparison.sides) == 2 else f"{comparison.sides[place].name}: {who}"


def format_p(p_value: float) -> str:
    """A p-value; what is below 0.001 is only said to be so."""
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _summary(comparison: Comparison) -> list[str]:
    first = comparison.sides[0]
    lines = [f"A is the {first.kind} {first.name} ({first.runs} runs)"]
    if not comparison.rows:
        lines.append("nothing can be compared")
    for tally, side in zip(comparison.tallies, comparison.sides[1:], strict=True):
        lines.append(
            f"the {side.kind} {side.name} ({side.runs} runs): {tally.wins} better, {tally.losses} worse, {tally.ties} "
            f"without a difference that is more than noise (p < {comparison.level:g}), {tally.unknown} of unknown noise"
        )
    lines += [
        f"{unlike.benchmark_id}: not compared with {unlike.side}: {unlike.reason}" for unlike in comparison.unlike
    ]
    return lines
