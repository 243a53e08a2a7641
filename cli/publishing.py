"""What the commands for published tables share: table files, documents, checkpoints, and whom to believe."""

from __future__ import annotations

import http.client
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from ..adapters.regular_file import read_regular
from ..ledger.aside import set_aside_in
from ..ledger.identity import utc_now
from ..ledger.proof.checkpoint import Checkpoint, parse_note
from ..ledger.proof.issuing import kept_note, sign_checkpoint
from ..ledger.proof.kept import ask_tree
from ..ledger.proof.policy import Policy, parse_policy, policy_text
from ..ledger.proof.signing import parse_signer, parse_verifier
from ..ledger.proof.witness_list import read_witnesses
from ..ledger.storage import codec
from ..ledger.storage.chain import BadLine, origin_of
from ..ledger.store import EventStore
from ..ledger.suggestions import did_you_mean
from ..orchestrator.errors import UsageError
from ..projections.published.document import (
    MAX_BYTES,
    Publication,
    TableDocument,
    make_document,
    publications,
    runs_behind,
    table_id_of,
)
from ..projections.published.errata import CORRECTIONS, Erratum, errata_of
from ..projections.published.rows import Selected, select_rows
from ..projections.published.rules import WITHHOLDABLE, TableRules, parse_rules, texts_of
from ..projections.scores.registered import Status
from ..projections.scores.samples import sample_reader
from ..projections.sqlite.database import read_state
from ..projections.sqlite.following import read_registrations
from ..projections.sqlite.registrations import status_in
from ..projections.sqlite.reproductions import reproductions_of
from .context import Place
from .notes import key_text, read_text

_MAX_RULES = 1024 * 1024
_SECONDS = 20.0
"""For which an address may say nothing."""

_MAX_SECONDS = 120.0
"""For which a download may last."""

_CHUNK = 1024 * 1024

policy_option = click.option(
    "--policy", "policy_file", metavar="POLICY", help="Whom to believe: a file in the form of tlog-policy."
)
redact_option = click.option(
    "--redact",
    metavar="TYPE",
    multiple=True,
    type=click.Choice([*WITHHOLDABLE, "all"]),
    help=f"Keep the lines of these events private ({', '.join(WITHHOLDABLE)}, or all): only their hashes are shown.",
)
key_option = click.option(
    "--verify-key", metavar="KEY", help="Believe the ledger of this key (or of the one in this file)."
)


class Present(NamedTuple):
    """A table as it is now: its rows, its registered plan, its earlier versions, and the position of the last event."""

    selected: Selected
    status: Status | None
    earlier: list[Publication]
    position: int


def read_rules(path: Path) -> TableRules:
    """The rules in a table file. Raises UsageError and TableError."""
    try:
        return parse_rules(read_regular(path, most=_MAX_RULES), str(path))
    except OSError as problem:
        raise UsageError(f"the table {path} cannot be read: {problem.strerror}") from problem


def present(place: Place, store: EventStore, rules: TableRules) -> Present:
    """A table as it is now."""
    with place.history() as history:
        state = read_state(history)
        return Present(
            select_rows(history, rules, lambda seq: _hash_at(store, seq)),
            _plan(place, history, rules),
            own_publications(history, store, rules.name),
            state.position if state else 0,
        )


def _hash_at(store: EventStore, seq: int) -> str:
    return next(store.read_lines(after=seq - 1))[-66:-2].decode()


def _plan(place: Place, history: sqlite3.Connection, rules: TableRules) -> Status | None:
    """The registered plan that a table names, also by the beginning of its id; None if there is none."""
    if rules.registration is None:
        return None
    found = [one for one in read_registrations(history) if one.id.startswith(rules.registration)]
    if len(found) != 1:
        return None
    return status_in(history, found[0], sample_reader(place.workspace), now=utc_now())


def own_publications(history: sqlite3.Connection, store: EventStore, name: str) -> list[Publication]:
    """The versions of a table that were published in this ledger, not in a merged one."""
    table_id = table_id_of(store, name)
    return [one for one in publications(history, name) if one.table_id == table_id]


def find_publication(place: Place, name: str) -> Publication:
    """The published table `NAME` or `NAME@VERSION`; one of a merged ledger if this one has none. Raises UsageError."""
    name, _, version = name.partition("@")
    with place.history() as history:
        known = publications(history)
    table_id = table_id_of(place.store(), name)
    named = [one for one in known if one.event.name == name]
    of = [one for one in named if one.table_id == table_id] or named
    if not of:
        hint = did_you_mean(name, {one.event.name for one in known}, "benchmarks table list lists the tables")
        raise UsageError(f"no table is published as '{name}'", hint)
    if not version:
        return of[-1]
    found = [one for one in of if str(one.event.version) == version]
    if not found:
        versions = ", ".join(str(one.event.version) for one in of)
        raise UsageError(f"the table {name} has no version '{version}'", f"its versions are {versions}")
    return found[0]


class Rows(NamedTuple):
    """The stream of a published table, and the runs behind its rows or one of them, with all attempts."""

    table_id: str
    run_ids: list[str]


