"""What a Ray worker process calls; Ray itself is not imported before a package has to be fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ...projections.workspace import Workspace
from ..models.prices import Prices
from ..running.recovery import provably_dead, recover_one
from . import node
from .errand import LedgerAddress, decode


def perform(errand: bytes, package: list[Any]) -> bytes:
    """Perform an errand; `package` holds the reference to the content of its package, or None."""

    def fetch() -> bytes:
        import ray

        content: bytes = ray.get(package[0])
        return content

    return msgspec.msgpack.encode(node.perform(decode(errand), fetch, shares_models=True))


def probe(ledger: bytes, seq: int, digest: str, mark_path: str, mark: str) -> bytes:
    """What this machine says of itself."""
    return msgspec.msgpack.encode(node.probe(_address(ledger), (seq, digest), mark_path, mark))


def recover(ledger_address: bytes, workspace: str, run_id: str) -> bytes:
    """Recover a run whose process was on this machine and is gone: `recovered`, else empty."""
    ledger = node.ledger_of(_address(ledger_address))
    run = ledger.look(lambda history: history.runs.get(run_id))
    if run is None or run.status != "running" or not provably_dead(run):
        return b""
    roots = [Path(workspace), node.own_workspace(run.run_group_id)]
    root = next((root for root in roots if Workspace(root).group_folder(run.run_group_id).is_dir()), roots[0])
    closed = recover_one(ledger, run, "its worker process died", workspace=Workspace(root), prices=Prices([]))
    return b"recovered" if closed else b""


def _address(content: bytes) -> LedgerAddress:
    return msgspec.msgpack.decode(content, type=LedgerAddress)
