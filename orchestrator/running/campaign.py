"""A campaign: one `run` command from its plan to the closing of its group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from ...ledger.events import (
    Counts,
    Event,
    GroupClosed,
    GroupOpened,
    Incompatible,
    Json,
    NewEvent,
    Request,
)
from ...ledger.fold import Run
from ...ledger.history import History
from ...ledger.identity import this_process
from ...ledger.ledger import Ledger
from ...projections.workspace import Workspace
from ..machine.capacity import Capacity
from ..machine.presence import present
from ..machine.reservation import lock_folder
from ..models.endpoints import Endpoints
from ..models.prices import Prices
from ..models.providers import NO_MODEL
from ..planning.addresses import elsewhere, recorded_addresses
from ..planning.changes import Change
from ..planning.claim import Policy, explain, judge
from ..planning.plan import PlannedRun, titles
from ..recording.high_scores import newly_published
from ..redaction import Redactor
from .budget import Allowance, Budget
from .display import Display
from .execution import Cancellation
from .identifiers import new_group_id
from .provenance import workspace_provenance
from .recovery import count
from .retries import Retries
from .schedule import Schedule, longest_first
from .supervision import Limits, Supervisor


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a campaign needs to know; `environ` is the environment that children inherit from."""

    workspace: Workspace
    request: Request
    plan: Sequence[PlannedRun]
    policy: Policy
    jobs: int
    environ: Mapping[str, str]
    capacity: Capacity
    explain: bool = False
    changes: Mapping[str, Change] = {}
    limits: Limits = Limits()
    retries: Retries = Retries()
    prices: Prices
    allowance: Allowance = Allowance()


class Result(msgspec.Struct, frozen=True):
    """How a campaign ended: its group, the runs that it made, and whether it was interrupted.

    `notes` tell why it ended before all was done, where it did.
    """

    run_group_id: str
    counts: Counts
    runs: list[Run]
    interrupted: bool
    notes: list[str] = []


def conduct(
    campaign: Campaign,
    ledger: Ledger,
    *,
    redactor: Redactor,
    display: Display,
    cancellation: Cancellation,
) -> Result:
    """Do what of the plan has to be done; every transition is in the ledger when this returns or raises.

    Raises what `Ledger.decide` raises.
    """
    group_id = new_group_id()
    provenance = workspace_provenance(campaign.workspace.root)
    budget = Budget(campaign.allowance)
    to_do = _open_group(campaign, ledger, group_id, provenance, redactor, display)
    left = 0
    if to_do and not cancellation.requested:
        folder = campaign.workspace.group_folder(group_id)
        with (
            present(folder),
            Endpoints(
                log_path=folder / "local-server.log",
                announce=display.note,
                cancelled=lambda: cancellation.requested,
            ) as endpoints,
        ):
            supervisor = Supervisor(
                workspace=campaign.workspace,
                ledger=ledger,
                run_group_id=group_id,
                policy=campaign.policy,
                changes=campaign.changes,
                endpoints=endpoints,
                environ=campaign.environ,
                provenance=provenance,
                redactor=redactor,
                display=display,
                cancellation=cancellation,
                limits=campaign.limits,
                prices=campaign.prices,
                budget=budget,
            )
            left = _perform_all(supervisor, _in_order(to_do, campaign.jobs, ledger), campaign, cancellation)
    reason, notes = _why_over(cancellation, budget, left)
    if to_do:
        _close_group(ledger, group_id, reason, notes)
    for text in notes:
        display.note(text)
    return ledger.look(
        lambda history: Result(
            group_id, count(history, group_id), history.runs_of(group_id), cancellation.requested, notes
        )
    )


def _why_over(cancellation: Cancellation, budget: Budget, left: int) -> tuple[str, list[str]]:
    """Why a campaign is over, in a word, and what there is to say of it."""
    if cancellation.requested:
        return "interrupted", []
    if left and (exceeded := budget.exceeded()):
        reason, told = exceeded
        return reason, [f"{told}: {left} more {'was' if left == 1 else 'were'} not begun"]
    return "completed", []


