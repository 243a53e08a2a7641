"""`check`: the gate for CI, which fails when a score got worse than a baseline."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import click

from ...orchestrator.errors import UsageError, nearest
from ...projections.render.exports.junit import check_report
from ...projections.render.score_tables import check_sentence, check_table
from ...projections.render.text import escape_markdown
from ...projections.render.text import markdown as to_markdown
from ...projections.scores.check import Allowance, Baseline, among, best_before, check, last_before, last_run
from ...projections.scores.leaderboard import Doubtful, is_eligible
from ...projections.scores.samples import sample_reader
from ...projections.scores.selection import Catalogue, find, newest_group, select
from ..context import Place, in_place, json_option, print_json
from ..histories import include_option, load_catalogue
from ..printing import show

_ALLOWANCE = re.compile(r"(?:(?P<id>[^=]+)=)?(?P<number>[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)(?P<percent>%?)")


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
    catalogue = load_catalogue(place, include)
    known = {run.benchmark_id for run in catalogue.runs}
    for unknown in allowances.keys() - known - {""}:
        raise UsageError(f"--max-drop: no benchmark '{unknown}' has run{nearest(unknown, known)}")
    selection = newest_group(catalogue) if what is None else find(what, catalogue)
    runs = sorted([*selection.runs, *selection.others], key=lambda run: run.first_seq)
    against, where = _baseline(baseline, catalogue, across=across)
    result = check(
        runs if selection.kind in ("run", "group") else last_run(runs),
        against,
        sample_reader(place.workspace),
        checked=f"{selection.kind} {selection.name}",
        against=where,
        allowances=allowances,
        significant=significant,
        include=include,
    )
    if not result.compared:
        hint = "" if across else "; --across also takes those of other agents and models"
        raise UsageError(f"the baseline ({where}) has nothing to compare with {result.checked}{hint}")
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
        match = _ALLOWANCE.fullmatch(text)
        if match is None:
            raise UsageError(f"--max-drop: '{text}' is none of 0.02, 5%, human_eval=0.02")
        relative = bool(match["percent"])
        allowances[match["id"] or ""] = Allowance(float(match["number"]) / (100 if relative else 1), relative)
    return allowances


def _baseline(spec: str, catalogue: Catalogue, *, across: bool) -> tuple[Baseline, str]:
    """The baseline, and what to call it."""
    history = [run for run in catalogue.runs if is_eligible(run, catalogue.include)]
    whose = "any agent and model" if across else "the same agent and model"
    if spec == "best":
        return best_before(history, across=across), f"the best earlier score of {whose}"
    if spec == "last":
        return last_before(history, across=across), f"the last earlier score of {whose}"
    selection = select(spec, catalogue)
    # Who names a run means that run, whoever made it.
    return among(selection.runs, across=across or selection.kind == "run"), f"{selection.kind} {selection.name}"
