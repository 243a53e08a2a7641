"""Work that has succeeded, but with a benchmark that has changed: another manifest, or another commit of its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from ...ledger.events import Json, Started
from ...ledger.fold import Run
from ...ledger.history import History
from ...ledger.ledger import Ledger
from .plan import PlannedRun


class Change(msgspec.Struct, frozen=True):
    """A success with an earlier state of the benchmark, and what is different now."""

    run_id: str
    what: str


def find_changes(ledger: Ledger, plan: Sequence[PlannedRun], repository: Json) -> Mapping[str, Change]:
    """By signature, the last successes whose benchmark has changed since.

    `repository` is what is known of the workspace's repository. What an earlier
    version did not record, or what is in no repository, cannot be compared, and counts as unchanged.
    """
    changes = {}
    for planned, last in zip(plan, ledger.look(partial(_last_successes, plan)), strict=True):
        if last is not None and (what := _difference(last, ledger.started(last), planned, repository)):
            changes[planned.signature.digest] = Change(last.run_id, what)
    return changes


def _last_successes(plan: Sequence[PlannedRun], history: History) -> list[Run | None]:
    attempts = (reversed(history.attempts(planned.signature.digest)) for planned in plan)
    return [next((run for run in runs if run.is_success), None) for runs in attempts]


def _difference(last: Run, started: Started | None, planned: PlannedRun, repository: Json) -> str | None:
    adapter = planned.adapter
    manifest = started.provenance.get("manifest", {}) if started else {}
    before, now = manifest.get("sha256"), adapter.sha256
    if before is not None and before != now:
        return f"its manifest was {before[:12]} and is {now[:12]} now"
    commit = repository.get("commit")
    # The files of a shipped suite or a plugin are not in the workspace.
    if adapter.source in ("workspace", "catalog") and commit and last.benchmarks_commit not in (None, commit):
        return f"its commit was {str(last.benchmarks_commit)[:12]} and is {commit[:12]} now"
    return None
