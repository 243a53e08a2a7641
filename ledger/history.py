"""Everything the ledger says, folded: runs, groups and published high scores, kept current record by record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from .errors import ImpossibleTransition
from .events import (
    GroupClosed,
    GroupOpened,
    HighScorePublished,
    HighScoreReference,
    Incompatible,
    Merged,
    Record,
    Repaired,
    Skipped,
    Started,
    Unknown,
)
from .fold import Group, Run, evolve, evolve_group

_OF_THE_LEDGER = (Repaired, Merged)
_OF_A_GROUP = (GroupOpened, Skipped, Incompatible, GroupClosed)


class Problem(msgspec.Struct, frozen=True):
    """An event that makes no sense where it stands; the fold went on without it."""

    seq: int
    text: str


class History:
    """The state of the ledger up to `seq`. Runs and groups stand in the order of their first event."""

    def __init__(self) -> None:
        self.seq = 0
        self.hash = ""
        self.at = ""
        self.runs: dict[str, Run] = {}
        self.groups: dict[str, Group] = {}
        self.high_scores: dict[str, list[HighScorePublished]] = {}
        self.unknown = 0
        self.problems: list[Problem] = []
        self._by_signature: dict[str, list[str]] = {}

    def apply(self, record: Record) -> None:
        """Move on by one record. Raises ImpossibleTransition, and is unchanged then."""
        event = record.data
        stream = record.stream
        if isinstance(event, _OF_A_GROUP):
            self.groups[stream] = evolve_group(self.groups.get(stream), record)
        elif isinstance(event, HighScorePublished):
            self.high_scores.setdefault(stream, []).append(event)
        elif isinstance(event, Unknown):
            self.unknown += 1
        elif isinstance(event, _OF_THE_LEDGER):
            pass
        else:
            self.runs[stream] = evolve(self.runs.get(stream), record)
            if isinstance(event, Started):
                self._by_signature.setdefault(event.signature, []).append(stream)
        self.seq, self.hash, self.at = record.seq, record.hash, record.at

    def read(self, records: Iterable[Record]) -> History:
        """Move on by records that are in the ledger already; those that make no sense become `problems`."""
        for record in records:
            try:
                self.apply(record)
            except ImpossibleTransition as problem:
                self.problems.append(Problem(record.seq, str(problem)))
                self.seq, self.hash, self.at = record.seq, record.hash, record.at
        return self

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
