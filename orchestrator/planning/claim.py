"""The claim: decides, while no other process can append to the ledger, whether a piece of work has to be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from ...ledger.events import Skipped
from ...ledger.fold import Run
from ...ledger.history import History
from .changes import Change
from .plan import PlannedRun
from .signature import difference

Policy = Literal["once", "rerun_failed", "force"]
"""What counts as done: any success (`once`), a success of the last attempt (`rerun_failed`), nothing (`force`)."""


class Verdict(msgspec.Struct, frozen=True):
    """Whether to run, the reason (one word, perhaps with a detail), and the run that decided it."""

    run: bool
    reason: str
    decided_by: Run | None = None
    detail: str = ""

    def skipped(self, planned: PlannedRun) -> Skipped:
        """The event that records a verdict not to run."""
        return Skipped(
            benchmark_id=planned.adapter.id,
            signature=planned.signature.digest,
            reason=self.reason,
            existing_run_id=self.decided_by.run_id if self.decided_by else None,
            agent=planned.agent,
            provider=planned.provider,
            model=planned.model,
        )


class Rules(msgspec.Struct, frozen=True):
    """Decide whether work has to be done. `changes` lists, by signature, successes that no longer count."""

    policy: Policy = "once"
    changes: Mapping[str, Change] = {}

    def judge(self, history: History, planned: PlannedRun) -> Verdict:
        """Whether a piece of work has to be done.

        Under every policy, a signature with a live run is not claimed a second time. A reproduction does not count.
        """
        attempts = [run for run in history.attempts(planned.signature.digest) if run.reproduces is None]
        if live := history.live_run(planned.signature.digest):
            return Verdict(False, "running_elsewhere", live)
        if not attempts:
            return Verdict(True, "never_ran")
        last = attempts[-1]
        if self.policy == "force":
            return Verdict(True, "forced", last)
        success = next((run for run in reversed(attempts) if run.is_success), None)
        change = self.changes.get(planned.signature.digest)
        if change and success and success.run_id == change.run_id:
            return Verdict(True, "changed", success, change.what)
        if self.policy == "rerun_failed":
            return (
                Verdict(False, "last_succeeded", last) if last.is_success else Verdict(True, _why_not_done(last), last)
            )
        return Verdict(False, "already_succeeded", success) if success else Verdict(True, _why_not_done(last), last)


def _why_not_done(last: Run) -> str:
    return "retracted" if last.retracted else "last_failed"


def explain(history: History, planned: PlannedRun, verdict: Verdict) -> str:
    """The verdict in a sentence, with the event or the field of the signature that decided it.

    The history must have been read with details.
    """
    run = verdict.decided_by
    if verdict.reason == "never_ran":
        return f"runs: {_nearest_signature(history, planned)}"
    assert run is not None  # noqa: S101 - for the type checker: every other verdict names its run
    at = run.ended_at or run.started_at
    host = run.owner.host if run.owner else "another host"
    texts = {
        "running_elsewhere": f"skipped: {run.run_id} is running on {host}",
        "forced": f"runs: --force, after {run.run_id} ({run.status})",
        "last_succeeded": f"skipped: the last attempt, {run.run_id}, succeeded at {at} (event {run.last_seq})",
        "already_succeeded": f"skipped: {run.run_id} succeeded at {at} (event {run.last_seq})",
        "last_failed": f"runs: the last attempt, {run.run_id}, failed at {at} ({run.reason}, event {run.last_seq})",
        "retracted": f"runs: {run.run_id} was retracted (event {run.last_seq})",
        "changed": f"runs: {run.run_id} succeeded with another benchmark: {verdict.detail}",
    }
    return texts[verdict.reason]


def _nearest_signature(history: History, planned: PlannedRun) -> str:
    """Why no run has this signature: the differences from the most similar run of the benchmark."""
    nearest: tuple[int, str, list[str]] | None = None
    for work in history.works(planned.adapter.id):
        before = {
            "benchmark_directory": work.benchmark_directory,
            "agent": work.agent,
            "provider": work.provider,
            "model": work.model,
            "extra_config": work.extra_config,
        }
        now = {key: planned.signature.preimage[key] for key in before}
        changes = difference(before, now)
        if nearest is None or len(changes) <= nearest[0]:
            nearest = (len(changes), work.run_id, changes)
    if nearest is None:
        return "the ledger has no run of this benchmark"
    return f"no run has this signature; differences from {nearest[1]}: {'; '.join(nearest[2])}"
