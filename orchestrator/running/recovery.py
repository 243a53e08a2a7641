"""Recovery: closes the runs and groups that a dead orchestrator left open, once.

Processes of a dead owner are ended first. If a child provably ended by itself, its result is adopted and judged by the
manifest that the run began with. Every other run fails as `orchestrator_lost`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec.structs import replace

from ...adapters.adapter import Adapter
from ...adapters.manifest import Manifest
from ...adapters.result.storable import well_formed
from ...ledger.commitment import is_from_shell
from ...ledger.events import (
    CancelRequested,
    Counts,
    Failed,
    Finished,
    GroupClosed,
    NewEvent,
    Recovered,
    Recoverer,
    Started,
)
from ...ledger.fold import Group, Run
from ...ledger.history import History
from ...ledger.identity import liveness, parse_utc, shares_processes, this_process, utc_of
from ...ledger.ledger import Ledger
from ...ledger.run_files import NotReadable, read_inside
from ...ledger.staleness import is_stale, silence
from ...ledger.storage.postgres_address import is_postgres
from ...projections.workspace import Workspace
from ..machine.presence import is_present
from ..machine.processes import end_marked
from ..models.prices import Prices, priced
from .execution import End, Exit, end_shell, marker_of, read_end
from .fingerprints import read_fingerprints, remove_fingerprints
from .last_words import with_last_words
from .outcome import MANIFEST, Left, against, weigh
from .patience import Patience
from .provenance import content_of

_GRACE_SECONDS = 5.0
_LATE_SECONDS = 1.0
"""Allowed difference between file times, since the clock of a file system moves in steps."""
_SEARCH_SECONDS = 30.0
"""Maximum time to search the texts of a lost run for secrets."""
_MAX_MANIFEST_BYTES = 4 * 1024 * 1024
OBEY_SECONDS = 60.0
"""A group whose process is alive is closed within this time after it was cancelled; usually it takes seconds."""

IsLost = Callable[[Run], bool]


def provably_dead(run: Run) -> bool:
    """Whether the run's owner is provably gone."""
    return liveness(run.owner, run.last_seen_at) == "dead"


def lost_to(ledger: Ledger) -> IsLost:
    """Which runs `run` recovers unasked: those whose owner is provably gone, or whose lease has run out.

    Leases count only if one clock gives the times of all events, that of a database: clocks of machines differ.
    """
    if not is_postgres(ledger.store.url):
        return provably_dead
    return lambda run: provably_dead(run) or is_stale(run, now=ledger.store.now())


def recover(
    ledger: Ledger,
    is_lost: IsLost,
    *,
    workspace: Workspace,
    adapters: Mapping[str, Adapter],
    prices: Prices,
) -> list[Run]:
    """Close the runs that are lost, and the groups whose owner is gone or does not obey. Returns the recovered runs.

    Runs and groups of merged ledgers are not closed here, but in the ledger in which they began. Each run is checked
    again under the ledger's lock, so a run that ended meanwhile is not changed. Raises what `Ledger.decide` raises.
    """
    lost: list[Run] = []
    disobedient = _disobedient(ledger, workspace)

    def decide(history: History) -> list[NewEvent]:
        lost[:] = [run for run in history.open_runs() if history.is_ours(run) and is_lost(run)]
        return _ends_of_groups(history, disobedient)

    ledger.decide(decide)
    recovered = [
        after
        for run in lost
        if not _is_present(run, workspace)
        and (after := _recover_run(ledger, run, is_lost, workspace, adapters, prices)) is not None
    ]
    if recovered:
        ledger.decide(lambda history: _ends_of_groups(history, disobedient))
    return recovered


def recover_one(ledger: Ledger, run: Run, what: str, *, workspace: Workspace, prices: Prices) -> Run | None:
    """Close a run of which the caller knows that its process cannot end it: `what` says what happened to that.

    This is a fence: if the process lives all the same, what it reports later is recorded as late. Returns the closed
    run, or None if it has ended meanwhile. Raises what `Ledger.decide` raises.
    """
    return _recover_run(ledger, run, lambda _: True, workspace, {}, prices, what)


