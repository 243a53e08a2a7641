"""`ledger verify`, `head`, `checkpoint`, `keygen` and `stat`: the proof that nobody changed the events."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import click
from msgspec.structs import replace

from ....adapters.regular_file import read_regular
from ....ledger.fold import Run
from ....ledger.history import History
from ....ledger.proof.checkpoint import Checkpoint, CheckpointError, parse_note, take_checkpoint
from ....ledger.proof.signing import new_signer, parse_signer, parse_verifier
from ....ledger.proof.verify import verify as verify_ledger
from ....ledger.store import Finding
from ....orchestrator.errors import UsageError
from ....projections.workspace import Workspace
from ...context import Place, in_place, json_option, print_json
from ...printing import print_facts, print_table

RIGHT = ("events", "bytes")


@click.command()
@click.option("--artifacts/--no-artifacts", default=True, help="Also check the files that runs recorded.")
@click.option("--checkpoint", "kept", metavar="FILE", help="A note of `ledger checkpoint`: is its history still here?")
@click.option("--expect-head", metavar="HASH", help="The hash that the last event must have.")
@click.option("--verify-key", metavar="KEY", help="The checkpoint must be signed by this key (or a file with it).")
@json_option
@in_place
def verify(
    place: Place,
    artifacts: bool,
    kept: str | None,
    expect_head: str | None,
    verify_key: str | None,
    as_json: bool,
) -> int:
    """Prove that every event stands as it was written, and that the runs' files are what was recorded.

    Exit code 3 where the ledger is damaged, or is not the one of the checkpoint or head; 1 where an unfinished last
    line waits to be moved away by the next append, or where its story or a recorded file is not as it should be.
    """
    text = _read(kept) if kept else ""
    known = _parse(text, kept) if kept else None
    if verify_key and not kept:
        raise UsageError("--verify-key is for a signed note: give it with --checkpoint")
    verifier = parse_verifier(_key_text(verify_key)) if verify_key else None
    report = verify_ledger(place.store(), folder_of=folder_in(place.workspace) if artifacts else None, checkpoint=known)
    if verifier and not verifier.has_signed(text):
        told = f"the checkpoint is not signed by {verifier}"
        report = replace(report, damage=[*report.damage, Finding(report.position, told)])
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
        if report.doubtful:
            print("hint: `ledger repair` sets aside the events that cannot have happened")
        state = "sound" if report.is_sound else "NOT sound"
        print(
            f"{state}: {report.position} events in {report.files} {'file' if report.files == 1 else 'files'}, "
            f"{report.runs} runs; "
            f"head {report.head_hash}"
        )
    return 3 if report.damage else 1 if report.torn_bytes or not report.is_sound else 0


@click.command()
@in_place
def head(place: Place) -> None:
    """Print the position and the hash of the last event, after checking the chain."""
    now = take_checkpoint(place.store())
    print(f"{now.position} {now.hash}")


@click.command()
@click.option(
    "--sign", metavar="FILE", type=click.Path(exists=True, dir_okay=False), help="Sign it with the key in FILE."
)
@in_place
def checkpoint(place: Place, sign: str | None) -> None:
    """Print a note about the ledger as it is, after checking its chain, to keep where the ledger is not.

    With it, `ledger verify --checkpoint FILE` proves at any later time that the history up to now is the same one.
    """
    signer = parse_signer(_key_text(sign)) if sign else None
    text = take_checkpoint(place.store()).note()
    print(signer.sign(text) if signer else text, end="")


@click.command()
@click.argument("name")
@click.option("--output", required=True, metavar="FILE", type=click.Path(path_type=Path), help="For the private key.")
def keygen(name: str, output: Path) -> None:
    """Make a key to sign checkpoints with: the private one goes to FILE, the one to publish is printed.

    NAME tells who signs, such as a domain or a mail address.
    """
    signer = new_signer(name)
    try:
        fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as problem:
        raise UsageError(f"cannot write the key to {output}: {problem.strerror}") from problem
    with os.fdopen(fd, "w") as file:
        file.write(f"{signer}\n")
    print(signer.verifier)


@click.command()
@json_option
@in_place
def stat(place: Place, as_json: bool) -> None:
    """Show what the ledger holds: events of each type, their bytes, runs, segments, first and last time."""
    store = place.store()
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    history = History.of(store)
    first = last = ""
    for record, line in zip(store.read(), store.read_lines(), strict=False):
        counts[record.type] += 1
        sizes[record.type] += len(line) + 1
        first, last = first or record.at, record.at
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


_LONGEST_NOTE = 1024 * 1024
"""Bytes of a checkpoint that are read: with many signatures it has a few thousand."""


def _read(kept: str) -> str:
    """A note, from a file, or from stdin where it is `-`. Raises UsageError."""
    try:
        if kept == "-":
            return sys.stdin.read(_LONGEST_NOTE)
        return read_regular(Path(kept), most=_LONGEST_NOTE).decode()
    except OSError as problem:
        raise UsageError(f"the checkpoint {kept} cannot be read: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise UsageError(f"{kept} is no checkpoint: {problem}") from problem


def _parse(text: str, name: str) -> Checkpoint:
    try:
        return parse_note(text)
    except CheckpointError as problem:
        raise UsageError(f"{name} is no checkpoint: {problem}") from problem


def _key_text(key: str) -> str:
    """A key, or the content of the file that it names."""
    try:
        return read_regular(Path(key), most=_LONGEST_NOTE).decode() if Path(key).is_file() else key
    except (OSError, ValueError) as problem:
        raise UsageError(f"the key in {key} cannot be read: {problem}") from problem


def folder_in(workspace: Workspace) -> Callable[[Run], Path]:
    """Where the files of a run lie in a workspace."""

    def folder(run: Run) -> Path:
        return workspace.run_folder(run.run_group_id, run.benchmark_directory, run.benchmark_id, run.run_id)

    return folder
