"""Opens the store that a ledger URL names."""

from __future__ import annotations

from pathlib import Path

from ..errors import UnsupportedLedger
from ..store import EventStore, Notice
from .postgres_address import Address, is_postgres, shown_url


def open_store(url: str, *, notice: Notice, cache: Path | None = None) -> EventStore:
    """The store that a ledger URL names: the path of a folder, `jsonl:///path/of/folder`, `sqlite:///path/of/file`,
    or `postgresql://user@host/database`.

    `cache` is a folder of this machine for what belongs to a ledger on another machine, such as its index. Creates
    nothing. Raises UnsupportedLedger for another kind.
    """
    if is_postgres(url):
        address = Address(url)
        from .postgres import PostgresStore  # It needs psycopg, which `Address` has found.

        return PostgresStore(address, notice=notice, cache=cache)
    scheme, separator, rest = url.partition("://")
    path = Path(rest if separator else url)
    if not separator or scheme == "jsonl":
        from .jsonl import JsonlStore

        return JsonlStore(path, notice=notice)
    if scheme == "sqlite" and path.name:
        from .sqlite import SqliteStore

        return SqliteStore(path, notice=notice)
    raise UnsupportedLedger(
        f"unknown kind of ledger: '{shown_url(url)}'",
        "give a folder's path, jsonl:///path/of/a/folder, sqlite:///path/of/a/file or postgresql://user@host/database",
    )
