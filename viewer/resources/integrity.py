"""`/api/integrity`: whether the ledger can be trusted, and what people changed; `/api/changes`: between two moments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import falcon
import msgspec

from ...ledger.errors import LedgerError
from ...ledger.proof.issuing import kept_note
from ...ledger.proof.witness_list import read_witnesses
from ...ledger.storage.chain import origin_of
from ...ledger.store import EventStore
from ...projections.scores.leaderboard import Task, score_of
from ..api.parameters import AS_OF, Form, Parameter
from ..api.site import Site
from ..index.archive import Head, View
from ..index.board import Chosen, choose
from ..index.notable import NotableEvent
from ..index.proof import ProofState
from ..index.row import RunRow

_LISTED = 500


class Problem(msgspec.Struct, frozen=True):
    """An event that makes no sense at its position."""

    seq: int
    problem: str


class KeptCheckpoint(msgspec.Struct, frozen=True):
    """The last signed checkpoint that is kept beside the ledger: of its first `size` events, with who signed it."""

    origin: str
    size: int
    root: str
    signed_by: list[str]


class IntegrityAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the ledger can be trusted.

    `state`: `proven`, if every event up to the head was proven by its hash and makes sense; `checking`, as long as the
    proof is running; `damaged` otherwise. `proven` is the last event that was proven. `origin` is the name that
    checkpoints of this ledger have. `counts` are numbers of runs and events by what is doubtful about them, and
    `events` those that changed what counts, the newest first; `synthetic` are the newest runs of mocks and oracles,
    `witnesses` those that the workspace names.
    """

    state: ProofState
    proven: int
    damage: str
    problems: list[Problem]
    origin: str
    first_at: str
    counts: dict[str, int]
    events: list[NotableEvent]
    events_total: int
    synthetic: list[RunRow]
    checkpoint: KeptCheckpoint | None
    witnesses: list[str]
    head: Head


class Integrity:
    """Whether the ledger can be trusted."""

    about = "The proof of the ledger; retracted, annotated, imported, merged and synthetic runs"
    parameters = Form(AS_OF)
    answer = IntegrityAnswer

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The state of the proof now; events and runs as of the moment."""
        asked = self.parameters.read(req)
        self._site.answer_in_two(
            req,
            resp,
            asked["as_of"],
            lambda view: list(view.table.rows),
            self._measure,
            self._depends_on,
        )

    on_head = on_get

    def _depends_on(self) -> list[str]:
        proof, archive = self._site.proof, self._site.archive
        checkpoint, witnesses = _checkpoint(archive.store), _witnesses(archive.workspace.results)
        return [str(proof.position), proof.damage, repr(checkpoint), repr(witnesses)]

    def _measure(self, rows: Sequence[RunRow], head: Head) -> IntegrityAnswer:
        proof = self._site.proof
        events = self._site.notable.until(head.position)
        with self._site.archive.database() as connection:
            query = "SELECT seq, problem FROM ledger_problems WHERE seq <= ? ORDER BY seq LIMIT ?"
            problems = [Problem(*row) for row in connection.execute(query, (head.position, _LISTED))]
        counts = Counter(one.type for one in events)
        synthetic = [row for row in reversed(rows) if row.synthetic]
        first = next(self._site.archive.store.read(details=False), None)
        return IntegrityAnswer(
            state=proof.state(head.position, len(problems)),
            proven=proof.position,
            damage=proof.damage,
            problems=problems,
            origin=origin_of(first.hash) if first else "",
            first_at=first.at if first else "",
            counts={
                "runs": len(rows),
                "retracted_runs": sum(row.retracted is not None for row in rows),
                "annotated_runs": sum(row.remarks > 0 for row in rows),
                "imported_runs": sum(row.imported is not None for row in rows),
                "synthetic_runs": len(synthetic),
                "late_runs": sum(row.late for row in rows),
                "recovered_runs": sum(row.recovered for row in rows),
                **counts,
            },
            events=events[::-1][:_LISTED],
            events_total=len(events),
            synthetic=synthetic[:50],
            checkpoint=_checkpoint(self._site.archive.store),
            witnesses=_witnesses(self._site.archive.workspace.results),
            head=head,
        )


def _checkpoint(store: EventStore) -> KeptCheckpoint | None:
    """What is kept; the viewer does not prove it, `benchmarks ledger verify` does."""
    note = kept_note(store)
    if note is None:
        return None
    origin, size, root, *_ = [*note.text.splitlines(), "", "0", ""]
    signed_by = [line.name for line in note.signatures]
    return KeptCheckpoint(origin, int(size) if size.isdecimal() else 0, root, signed_by)


def _witnesses(folder: Path) -> list[str]:
    try:
        return [one.name for one in read_witnesses(folder)]
    except LedgerError:
        return []  # `benchmarks ledger witness list` says what is wrong with the file.


class ChangedScore(msgspec.Struct, frozen=True):
    """What a contender scored on a task before and after; None if it had no score then."""

    task: Task
    agent: str
    provider: str
    model: str
    before: float | None
    before_run_id: str | None
    after: float | None
    after_run_id: str | None


class ChangesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What changed between two moments.

    `started`, `succeeded` and `failed` count runs that did so between them; `scores` are those of the leaderboard
    (by the newest runs) that are others, `events` the corrections, imports and merges.
    """

    before: Head
    head: Head
    started: int
    succeeded: int
    failed: int
    scores: list[ChangedScore]
    events: list[NotableEvent]


