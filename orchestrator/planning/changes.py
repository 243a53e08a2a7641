"""Work that has succeeded with another task revision: its benchmark has changed since then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from ...adapters.adapter import Adapter
from ...adapters.environment import find_built, spec_of
from ...ledger.equivalence import Equivalences
from ...ledger.events import Json, Started, TaskRevision
from ...ledger.fold import Run
from ...ledger.history import History
from ...ledger.ledger import Ledger
from .plan import PlannedRun
from .revision import differences, revision_of, with_data


class Change(msgspec.Struct, frozen=True):
    """A successful run with an earlier state of the benchmark, and a text about the differences."""

    run_id: str
    what: str


def find_changes(ledger: Ledger, plan: Sequence[PlannedRun], repository: Json) -> Mapping[str, Change]:
    """By signature, the last successes whose benchmark has changed since then.

    `repository` has the commit of the workspace. Runs of older versions have no revision, so their manifest and commit
    are compared. A value that they did not record counts as unchanged.
    """
    changes = {}
    revisions, equivalences = Revisions(), Equivalences(ledger.store)
    for planned, last in zip(plan, ledger.look(partial(_last_successes, plan)), strict=True):
        if last is None:
            continue
        if last.task_revision is not None:
            now = revisions.now(planned.adapter, last.task_revision)
            is_same = equivalences.are_same(planned.adapter.id, last.revision, now.digest)
            what = "" if is_same else "; ".join(differences(last.task_revision, now))
        else:
            what = _older_difference(last, ledger.started(last), planned, repository) or ""
        if what:
            changes[planned.signature.digest] = Change(last.run_id, what)
    return changes


class Revisions:
    """The present revisions of benchmarks, each computed once."""

    def __init__(self) -> None:
        self._known: dict[str, TaskRevision] = {}

    def now(self, adapter: Adapter, before: TaskRevision) -> TaskRevision:
        """The revision that a run would have now. A part that is known only after a run is taken from `before`.

        Only a result reports the revision of data without files, and only a built environment has resolved packages.
        """
        spec = spec_of(adapter.manifest.requires)
        environment = find_built(spec) if spec else None
        if adapter.id not in self._known:
            self._known[adapter.id] = revision_of(adapter, environment)
        now = self._known[adapter.id]
        if spec and environment is None:
            now = TaskRevision.of(version=now.version, driver=now.driver, data=now.data, packages=before.packages)
        if adapter.manifest.result.data_revision and not adapter.manifest.data.files:
            now = with_data(now, before.data)
        return now


def _last_successes(plan: Sequence[PlannedRun], history: History) -> list[Run | None]:
    attempts = (reversed(history.attempts(planned.signature.digest)) for planned in plan)
    return [next((run for run in runs if run.is_success), None) for runs in attempts]


def _older_difference(last: Run, started: Started | None, planned: PlannedRun, repository: Json) -> str | None:
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
