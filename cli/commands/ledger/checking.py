"""`ledger verify`, `head` and `stat`: proof that the events are unchanged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from msgspec.structs import replace

from ....ledger.fold import Run
from ....ledger.index.keeping import survey
from ....ledger.proof.signing import parse_verifier
from ....ledger.proof.verify import Report
from ....ledger.proof.verify import verify as verify_ledger
from ....ledger.store import Finding
from ....orchestrator.errors import UsageError
from ....projections.workspace import Workspace
from ...context import Place, in_place, json_option, print_json
from ...notes import checkpoint_in, key_text, read_note
from ...printing import print_facts, print_table

RIGHT = ("events", "bytes")


@click.command()
@click.option("--artifacts/--no-artifacts", default=True, help="Also check the files that runs recorded.")
@click.option(
    "--checkpoint",
    "note_file",
    metavar="FILE",
    help="Check that the ledger continues this checkpoint.",
)
@click.option("--since", metavar="FILE", help="Check that the ledger continues this checkpoint, and what came after.")
@click.option("--expect-head", metavar="HASH", help="Check that the last event has this hash.")
@click.option(
    "--verify-key", metavar="KEY", help="Check that this key (or the one in this file) signed the checkpoint."
)
@json_option
@in_place
def verify(
    place: Place,
    artifacts: bool,
    note_file: str | None,
    since: str | None,
    expect_head: str | None,
    verify_key: str | None,
    as_json: bool,
) -> int:
    """Prove that every event is as it was written, and that the files of the runs are as they were recorded.

    Exit code 3 if the ledger is damaged or does not match the checkpoint or head; 1 if the last line is unfinished
    (the next append moves it away), if a transition is impossible, or if a recorded file has changed.
    """
    if since and note_file:
        raise UsageError("--since and --checkpoint both name a checkpoint", "give one of them")
    name = since or note_file
    text = read_note(name) if name else ""
    known = checkpoint_in(text, name) if name else None
    if verify_key and not name:
        raise UsageError("--verify-key checks a signed note", "give the note with --checkpoint")
    verifier = parse_verifier(key_text(verify_key)) if verify_key else None
    report = verify_ledger(
        place.store(),
        folder_of=folder_in(place.workspace) if artifacts else None,
        elsewhere=place.workspace.elsewhere,
        checkpoint=None if since else known,
        since=known if since else None,
    )
    if verifier and not verifier.has_signed(text):
        report = _with_damage(report, f"the checkpoint is not signed by {verifier}")
    if expect_head is not None and report.head_hash != expect_head.lower():
        report = _with_damage(report, f"the last event has the hash {report.head_hash}, not {expect_head.lower()}")
    if as_json:
        print_json(report)
    else:
        _print_report(report)
    return 3 if report.damage else 1 if report.torn_bytes or not report.is_sound else 0


def _with_damage(report: Report, fault: str) -> Report:
    """The report with one more finding, about the last event."""
    return replace(report, damage=[*report.damage, Finding(report.position, fault)])


def _print_report(report: Report) -> None:
    for kind, findings in (("damage", report.damage), ("story", report.story), ("artifact", report.artifacts)):
        for finding in findings:
            print(f"{kind}: event {finding.seq}: {finding.text}")
    for remark in report.notes:
        print(f"note: {remark}")
    if report.doubtful:
        print("hint: `benchmarks ledger repair` sets aside the events that cannot have happened")
    state = "sound" if report.is_sound else "NOT sound"
    # A database has no files of its own.
    is_in_files = report.files or not report.position
    files = f" in {report.files} {'file' if report.files == 1 else 'files'}" if is_in_files else ""
    events = f"events {report.since + 1} to {report.position}" if report.since else f"{report.position} events"
    print(f"{state}: {events}{files}, {report.runs} runs; head {report.head_hash}")


@click.command()
@in_place
def head(place: Place) -> None:
    """Print the position and the hash of the last event, after checking its own line.

    `ledger verify` checks the events before it.
    """
    now = place.store().head()
    print(f"{now.seq} {now.hash}")


@click.command()
@json_option
@in_place
def stat(place: Place, as_json: bool) -> None:
    """Show the number and size of events by type, the runs, and the times of the first and last event."""
    now = survey(place.store())
    size = sum(count.bytes for count in now.events.values())
    if as_json:
        events = {kind: {"count": count.events, "bytes": count.bytes} for kind, count in now.events.items()}
        totals = {"events": now.head.seq, "bytes": size, "first_at": now.first_at, "last_at": now.at}
        head = now.head.hash if now.head.seq else ""
        print_json({**totals, "head": head, "by_type": events, "runs": now.runs, "groups": now.groups})
        return
    rows = [[kind, str(count.events), str(count.bytes)] for kind, count in now.events.items()]
    print_table(["type", "events", "bytes"], [*rows, ["all", str(now.head.seq), str(size)]], right=RIGHT)
    print()
    by_status = ", ".join(f"{number} {status}" for status, number in now.runs.items())
    print_facts({"runs": by_status, "groups": str(now.groups), "first": now.first_at, "last": now.at})


def folder_in(workspace: Workspace) -> Callable[[Run], Path]:
    """Gives the folder of a run in a workspace."""

    def folder(run: Run) -> Path:
        return workspace.run_folder(run.run_group_id, run.benchmark_directory, run.benchmark_id, run.run_id)

    return folder
