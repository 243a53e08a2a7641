"""Corrections of the history: runs are annotated, retracted or reinstated. Each correction is a new event."""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from ...ledger.equivalence import Equivalences
from ...ledger.events import (
    Annotated,
    EquivalenceDeclared,
    EquivalenceWithdrawn,
    Event,
    Json,
    NewEvent,
    Record,
    Reinstated,
    Retracted,
)
from ...ledger.fold import Run
from ...ledger.history import History
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


def annotate(ledger: Ledger, run_id: str, *, author: str, note: str, tags: Sequence[str] = ()) -> Record:
    """Record a remark. Raises UsageError for an empty one."""
    if not note.strip() and not tags:
        raise UsageError("the remark is empty", "give a --note or a --tag")
    return _record(ledger, run_id, lambda _: Annotated(author=author, note=note, tags=list(dict.fromkeys(tags))))


def retract(ledger: Ledger, run_id: str, *, author: str, reason: str) -> Record:
    """Retract a run: it no longer counts, its work can run again, and it stays visible. Raises UsageError."""

    def decide(run: Run) -> Event:
        if run.status == "running":
            raise UsageError(f"the run {run_id} is still running", "interrupt it first, or wait for its end")
        if run.retracted is not None:
            raise UsageError(f"the run {run_id} is retracted already, by {run.retracted.author}")
        return Retracted(author=author, reason=_not_empty(reason))

    return _record(ledger, run_id, decide)


def reinstate(ledger: Ledger, run_id: str, *, author: str, reason: str) -> Record:
    """Reinstate a retracted run: it counts again. Raises UsageError."""

    def decide(run: Run) -> Event:
        if run.retracted is None:
            raise UsageError(f"the run {run_id} is not retracted")
        return Reinstated(author=author, reason=_not_empty(reason))

    return _record(ledger, run_id, decide)


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
    checked = _not_empty(reason)
    event: Event = (
        EquivalenceWithdrawn(revisions=revisions, author=author, reason=checked)
        if withdraw
        else EquivalenceDeclared(revisions=revisions, author=author, reason=checked, evidence=evidence)
    )
    return ledger.decide(lambda _: [NewEvent(benchmark_id, event)]).records[0]


def _not_empty(reason: str) -> str:
    if not reason.strip():
        raise UsageError("the reason is empty", "say in --reason why")
    return reason


def _record(ledger: Ledger, run_id: str, event_of: Callable[[Run], Event]) -> Record:
    """Decide under the ledger's lock, so that two people cannot both retract the same run."""

    def decision(history: History) -> list[NewEvent]:
        run = history.runs.get(run_id)
        if run is None:
            raise UsageError(f"the ledger has no run '{run_id}'", "benchmarks show-runs lists the runs")
        return [NewEvent(run_id, event_of(run))]

    return ledger.decide(decision).records[0]
