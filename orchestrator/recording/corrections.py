"""The author of a correction, and declarations that two revisions of a task are equivalent."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path

from ...ledger.corrections import not_empty
from ...ledger.equivalence import Equivalences
from ...ledger.events import EquivalenceDeclared, EquivalenceWithdrawn, Event, Json, NewEvent, Record
from ...ledger.ledger import Ledger
from ..errors import UsageError

_GIT_SECONDS = 5


def default_author(folder: Path) -> str:
    """The git user of a folder, as `name <email>`; otherwise the name of the account."""
    name, email = (_git_config(folder, key) for key in ("user.name", "user.email"))
    if name and email:
        return f"{name} <{email}>"
    return name or email or getpass.getuser()


def _git_config(folder: Path, key: str) -> str:
    try:
        done = subprocess.run(
            ["git", "config", "--get", key],
            cwd=folder if folder.is_dir() else None,
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return " ".join(done.stdout.split())


def declare(
    ledger: Ledger,
    benchmark_id: str,
    revisions: list[str],
    *,
    author: str,
    reason: str,
    evidence: Json,
    withdraw: bool = False,
) -> Record:
    """Declare that two revisions are equivalent, or withdraw the declaration. Raises UsageError."""
    known = Equivalences(ledger.store)
    is_declared = known.declared(benchmark_id, *revisions)
    if withdraw and not is_declared:
        raise UsageError(f"{benchmark_id}: these revisions are not declared to be equivalent")
    if not withdraw and is_declared:
        raise UsageError(f"{benchmark_id}: these revisions are declared to be equivalent already")
    checked = not_empty(reason)
    event: Event = (
        EquivalenceWithdrawn(revisions=revisions, author=author, reason=checked)
        if withdraw
        else EquivalenceDeclared(revisions=revisions, author=author, reason=checked, evidence=evidence)
    )
    return ledger.decide(lambda _: [NewEvent(benchmark_id, event)]).records[0]