def _is_present(run: Run, workspace: Workspace) -> bool:
    """Whether an owner in another PID namespace, which the process table does not show, still holds its lock."""
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
    what: str = "",
) -> Run | None:
    """Close one lost run; `what` says what happened to its owner, if that is known.

    Returns the closed run, or None if the run is alive or has ended.
    """
    folder = _folder_of(run, workspace)
    if shares_processes(run.owner):
        # End the shell first, so that a noted end was noted before anything was ended here.
        end_shell(run.run_id)
        end = read_end(folder)
        end_marked(marker_of(run.run_id), grace_seconds=_GRACE_SECONDS)
    else:
        end = read_end(folder)
    try:
        ended = _judge(ledger, run, folder, adapters.get(run.benchmark_id), end)
    except Exception as problem:  # noqa: BLE001 - the last guard: a lost run is closed even if its files are not valid
        ended = _Ended(left=well_formed(f"its files cannot be read: {type(problem).__name__}: {problem}"))
    hidden, is_over = read_fingerprints(folder), Patience(seconds=_SEARCH_SECONDS).is_over
    ended = replace(ended, left=hidden.text(ended.left, is_over))
    adopted = ended.adopted and priced(hidden.event(ended.adopted, is_over), prices.find(run.provider, run.model))

    def decide(history: History) -> list[NewEvent]:
        now = history.runs[run.run_id]
        if now.status != "running" or not is_lost(now):
            return []
        result = replace(adopted, **against(adopted, history.reference(run.benchmark_id))) if adopted else None
        event = _recovered(now, ended, result, what, ledger.store.now())
        if end and event.adopted:
            event = replace(event, adopted=replace(event.adopted, revealed=end.proof))
        return [NewEvent(run.run_id, event)]

    recovered = ledger.decide(decide).runs.get(run.run_id)
    if recovered is not None:
        with contextlib.suppress(OSError):  # It may belong to another user, or the file system may be read-only.
            remove_fingerprints(folder)
    return recovered


