"""`publish`: a table is frozen as an event, a page that checks itself, and JSON."""

from __future__ import annotations

from pathlib import Path

import click

from ...ledger.proof.checkpoint import take_checkpoint
from ...orchestrator.errors import UsageError
from ...orchestrator.recording import corrections
from ...orchestrator.recording.publishing import equal_publication
from ...orchestrator.recording.publishing import publish as record_publication
from ...projections.published.lint import lint
from ...projections.sqlite.refresh import update_all
from ..context import Place, in_place, json_option, note, print_json
from ..correcting import author_option
from ..publishing import document_of, own_publications, present, read_rules, redact_option
from ..tables import print_findings, summary, write_document


@click.command()
@click.argument("table_file", metavar="TABLE", type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    metavar="DIR",
    default=".",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the page and the JSON into this folder (default: the current one).",
)
@click.option("--sign", metavar="FILE", help="Sign the checkpoint with the key in FILE.")
@click.option("--verify-key", metavar="KEY", help="Name this public key on the page (with --sign: that of the signer).")
@redact_option
@click.option("--strict", is_flag=True, help="Publish nothing if `table lint` has findings.")
@author_option
@json_option
@in_place
def command(
    place: Place,
    table_file: Path,
    output: Path,
    sign: str | None,
    verify_key: str | None,
    redact: tuple[str, ...],
    strict: bool,
    author: str | None,
    as_json: bool,
) -> None:
    """Publish the table in the TOML file TABLE: as an event, as one page that checks itself, and as JSON.

    A name has one number of versions. If rules and rows are those of the last version, no new one is made: its page is
    written again, with the present checkpoint and errata.
    """
    rules = read_rules(table_file)
    store = place.store()
    now = present(place, store, rules)
    rows = [one.row for one in now.selected.rows]
    if not rows:
        raise UsageError(
            f"the table {rules.name} has no rows",
            "benchmarks table lint shows why",
        )
    findings = [one for one in lint(now.selected, rules, is_registered=now.status is not None) if not one.allowed]
    print_findings(findings)
    if findings and strict:
        raise click.exceptions.Exit(1)
    equal = equal_publication(now.earlier, rules, rows)
    if equal is None:
        record_publication(
            place.ledger(store)[0],
            rules,
            rows,
            now.earlier,
            position=now.position,
            author=author or corrections.default_author(place.workspace.root),
            registration=summary(now.status),
            checkpoint=take_checkpoint(store).note(),
        )
        update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
    with place.history() as history:
        publication = equal or own_publications(history, store, rules.name)[-1]
    document = document_of(place, store, publication, sign, verify_key, redact)
    files = write_document(document, output)
    event = publication.event
    if as_json:
        print_json(
            {
                "name": event.name,
                "version": event.version,
                "is_new": equal is None,
                "seq": publication.seq,
                "rows": len(event.rows),
                "files": files,
                "errata": document.errata,
                "findings": findings,
            }
        )
        return
    what = "published" if equal is None else "already published, and written again:"
    print(f"{what} {event.name} version {event.version}: {len(event.rows)} rows (event {publication.seq})")
    for file in files:
        print(file)
