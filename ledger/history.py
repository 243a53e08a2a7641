"""Everything the ledger says, folded: runs, groups and published high scores, kept current record by record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

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
    Record,
    Recovered,
    Retracted,
    Skipped,
    Started,
    Unknown,
)
from .fold import Group, Run, evolve, evolve_group, without_details

_OF_A_RUN = frozenset(
    event.type for event in (Started, Heartbeat, Finished, Failed, Recovered, Annotated, Retracted, Imported)
)
_OF_A_GROUP = (GroupOpened, Skipped, Incompatible, GroupClosed)
_ENDS = frozenset(event.type for event in (Finished, Failed, Recovered, Imported))
_STARTED = Started.type
_NONE: frozenset[str] = frozenset()


class Problem(msgspec.Struct, frozen=True):
    """An event that makes no sense where it stands; the fold went on without it."""

    seq: int
    text: str


class History:
    """The state of the ledger up to `seq`. Runs and groups stand in the order of their first event.

    With `details=False`, runs that `read` finds to be over are kept without what no decision asks for
    (`fold.without_details`); it is for records that were read without details, too.
    """

    def __init__(self, *, details: bool = True) -> None:
        self._details = details
        self._last: Record | None = None
        self.runs: dict[str, Run] = {}
        self.groups: dict[str, Group] = {}
        self.high_scores: dict[str, list[HighScorePublished]] = {}
        self.unknown = 0
        self.problems: list[Problem] = []
        self._by_signature: dict[str, tuple[str, ...]] = {}

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
        """The time of the last event; empty before the first."""
        return self._last.at if self._last else ""

    def apply(self, record: Record) -> None:
        """Move on by one record. Raises ImpossibleTransition, and is unchanged then."""
        self._fold((record,), ends=_NONE, is_strict=True)

    def read(self, records: Iterable[Record]) -> History:
        """Move on by records that are in the ledger already; those that make no sense become `problems`."""
        self._fold(records, ends=_NONE if self._details else _ENDS, is_strict=False)
        return self

    def _fold(self, records: Iterable[Record], *, ends: frozenset[str], is_strict: bool) -> None:
        """Runs whose event is one of `ends` lose their details. One loop for a million records: it must be lean."""
        runs, last = self.runs, self._last
        try:
            for record in records:
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
        elif isinstance(event, HighScorePublished):
            self.high_scores.setdefault(record.stream, []).append(event)
        elif isinstance(event, Unknown):
            self.unknown += 1

    def attempts(self, signature: str) -> list[Run]:
        """The runs of a signature, the first attempt first."""
        return [self.runs[run_id] for run_id in self._by_signature.get(signature, ())]

    def live_run(self, signature: str) -> Run | None:
        """The run of a signature that is under way."""
        return next((run for run in self.attempts(signature) if run.status == "running"), None)

    def open_runs(self) -> Iterator[Run]:
        """Every run without a terminal event."""
        return (run for run in self.runs.values() if run.status == "running")

    def open_groups(self) -> Iterator[Group]:
        """Every group that was not closed."""
        return (group for group in self.groups.values() if group.finished_at is None)

    def runs_of(self, run_group_id: str) -> list[Run]:
        """The runs of a group, in the order of their start."""
        return [run for run in self.runs.values() if run.run_group_id == run_group_id]

    def high_score(self, benchmark_id: str) -> HighScorePublished | None:
        """The reference that holds now for a benchmark."""
        published = self.high_scores.get(benchmark_id)
        return published[-1] if published else None

    def reference(self, benchmark_id: str) -> HighScoreReference | None:
        """The reference that a run of the benchmark records when it ends."""
        published = self.high_score(benchmark_id)
        return HighScoreReference(published.label, published.value, published.source) if published else None
