"""`check`: the gate for CI, which fails if a score is worse than a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from ...ledger.suggestions import did_you_mean
from ...orchestrator.errors import UsageError
from ...orchestrator.place import Place, check_history
from ...projections.render.exports.junit import check_report
from ...projections.render.score_tables import check_sentence, check_table, github_comment
from ...projections.render.text import escape_markdown
from ...projections.render.text import markdown as to_markdown
from ...projections.scores.check import Allowance
from ...projections.scores.leaderboard import Doubtful
from ...projections.scores.served import served_changes
from ...projections.sqlite.opening import open_history
from ..context import in_place, json_option, note, print_json
from ..histories import include_option
from ..printing import show


@click.command()
@click.argument("what", required=False)
@click.option(
    "--baseline",
    required=True,
    metavar="history|best|last|run:ID|group:ID|as-of:TIME",
    help="Compare with: the history of the same agent and model on each task, whose own noise decides; its best or "
    "last earlier score; or the scores of a run, of a group, or of the ledger at a time.",
)
@click.option(
    "--max-drop",
    "drops",
    multiple=True,
    metavar="N|N%|ID=N",
    help="Allowed drop, in the unit of the score or in percent of the baseline; with an id, for that benchmark only "
    "(repeatable; default: 0).",
)
@click.option("--significant", is_flag=True, help="Fail only for drops that are statistically significant.")
@click.option(
    "--quarantine",
    multiple=True,
    metavar="ID",
    help="Show this benchmark but do not fail for it (repeatable).",
)
@click.option(
    "--format", "form", type=click.Choice(["text", "github"]), default="text", help="github: a comment in Markdown."
)
@click.option("--across", is_flag=True, help="Also compare with scores of other agents and models.")
@include_option
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Also write a JUnit XML report.")
@click.option("--markdown", type=click.Path(path_type=Path, dir_okay=False), help="Also write a Markdown report.")
@json_option
@in_place
def command(
    place: Place,
    what: str | None,
    baseline: str,
    drops: tuple[str, ...],
    significant: bool,
    quarantine: tuple[str, ...],
    form: str,
    across: bool,
    include: frozenset[Doubtful],
    junit: Path | None,
    markdown: Path | None,
    as_json: bool,
) -> int:
    """Check the newest group, or WHAT (a run, group, model or agent, as for compare), against a baseline.

    For a model or an agent, its last runs are checked.

    Exit code 1 if a score dropped by more than --max-drop, or if a benchmark failed that has a score in the baseline;
    2 if the baseline has nothing to compare with.

    From twelve earlier groups of runs on, a cell's own noise is known. Then --baseline history and --significant fail
    for a drop that this noise does not explain, in the last run or over the last few, and not for one unlucky run.
    Cells that are shaky are shown and do not fail.
    """
    allowances = _allowances(drops)
    with place.catalogue(include) as catalogue:
        known = catalogue.benchmarks()
        for unknown in allowances.keys() - set(known) - {""}:
            raise UsageError(
                f"--max-drop: the ledger has no scores of the benchmark '{unknown}'",
                did_you_mean(unknown, known, "benchmarks show-runs lists the runs"),
            )
        for unknown in sorted({*quarantine} - set(known)):
            raise UsageError(
                f"--quarantine: the ledger has no scores of the benchmark '{unknown}'",
                did_you_mean(unknown, known, "benchmarks show-runs lists the runs"),
            )
        result = check_history(
            catalogue,
            place.workspace,
            what=what,
            baseline=baseline,
            allowances=allowances,
            significant=significant,
            across=across,
            quarantined=quarantine,
        )
    models = {(score.provider, score.model) for score in result.scores}
    with open_history(place.workspace, place.store(), notice=note) as history:
        served = served_changes(history, models)
    if junit:
        junit.write_bytes(check_report(result))
    if markdown:
        table = to_markdown(check_table(result))
        markdown.write_text(f"**{escape_markdown(check_sentence(result))}**\n\n{table}\n", encoding="utf-8")
    if as_json:
        print_json({**msgspec.structs.asdict(result), "served": served})
    elif form == "github":
        print(github_comment(result) + "".join(f"\n- {escape_markdown(change.sentence)}" for change in served))
    else:
        show(check_table(result))
        print(f"\n{check_sentence(result)}")
        for change in served:
            print(change.sentence)
    return 0 if result.passed else 1


def _allowances(texts: Sequence[str]) -> dict[str, Allowance]:
    """The allowed drops by benchmark id; the key "" is for all other benchmarks."""
    allowances = {}
    for text in texts:
        benchmark, _, drop = text.rpartition("=")
        try:
            allowances[benchmark] = Allowance.parse(drop)
        except ValueError:
            raise UsageError(
                f"--max-drop: '{text}' is not an allowed drop", "write it like 0.02, 5% or human_eval=0.02"
            ) from None
    return allowances