class Changes:
    """What changed between two moments."""

    about = "What changed between two moments: runs, scores of the leaderboard, corrections"
    parameters = Form(
        Parameter("since", "the earlier moment, as in `as_of`", is_required=True),
        AS_OF,
    )
    answer = ChangesAnswer

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """From `since` to `as_of`, or to now."""
        asked = self.parameters.read(req)
        with self._site.archive.look(asked["since"]) as view:
            then = view.head, {row.run_id: row.status for row in view.table.rows}, _scores(view)
        self._site.answer_in_two(
            req,
            resp,
            asked["as_of"],
            lambda now: (list(now.table.rows), _scores(now)),
            lambda now, head: self._changes(then, now, head),
            lambda: [then[0].hash],
        )

    on_head = on_get

    def _changes(
        self,
        then: tuple[Head, Mapping[str, str], Mapping[Any, Chosen]],
        now: tuple[Sequence[RunRow], Mapping[Any, Chosen]],
        head: Head,
    ) -> ChangesAnswer:
        before, statuses, scores = then
        rows, scores_now = now
        ended = Counter(row.status for row in rows if statuses.get(row.run_id) != row.status)
        return ChangesAnswer(
            before=before,
            head=head,
            started=sum(row.run_id not in statuses for row in rows),
            succeeded=ended["succeeded"],
            failed=ended["failed"],
            scores=_changed(scores, scores_now)[:_LISTED],
            events=[one for one in self._site.notable.until(head.position) if one.seq > before.position][::-1][
                :_LISTED
            ],
        )


def _scores(view: View) -> dict[tuple[Task, str, str, str], Chosen]:
    return {
        (one.task, chosen.agent, chosen.provider, chosen.model): chosen
        for one in choose(view.table)
        for chosen in one.chosen
    }


def _changed(before: Mapping[Any, Chosen], after: Mapping[Any, Chosen]) -> list[ChangedScore]:
    found = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old and new and _runs(old.rows) == _runs(new.rows):
            continue
        task, agent, provider, model = key
        found.append(
            ChangedScore(
                task=task,
                agent=agent,
                provider=provider,
                model=model,
                before=score_of(old.rows).mean if old else None,
                before_run_id=old.rows[-1].run_id if old else None,
                after=score_of(new.rows).mean if new else None,
                after_run_id=new.rows[-1].run_id if new else None,
            )
        )
    return found


def _runs(rows: Sequence[RunRow]) -> list[tuple[str, float | None]]:
    return [(row.run_id, row.score) for row in rows]
