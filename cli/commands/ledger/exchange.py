"""`ledger export`, `import`, `copy`, `import-sqlite` and `repair`: move, merge and repair ledgers."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from ....adapters.discovery import discover
from ....adapters.secret_shapes import hide
from ....ledger.aside import Positions, ranges_of
from ....ledger.errors import LedgerError
from ....ledger.events import LEDGER_STREAM, Artifact, NewEvent, Repaired, SetAside
from ....ledger.history import History
from ....ledger.proof.verify import Report, verify
from ....ledger.storage.chain import Head
from ....ledger.storage.jsonl import JsonlStore
from ....ledger.storage.open import open_store
from ....ledger.storage.postgres_address import shown_url
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
from .proofs import policy_in, policy_option, verify_key_option

_MAX_SHOWN = 20
"""Maximum number of files, or of ranges of positions, that are listed."""


@click.command()
@click.argument("target", metavar="FILE|DIR", type=click.Path(path_type=Path))
@click.option("--with-files", is_flag=True, help="Write an archive that also has the files that runs recorded.")
@in_place
def export(place: Place, target: Path, with_files: bool) -> int:
    """Verify the ledger line by line, and write it to FILE, or to DIR as a ledger of its own.

    FILE ends with .jsonl, .jsonl.gz or .jsonl.zst. If DIR holds an earlier export, only new events are written. With
    --with-files, FILE is an archive (.tar, .tar.gz, .tar.zst) of the ledger and of the files that runs recorded. A
    file that has changed since is left out, and the exit code is 1.
    """
    store = place.store()
    is_archive = target.name.endswith(ARCHIVE_ENDINGS)
    if is_archive and not with_files:
        raise UsageError(f"{target} has the name of an archive", "give --with-files, or a name such as ledger.jsonl.gz")
    if with_files and not is_archive:
        raise UsageError("--with-files writes an archive", f"give a FILE that ends with {', '.join(ARCHIVE_ENDINGS)}")
    if target.name.endswith((*FILE_ENDINGS, *ARCHIVE_ENDINGS)) and not target.parent.is_dir():
        raise UsageError(f"the folder {target.parent} does not exist")
    if is_archive:
        done = export_archive(
            store,
            target,
            root=place.workspace.root,
            folder_of=folder_in(place.workspace),
            elsewhere=place.workspace.elsewhere,
        )
        print(f"{target}: {done.head.seq} events and {done.files} files, head {done.head.hash}")
        _list_left("left out", done.left)
        return 1 if done.left else 0
    if target.name.endswith(FILE_ENDINGS):
        head = export_lines(store, target)
        print(f"{target}: {head.seq} events, head {head.hash}")
        return 0
    if target.exists() and not target.is_dir():
        endings = ", ".join((*FILE_ENDINGS, *ARCHIVE_ENDINGS))
        raise UsageError(f"{target} is not a folder, and its name does not end with any of {endings}")
    added = copy_ledger(store, JsonlStore(target, notice=note))
    print(f"{target}: {added} events added")
    return 0


@click.command("import")
@click.argument("source", metavar="FILE|DIR|URL")
@policy_option
@verify_key_option
@in_place
def import_(place: Place, source: str, policy_file: str | None, verify_key: str | None) -> int:
    """Add the events of another ledger: an export, a ledger's folder, or its URL. Importing again adds nothing.

    If the other ledger continues this one (or this one continues the other), the chain stays the same. Any other
    ledger is merged: its events keep their ids and times, get new positions here, and their own chain can still be
    verified. A ledger with impossible events is refused as a whole.

    From an archive, only files that a run recorded are added; any other file is listed, and the exit code is 1.

    From a bundle (.zip), its runs are added as imported runs, with their files, after its proofs are verified; POLICY
    or KEY say whose signatures are believed. If the ledger of these runs is merged later, the imported copies are
    retracted, so that no run counts twice.
    """
    path = Path(shown_url(source))
    if source.endswith(BUNDLE_ENDING) and path.is_file():
        return _import_bundle(place, path, policy_file, verify_key)
    if policy_file or verify_key:
        raise UsageError("--policy and --verify-key are about a bundle", f"give a FILE that ends with {BUNDLE_ENDING}")
    if not (source.endswith(ARCHIVE_ENDINGS) and path.is_file()):
        _take_in(place, _source(source), hide(path.name))
        return 0
    with open_archive(path) as archive:
        store = _take_in(place, archive.ledger, hide(path.name))
        got = archive.receive(store, root=place.workspace.root, folder_of=folder_in(place.workspace))
    print(f"{got.added} files added, {got.known} were already here")
    _list_left("refused", got.refused)
    return 1 if got.refused else 0


BUNDLE_ENDING = ".zip"


def _import_bundle(place: Place, path: Path, policy_file: str | None, verify_key: str | None) -> int:
    from ....orchestrator.recording.imported_bundle import take_in_bundle

    policy = policy_in(policy_file, verify_key) if policy_file or verify_key else None
    store = place.store()
    done = take_in_bundle(path, place.ledger(store)[0], place.workspace, policy)
    if done.added:
        update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
    if policy is None:
        note("the proofs hold, and who signed them was not checked\nhint: give --policy or --verify-key")
    print(f"{done.added} runs added, {done.known} were already here; {done.files} files added")
    _list_left("left out", done.left)
    return 1 if done.left else 0


def _take_in(place: Place, source: Source, name: str) -> EventStore:
    from ....orchestrator.recording.imported_bundle import supersede

    store = place.store()
    taken = take_in(store, source, name=name, by=getpass.getuser())
    if taken.added:
        if copies := supersede(place.ledger(store)[0], by=getpass.getuser()):
            note(f"{copies} runs that a bundle had brought are retracted: the runs themselves are here now")
        update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
    how = "the same history" if taken.is_same_chain else "merged"
    print(f"{taken.added} events added, {taken.known} were already here ({how})")
    return store


def _list_left(what: str, left: list[Left]) -> None:
    for one in left[:_MAX_SHOWN]:
        note(f"{what}: {shown(one.name)} {shown(one.reason)}")
    if len(left) > _MAX_SHOWN:
        note(f"{what}: {len(left) - _MAX_SHOWN} more files")


def _source(source: str) -> Source:
    if "://" not in source:
        path = Path(source)
        if not path.exists():
            raise UsageError(f"{path} does not exist")
        if path.is_file():
            return LinesFile(path)
    store = open_store(source, notice=note)
    if not store.size():
        raise UsageError(f"{shown_url(source)} does not contain a ledger")
    return store


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.pass_context
def copy(ctx: click.Context, source: str, target: str) -> None:
    """Copy the ledger FROM to TO with its chain; each is a folder or a URL: sqlite:///path/of/file
    or postgresql://user@host/database, which `ledger init` has prepared.

    TO must be empty or an earlier copy; in an earlier copy, only new events are added. FROM is refused if it holds
    impossible events; `ledger export` copies your own ledger as it is.
    """
    origin = open_store(source, notice=note)
    if not origin.size():
        raise UsageError(f"{shown_url(source)} does not contain a ledger")
    destination = open_store(target, notice=note)
    added = copy_ledger(origin, destination, is_judged=True)
    destination.close()
    print(f"{shown_url(target)}: {added} events added")


def _files(folder: Path) -> tuple[list[Artifact], list[str]]:
    listing = list_artifacts(folder)
    return listing.artifacts, listing.notes


@click.command("import-sqlite")
@click.argument("database", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@in_place
def import_sqlite(place: Place, database: Path) -> int:
    """Import the history from a DATABASE of the first orchestrator. Importing again adds nothing.

    Runs keep their options, usage, model calls and files; groups keep their request and what they did not run.
    Imported runs are marked as imported and cannot be records. Exit code 1 if a row cannot be imported.
    """
    store = place.store()
    done = migrate(database, place.ledger(store)[0], discover(place.workspace.root).adapters, _files)
    if done.added or done.groups_added:
        update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
    print(
        f"{done.added} runs imported, {done.known} were already in the ledger; "
        f"{done.groups_added} run groups imported, {done.groups_known} were already in the ledger; "
        f"{done.undone} rows of skipped or incompatible work are not runs: they are part of their groups"
    )
    if done.different:
        fields = ", ".join(dict.fromkeys(name for names in done.different.values() for name in names))
        note(
            f"this version reads {len(done.different)} runs that were already in the ledger differently ({fields}); "
            "they stay as they were recorded\nhint: to get the new values, import the database into a new workspace"
        )
    for problem in done.problems:
        note(f"not imported: {shown(problem)}")
    return 1 if done.problems else 0


@click.command()
@click.option("--yes", is_flag=True, help="Repair. Without this, only show what would be done.")
@click.option("--reason", default="", help="Record this reason, such as why no intact copy can be restored.")
@in_place
def repair(place: Place, yes: bool, reason: str) -> int:
    """Cut off events that cannot be proven, set aside impossible events, and record the repair.

    This is a last resort: events after a break in the chain are moved to quarantine. Restoring an intact copy is
    always better; `ledger verify` names the files to restore. Events that are set aside stay in place, but no longer
    count.
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
            print(f"with --yes, everything after event {report.position} is moved to quarantine")
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
        note(f"the projections cannot be rebuilt: {problem}")
    return 0


