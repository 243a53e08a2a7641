"""`table`: check the rules of a table, compare versions, and see what became of a published one."""

from __future__ import annotations

from pathlib import Path

import click

from ...ledger.events import PublishedRow, TablePublished
from ...ledger.proof.checkpoint import Checkpoint, parse_note
from ...ledger.proof.kept import Tree, ask_tree
from ...ledger.proof.proof import NotProven
from ...ledger.storage import codec
from ...ledger.store import EventStore
from ...projections.published.checking import Checked, DocumentDamaged, check_document, read_document
from ...projections.published.difference import differences
from ...projections.published.document import Publication, TableDocument, publications, with_lines
from ...projections.published.lint import lint as lint_rows
from ..context import Place, in_place, json_option, print_json
from ..group import Group
from ..printing import print_table
from ..publishing import (
    content_of,
    document_of,
    errata_since,
    find_publication,
    key_option,
    lines_in,
    policy_of,
    policy_option,
    present,
    read_rules,
    redact_option,
)
from ..tables import erratum_text, moved_text, write_document


@click.group(cls=Group)
def command() -> None:
    """Check tables before they are published, and see what became of published ones."""


@command.command("list")
@json_option
@in_place
def list_tables(place: Place, as_json: bool) -> None:
    """List the published tables with their versions."""
    with place.history() as history:
        known = publications(history)
    found = [
        {"name": e.name, "version": e.version, "seq": seq, "at": at, "author": e.author, "rows": len(e.rows)}
        for seq, _, at, e in known
    ]
    if as_json:
        print_json({"tables": found})
        return
    if known:
        columns = ["name", "version", "published", "author", "rows"]
        rows = [[e.name, str(e.version), at[:19], e.author, str(len(e.rows))] for _, _, at, e in known]
        print_table(columns, rows)
    print(f"{len(known)} published")


@command.command()
@click.argument("table_file", metavar="TABLE", type=click.Path(path_type=Path))
@json_option
@in_place
def lint(place: Place, table_file: Path, as_json: bool) -> None:
    """Check the table in the TOML file TABLE before it is published. Exit code 1 if something is wrong.

    It finds mixed revisions, missing intervals, dropped attempts, too few repetitions, synthetic and imported rows,
    missing provenance, rows with other options, and unregistered rows if the table names a registered plan.
    """
    rules = read_rules(table_file)
    now = present(place, place.store(), rules)
    findings = lint_rows(now.selected, rules, is_registered=now.status is not None)
    wrong = [one for one in findings if not one.allowed]
    if as_json:
        print_json({"rows": len(now.selected.rows), "findings": findings, "left_out": now.selected.left_out})
    else:
        for one in findings:
            print(f"{one.kind}{' (allowed)' if one.allowed else ''}: {one.text}\n  hint: {one.hint}")
        for text in now.selected.left_out:
            print(f"left out: {text}")
        print(f"{len(now.selected.rows)} rows, {len(wrong)} findings")
    if wrong:
        raise click.exceptions.Exit(1)


