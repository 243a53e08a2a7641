"""`compare`: runs, groups, models, agents or times side by side."""

from __future__ import annotations

import click

from ...projections.comparison import Comparison, Contrast, Row, Side, compare
from ...projections.leaderboard import Doubtful, Score
from ...projections.samples import sample_reader
from ...projections.selection import select
from ..display import format_score
from ..usage import UsageError
from .history import include_option, load_catalogue
from .leaderboard import format_options, format_unit
from .place import Place, in_place, json_option, print_json
from .table import markdown_table, print_table

RIGHT = ("A", "B", "delta", "p (Holm)", "samples +/=/-")
DISPENSABLE = ("note", "method", "unit", "options", "95% interval")


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
    """A line for each task and side but the first, without the columns in which nothing stands."""
    several = len(comparison.sides) > 2
    lines = [
        _cells(row, contrast, row.scores[place], comparison.sides[place].name if several else "")
        for row in comparison.rows
        for place, contrast in enumerate(row.contrasts)
        if contrast is not None
    ]
    names = [name for name in (lines[0] if lines else {}) if any(line[name] for line in lines)]
    return names, [[line[name] for name in names] for line in lines]


def _cells(row: Row, contrast: Contrast, other: Score | None, side: str) -> dict[str, str]:
    first = row.scores[0]
    return {
        "benchmark": row.task.benchmark_id,
        "options": format_options(row.task_options),
        "agent": row.agent or "",
        "model": row.model or "",
        "B is": side,
        "A": format_score(first.mean, first.stderr) if first else "",
        "B": format_score(other.mean, other.stderr) if other else "",
        "delta": f"{contrast.delta:+.3f}",
        "95% interval": "" if contrast.low is None else f"{contrast.low:+.3f} to {contrast.high:+.3f}",
        "unit": format_unit(row.task.unit, row.task.higher_is_better),
        "p (Holm)": "" if contrast.adjusted_p is None else format_p(contrast.adjusted_p),
        "verdict": contrast.verdict,
        "samples +/=/-": "" if contrast.pairs is None else f"{contrast.wins}/{contrast.ties}/{contrast.losses}",
        "method": contrast.method or "",
        "note": contrast.note,
    }


def format_p(p_value: float) -> str:
    """A p-value; what is below 0.001 is only said to be so."""
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _summary(comparison: Comparison) -> list[str]:
    first, *others = comparison.sides
    lines = [f"A is {_described(first)}"]
    for tally, side in zip(comparison.tallies, others, strict=True):
        told = f"{tally.wins} better, {tally.losses} worse, {tally.ties} no different beyond noise"
        unknown = f", {tally.unknown} of unknown noise" if tally.unknown else ""
        lines.append(f"B is {_described(side)}: {told} (p < {comparison.level:g}){unknown}")
    if not comparison.rows:
        lines.append("nothing can be compared")
    lines += [f"{some.benchmark_id}: not compared with {some.side}: {some.reason}" for some in comparison.unlike]
    return lines


def _described(side: Side) -> str:
    who = f" of {side.contenders[0]}" if len(side.contenders) == 1 else ""
    return f"{side.kind} {side.name} ({side.runs} {'run' if side.runs == 1 else 'runs'}{who})"
