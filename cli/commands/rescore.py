"""`rescore`: a later scorer over the stored outputs of past runs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping

import click

from ...ledger.fold import Run
from ...ledger.store import EventStore
from ...ledger.suggestions import did_you_mean
from ...orchestrator.errors import UsageError
from ...orchestrator.recording.corrections import default_author
from ...orchestrator.redaction import Redactor, secrets_of
from ...orchestrator.rescoring.asking import Asking, environment_for_scorers
from ...orchestrator.rescoring.over import Job, Judged, rescore
from ...orchestrator.rescoring.scorer import read_scorer
from ...projections.render.text import format_score
from ...projections.sqlite.database import read_runs
from ...projections.sqlite.opening import open_history
from ...projections.sqlite.refresh import update_all
from ..context import Place, in_place, json_option, note, print_json
from ..correcting import author_option, find_run_id
from ..ranges import Number, Whole

_AT_ONCE = 200


@click.command()
@click.argument("benchmark", metavar="BENCH")
@click.option("--with", "scorer_text", metavar="SCORER", required=True, help="A command, or a manifest (.toml).")
@click.option("--name", help="The scorer's name in tables (default: that of its file).")
@click.option("--run", "run_ids", multiple=True, metavar="ID", help="Rescore this run only (repeatable).")
@click.option("--agent", help="Rescore only runs of this agent.")
@click.option("--model", help="Rescore only runs of this model.")
@click.option("--reason", default="", help="Why.")
@click.option("--timeout", type=Number(min=0, min_open=True), default=300.0, show_default=True, help="Seconds a run.")
@click.option("--jobs", type=Whole(min=1, max=256), default=1, show_default=True, help="Runs to score at a time.")
@click.option("--pass-env", multiple=True, metavar="NAME", help="Let the scorer see this secret variable (repeatable).")
@author_option
@json_option
@in_place
def command(
    place: Place,
    benchmark: str,
    scorer_text: str,
    name: str | None,
    run_ids: tuple[str, ...],
    agent: str | None,
    model: str | None,
    reason: str,
    timeout: float,
    jobs: int,
    pass_env: tuple[str, ...],
    author: str | None,
    as_json: bool,
) -> int:
    """Score the past runs of BENCH again with SCORER, from what they stored. Both scores stand.

    A command gets the samples of a run on its input, a JSON line each, and prints a JSON line {"id": ..., "score": ...}
    for each, or one line {"score": ...} for the whole run. {output_dir} in it is the folder with the run's outputs. A
    manifest (a file that ends in .toml) reads the stored result files by its [result] section.

    A run that the scorer cannot judge keeps its score. Runs that have a score by this scorer are skipped, so an
    interrupted command can be repeated. Exit code 1: some runs could not be judged.
    """
    scorer = read_scorer(scorer_text, benchmark, name)
    store = place.store()
    wanted = _choose(place, store, benchmark, [find_run_id(place, run_id) for run_id in run_ids], agent, model)
    job = Job(
        scorer,
        Asking(environment_for_scorers(os.environ, pass_env), Redactor(secrets_of(os.environ)), timeout),
        jobs,
        author or default_author(place.workspace.root),
        reason,
    )
    judged: list[Judged] = []
    try:
        for one in rescore(place.ledger(store)[0], place.workspace, _runs(place, store, wanted), job):
            judged.append(one)
            if one.outcome == "failed":
                note(f"{one.run_id}: not rescored: {one.problem}")
            elif one.note:
                note(f"{one.run_id}: {one.note}")
    finally:
        update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
    counts: Counter[str] = Counter(one.outcome for one in judged)
    if as_json:
        print_json({"scorer": scorer.scorer, "counts": dict(counts), "runs": judged})
    else:
        _print(judged, counts, f"{scorer.scorer.name} ({scorer.scorer.sha256[:12]})")
    return 1 if counts["failed"] else 0


def _choose(
    place: Place, store: EventStore, benchmark: str, run_ids: list[str], agent: str | None, model: str | None
) -> list[str]:
    """The ids of the successful runs that are meant, in the order of the ledger. Raises UsageError."""
    where, values = "benchmark_id = ?", [benchmark]
    for column, value in (("agent", agent), ("model", model)):
        if value is not None:
            where += f" AND {column} = ?"
            values.append(value)
    success = "status = 'succeeded' AND score IS NOT NULL AND retracted_json IS NULL"
    with open_history(place.workspace, store, notice=note) as history:
        query = f"SELECT run_id, {success} FROM benchmark_runs WHERE {where} ORDER BY first_seq"  # noqa: S608 - ours
        found = dict(history.execute(query, values).fetchall())
        if not found:
            known = [name for (name,) in history.execute("SELECT DISTINCT benchmark_id FROM benchmark_runs")]
            if benchmark not in known:
                hint = did_you_mean(benchmark, known, "benchmarks show-runs lists the runs")
                raise UsageError(f"the ledger has no runs of the benchmark '{benchmark}'", hint)
    for run_id in run_ids:
        if not found.get(run_id):
            why = f"it is not a run of {benchmark} that was asked for" if run_id not in found else "it has no score"
            raise UsageError(f"{run_id} cannot be rescored: {why}")
    chosen = [run_id for run_id, is_scored in found.items() if is_scored and (not run_ids or run_id in run_ids)]
    if not chosen:
        raise UsageError(f"{benchmark}: no run of that kind has a score", "benchmarks show-runs lists the runs")
    return chosen


def _runs(place: Place, store: EventStore, run_ids: list[str]) -> Iterator[Run]:
    """The runs with all their details; a few at a time, so that no transaction is held for long."""
    for begin in range(0, len(run_ids), _AT_ONCE):
        some = run_ids[begin : begin + _AT_ONCE]
        with open_history(place.workspace, store, notice=note) as history:
            marks = ", ".join("?" * len(some))
            runs = list(read_runs(history, f"WHERE run_id IN ({marks}) ORDER BY first_seq", tuple(some)))
        yield from runs


def _print(judged: list[Judged], counts: Mapping[str, int], scorer: str) -> None:
    for one in judged:
        if one.outcome == "rescored":
            print(f"{one.run_id}: {format_score(one.before)} -> {format_score(one.score)}")
    words = {"rescored": "rescored", "skipped": "skipped (scored by it already)", "failed": "not rescored"}
    print(f"{scorer}: " + ", ".join(f"{counts[name]} {word}" for name, word in words.items() if counts[name]))
