"""`equivalent`: two revisions of a benchmark that measure the same."""

from __future__ import annotations

import click

from ...ledger.suggestions import did_you_mean
from ...orchestrator.errors import UsageError
from ...orchestrator.recording import corrections
from ...projections.scores.revisions import Known, known_revisions
from ...projections.sqlite.opening import open_history
from ..context import Place, in_place, json_option, note
from ..correcting import author_option, report


@click.command()
@click.argument("benchmark", metavar="BENCH")
@click.argument("revisions", nargs=2, metavar="REV1 REV2")
@click.option("--reason", required=True, help="Why they measure the same, or why not.")
@click.option("--withdraw", is_flag=True, help="Withdraw the declaration.")
@author_option
@json_option
@in_place
def command(
    place: Place,
    benchmark: str,
    revisions: tuple[str, str],
    reason: str,
    withdraw: bool,
    author: str | None,
    as_json: bool,
) -> None:
    """Declare that the task revisions REV1 and REV2 of the benchmark BENCH measure the same.

    A revision is the beginning of its digest, or `unknown`. Their scores then meet in all tables, and run
    --rerun-changed and stale no longer take one for a change of the other. The declaration is an event, and can be
    withdrawn.
    """
    with open_history(place.workspace, place.store(), notice=note) as history:
        known = known_revisions(history, benchmark)
    one, other = (_find(benchmark, name, known) for name in revisions)
    if one == other:
        raise UsageError(f"REV1 and REV2 are one revision, {one[:12]}")
    if known[one].units != known[other].units:
        units = " and ".join(f"{', '.join(sorted(known[name].units))} ({name[:12]})" for name in (one, other))
        raise UsageError(f"{benchmark}: the scores of these revisions have other units or directions: {units}")
    store = place.store()
    ledger = place.ledger(store)[0]
    by = author or corrections.default_author(place.workspace.root)
    evidence = {name[:12]: {"runs": known[name].runs, "mean": known[name].mean} for name in (one, other)}
    record = corrections.declare(
        ledger, benchmark, [one, other], author=by, reason=reason, evidence=evidence, withdraw=withdraw
    )
    verb = "no longer equivalent" if withdraw else "equivalent"
    report(place, store, record, f"{benchmark}: {one[:12]} and {other[:12]} are {verb}, by {by}", as_json=as_json)


def _find(benchmark: str, name: str, known: dict[str, Known]) -> str:
    found = [digest for digest in known if digest.startswith(name)]
    if len(found) == 1:
        return found[0]
    if not known:
        raise UsageError(f"the ledger has no run of the benchmark '{benchmark}'", "benchmarks leaderboard lists them")
    if found:
        raise UsageError(f"several revisions begin with '{name}'", "give more of the digest")
    hint = did_you_mean(name, known, f"known: {', '.join(digest[:12] for digest in known)}")
    raise UsageError(f"{benchmark} has no revision '{name}'", hint)
