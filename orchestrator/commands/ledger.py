"""`ledger`: the events themselves, and the proof that nobody changed them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import click
from msgspec.structs import replace

from ...ledger.checkpoint import Checkpoint, CheckpointError, parse_note, take_checkpoint
from ...ledger.fold import Run
from ...ledger.history import History
from ...ledger.jsonl import JsonlStore
from ...ledger.ledger import Ledger
from ...ledger.verify import Finding
from ...ledger.verify import verify as verify_ledger
from ..datasets import update_all
from ..migration import import_sqlite as migrate
from ..usage import UsageError
from .place import Place, in_place, json_option, note, print_json
from .table import print_facts, print_table

RIGHT = ("events", "bytes")


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
@click.option(
    "--checkpoint", "kept", type=click.File(), help="A note of `ledger checkpoint`: is its history still here?"
)
@click.option("--expect-head", metavar="HASH", help="The hash that the last event must have.")
@json_option
@in_place
def verify(place: Place, artifacts: bool, kept: TextIO | None, expect_head: str | None, as_json: bool) -> int:
    """Prove that every event stands as it was written, and that the runs' files are what was recorded.

    Exit code 3 where the ledger is damaged, or is not the one of the checkpoint or head; 1 where an unfinished last
    line waits to be moved away by the next append, or where its story or a recorded file is not as it should be.
    """
    known = _parse(kept) if kept else None
    report = verify_ledger(_folder(place), folder_of=_folder_of(place) if artifacts else None, checkpoint=known)
    if expect_head is not None and report.head_hash != expect_head.lower():
        told = f"the last event has the hash {report.head_hash}, and not {expect_head.lower()}"
        report = replace(report, damage=[*report.damage, Finding(report.position, told)])
    if as_json:
        print_json(report)
    else:
        for kind, findings in (("damage", report.damage), ("story", report.story), ("artifact", report.artifacts)):
            for finding in findings:
                print(f"{kind}: event {finding.seq}: {finding.text}")
        for remark in report.notes:
            print(f"note: {remark}")
        state = "sound" if report.is_sound else "NOT sound"
        print(
            f"{state}: {report.position} events in {report.segments} segments, {report.runs} runs; "
            f"head {report.head_hash}"
        )
    return 3 if report.damage else 1 if report.torn_bytes or not report.is_sound else 0


@command.command()
@in_place
def head(place: Place) -> None:
    """Print the position and the hash of the last event, after checking the chain."""
    now = take_checkpoint(_folder(place))
    print(f"{now.position} {now.hash}")


@command.command()
@in_place
def checkpoint(place: Place) -> None:
    """Print a note about the ledger as it is, after checking its chain, to keep where the ledger is not.

    With it, `ledger verify --checkpoint FILE` proves at any later time that the history up to now is the same one.
    """
    print(take_checkpoint(_folder(place)).note(), end="")


@command.command()
@json_option
@in_place
def stat(place: Place, as_json: bool) -> None:
    """Show what the ledger holds: events of each type, their bytes, runs, segments, first and last time."""
    store = place.store()
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    history = History()
    first = last = ""
    for record, line in zip(store.read(), store.read_lines(), strict=False):
        counts[record.type] += 1
        sizes[record.type] += len(line) + 1
        first, last = first or record.at, record.at
        history.read([record])
    runs = Counter(run.status for run in history.runs.values())
    if as_json:
        events = {kind: {"count": counts[kind], "bytes": sizes[kind]} for kind in sorted(counts)}
        totals = {"events": counts.total(), "bytes": sizes.total(), "first_at": first, "last_at": last}
        print_json(
            {**totals, "head": history.hash, "by_type": events, "runs": dict(runs), "groups": len(history.groups)}
        )
        return
    rows = [[kind, str(counts[kind]), str(sizes[kind])] for kind in sorted(counts)]
    print_table(["type", "events", "bytes"], [*rows, ["all", str(counts.total()), str(sizes.total())]], right=RIGHT)
    print()
    told = ", ".join(f"{number} {status}" for status, number in sorted(runs.items()))
    print_facts({"runs": told, "groups": str(len(history.groups)), "first": first, "last": last})


@command.command("import-sqlite")
@click.argument("database", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@in_place
def import_sqlite(place: Place, database: Path) -> None:
    """Bring the runs of the first orchestrator's DATABASE into the ledger; a second time adds nothing.

    Imported runs are marked as such and count for no record. Rows of work that was skipped are left out.
    """
    store = place.store()
    done = migrate(database, Ledger(store))
    if done.added:
        update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
    print(
        f"{done.added} runs imported, {done.known} were there already; "
        f"{done.no_runs} rows of skipped or incompatible work are no runs and were left out"
    )


def _folder(place: Place) -> Path:
    store = place.store()
    if not isinstance(store, JsonlStore):
        raise UsageError(f"this reads JSONL ledgers, and the ledger is {store.url}")
    return store.folder


def _parse(kept: TextIO) -> Checkpoint:
    try:
        return parse_note(kept.read())
    except (CheckpointError, UnicodeDecodeError) as problem:
        raise UsageError(f"{kept.name} is no checkpoint: {problem}") from problem


def _folder_of(place: Place) -> Callable[[Run], Path]:
    def folder(run: Run) -> Path:
        return place.workspace.run_folder(run.run_group_id, run.benchmark_directory, run.benchmark_id, run.run_id)

    return folder
