"""`exclude`: samples of a run that its score is computed without."""

from __future__ import annotations

from collections.abc import Collection

import click

from ...ledger import corrections
from ...ledger.events import Record, SamplesExcluded, SamplesIncluded, ScoreAnew
from ...ledger.fold import Run
from ...orchestrator.errors import UsageError
from ...orchestrator.recording.corrections import default_author
from ...projections.render.text import format_score
from ...projections.scores.corrected import score_without
from ..context import Place, in_place, json_option, print_json
from ..correcting import author_option, find_run_id, report
from ..many_values import taking_many


@click.command(cls=taking_many("--samples"))
@click.argument("run_id")
@click.option("--samples", multiple=True, metavar="ID...", help="The ids of the samples (spaces between).")
@click.option("--reason", required=True, help="Why.")
@click.option("--undo", is_flag=True, help="Count the samples again: those of --samples, or all that are excluded.")
@author_option
@json_option
@in_place
def command(
    place: Place, run_id: str, samples: tuple[str, ...], reason: str, undo: bool, author: str | None, as_json: bool
) -> None:
    """Exclude samples from the score of the run RUN_ID (the beginning of an id is enough).

    The score is computed anew from the samples that the run stored, without all samples that are excluded. The first
    score stays beside it, as original_score. Every table shows the score without them, and comparisons sample by sample
    leave them out. --undo takes an exclusion back.
    """
    if not samples and not undo:
        raise UsageError("no samples are named", "name their ids: exclude RUN_ID --samples ID ... --reason TEXT")
    found = find_run_id(place, run_id)
    store = place.store()
    with place.catalogue(frozenset()) as catalogue:
        run = catalogue.find_run(found)
    assert run is not None  # noqa: S101 - for the type checker: its id was found there

    def score(run: Run, excluded: frozenset[str]) -> ScoreAnew:
        return score_without(run, place.workspace, excluded)

    by = author or default_author(place.workspace.root)
    ledger = place.ledger(store)[0]
    change = corrections.include if undo else corrections.exclude
    record = change(ledger, run, samples, author=by, reason=reason, score=score)
    if record is None:
        _report_known(run, samples, as_json=as_json)
    else:
        report(place, store, record, _told(run, record, by), as_json=as_json)


def _told(run: Run, record: Record, by: str) -> str:
    event = record.data
    assert isinstance(event, SamplesExcluded | SamplesIncluded)  # noqa: S101 - for the type checker
    verb = "excluded" if isinstance(event, SamplesExcluded) else "counted again"
    count = len(event.samples)
    samples = "1 sample" if count == 1 else f"{count} samples"
    change = f"the score was {format_score(run.score)}, and is {format_score(event.anew.score)} now"
    return f"{run.run_id}: {samples} {verb} by {by}; {change}"


def _report_known(run: Run, samples: Collection[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"seq": None, "run_id": run.run_id, "already_excluded": sorted(samples)})
    else:
        which = "this sample is" if len(set(samples)) == 1 else "these samples are"
        print(f"{run.run_id}: {which} excluded already; nothing was recorded")
