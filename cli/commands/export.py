"""`export`: the history in the formats of other tools."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast, get_args

import click
import msgspec

from ...ledger.events import Json
from ...ledger.fold import Run
from ...orchestrator.errors import UsageError
from ...projections.render.exports.every_eval_ever import Evaluator, Relationship, documents, write_documents
from ...projections.render.exports.junit import runs_report
from ...projections.render.exports.open_lineage import run_events
from ...projections.render.exports.tabular import csv_table, json_table, parquet_table
from ...projections.scores.leaderboard import Doubtful, is_eligible
from ...projections.scores.samples import SamplesUnusable, read_rows
from ...projections.scores.selection import find
from ...projections.sqlite.database import read_runs
from ..attesting import Attesting, Predicate, envelopes
from ..context import Place, as_of_option, in_place, note
from ..histories import include_option, open_as_of
from ..streams import emit_bytes

_TABLES: dict[str, Callable[[list[Run]], bytes]] = {
    "csv": csv_table,
    "parquet": parquet_table,
    "json": json_table,
    "junit": runs_report,
}
FORMATS = (*_TABLES, "every-eval-ever", "openlineage", "in-toto")


@click.command()
@click.argument("what", required=False)
@click.option("--format", "kind", type=click.Choice(FORMATS), required=True, help="Write this format.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Write to this file instead of stdout; for every-eval-ever a folder, which gets one document for each run, "
    "and its samples.",
)
@click.option("--organization", default="unknown", help="every-eval-ever: the name of the evaluator.")
@click.option(
    "--relationship",
    type=click.Choice(get_args(Relationship)),
    default="other",
    help="every-eval-ever: the evaluator's relationship to the makers of the models.",
)
@click.option("--namespace", default="benchmarks", help="openlineage: the namespace of the jobs.")
@click.option("--sign", metavar="FILE", help="in-toto: sign each envelope with the key in FILE.")
@click.option(
    "--predicate",
    type=click.Choice(get_args(Predicate)),
    default="test-result",
    help="in-toto: what the statements say; eval-result is a draft.",
)
@click.option(
    "--claim",
    "claims",
    metavar="METRIC>=NUMBER",
    multiple=True,
    help="eval-result: a threshold to claim (default: that the score is as good as it is).",
)
@click.option(
    "--secret",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="eval-result: write model and benchmark as salted commitments, and keep the secret in FILE.",
)
@include_option
@as_of_option("Export the runs as they were at that time.")
@in_place
def command(
    place: Place,
    what: str | None,
    kind: str,
    output: Path | None,
    organization: str,
    relationship: str,
    namespace: str,
    sign: str | None,
    predicate: Predicate,
    claims: tuple[str, ...],
    secret: Path | None,
    include: frozenset[Doubtful],
    as_of: str | None,
) -> None:
    """Export all runs, or those of WHAT (a run, group, model or agent, as for compare).

    csv, json and parquet have a row for each run of any status; openlineage has its events, one on each line; junit
    has a test case; in-toto has a DSSE envelope for each run that has ended (eval-result: that has a score), on a line.
    every-eval-ever contains only scores that count (see --include).
    """
    runs = _runs(place, what, as_of)
    if kind == "every-eval-ever":
        evaluator = Evaluator(organization, cast(Relationship, relationship))
        scored = [run for run in runs if is_eligible(run, include)]
        if output is not None:
            written = write_documents(scored, evaluator, output, lambda run: _rows(run, place))
            note(f"wrote {len(written)} documents to {output}")
            return
        content = msgspec.json.encode(documents(scored, evaluator)) + b"\n"
    elif kind == "in-toto":
        content = b"".join(
            msgspec.json.encode(one) + b"\n"
            for one in envelopes(place, runs, Attesting(predicate, sign, claims, secret))
        )
    elif kind == "openlineage":
        content = b"".join(msgspec.json.encode(event) + b"\n" for event in run_events(runs, namespace))
    else:
        content = _TABLES[kind](runs)
    if output is not None:
        output.write_bytes(content)
        note(f"wrote {len(runs)} runs to {output}")
    elif kind == "parquet" and sys.stdout.isatty():
        raise UsageError("parquet is binary and is not printed on a terminal", "write it to a file with --output FILE")
    else:
        emit_bytes(content)


def _runs(place: Place, what: str | None, as_of: str | None) -> list[Run]:
    if what is None:
        with open_as_of(place, as_of) as history:
            return list(read_runs(history))
    if as_of is not None:
        raise UsageError("WHAT and --as-of exclude each other", "WHAT can be as-of:TIME")
    with place.catalogue() as catalogue:
        return list(find(what, catalogue).every())


def _rows(run: Run, place: Place) -> list[Json]:
    try:
        recorded = read_rows(run, place.workspace)
    except SamplesUnusable:
        return []
    if recorded.note:
        note(f"{run.run_id}: {recorded.note}")
    return recorded.rows
