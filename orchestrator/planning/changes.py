"""Work that has succeeded, but with another benchmark: another manifest, or another commit of its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ...ledger.events import Json
from ...ledger.fold import Run
from ...ledger.history import History
from .plan import PlannedRun


class Change(msgspec.Struct, frozen=True):
    """The success that is not of today's benchmark, and what is different."""

    run_id: str
    what: str


def find_changes(history: History, plan: Sequence[PlannedRun], repository: Json) -> Mapping[str, Change]:
    """By signature, the last successes that were made with another benchmark than the one that is here now.

    The history must have its details. `repository` is what is known of the workspace's repository. What an earlier
    version did not record, or no repository keeps, can't be compared, and counts as the same.
    """
    changes = {}
    for planned in plan:
        last = next((run for run in reversed(history.attempts(planned.signature.digest)) if run.is_success), None)
        if last is not None and (what := _difference(last, planned, repository)):
            changes[planned.signature.digest] = Change(last.run_id, what)
    return changes


def _difference(last: Run, planned: PlannedRun, repository: Json) -> str | None:
    adapter = planned.adapter
    before, now = last.provenance.get("manifest", {}).get("sha256"), adapter.sha256
    if before is not None and before != now:
        return f"its manifest was {before[:12]}, and is {now[:12]}"
    commit = repository.get("commit")
    # The files of a shipped suite or a plugin are not the workspace's.
    if adapter.source in ("workspace", "catalog") and commit and last.benchmarks_commit not in (None, commit):
        return f"its commit was {str(last.benchmarks_commit)[:12]}, and is {commit[:12]}"
    return None