def _open_group(
    campaign: Campaign, ledger: Ledger, group_id: str, provenance: Json, redactor: Redactor, display: Display
) -> list[PlannedRun]:
    """Record the group with all that needs no run, in one append; what is left to do."""
    to_do: list[PlannedRun] = []
    sentences: list[str] = []
    skipped: list[tuple[int, PlannedRun, Run]] = []
    opened = GroupOpened(
        request=campaign.request,
        benchmarks=list(dict.fromkeys(planned.adapter.id for planned in campaign.plan)),
        repo_meta=provenance,
        created_by="run",
        owner=this_process(),
    )

    named = titles(campaign.plan)
    # What differs from an earlier run is a detail, which no decision reads.
    detailed = ledger.history() if campaign.explain else None

    def decide(history: History) -> list[NewEvent]:
        to_do.clear()
        sentences.clear()
        skipped.clear()
        outcomes: list[Event] = []
        for title, planned in zip(named, campaign.plan, strict=True):
            if planned.missing:
                outcomes.append(_incompatible(planned))
                sentences.append(f"{title}: incompatible: {'; '.join(planned.missing)}")
                continue
            verdict = judge(history, planned, campaign.policy, campaign.changes)
            if verdict.run:
                to_do.append(planned)
            else:
                outcomes.append(verdict.skipped(planned))
            if campaign.explain or not verdict.run:
                if verdict.decided_by and not verdict.run:
                    skipped.append((len(sentences), planned, verdict.decided_by))
                sentences.append(f"{title}: {explain(detailed or history, planned, verdict)}")
        manifests = [planned.adapter.manifest for planned in campaign.plan]
        published = newly_published(history, manifests, ledger.as_recorded)
        if not to_do:
            kinds = [event.type for event in outcomes]
            counts = Counts(skipped=kinds.count("skipped"), incompatible=kinds.count("incompatible"))
            outcomes.append(GroupClosed(counts=counts, reason="completed"))
        return [NewEvent(group_id, event) for event in (opened, *outcomes)] + published

    ledger.decide(decide)
    addresses = recorded_addresses(ledger, [run for _, planned, run in skipped if planned.provider != NO_MODEL])
    for place, planned, run in skipped:
        sentences[place] += elsewhere(planned, addresses.get(run.run_id))
    if sentences:
        display.note(redactor.text("\n".join(sentences)))  # At once: there may be ten thousand.
    return to_do


def _incompatible(planned: PlannedRun) -> Incompatible:
    return Incompatible(
        benchmark_id=planned.adapter.id,
        signature=planned.signature.digest,
        missing=planned.missing,
        agent=planned.agent,
        provider=planned.provider,
        model=planned.model,
    )


def _in_order(to_do: Sequence[PlannedRun], jobs: int, ledger: Ledger) -> Sequence[PlannedRun]:
    """As they were asked for; side by side, the longest first."""
    return ledger.look(lambda history: longest_first(to_do, history)) if jobs > 1 else to_do


def _perform_all(
    supervisor: Supervisor, to_do: Sequence[PlannedRun], campaign: Campaign, cancellation: Cancellation
) -> int:
    """How many pieces of work were not begun, because nothing may begin any more."""
    display = supervisor.display
    schedule = Schedule(to_do, campaign.capacity, locks=_locks_for(to_do, display), announce=display.note)

    def is_over() -> bool:
        return cancellation.requested or supervisor.budget.exceeded() is not None

    waits: dict[str, Iterator[float]] = {}

    def retry(planned: PlannedRun) -> None:
        wait = next(waits.setdefault(planned.signature.digest, campaign.retries.waits()), None)
        if wait is not None and not is_over():
            display.note(f"{planned.adapter.id}: this may pass; the next try is in {wait:.0f} s, or when there is room")
            schedule.put_back(planned, wait)

    def work() -> None:
        while taken := schedule.take(is_over):
            planned, grant = taken
            try:
                may_pass = supervisor.perform(planned, grant)
            except BaseException:
                # Probably the ledger cannot be written, so later runs could not be recorded either.
                if not cancellation.requested:
                    cancellation.request()
                raise
            finally:
                schedule.give_back(grant)
            # What waits for its next try holds nothing meanwhile.
            if may_pass:
                retry(planned)

    if campaign.jobs == 1:
        work()
    else:
        with ThreadPoolExecutor(campaign.jobs, thread_name_prefix="run") as pool:
            for future in [pool.submit(work) for _ in range(campaign.jobs)]:
                future.result()
    return schedule.left


def _locks_for(to_do: Sequence[PlannedRun], display: Display) -> Path | None:
    """The folder of the locks that this machine's orchestrators share, where anything needs one."""
    if not any(asked.gpus or asked.exclusive for asked in (planned.adapter.manifest.resources for planned in to_do)):
        return None
    try:
        return lock_folder()
    except OSError as problem:
        display.note(f"other orchestrators may use the same GPUs meanwhile: {problem.filename}: {problem.strerror}")
        return None


def _close_group(ledger: Ledger, group_id: str, reason: str, notes: list[str]) -> None:
    def decide(history: History) -> list[NewEvent]:
        return [NewEvent(group_id, GroupClosed(counts=count(history, group_id), reason=reason, notes=notes))]

    ledger.decide(decide)
