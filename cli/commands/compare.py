"""`compare`: runs, groups, models, agents or times side by side."""

from __future__ import annotations

import click

from ...ledger.equivalence import Equivalences
from ...orchestrator.errors import UsageError
from ...projections.render.score_tables import comparison_table, scorers_table
from ...projections.render.text import escape_markdown, markdown
from ...projections.scores.comparison import Comparison, Side, compare
from ...projections.scores.leaderboard import Doubtful
from ...projections.scores.rescored import PREFIX, compare_scorers
from ...projections.scores.revisions import across_revisions, revision_notes, served_notes
from ...projections.scores.samples import sample_reader
from ...projections.scores.selection import select
from ..context import Place, in_place, json_option, print_json
from ..histories import include_option
from ..printing import show
from ..ranges import Number


@click.command()
@click.argument("specs", nargs=-1, required=True, metavar="A B [C ...]")
@include_option
@click.option(
    "--margin",
    type=Number(min=0, min_open=True),
    help="Also test whether the scores differ by less than this, in their unit.",
)
@click.option("--across-revisions", "across", is_flag=True, help="Compare scores of different task revisions, too.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a Markdown table.")
@json_option
@in_place
def command(
    place: Place,
    specs: tuple[str, ...],
    include: frozenset[Doubtful],
    margin: float | None,
    across: bool,
    as_markdown: bool,
    as_json: bool,
) -> None:
    """Compare B (and C ...) with A, benchmark by benchmark, and tell differences from noise.

    Each is a run or a group (an id, or its beginning), a model (MODEL or PROVIDER:MODEL), an agent, both (AGENT with
    PROVIDER:MODEL), or as-of:TIME (a time, a position in the ledger, or now). If a name is ambiguous, write run:,
    group:, model:, agent: or contender: before it.

    scorer:OLD scorer:NEW shows the scores of all runs by two scorers (a name, the beginning of a digest, or recorded
    for the run's own), and whose rank moved; see rescore.

    Scores are compared sample by sample if both sides have samples.jsonl, else by their standard errors; p-values are
    corrected for multiple comparisons (Holm). Scores with different options, units or task revisions are listed but
    not compared.
    """
    if len(specs) < 2:
        raise UsageError("two or more things to compare are needed", "for example: benchmarks compare A B")
    if any(spec.startswith(PREFIX) for spec in specs):
        _compare_scorers(place, specs, include, as_markdown=as_markdown, as_json=as_json)
        return
    with place.catalogue(include) as catalogue:
        selections = [select(spec, catalogue) for spec in specs]
        equivalences = Equivalences(place.store())
        sentences = revision_notes(selections, equivalences)
        if sentences and across:
            selections = [across_revisions(selection) for selection in selections]
        sentences += served_notes(selections)
        comparison = compare(selections, sample_reader(place.workspace), margin=margin)
    if as_json:
        print_json(comparison)
        return
    for line in sentences:
        print(f"- {escape_markdown(line)}" if as_markdown else line)
    table = comparison_table(comparison)
    if as_markdown:
        print(markdown(table) + "\n")
    elif table.rows:
        show(table)
        print()
    for line in _summary(comparison):
        print(f"- {escape_markdown(line)}" if as_markdown else line)


def _compare_scorers(
    place: Place, specs: tuple[str, ...], include: frozenset[Doubtful], *, as_markdown: bool, as_json: bool
) -> None:
    """Print two scorers side by side."""
    if len(specs) != 2 or not all(spec.startswith(PREFIX) for spec in specs):
        raise UsageError("scorers are compared two at a time", "for example: benchmarks compare scorer:OLD scorer:NEW")
    with place.catalogue(include) as catalogue:
        found = compare_scorers(catalogue.scored(), *specs)
    if as_json:
        print_json(found)
        return
    table = scorers_table(found)
    if as_markdown:
        print(markdown(table) + "\n")
    elif table.rows:
        show(table)
        print()
    lines = [f"before is {found.before}, after is {found.after}"]
    if not found.rows:
        lines.append("no run has a score by both")
    if found.left_out:
        runs = "1 run has" if found.left_out == 1 else f"{found.left_out} runs have"
        lines.append(f"{runs} a score by only one of them")
    if found.uneven:
        runs = "1 run" if found.uneven == 1 else f"{found.uneven} runs"
        lines.append(f"{runs} had samples excluded: scores that are older than that still have them")
    for line in lines:
        print(f"- {escape_markdown(line)}" if as_markdown else line)


def _summary(comparison: Comparison) -> list[str]:
    first, *others = comparison.sides
    lines = [f"A is {_described(first)}"]
    for tally, side in zip(comparison.tallies, others, strict=True):
        counts = f"{tally.wins} better, {tally.losses} worse, {tally.ties} within noise"
        unknown = f", {tally.unknown} of unknown noise" if tally.unknown else ""
        lines.append(f"B is {_described(side)}: {counts} (p < {comparison.level:g}){unknown}")
    if not comparison.rows:
        lines.append("nothing can be compared")
    lines += [f"{score.benchmark_id}: not compared with {score.side}: {score.reason}" for score in comparison.unlike]
    return lines


def _described(side: Side) -> str:
    contender = f" of {side.contenders[0]}" if len(side.contenders) == 1 else ""
    return f"{side.kind} {side.name} ({side.runs} {'run' if side.runs == 1 else 'runs'}{contender})"
