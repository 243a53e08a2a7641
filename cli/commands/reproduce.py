"""`reproduce`: the work of a run is done again, and compared sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ...ledger.events import Json
from ...ledger.fold import Run
from ...ledger.ledger import Ledger
from ...ledger.transfer.bundle import write_bundle
from ...orchestrator.errors import UsageError
from ...orchestrator.recording import corrections
from ...orchestrator.recording.imported_bundle import take_in_bundle
from ...orchestrator.reproducing import (
    Different,
    compare_runs,
    differences_after,
    differences_here,
    order_for,
    original_of,
    reproduced,
)
from ...orchestrator.service import conduct_here
from ...projections.render.text import format_score
from ...projections.scores.comparison import Contrast
from ...projections.scores.samples import sample_reader
from ...projections.sqlite.following import read_runs
from ...projections.sqlite.refresh import update_all
from ..context import Place, in_place, json_option, note, print_json
from ..correcting import author_option, find_run_id
from ..publishing import policy_of
from ..ranges import Number
from .ledger.proofs import note_for, policy_option, verify_key_option

_VERDICTS = {
    "same": "same: all scores are equal",
    "within_noise": "within noise",
    "differs": "differs: more than noise explains",
}


@click.command()
@click.argument("name", metavar="RUN|BUNDLE")
@click.option(
    "--tolerance",
    type=Number(0, 1e9),
    help="A difference that is proven to be smaller, in the unit of the score, counts as noise.",
)
@click.option("--base-url", metavar="URL", help="Ask the model at this address.")
@click.option("--timeout", type=Number(0, 1e9), help="Seconds after which the run is ended.")
@click.option("--dry-run", is_flag=True, help="Only list what differs here.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the evidence as a bundle, which the origin can import.",
)
@policy_option
@verify_key_option
@author_option
@json_option
@in_place
def command(
    place: Place,
    name: str,
    tolerance: float | None,
    base_url: str | None,
    timeout: float | None,
    dry_run: bool,
    output: Path | None,
    policy_file: str | None,
    verify_key: str | None,
    author: str | None,
    as_json: bool,
) -> None:
    """Run the work of RUN again, compare it sample by sample, and record whether it is the same.

    RUN is in this ledger: its own, merged or imported. A BUNDLE (.zip) is verified and imported first; POLICY or KEY
    say whom to believe. What differs here is listed before the work begins. Exit code 1 if the result differs.
    """
    store = place.store()
    ledger, _ = place.ledger(store)
    if name.endswith(".zip"):
        ids = _taken_in(place, ledger, Path(name), policy_file, verify_key)
        update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
    else:
        ids = [find_run_id(place, name)]
    by = author or corrections.default_author(place.workspace.root)
    done = []
    new: list[Run] = []
    for run in _runs(place, ids):
        different = differences_here(run, place)
        _list(run, different)
        if dry_run:
            done.append({"run_id": run.run_id, "differences": different})
            continue
        again = _again(place, run, base_url, timeout)
        verdict, found = compare_runs(run, again, sample_reader(place.workspace), tolerance)
        event = reproduced(run, again, found, verdict, by=by, tolerance=tolerance, store=store)
        ledger.append(again.run_id, event)
        new.append(again)
        done.append(_document(run, again, verdict, found, differences_after(run, again)))
        if not as_json:
            print(_sentence(run, again, verdict, found))
    if new:
        update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
        _write(place, output, new)
    if as_json:
        print_json({"reproduced": done})
    if any(one.get("verdict") == "differs" for one in done):
        raise click.exceptions.Exit(1)


def _taken_in(place: Place, ledger: Ledger, path: Path, policy_file: str | None, verify_key: str | None) -> list[str]:
    """The ids here of the successful runs of a bundle, after it is imported."""
    if not path.is_file():
        raise UsageError(f"there is not a bundle {path}", "give the id of a run, or a file that `bundle` has written")
    taken = take_in_bundle(path, ledger, place.workspace, policy_of(policy_file, verify_key))
    meant = {run.run_id for run in taken.evidence.runs if run.status == "succeeded" and run.score is not None}
    store = ledger.store

    def find(run: Run) -> bool:
        return run.run_id in meant or (run.imported is not None and original_of(run, store).run in meant)

    ids = ledger.look(lambda history: [run.run_id for run in history.runs.values() if run.imported is not None])
    here = [run.run_id for run in _runs(place, [*meant, *ids], refresh=True) if find(run)]
    if not here:
        raise UsageError(f"{path} has no run with a score", "`bundle verify` shows its runs")
    return here


def _runs(place: Place, ids: Sequence[str], *, refresh: bool = False) -> list[Run]:
    if refresh:
        update_all(place.workspace.database, place.workspace.viewer_data, place.store(), notice=note)
    with place.history() as history:
        return [run for one in ids for run in read_runs(history, "WHERE run_id = ?", (one,))]


def _list(run: Run, different: Sequence[Different]) -> None:
    note(f"{run.run_id}: {len(different)} things differ here" if different else f"{run.run_id}: nothing differs here")
    for one in different:
        note(f"  {one.what}: {one.there} there, {one.here} here")


def _again(place: Place, run: Run, base_url: str | None, timeout: float | None) -> Run:
    """The new run, with all details. Raises UsageError if it did not succeed."""
    result = conduct_here(place, order_for(run, place.store(), base_url=base_url, timeout=timeout))
    ended = result.runs[-1] if result.runs else None
    if ended is None:
        raise UsageError(
            f"{run.benchmark_id} cannot be run here", "benchmarks list-benchmarks shows what is missing for it"
        )
    if ended.status != "succeeded" or ended.score is None:
        raise NotReproduced(
            f"{ended.run_id} failed: {ended.error or ended.reason}. Nothing was compared",
            f"benchmarks show-run {ended.run_id} shows more",
        )
    [detailed] = _runs(place, [ended.run_id], refresh=True)
    return detailed


class NotReproduced(UsageError):
    """The work could not be repeated to its end."""

    exit_code = 1


def _document(run: Run, again: Run, verdict: str, found: Contrast, different: Sequence[Different]) -> Json:
    return {
        "of": run.run_id,
        "run_id": again.run_id,
        "verdict": verdict,
        "score": run.score,
        "score_again": again.score,
        "comparison": found,
        "differences": list(different),
    }


def _sentence(run: Run, again: Run, verdict: str, found: Contrast) -> str:
    interval = "" if found.low is None or found.high is None else f" [{found.low:+.4f}, {found.high:+.4f}]"
    pairs = "" if found.pairs is None else f", {found.ties} of {found.pairs} samples equal"
    p_value = "" if found.p_value is None else f", p = {found.p_value:.3g}"
    return (
        f"{_VERDICTS[verdict]}\n{run.run_id}: {format_score(run.score)}, again {format_score(again.score)} "
        f"({found.delta:+.4f}{interval}{p_value}{pairs})\nrecorded for {again.run_id}"
    )


def _write(place: Place, output: Path | None, runs: Sequence[Run]) -> None:
    if output is None:
        return
    store = place.store()
    text = note_for(store, store.head().seq, None)
    write_bundle(
        store,
        output,
        list(runs),
        text,
        folder_of=place.workspace.folder_of,
        elsewhere=place.workspace.elsewhere,
        salts=None,
    )
    note(f"wrote {output}: the origin adds it with `ledger import {output.name}`")
