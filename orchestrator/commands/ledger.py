"""`ledger`: the events themselves, and the proof that nobody changed them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

import click

from ...ledger.fold import Run
from ...ledger.jsonl import JsonlStore
from ...ledger.verify import verify as verify_ledger
from ..usage import UsageError
from .place import Place, in_place, json_option, print_json


@click.group()
def command() -> None:
    """Look at the ledger itself."""


@command.command()
@click.option("--limit", type=click.IntRange(min=1), help="Only the last so many.")
@click.option("--type", "kind", help="Only events of this type.")
@click.option("--stream", help="Only events of this run, group or benchmark.")
@json_option
@in_place
def log(place: Place, limit: int | None, kind: str | None, stream: str | None, as_json: bool) -> None:
    """Show the events in their order; with --json, one event a line, in the ledger's own form."""
    store = place.store()
    chosen = (
        (record, line)
        for record, line in zip(store.read(), store.read_lines(), strict=False)
        if (kind is None or record.type == kind) and (stream is None or record.stream == stream)
    )
    for record, line in chosen if limit is None else deque(chosen, maxlen=limit):
        if as_json:
            print(line.decode())
        else:
            print(f"{record.seq:>8}  {record.at}  {record.type:<20}  {record.stream}  {record.hash[:12]}")


@command.command()
@click.option("--artifacts/--no-artifacts", default=True, help="Also check the files that runs recorded.")
@json_option
@in_place
def verify(place: Place, artifacts: bool, as_json: bool) -> int:
    """Prove that every event stands as it was written, and that the runs' files are what was recorded.

    Exit code 3 where bytes of the ledger are damaged, 1 where its story or a recorded file is not as it should be.
    """
    store = place.store()
    if not isinstance(store, JsonlStore):
        raise UsageError(f"ledger verify reads JSONL ledgers, and this one is {store.url}")
    report = verify_ledger(store.folder, folder_of=_folder_of(place) if artifacts else None)
    if as_json:
        print_json(report)
    else:
        for kind, findings in (("damage", report.damage), ("story", report.story), ("artifact", report.artifacts)):
            for finding in findings:
                print(f"{kind}: event {finding.seq}: {finding.text}")
        for note in report.notes:
            print(f"note: {note}")
        state = "sound" if report.is_sound else "NOT sound"
        print(
            f"{state}: {report.position} events in {report.segments} segments, {report.runs} runs; "
            f"head {report.head_hash}"
        )
    return 3 if report.damage else 0 if report.is_sound else 1


def _folder_of(place: Place) -> Callable[[Run], Path]:
    def folder(run: Run) -> Path:
        return place.workspace.run_folder(run.run_group_id, run.benchmark_directory, run.benchmark_id, run.run_id)

    return folder
