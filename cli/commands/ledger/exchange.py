"""`ledger export`, `import`, `copy`, `import-sqlite` and `repair`: a ledger on its way, and one that was hurt."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from ....adapters.discovery import discover
from ....adapters.secret_shapes import hide
from ....ledger.aside import Positions, stretches_of
from ....ledger.errors import LedgerError
from ....ledger.events import LEDGER_STREAM, Artifact, NewEvent, Repaired, SetAside
from ....ledger.history import History
from ....ledger.proof.verify import Report, verify
from ....ledger.storage.chain import Head
from ....ledger.storage.jsonl import JsonlStore
from ....ledger.storage.open import open_store
from ....ledger.store import EventStore
from ....ledger.transfer.admission import Source, shown
from ....ledger.transfer.archive import ARCHIVE_ENDINGS, Left, export_archive, open_archive
from ....ledger.transfer.exchange import FILE_ENDINGS, LinesFile, export_lines, head_of
from ....ledger.transfer.exchange import copy as copy_ledger
from ....ledger.transfer.merge import take_in
from ....orchestrator.errors import UsageError
from ....orchestrator.recording.migration import import_sqlite as migrate
from ....orchestrator.running.artifacts import list_artifacts
from ....projections.sqlite.refresh import update_all
from ...context import Place, in_place, note
from .checking import folder_in

_SHOWN = 20
"""Files, or stretches of positions, that are shown."""


@click.command()
@click.argument("target", metavar="FILE|DIR", type=click.Path(path_type=Path))
@click.option("--with-files", is_flag=True, help="Also the files that runs recorded, in a .tar.zst or .tar.gz.")
@in_place
def export(place: Place, target: Path, with_files: bool) -> int:
    """Write the ledger, proven line by line, to FILE or as a ledger of its own to DIR.

    FILE ends with .jsonl, .jsonl.gz or .jsonl.zst. Into a DIR that holds an earlier export, only what is new is
    written. With --with-files, FILE is an archive (.tar, .tar.gz, .tar.zst) of the ledger and of every file that is
    what a run recorded; the exit code is 1 where one is not.
    """
    store = place.store()
    is_archive = target.name.endswith(ARCHIVE_ENDINGS)
    if is_archive and not with_files:
        raise UsageError(f"{target} is an archive by its name: give --with-files, or a name such as ledger.jsonl.gz")
    if with_files and not is_archive:
        raise UsageError(f"--with-files writes an archive: give a FILE that ends with {', '.join(ARCHIVE_ENDINGS)}")
    if target.name.endswith((*FILE_ENDINGS, *ARCHIVE_ENDINGS)) and not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}")
    if is_archive:
        done = export_archive(store, target, root=place.workspace.root, folder_of=folder_in(place.workspace))
        print(f"{target}: {done.head.seq} events and {done.files} files, head {done.head.hash}")
        _list_left("left out", done.left)
        return 1 if done.left else 0
    if target.name.endswith(FILE_ENDINGS):
        head = export_lines(store, target)
        print(f"{target}: {head.seq} events, head {head.hash}")
        return 0
    if target.exists() and not target.is_dir():
        endings = ", ".join((*FILE_ENDINGS, *ARCHIVE_ENDINGS))
        raise UsageError(f"{target} is no folder, and its name ends with none of {endings}")
    added = copy_ledger(store, JsonlStore(target, notice=note))
    print(f"{target}: {added} events were new there")
    return 0


@click.command("import")
@click.argument("source", metavar="FILE|DIR|URL")
@in_place
def import_(place: Place, source: str) -> int:
    """Take in the events of another ledger: an export, a ledger's folder, or its URL. A second time adds nothing.

    Where the other one continues this ledger (or is where this one began), the chain goes on as it is. Any other is
    merged: events, ids and times stay as they are and are numbered anew here, and their own chain can still be proven.
    A ledger with events that cannot have happened is refused as a whole.

    Of an archive with files, those are taken in that a run recorded; any other is named, and the exit code is 1.
    """
    path = Path(source)
    if not (source.endswith(ARCHIVE_ENDINGS) and path.is_file()):
        _take_in(place, _source(source), hide(path.name))
        return 0
    with open_archive(path) as archive:
        store = _take_in(place, archive.ledger, hide(path.name))
        got = archive.receive(store, root=place.workspace.root, folder_of=folder_in(place.workspace))
    print(f"{got.added} files added, {got.known} were here already")
    _list_left("refused", got.refused)
    return 1 if got.refused else 0


def _take_in(place: Place, source: Source, name: str) -> EventStore:
    store = place.store()
    taken = take_in(store, source, name=name, by=getpass.getuser())
    if taken.added:
        update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
    how = "the same history" if taken.is_same_chain else "merged"
    print(f"{taken.added} events added, {taken.known} were here already ({how})")
    return store


def _list_left(what: str, left: list[Left]) -> None:
    for one in left[:_SHOWN]:
        note(f"{what}: {shown(one.name)} {shown(one.reason)}")
    if len(left) > _SHOWN:
        note(f"{what}: {len(left) - _SHOWN} more files")


def _source(source: str) -> Source:
    if "://" not in source:
        path = Path(source)
        if not path.exists():
            raise UsageError(f"there is no {path}")
        if path.is_file():
            return LinesFile(path)
    store = open_store(source, notice=note)
    if not store.files():
        raise UsageError(f"there is no ledger in {source}")
    return store


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.pass_context
def copy(ctx: click.Context, source: str, target: str) -> None:
    """Copy the ledger FROM to TO, each a folder or a URL such as sqlite:///path/of/file, with its chain kept.

    TO is empty, or an earlier copy: then only what is new is copied. FROM is refused where it holds what cannot have
    happened; `ledger export` copies a ledger of your own as it is.
    """
    here = open_store(source, notice=note)
    if not here.files():
        raise UsageError(f"there is no ledger in {source}")
    there = open_store(target, notice=note)
    added = copy_ledger(here, there, is_judged=True)
    there.close()
    print(f"{target}: {added} events were new there")


def _files(folder: Path) -> tuple[list[Artifact], list[str]]:
    listing = list_artifacts(folder)
    return listing.artifacts, listing.notes


@click.command("import-sqlite")
@click.argument("database", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@in_place
def import_sqlite(place: Place, database: Path) -> int:
    """Bring the history of the first orchestrator's DATABASE into the ledger; a second time adds nothing.

    Runs come with their options, usage, model calls and files, groups with what they were asked for and what they did
    not run. Imported runs are marked as such and count for no record. Exit code 1 if a row could not be taken in.
    """
    store = place.store()
    done = migrate(database, place.ledger(store)[0], discover(place.workspace.root).adapters, _files)
    if done.added or done.groups_added:
        update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
    print(
        f"{done.added} runs imported, {done.known} were there already; "
        f"{done.groups_added} run groups imported, {done.groups_known} were there already; "
        f"{done.undone} rows of skipped or incompatible work are not runs: they stand in their groups"
    )
    if done.otherwise:
        fields = ", ".join(dict.fromkeys(name for names in done.otherwise.values() for name in names))
        note(
            f"{len(done.otherwise)} runs that were there already are read otherwise by this version ({fields}), and "
            "stay as they were recorded\nhint: to have them as they are read now, import the database into a new "
            "workspace"
        )
    for problem in done.problems:
        note(f"not imported: {shown(problem)}")
    return 1 if done.problems else 0


@click.command()
@click.option("--yes", is_flag=True, help="Do it. Without this, only tell what would be done.")
@click.option("--reason", default="", help="Why no better copy can be put in its place; it is recorded.")
@in_place
def repair(place: Place, yes: bool, reason: str) -> int:
    """Cut off what can't be proven any more, set aside what cannot have happened, and record that this was done.

    What is cut off is kept in quarantine. It is the last resort: events behind a break are lost to the chain. A copy
    that is whole is always better; `ledger verify` names the files to restore. What is set aside stays where it is,
    and counts for nothing from then on.
    """
    store = place.store()
    report, aside = _doubts(store)
    breaks = [finding for finding in report.damage if finding.seq not in aside]
    if not breaks and not report.torn_bytes and not aside:
        print(f"nothing to repair: {report.position} events, head {report.head_hash}")
        return 0
    for finding in report.damage:
        print(f"damage: {finding.text}")
    for finding in report.story:
        if finding.seq in aside:
            print(f"story: event {finding.seq}: {finding.text}")
    for remark in report.notes:
        print(f"note: {remark}")
    if not yes:
        if breaks or report.torn_bytes:
            print(f"with --yes, what stands behind event {report.position} is moved to quarantine")
        if aside:
            print(f"with --yes, {len(aside)} events are set aside: {_as_text(aside)}")
        return 3 if report.damage else 1
    if breaks or report.torn_bytes:
        _cut(place, store, reason or "; ".join(finding.text for finding in breaks) or "a torn last line")
        aside = _doubts(store)[1]
    if aside:
        _set_aside(place, store, aside, reason)
    try:
        update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
    except LedgerError as problem:
        note(f"the tables could not be made anew: {problem}")
    return 0


def _doubts(store: EventStore) -> tuple[Report, Positions]:
    """What a verification finds, and all events that are to be set aside: without some, others may make no sense."""
    first = report = verify(store)
    aside: Positions = frozenset()
    while more := {seq for begin, count in report.doubtful for seq in range(begin, begin + count)} - aside:
        aside |= more
        report = verify(store, aside_too=aside)
    return first, aside


def _cut(place: Place, store: EventStore, reason: str) -> None:
    kept = store.cut()
    head: Head = head_of(store.prove())
    event = Repaired(
        author=getpass.getuser(),
        reason=reason,
        position=head.seq,
        head_hash=head.hash,
        quarantined=[path.name for path in kept],
    )
    record = place.ledger(store)[0].append(LEDGER_STREAM, event)
    for path in kept:
        print(f"kept: {path}")
    print(f"repaired: events 1 to {head.seq} stand as they were written; event {record.seq} tells of the repair")


def _set_aside(place: Place, store: EventStore, aside: Positions, reason: str) -> None:
    def decide(history: History) -> list[NewEvent]:
        event = SetAside(
            author=getpass.getuser(),
            reason=reason or "they cannot have happened",
            head_hash=history.hash,
            events=stretches_of(aside),
        )
        return [NewEvent(LEDGER_STREAM, event)]

    [record] = place.ledger(store)[0].decide(decide).records
    print(f"set aside: {len(aside)} events count for nothing from now on: {_as_text(aside)}")
    print(f"event {record.seq} tells of it")


def _as_text(positions: Positions) -> str:
    """Positions for people: `3, 7-9`."""
    parts = [str(first) if count == 1 else f"{first}-{first + count - 1}" for first, count in stretches_of(positions)]
    return ", ".join(parts[:_SHOWN]) + (f" and {len(parts) - _SHOWN} more stretches" if len(parts) > _SHOWN else "")
