"""The first append of a campaign: its group, and the work of its plan that is not run."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ...ledger.events import Counts, Event, GroupClosed, GroupOpened, Incompatible, Json, NewEvent
from ...ledger.fold import Run
from ...ledger.history import History
from ...ledger.identity import this_process
from ...ledger.ledger import Ledger
from ..models.providers import NO_MODEL
from ..planning.addresses import elsewhere, recorded_addresses
from ..planning.claim import Verdict, explain
from ..planning.plan import PlannedRun, titles
from ..recording.high_scores import newly_published
from .campaign import Campaign


class _Note(msgspec.Struct, frozen=True):
    """A piece of work to report, and its verdict; None if the work is incompatible."""

    title: str
    planned: PlannedRun
    verdict: Verdict | None = None

    @property
    def done(self) -> Run | None:
        """The earlier run that makes the work unnecessary; None if it is not skipped."""
        return None if self.verdict is None or self.verdict.run else self.verdict.decided_by


class _Sorted(msgspec.Struct, frozen=True):
    """A sorted plan: the work to run, and the events and notes of the work that is not run."""

    to_do: list[PlannedRun]
    not_run: list[Event]
    notes: list[_Note]


def open_group(
    campaign: Campaign, ledger: Ledger, group_id: str, provenance: Json, note: Callable[[str], None]
) -> list[PlannedRun]:
    """Record the group and the work that is not run, in one append. Returns the work that is left to do.

    `note` is called at most once, with a line for each piece of work that has a note.
    """
    opened = GroupOpened(
        request=campaign.request,
        benchmarks=list(dict.fromkeys(planned.adapter.id for planned in campaign.plan)),
        repo_meta=provenance,
        created_by="run",
        owner=this_process(),
    )
    work = _Sorted([], [], [])

    def decide(history: History) -> list[NewEvent]:
        nonlocal work
        work = _sort(campaign, history)
        manifests = [planned.adapter.manifest for planned in campaign.plan]
        published = newly_published(history, manifests, ledger.as_recorded)
        events = [opened, *work.not_run, *([] if work.to_do else [_closed(work.not_run)])]
        return [NewEvent(group_id, event) for event in events] + published

    ledger.decide(decide)
    if work.notes:
        note("\n".join(_sentences(work.notes, ledger, details=campaign.explain)))
    return work.to_do


def _sort(campaign: Campaign, history: History) -> _Sorted:
    work = _Sorted([], [], [])
    for title, planned in zip(titles(campaign.plan), campaign.plan, strict=True):
        if planned.missing:
            work.not_run.append(_incompatible(planned))
            work.notes.append(_Note(title, planned))
            continue
        verdict = campaign.rules.judge(history, planned)
        if verdict.run:
            work.to_do.append(planned)
        else:
            work.not_run.append(verdict.skipped(planned))
        if campaign.explain or not verdict.run:
            work.notes.append(_Note(title, planned, verdict))
    return work


def _closed(not_run: list[Event]) -> GroupClosed:
    """The closing event of a group in which nothing has to be run."""
    kinds = [event.type for event in not_run]
    counts = Counts(skipped=kinds.count("skipped"), incompatible=kinds.count("incompatible"))
    return GroupClosed(counts=counts, reason="completed")


def _incompatible(planned: PlannedRun) -> Incompatible:
    return Incompatible(
        benchmark_id=planned.adapter.id,
        signature=planned.signature.digest,
        missing=planned.missing,
        agent=planned.agent,
        provider=planned.provider,
        model=planned.model,
    )


def _sentences(notes: list[_Note], ledger: Ledger, *, details: bool) -> list[str]:
    """A sentence for each note, with the address that an earlier run used if it differs from the present one.

    With `details`, work that never ran is compared with work that did.
    """
    texts = ledger.look(lambda history: [_sentence(history, note) for note in notes], details=details)
    earlier = [note.done for note in notes if note.done and note.planned.provider != NO_MODEL]
    addresses = recorded_addresses(ledger, earlier)
    return [
        text + (elsewhere(note.planned, addresses.get(note.done.run_id)) if note.done else "")
        for text, note in zip(texts, notes, strict=True)
    ]


def _sentence(history: History, note: _Note) -> str:
    if note.verdict is None:
        return f"{note.title}: incompatible, missing: {'; '.join(note.planned.missing)}"
    return f"{note.title}: {explain(history, note.planned, note.verdict)}"
