"""`check`: the gate for CI, which fails when a score got worse than a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ...orchestrator.errors import UsageError, nearest
from ...orchestrator.place import Place, check_history
from ...projections.render.exports.junit import check_report
from ...projections.render.score_tables import check_sentence, check_table
from ...projections.render.text import escape_markdown
from ...projections.render.text import markdown as to_markdown
from ...projections.scores.check import Allowance
from ...projections.scores.leaderboard import Doubtful
from ..context import in_place, json_option, print_json
from ..histories import include_option
from ..printing import show


@click.command()
@click.argument("what", required=False)
@click.option(
    "--baseline",
    required=True,
    metavar="best|last|run:ID|group:ID|as-of:TIME",
    help="What to measure against: each task's best or last earlier score of the same agent and model, or what a run, "
    "a group or the ledger at a time had.",
)
@click.option(
    "--max-drop",
    "drops",
    multiple=True,
    metavar="N|N%|ID=N",
    help="How much worse is still well: in the unit of the score, or as a share of the baseline; for one benchmark "
    "with its id (repeatable; default: 0).",
)
@click.option("--significant", is_flag=True, help="Only what is more than noise counts as worse.")
@click.option("--across", is_flag=True, help="Also measure against scores of other agents and models.")
@include_option
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write a JUnit XML report too.")
@click.option("--markdown", type=click.Path(path_type=Path, dir_okay=False), help="Write a Markdown report too.")
@json_option
@in_place
def command(
    place: Place,
    what: str | None,
    baseline: str,
    drops: tuple[str, ...],
    significant: bool,
    across: bool,
    include: frozenset[Doubtful],
    junit: Path | None,
    markdown: Path | None,
    as_json: bool,
) -> int:
    """Check the newest group, or WHAT (a run, group, model or agent, as for compare), against a baseline.

    Of a model or an agent, what it ran last is checked.

    Exit code 1 where a score got worse by more than --max-drop, or a benchmark failed that has a score in the baseline;
    2 where the baseline has nothing to compare.
    """
    allowances = _allowances(drops)
    catalogue = place.catalogue(include)
    known = {run.benchmark_id for run in catalogue.runs}
    for unknown in allowances.keys() - known - {""}:
        raise UsageError(f"--max-drop: no benchmark '{unknown}' has run{nearest(unknown, known)}")
    result = check_history(
        catalogue,
        place.workspace,
        what=what,
        baseline=baseline,
        allowances=allowances,
        significant=significant,
        across=across,
    )
    if junit:
        junit.write_bytes(check_report(result))
    if markdown:
        table = to_markdown(check_table(result))
        markdown.write_text(f"**{escape_markdown(check_sentence(result))}**\n\n{table}\n", encoding="utf-8")
    if as_json:
        print_json(result)
    else:
        show(check_table(result))
        print(f"\n{check_sentence(result)}")
    return 0 if result.passed else 1


def _allowances(texts: Sequence[str]) -> dict[str, Allowance]:
    """What `--max-drop` allows, by benchmark id; under "" what holds for all others."""
    allowances = {}
    for text in texts:
        benchmark, _, drop = text.rpartition("=")
        try:
            allowances[benchmark] = Allowance.parse(drop)
        except ValueError:
            raise UsageError(f"--max-drop: '{text}' is none of 0.02, 5%, human_eval=0.02") from None
    return allowances
