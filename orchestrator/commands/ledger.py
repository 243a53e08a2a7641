"""`ledger`: the events themselves, and the proof that nobody changed them."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable

import click
import msgspec

from ...ledger.events import Record
from .place import Place, in_place, json_option


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
    records: Iterable[Record] = (
        record
        for record in place.store().read()
        if (kind is None or record.type == kind) and (stream is None or record.stream == stream)
    )
    for record in records if limit is None else deque(records, maxlen=limit):
        if as_json:
            sys.stdout.write(msgspec.json.encode(_row(record)).decode() + "\n")
        else:
            print(f"{record.seq:>8}  {record.at}  {record.type:<20}  {record.stream}  {record.hash[:12]}")


def _row(record: Record) -> dict[str, object]:
    return {
        "seq": record.seq,
        "id": record.id,
        "at": record.at,
        "type": record.type,
        "stream": record.stream,
        "version": record.version,
        "data": msgspec.to_builtins(record.data),
        "prev": record.prev,
        "hash": record.hash,
    }
