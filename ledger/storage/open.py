"""Opens the store that a ledger URL names."""

from __future__ import annotations

from pathlib import Path

from ..errors import UnsupportedLedger
from ..store import EventStore, Notice


def open_store(url: str, *, notice: Notice) -> EventStore:
    """The store that a ledger URL names: a folder's path, `jsonl:///path/of/folder`, or `sqlite:///path/of/file`.

    Creates nothing. Raises UnsupportedLedger for another kind.
    """
    scheme, separator, rest = url.partition("://")
    path = Path(rest if separator else url)
    if not separator or scheme == "jsonl":
        from .jsonl import JsonlStore

        return JsonlStore(path, notice=notice)
    if scheme == "sqlite" and path.name:
        from .sqlite import SqliteStore

        return SqliteStore(path, notice=notice)
    raise UnsupportedLedger(
        f"unknown kind of ledger: '{url}'\nhint: give a folder's path, jsonl:///path/of/a/folder or sqlite:///path/of/a/file"
    )
