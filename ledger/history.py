"""Everything the ledger says, folded: runs, groups and published high scores, kept current record by record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from .aside import NOTHING, Positions, set_aside_by, set_aside_in
from .errors import ImpossibleTransition
from .events import (
    Annotated,
    Failed,
    Finished,
    GroupClosed,
    GroupOpened,
    Heartbeat,
    HighScorePublished,
    HighScoreReference,
    Imported,
    Incompatible,
    Merged,
    Record,
    Recovered,
    Retracted,
    SetAside,
    Skipped,
    Started,
    Unknown,
    Unreadable,
)
from .fold import Group, Run, evolve, evolve_group, without_details
from .judgement import is_moment, void
from .origins import brought_by
from .store import EventReader

_OF_A_RUN = frozenset(
    event.type for event in (Started, Heartbeat, Finished, Failed, Recovered, Annotated, Retracted, Imported)
)
_OF_A_GROUP = (GroupOpened, Skipped, Incompatible, GroupClosed)
_ENDS = frozenset(event.type for event in (Finished, Failed, Recovered, Imported))
_STARTED = Started.type
_NONE: frozenset[str] = frozenset()


class Problem(msgspec.Struct, frozen=True):
    """An event that makes no sense at its position; the fold went on without it."""

    seq: int
    text: str


class History:
    """The state of the ledger up to `seq`. Runs and groups are in the order of their first event.

    With `details=False`, runs that `read` finds to be over are kept without the fields that decisions do not need
    (`fold.without_details`); use it also for records that were read without details.

    The events at the positions `aside` are passed over; `of` finds those positions.
    """

    def __init__(self, *, details: bool = True, aside: Positions = NOTHING) -> None:
        self._details = details
        self._aside = aside
        self.is_outdated = False
        """Whether an event set earlier events aside that had counted. Only `of` gives the right history then."""
        self._last: Record | None = None
        self.runs: dict[str, Run] = {}
        self.groups: dict[str, Group] = {}
        self.high_scores: dict[str, list[HighScorePublished]] = {}
        self.unknown = 0
        self.problems: list[Problem] = []
        self._by_signature: dict[str, tuple[str, ...]] = {}
        self._published_at: dict[str, list[int]] = {}
        self._opened_at: dict[str, int] = {}
        self._brought: list[tuple[int, int]] = []

    @classmethod
    def of(cls, reader: EventReader, *, details: bool = True) -> History:
        """The history of a ledger, from its first event to its last."""
        history = cls(details=details).read(reader.read(details=details))
        while history.is_outdated:
            aside = set_aside_in(reader)
            history = cls(details=details, aside=aside).read(reader.read(details=details))
        return history

    @property
    def seq(self) -> int:
        """The position of the last event; 0 before the first."""
        return self._last.seq if self._last else 0

    @property
    def hash(self) -> str:
        """The hash of the last event; empty before the first."""
        return self._last.hash if self._last else ""

    @property
    def at(self) -> str:
        """The time of the last event; empty before the first, and if it is not valid."""
        return self._last.at if self._last and is_moment(self._last.at) else ""

    def apply(self, record: Record) -> None:
        """Move on by one record. Raises ImpossibleTransition, and is unchanged then."""
        self._fold((record,), ends=_NONE, is_strict=True)

    def read(self, records: Iterable[Record]) -> History:
        """Move on by records that are in the ledger already; the ones that make no sense become `problems`."""
        self._fold(records, ends=_NONE if self._details else _ENDS, is_strict=False)
        return self

    def _fold(self, records: Iterable[Record], *, ends: frozenset[str], is_strict: bool) -> None:
        """Runs whose event is one of `ends` lose their details. One loop for a million records: it must be lean."""
        runs, last, aside = self.runs, self._last, self._aside
        try:
            for record in records:
                if aside and record.seq in aside:
                    last = record
                    continue
                kind = record.data.type
                stream = record.stream
                try:
                    if kind in _OF_A_RUN:
                        runs[stream] = run = evolve(runs.get(stream), record)
                        if kind in ends:
                            runs[stream] = without_details(run)
                        elif kind == _STARTED:
                            self._by_signature[run.signature] = (*self._by_signature.get(run.signature, ()), stream)
                    else:
                        self._apply_other(record)
                except ImpossibleTransition as problem:
                    if is_strict:
                        raise
                    self.problems.append(Problem(record.seq, str(problem)))
                last = record
        finally:
            self._last = last

    def _apply_other(self, record: Record) -> None:
        event = record.data
        if isinstance(event, _OF_A_GROUP):
            self.groups[record.stream] = evolve_group(self.groups.get(record.stream), record)
            self._opened_at.setdefault(record.stream, record.seq)
        elif isinstance(event, HighScorePublished):
            if reason := void(record):
                raise ImpossibleTransition(f"{record.stream}: {record.type}: {reason}")
            self.high_scores.setdefault(record.stream, []).append(event)
            self._published_at.setdefault(record.stream, []).append(record.seq)
        elif isinstance(event, Merged):
            self._brought += brought_by(record)
        elif isinstance(event, Unreadable):
            raise ImpossibleTransition(f"{record.stream}: {record.type}: {void(record)}")
        elif isinstance(event, Unknown):
            self.unknown += 1
        elif isinstance(event, SetAside):
            self.is_outdated = self.is_outdated or not self._aside.issuperset(set_aside_by(record))

    def attempts(self, signature: str) -> list[Run]:
        """The runs of a signature, the first attempt first."""
        return [self.runs[run_id] for run_id in self._by_signature.get(signature, ())]

    def live_run(self, signature: str) -> Run | None:
        """The run of a signature that is running in this ledger."""
        return next((run for run in self.attempts(signature) if run.status == "running" and self.is_ours(run)), None)

    def is_ours(self, one: Run | Group) -> bool:
        """Whether a run or group began in this ledger. Only the ledger in which it began may end it."""
        first = one.first_seq if isinstance(one, Run) else self._opened_at[one.run_group_id]
        return not self._came_along(first)

    def _came_along(self, seq: int) -> bool:
        return any(first <= seq < first + count for first, count in self._brought)

    def open_runs(self) -> Iterator[Run]:
        """Every run without a terminal event."""
        return (run for run in self.runs.values() if run.status == "running")

    def open_groups(self) -> Iterator[Group]:
        """Every group that was not closed."""
        return (group for group in self.groups.values() if group.finished_at is None)

    def runs_of(self, run_group_id: str) -> list[Run]:
        """The runs of a group, in the order of their start."""
        return [run for run in self.runs.values() if run.run_group_id == run_group_id]

    def own_high_scores(self, benchmark_id: str) -> list[HighScorePublished]:
        """The references for a benchmark that were published in this ledger, not in a merged one."""
        published = zip(self.high_scores.get(benchmark_id, ()), self._published_at.get(benchmark_id, ()), strict=True)
        return [event for event, seq in published if not self._came_along(seq)]

    def high_score(self, benchmark_id: str) -> HighScorePublished | None:
        """The reference that holds now for a benchmark: the last one that was published here.

        One from a ledger that was merged into this one holds only if this ledger has none of its own.
        """
        published = self.high_scores.get(benchmark_id)
        if published and self._brought:
            published = self.own_high_scores(benchmark_id) or published
        return published[-1] if published else None

    def reference(self, benchmark_id: str) -> HighScoreReference | None:
        """The reference that a run of the benchmark records when it ends."""
        published = self.high_score(benchmark_id)
        return HighScoreReference(published.label, published.value, published.source) if published else None