class _Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The known end of a lost run's benchmark: the result if it is adopted, otherwise a text about it.

    `at` is when the benchmark ended, in Unix seconds; None if unknown.
    """

    adopted: Finished | None = None
    left: str = ""
    at: float | None = None


def _recovered(run: Run, ended: _Ended, adopted: Finished | None, what: str, at_ledger: float) -> Recovered:
    owner = run.owner
    who = f"process {owner.pid} on {owner.host}" if owner else "its owner"
    state = "is gone" if provably_dead(run) else "gave no sign of life"
    me = this_process()
    began = parse_utc(run.started_at).timestamp()
    at = parse_utc(run.last_seen_at).timestamp() if ended.at is None else ended.at
    return Recovered(
        reason="; ".join(
            filter(None, [f"{who}: {what}" if what else f"{who} {state}", f"last seen {run.last_seen_at}", ended.left])
        ),
        last_seen_at=run.last_seen_at,
        stale_seconds=round(silence(run, at_ledger), 3),
        by=Recoverer(me.host, me.pid),
        adopted=adopted,
        ended_at=utc_of(at),
        duration_seconds=round(max(0.0, at - began), 6),
    )


def _judge(ledger: Ledger, run: Run, folder: Path, adapter: Adapter | None, end: End | None) -> _Ended:
    """How the benchmark of a lost run ended. Its result is adopted only if a proof shows that it ended by itself.

    The result is judged by the manifest that the run began with.
    """
    if end is None:
        return _Ended(left=with_last_words("", folder))
    began = parse_utc(run.started_at).timestamp()
    # A file may have any time, but the end lies between the start and now.
    at = min(max(end.at, began), time.time())
    manifest = _manifest_of(ledger, run, folder, adapter)
    if manifest is None:
        problem = "its benchmark noted its end, but the manifest that it began with is missing"
        return _Ended(left=with_last_words(problem, folder), at=at)
    commitment = run.owner.commitment if run.owner else ""
    is_proven = bool(commitment) and is_from_shell(commitment, end.proof)
    if end.status in manifest.run.ok_exit_codes and not is_proven:
        problem = f"exit status {end.status} is noted, but without a proof that its benchmark ended by itself"
        return _Ended(left=with_last_words(problem, folder))
    exit = Exit(return_code=end.status, duration_seconds=max(0.0, at - began))
    left = Left(
        folder=folder, cwd=Path(run.cwd), started_at=began, synthetic=run.synthetic, task_revision=run.task_revision
    )
    outcome = replace(weigh(manifest, exit, left, is_over=Patience().is_over), ended_at=utc_of(at))
    if isinstance(outcome, Failed):
        return _Ended(left=f"its benchmark ended by itself: {outcome.error}", at=at)
    if outcome.result_json_path and Path(outcome.result_json_path).lstat().st_ctime > end.changed_at + _LATE_SECONDS:
        return _Ended(left=with_last_words("its result was changed after its benchmark had ended", folder), at=at)
    return _Ended(adopted=outcome, at=at)


def _manifest_of(ledger: Ledger, run: Run, folder: Path, adapter: Adapter | None) -> Manifest | None:
    """The manifest that a run began with; None if neither its folder nor the workspace has it."""
    record = next(ledger.store.read(stream=run.run_id, types=[Started.type]), None)
    recorded = record.data.provenance.get("manifest") if record and isinstance(record.data, Started) else None
    digest = recorded.get("content_sha256") if isinstance(recorded, dict) else None
    candidates = [content_of(adapter.manifest.played_by(run.agent))] if adapter else []
    with contextlib.suppress(NotReadable):
        candidates.insert(0, read_inside(folder, MANIFEST, most=_MAX_MANIFEST_BYTES))
    content = next((content for content in candidates if sha256(content).hexdigest() == digest), None)
    return None if content is None else msgspec.json.decode(content, type=Manifest)


def _disobedient(ledger: Ledger, workspace: Workspace) -> frozenset[str]:
    """The open groups that were cancelled OBEY_SECONDS ago, and whose owner may be gone: nothing is known of it here.

    A group has no lease, because it may wait for hours. But an owner that is alive closes a cancelled group at once.
    """

    def find(history: History) -> list[str]:
        return [
            group.run_group_id
            for group in history.open_groups()
            if group.cancel_requested and liveness(group.owner, group.created_at) == "unknown"
        ]

    found = set()
    for name in ledger.look(find):
        asked = next(ledger.store.read(stream=name, types=[CancelRequested.type]), None)
        is_late = asked is not None and ledger.store.now() - parse_utc(asked.at).timestamp() > OBEY_SECONDS
        if is_late and not is_present(workspace.group_folder(name)):
            found.add(name)
    return frozenset(found)


def _ends_of_groups(history: History, disobedient: Collection[str]) -> list[NewEvent]:
    """The closing events of the groups that have no open run, and whose owner is dead or does not obey."""
    return [
        NewEvent(
            group.run_group_id,
            GroupClosed(
                counts=count(history, group.run_group_id),
                reason="cancelled" if group.cancel_requested else "orchestrator_lost",
            ),
        )
        for group in history.open_groups()
        if history.is_ours(group)
        and (liveness(group.owner, group.created_at) == "dead" or group.run_group_id in disobedient)
        and all(run.status != "running" for run in history.runs_of(group.run_group_id))
    ]


def count(history: History, run_group_id: str) -> Counts:
    """How the work of a group has ended so far. If a piece of work has several attempts, the last one counts."""
    group: Group = history.groups[run_group_id]
    runs = {run.signature: run for run in history.runs_of(run_group_id)}.values()
    return Counts(
        succeeded=sum(run.status == "succeeded" for run in runs),
        failed=sum(run.status == "failed" for run in runs),
        skipped=len(group.skipped),
        incompatible=len(group.incompatible),
    )
