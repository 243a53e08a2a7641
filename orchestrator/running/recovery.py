"""Recovery: what a dead orchestrator left open is brought to its end, once.

Processes that still work for a dead owner are ended first. A child that came to its end by itself has its result
adopted, weighed as any other; everything else has failed as `orchestrator_lost`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec.structs import replace

from ...adapters.adapter import Adapter
from ...ledger.events import Counts, Event, Failed, Finished, GroupClosed, NewEvent, Recovered, Recoverer
from ...ledger.fold import Group, Run
from ...ledger.history import History
from ...ledger.identity import liveness, parse_utc, shares_processes, this_process, utc_of
from ...ledger.ledger import Ledger
from ...ledger.staleness import silence
from ...projections.workspace import Workspace
from ..machine.presence import is_present
from ..machine.processes import end_marked
from ..models.prices import Prices, priced
from .execution import EXIT_STATUS, Exit, marker_of, read_exit_status
from .fingerprints import read_fingerprints, remove_fingerprints
from .last_words import with_last_words
from .outcome import Left, against, weigh
from .patience import Patience

_GRACE_SECONDS = 5.0

IsLost = Callable[[Run], bool]


def provably_dead(run: Run) -> bool:
    """Whether the run's owner is provably gone."""
    return liveness(run.owner, run.last_seen_at) == "dead"


def recover(
    ledger: Ledger,
    is_lost: IsLost,
    *,
    workspace: Workspace,
    adapters: Mapping[str, Adapter],
    prices: Prices,
) -> list[Run]:
    """Close the runs that are lost, and the groups that nobody is left to close; the recovered runs.

    Each is judged again under the ledger's lock, so a run that ended meanwhile is left alone. Raises what
    `Ledger.decide` raises.
    """
    lost = [
        run
        for run in ledger.look(lambda history: [run for run in history.open_runs() if is_lost(run)])
        if not _is_present(run, workspace)
    ]
    recovered = [run for run in lost if _recover_run(ledger, run, is_lost, workspace, adapters, prices)]
    _close_groups(ledger)
    return ledger.look(lambda now: [now.runs[run.run_id] for run in recovered]) if recovered else []


def _is_present(run: Run, workspace: Workspace) -> bool:
    """Whether an owner of which the process table says nothing still keeps its sign: one in another PID namespace."""
    is_unknown = liveness(run.owner, run.last_seen_at) == "unknown"
    return is_unknown and is_present(workspace.group_folder(run.run_group_id))


def _folder_of(run: Run, workspace: Workspace) -> Path:
    return workspace.run_folder(run.run_group_id, run.benchmark_directory, run.benchmark_id, run.run_id)


def _recover_run(
    ledger: Ledger,
    run: Run,
    is_lost: IsLost,
    workspace: Workspace,
    adapters: Mapping[str, Adapter],
    prices: Prices,
) -> bool:
    folder = _folder_of(run, workspace)
    if shares_processes(run.owner):
        end_marked(marker_of(run.run_id), grace_seconds=_GRACE_SECONDS)
    adopted, left = None, ""
    try:
        outcome = _outcome(run, folder, adapters.get(run.benchmark_id))
    except Exception as problem:  # noqa: BLE001 - the last guard: whatever it left, a lost run is closed
        outcome, left = None, f"what it left cannot be judged: {type(problem).__name__}: {problem}"
    if isinstance(outcome, Finished):
        adopted = priced(outcome, prices.find(run.provider, run.model))
    else:
        left = f"its benchmark ended by itself: {outcome.error}" if outcome else with_last_words(left, folder)

    hidden = read_fingerprints(folder)

    def decide(history: History) -> list[NewEvent]:
        now = history.runs[run.run_id]
        if now.status != "running" or not is_lost(now):
            return []
        result = replace(adopted, **against(adopted, history.reference(run.benchmark_id))) if adopted else None
        return [NewEvent(run.run_id, hidden.event(_recovered(now, result, left)))]

    is_recovered = bool(ledger.decide(decide))
    if is_recovered:
        with contextlib.suppress(OSError):  # It may be of another user, or of a file system that is read only.
            remove_fingerprints(folder)
    return is_recovered


def _recovered(run: Run, adopted: Finished | None, left: str) -> Event:
    """The event; `left` is what there is to say of a child without a valid result."""
    owner = run.owner
    who = f"process {owner.pid} on {owner.host}" if owner else "its owner"
    state = "is gone" if provably_dead(run) else "gave no sign of life"
    me = this_process()
    return Recovered(
        reason="; ".join(filter(None, [f"{who} {state}", f"last seen {run.last_seen_at}", left])),
        last_seen_at=run.last_seen_at,
        stale_seconds=round(silence(run), 3),
        by=Recoverer(me.host, me.pid),
        adopted=adopted,
    )


def _outcome(run: Run, folder: Path, adapter: Adapter | None) -> Finished | Failed | None:
    """What a child came to that ended by itself while nobody watched; None where that is not known."""
    status = read_exit_status(folder)
    if status is None or adapter is None:
        return None
    began = parse_utc(run.started_at).timestamp()
    # The time of a file is what anybody set: the end lies between the start and now.
    ended = min(max((folder / EXIT_STATUS).lstat().st_mtime, began), time.time())
    exit = Exit(return_code=status, duration_seconds=max(0.0, ended - began))
    left = Left(folder=folder, cwd=Path(run.cwd), started_at=began, synthetic=run.synthetic)
    outcome = weigh(adapter.manifest.played_by(run.agent), exit, left, is_over=Patience().is_over)
    return replace(outcome, ended_at=utc_of(ended))


def _close_groups(ledger: Ledger) -> None:
    """Close every group whose owner is gone and that has no open run."""

    def decide(now: History) -> list[NewEvent]:
        abandoned = [group for group in now.open_groups() if liveness(group.owner, group.created_at) == "dead"]
        return [
            NewEvent(group.run_group_id, GroupClosed(counts=count(now, group.run_group_id), reason="orchestrator_lost"))
            for group in abandoned
            if all(run.status != "running" for run in now.runs_of(group.run_group_id))
        ]

    ledger.decide(decide)


def count(history: History, run_group_id: str) -> Counts:
    """How the pieces of work of a group ended, so far: of several tries at one, the last counts."""
    group: Group = history.groups[run_group_id]
    runs = {run.signature: run for run in history.runs_of(run_group_id)}.values()
    return Counts(
        succeeded=sum(run.status == "succeeded" for run in runs),
        failed=sum(run.status == "failed" for run in runs),
        skipped=len(group.skipped),
        incompatible=len(group.incompatible),
    )