def find_rows(place: Place, name: str) -> Rows | None:
    """The rows that `NAME`, `NAME@VERSION` or `NAME@VERSION#ROW` means; None if no table of that name is published.

    Raises UsageError for a version or a row that the table does not have.
    """
    table, _, number = name.partition("#")
    with place.history() as history:
        if not publications(history, table.partition("@")[0]):
            return None
    publication = find_publication(place, table)
    rows = publication.event.rows
    if not number:
        return Rows(publication.table_id, runs_behind(rows))
    if not number.isascii() or not number.isdigit() or not 0 < int(number) <= len(rows):
        raise UsageError(f"the table {table} has no row '{number}'", f"its rows are 1 to {len(rows)}")
    return Rows(publication.table_id, runs_behind([rows[int(number) - 1]]))


def errata_since(store: EventStore, publication: Publication, last: int | None = None) -> list[Erratum]:
    """The corrections of the runs of a published table since then, up to position `last`."""
    event = publication.event
    aside = set_aside_in(store)
    every = store.read(event.position, types=[kind.type for kind in CORRECTIONS])
    records = (record for record in every if record.seq not in aside)
    found = errata_of(event.rows, event.position, records)
    return [one for one in found if last is None or one.seq <= last]


def document_of(
    place: Place,
    store: EventStore,
    publication: Publication,
    sign: str | None,
    key: str | None,
    redact: Sequence[str] = (),
) -> TableDocument:
    """The document of a published table, with a checkpoint of now: signed, kept beside the ledger, or unsigned.

    Lines of the types in `redact` are withheld, and of those that the rules of the table name.
    """
    note, keys = _note_for(store, publication.seq, sign)
    size = parse_note(note).position
    with place.history() as history:
        reproduced = reproductions_of(history, runs_behind(publication.event.rows))
    witnesses = [one.verifier for one in read_witnesses(place.workspace.results)]
    if key:
        keys = [str(parse_verifier(key_text(key)))]
    return make_document(
        store,
        publication,
        note,
        errata=errata_since(store, publication, size),
        reproductions=[one for one in reproduced if one.seq <= size],
        keys=keys,
        witnesses=[str(one) for one in witnesses if f"\N{EM DASH} {one.name} " in note],
        withhold=_withheld(publication, redact),
    )


def _withheld(publication: Publication, redact: Sequence[str]) -> set[str]:
    """The types of events whose lines are withheld; a later version of the program may know more of them."""
    named = {*redact, *texts_of(publication.event.rules, "withhold")}
    return set(WITHHOLDABLE) if "all" in named else named.intersection(WITHHOLDABLE)


def _note_for(store: EventStore, position: int, sign: str | None) -> tuple[str, list[str]]:
    """A checkpoint that has the event at a position, and the public keys that are known to have signed it."""
    if sign:
        signer = parse_signer(key_text(sign))
        return str(sign_checkpoint(store, signer)), [str(signer.verifier)]
    kept = kept_note(store)
    if kept is not None and parse_note(kept.text).position >= position:
        return str(kept), []
    first = next(store.read_lines(), b"")
    name = origin_of(first[-66:-2].decode())
    return ask_tree(store, lambda tree: Checkpoint(name, tree.size, tree.root.hex()).note()), []


def policy_of(file: str | None, key: str | None) -> Policy | None:
    """The policy that the options name; None without them. Raises UsageError."""
    if file and key:
        raise UsageError("--policy and --verify-key exclude each other")
    if key:
        return parse_policy(policy_text([parse_verifier(key_text(key))], [], 0))
    return parse_policy(read_text(file, "policy")) if file else None


def content_of(source: str) -> bytes:
    """The bytes of a file, or of a page at an http or https address that the user gave. Raises UsageError."""
    if source.lower().startswith(("http://", "https://")):
        return _fetched(source)
    try:
        return read_regular(Path(source), most=MAX_BYTES)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise UsageError(
            f"the table {source} cannot be read: {reason}", "give a page, a JSON file, or its address"
        ) from (problem)


def lines_in(files: Sequence[str]) -> list[bytes]:
    """The lines of events in files, each once. Raises UsageError."""
    lines: dict[bytes, None] = {}
    for name in files:
        try:
            content = read_regular(Path(name), most=MAX_BYTES)
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or problem
            raise UsageError(f"the events {name} cannot be read: {reason}") from problem
        for line in filter(None, content.splitlines()):
            try:
                codec.read_envelope(line)
            except BadLine as problem:
                hint = "the publisher writes such a line with benchmarks ledger prove SEQ --save-event FILE"
                raise UsageError(f"{name} does not hold lines of a ledger: {problem}", hint) from problem
            lines[line] = None
    return [*lines]


def _fetched(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as answer:  # noqa: S310 - only http and https
            pieces, size, end = [], 0, time.monotonic() + _MAX_SECONDS
            while piece := answer.read1(_CHUNK):
                pieces.append(piece)
                size += len(piece)
                if size > MAX_BYTES or time.monotonic() > end:
                    limit = f"{MAX_BYTES} bytes" if size > MAX_BYTES else f"{_MAX_SECONDS:.0f} seconds"
                    raise UsageError(f"{address} takes more than {limit}", "download it, and give the file")
            return b"".join(pieces)
    except (OSError, ValueError, http.client.HTTPException) as problem:
        has_reason = isinstance(problem, urllib.error.URLError) and not isinstance(problem, urllib.error.HTTPError)
        reason = problem.reason if has_reason else problem  # type: ignore[union-attr]
        raise UsageError(f"{address} cannot be read: {reason}", "check the address") from problem


def encoded(document: TableDocument) -> bytes:
    """A document as JSON, indented."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
