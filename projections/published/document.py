"""A published table as one JSON document: the event, its evidence as lines of the ledger, and proofs of each line."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec

from ...ledger.aside import set_aside_in
from ...ledger.events import Annotated, CancelRequested, Heartbeat, Json, PublishedRow, TablePublished
from ...ledger.proof.checkpoint import parse_note
from ...ledger.proof.encoding import encode64
from ...ledger.proof.kept import Tree, ask_tree
from ...ledger.proof.proof import NotProven
from ...ledger.storage import codec
from ...ledger.storage.chain import Head, is_event
from ...ledger.store import EventStore
from ..sqlite.reproductions import Reproduction
from .errata import Erratum

FORMAT = "benchmark-table/1"
MAX_BYTES = 256 * 1024 * 1024
"""Maximum size of a document."""


class ProvenLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the ledger, and the proof that it is in the tree of the checkpoint: hashes in base64."""

    line: str
    proof: list[str]


class WithheldLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that the publisher keeps private: its event's position, hash and proof, and what it is said to be."""

    seq: int
    stream: str
    type: str
    hash: str
    proof: list[str]


class TableDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A published table that can be checked without the ledger.

    `published` is the line of its event; `name`, `version` and `rows` repeat what that says. `events` are the lines of
    all runs behind the rows, without those that no figure follows from, such as heartbeats and remarks. `withheld` are
    lines that the publisher keeps private: their events are in the tree, and what they say cannot be seen. `checkpoint`
    is a note with its signatures, `keys` are those of the ledger and `witnesses` those of its witnesses, as the
    publisher names them. `errata` and `reproductions` are those that the ledger has at the checkpoint.
    """

    format: Literal["benchmark-table/1"] = "benchmark-table/1"
    name: str
    version: int
    rows: list[PublishedRow]
    published: ProvenLine
    events: list[ProvenLine]
    withheld: list[WithheldLine] = []
    checkpoint: str
    keys: list[str] = []
    witnesses: list[str] = []
    errata: list[Erratum] = []
    reproductions: list[Reproduction] = []


class Publication(NamedTuple):
    """A `published` event, with its position, its stream and its time."""

    seq: int
    table_id: str
    at: str
    event: TablePublished


def publications(connection: sqlite3.Connection, name: str | None = None) -> list[Publication]:
    """The published tables in an open `orchestrator.sqlite`, in the order of the ledger; those of one name, or all."""
    query = "SELECT seq, table_id, published_at, document FROM publications"
    found = connection.execute(f"{query} WHERE ? IS NULL OR name = ? ORDER BY seq", (name, name))
    return [
        Publication(seq, table_id, at, msgspec.json.decode(text, type=TablePublished))
        for seq, table_id, at, text in found
    ]


def table_id_of(store: EventStore, name: str) -> str:
    """The stream of a table of this ledger. A merged ledger may have a table of the same name: it is another one."""
    first = next(store.read_lines(), b"")
    return f"table_{name}_{first[-66:-2].decode()[:8]}"


def runs_behind(rows: Iterable[PublishedRow]) -> list[str]:
    """The ids of all runs behind rows: those that count, and the other attempts."""
    return list(dict.fromkeys(run_id for row in rows for run_id in (*(r.run_id for r in row.runs), *row.attempt_ids)))


def make_document(
    store: EventStore,
    publication: Publication,
    note: str,
    *,
    errata: Sequence[Erratum] = (),
    reproductions: Sequence[Reproduction] = (),
    keys: Sequence[str] = (),
    witnesses: Sequence[str] = (),
    withhold: Collection[str] = (),
) -> TableDocument:
    """The document of a published table. `note` is a checkpoint that has its event. Raises LedgerDamaged.

    `withhold` are the types of events whose lines are not shown.
    """
    event = publication.event
    streams = {*runs_behind(event.rows), *(one.run_id for one in reproductions)}
    size = parse_note(note).position
    lines = [*_lines_of(store, streams, size)]
    own = next(store.read_lines(after=publication.seq - 1))

    def prove(tree: Tree) -> list[ProvenLine]:
        return [_proven(tree, line, size) for line in (own, *lines)]

    published, *every = ask_tree(store, prove)
    kinds = [codec.read_envelope(line).type for line in lines]
    return TableDocument(
        name=event.name,
        version=event.version,
        rows=event.rows,
        published=published,
        events=[one for one, kind in zip(every, kinds, strict=True) if kind not in withhold],
        withheld=[_withheld(one) for one, kind in zip(every, kinds, strict=True) if kind in withhold],
        checkpoint=note,
        keys=list(keys),
        witnesses=list(witnesses),
        errata=list(errata),
        reproductions=list(reproductions),
    )


def _lines_of(store: EventStore, streams: set[str], size: int) -> Iterator[bytes]:
    """The lines of these streams in the first `size` events that figures follow from, without those set aside."""
    aside = set_aside_in(store)
    for number, line in enumerate(store.read_lines(), 1):
        if number > size:
            return
        envelope = codec.read_envelope(line)
        if envelope.stream in streams and envelope.type not in _WITHOUT_EFFECT and number not in aside:
            yield line


_WITHOUT_EFFECT = frozenset({Heartbeat.type, Annotated.type, CancelRequested.type})


def _withheld(proven: ProvenLine) -> WithheldLine:
    line = proven.line.encode()
    envelope = codec.read_envelope(line)
    return WithheldLine(
        seq=envelope.seq, stream=envelope.stream, type=envelope.type, hash=line[-66:-2].decode(), proof=proven.proof
    )


def _proven(tree: Tree, line: bytes, size: int) -> ProvenLine:
    index = codec.read_envelope(line).seq - 1
    digest = line[-66:-2].decode()
    return ProvenLine(line=line.decode(), proof=[encode64(one) for one in tree.inclusion(index, digest, size)])


def with_lines(document: TableDocument, lines: Iterable[bytes]) -> TableDocument:
    """The document with lines in the places of withheld ones: a reader who gets them from the publisher can check them.

    Raises NotProven for a line that the document does not withhold, and BadLine for what is not an event.
    """
    hidden = {one.seq: one for one in document.withheld}
    shown = list(document.events)
    for line in lines:
        seq = codec.read_envelope(line).seq
        one = hidden.pop(seq, None)
        if one is None:
            raise NotProven(f"event {seq} is not one that the table withholds")
        if not is_event(line, Head(seq, one.hash)):
            raise NotProven(f"the line of event {seq} is not the one that the table withholds: its hash is another")
        shown.append(ProvenLine(line=line.decode(), proof=one.proof))
    return msgspec.structs.replace(document, events=shown, withheld=[*hidden.values()])


def label(row: PublishedRow) -> str:
    """A row's name for people: the benchmark and the contender, with the options that are not the defaults."""
    return f"{row.benchmark_id}, {row.agent} with {row.provider}:{row.model}"


def registration_of(event: TablePublished) -> Json:
    """What the table says of its registered plan; empty if it names none."""
    return event.registration or {}