@command.command()
@click.argument("name", metavar="NAME[@VERSION]")
@click.option(
    "--output", "-o", metavar="DIR", default=".", type=click.Path(path_type=Path, file_okay=False), help="The folder."
)
@click.option("--sign", metavar="FILE", help="Sign the checkpoint with the key in FILE.")
@click.option("--verify-key", metavar="KEY", help="Name this public key on the page.")
@redact_option
@json_option
@in_place
def build(
    place: Place,
    name: str,
    output: Path,
    sign: str | None,
    verify_key: str | None,
    redact: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write the page and the JSON of a published table again, with the present checkpoint and errata."""
    publication = find_publication(place, name)
    document = document_of(place, place.store(), publication, sign, verify_key, redact)
    files = write_document(document, output)
    if as_json:
        print_json({"name": document.name, "version": document.version, "files": files, "errata": document.errata})
        return
    for one in document.errata:
        print(erratum_text(one))
    for file in files:
        print(file)


@command.command()
@click.argument("before", metavar="V1")
@click.argument("after", metavar="V2")
@json_option
@in_place
def diff(place: Place, before: str, after: str, as_json: bool) -> None:
    """Show which rows moved between two versions, and why. V1 and V2: NAME@VERSION, a page, or a JSON file."""
    old, new = _version(place, before), _version(place, after)
    errata = []
    if isinstance(old, Publication):
        errata = errata_since(place.store(), old)
    found = differences(_rows(old), _rows(new), errata or _errata(new))
    if as_json:
        print_json({"differences": found})
        return
    for one in found:
        print(moved_text(one))
    print(f"{len(found)} rows differ" if len(found) != 1 else "1 row differs")


def _version(place: Place, name: str) -> Publication | TableDocument:
    if Path(name).suffix in (".html", ".json") or "/" in name:
        return _checked(read_document(content_of(name), name), name)
    return find_publication(place, name)


def _checked(document: TableDocument, name: str) -> TableDocument:
    _refuse(check_document(document), name)
    return document


def _rows(version: Publication | TableDocument) -> list[PublishedRow]:
    return version.rows if isinstance(version, TableDocument) else version.event.rows


def _errata(version: Publication | TableDocument) -> list:  # type: ignore[type-arg]
    return list(version.errata) if isinstance(version, TableDocument) else []


def _refuse(checked: Checked, name: str) -> None:
    """Raises DocumentDamaged if something does not fit."""
    if checked.problems:
        more = f" (and {len(checked.problems) - 1} more)" if len(checked.problems) > 1 else ""
        raise DocumentDamaged(
            f"{name} is wrong: {checked.problems[0].text}{more}",
            "do not use its numbers; benchmarks table build NAME@VERSION writes it again from the ledger",
        )


@command.command()
@click.argument("source", metavar="URL|FILE")
@policy_option
@key_option
@click.option(
    "--event", "events", metavar="FILE", multiple=True, help="Lines that the page withholds, from the publisher."
)
@json_option
@in_place
def status(
    place: Place,
    source: str,
    policy_file: str | None,
    verify_key: str | None,
    events: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check a published page or JSON, and compare it with the ledger now: errata, newer versions, rows that moved.

    Exit code 1 if something has changed since, or if the signatures are not by the key that you give; 3 if the page was
    changed or is not whole. Without a ledger here, the page is checked by itself.
    """
    document = with_lines(read_document(content_of(source), source), lines_in(events))
    checked = check_document(document, policy_of(policy_file, verify_key))
    _refuse(checked, source)
    store = place.store()
    has_ledger = store.head().seq > 0
    found: dict[str, object] = {}
    is_changed = False
    if has_ledger:
        publication = _same_here(place, document)
        errata = errata_since(store, publication)
        with place.history() as history:
            series = [one for one in publications(history, document.name) if one.table_id == publication.table_id]
            newest = series[-1].event
        moved = differences(publication.event.rows, newest.rows, errata)
        unseen = [one for one in errata if one not in document.errata]
        found = {"errata": errata, "newest_version": newest.version, "differences": moved}
        is_changed = bool(errata) or newest.version != document.version
    if as_json:
        print_json({"name": document.name, "version": document.version, "checked": checked, **found})
    else:
        print(f"{document.name} version {document.version}: {_verdict(checked, len(document.rows))}")
        print(f"checkpoint: {checked.origin}, {checked.size} events; {_signed(checked)}")
        for text in checked.unchecked:
            print(f"not checked: {text}")
        if not has_ledger:
            print("not compared: the ledger here is empty")
        else:
            for one in errata:
                print(erratum_text(one) + (" (not on the page)" if one in unseen else ""))
            if newest.version != document.version:
                print(f"version {newest.version} is published now")
                for row in moved:
                    print(moved_text(row))
            if not is_changed:
                print("nothing has changed in the ledger since")
    if is_changed:
        raise click.exceptions.Exit(1)


def _verdict(checked: Checked, rows: int) -> str:
    if not checked.stated:
        return f"{rows} rows, every figure follows from events"
    return f"{rows} rows, nothing is wrong; {len(checked.stated)} are stated in part, their lines are withheld"


def _signed(checked: Checked) -> str:
    if checked.signed_by is None:
        return "signatures not checked"
    seen = f", seen by {', '.join(checked.witnesses)}" if checked.witnesses else ""
    return f"signed by {checked.signed_by.partition('+')[0]}{seen}"


def _refuse_fork(store: EventStore, checkpoint: Checkpoint) -> None:
    """Raises DocumentDamaged if a checkpoint is not one of this ledger, which has its events and perhaps more."""

    def root_here(tree: Tree) -> str:
        tree.consistency(checkpoint.position)
        return tree.root_at(checkpoint.position).hex()

    if checkpoint.position <= store.head().seq and ask_tree(store, root_here) != checkpoint.hash:
        raise DocumentDamaged(
            f"the checkpoint of the table is of another history: with {checkpoint.position} events, the ledger here "
            "has another root, so one of the two went its own way",
            "compare both with a checkpoint that somebody else has kept: benchmarks ledger verify --since CHECKPOINT",
        )


def _same_here(place: Place, document: TableDocument) -> Publication:
    """The table in the ledger here. Raises NotProven if the ledger does not have the event of the document."""
    line = document.published.line.encode()
    record = codec.decode(line)
    assert isinstance(record.data, TablePublished)  # noqa: S101 - `check_document` has seen it
    here = next(place.store().read_lines(after=record.seq - 1), b"")
    if here != line:
        raise NotProven(
            f"the ledger here does not have event {record.seq}, in which {document.name} version {document.version} "
            "was published: it is another ledger, or an older copy",
            "name the publisher's ledger with --ledger, or check the page alone in a folder without a ledger",
        )
    _refuse_fork(place.store(), parse_note(document.checkpoint))
    return Publication(record.seq, record.stream, record.at, record.data)