def _doubts(store: EventStore) -> tuple[Report, Positions]:
    """The report of a verification, and all events to set aside: without one, others may become impossible."""
    first = report = verify(store)
    aside: Positions = frozenset()
    while more := {seq for begin, count in report.doubtful for seq in range(begin, begin + count)} - aside:
        aside |= more
        report = verify(store, aside_too=aside)
    return first, aside


def _cut(place: Place, store: EventStore, reason: str) -> None:
    quarantined = store.cut()
    head: Head = head_of(store.prove())
    event = Repaired(
        author=getpass.getuser(),
        reason=reason,
        position=head.seq,
        head_hash=head.hash,
        quarantined=[path.name for path in quarantined],
    )
    record = place.ledger(store)[0].append(LEDGER_STREAM, event)
    for path in quarantined:
        print(f"moved to quarantine: {path}")
    print(f"repaired: events 1 to {head.seq} are as they were written; event {record.seq} records the repair")


def _set_aside(place: Place, store: EventStore, aside: Positions, reason: str) -> None:
    def decide(history: History) -> list[NewEvent]:
        event = SetAside(
            author=getpass.getuser(),
            reason=reason or "they cannot have happened",
            head_hash=history.hash,
            events=ranges_of(aside),
        )
        return [NewEvent(LEDGER_STREAM, event)]

    [record] = place.ledger(store)[0].decide(decide).records
    print(f"set aside: {len(aside)} events no longer count: {_as_text(aside)}; event {record.seq} records it")


def _as_text(positions: Positions) -> str:
    """Positions for people: `3, 7-9`."""
    parts = [str(first) if count == 1 else f"{first}-{first + count - 1}" for first, count in ranges_of(positions)]
    return ", ".join(parts[:_MAX_SHOWN]) + (
        f" and {len(parts) - _MAX_SHOWN} more ranges" if len(parts) > _MAX_SHOWN else ""
    )
