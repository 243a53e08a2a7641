"""The folded state of a ledger: runs, groups, published high scores and registered plans, updated record by record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TypeVar

import msgspec

from .aside import NOTHING, Positions, set_aside_by, set_aside_in
from .base import (
    Attempts,
    Base,
    Changes,
    Likeness,
    Published,
    Recalled,
    Work,
    is_guide,
    likenesses,
    since,
    work_of,
)
from .errors import ImpossibleTransition
from .events import (
    Annotated,
    CancelRequested,
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
    Paused,
    Record,
    Recovered,
    Registered,
    RegistrationAmended,
    Reinstated,
    Reproduced,
    Rescored,
    Resumed,
    Retracted,
    SamplesExcluded,
    SamplesIncluded,
    SetAside,
    Skipped,
    Started,
    Unknown,
    Unreadable,
)
from .fold import Group, Run, evolve, evolve_group, without_details
from .judgement import is_moment, void
from .origins import brought_by
from .registrations import Fitting, Registration, covers, evolve_registration
from .store import EventReader

_OF_A_RUN = frozenset(
    event.type
    for event in (
        *(Started, Heartbeat, Finished, Failed, Recovered, Imported),
        *(Annotated, Retracted, Reinstated, SamplesExcluded, SamplesIncluded, Rescored, Reproduced),
    )
)
_OF_A_GROUP = (GroupOpened, Skipped, Incompatible, GroupClosed, Paused, Resumed)
_ENDS = frozenset(event.type for event in (Finished, Failed, Recovered, Imported))
_LOSE_DETAILS = _ENDS | {Rescored.type}
_STARTED = Started.type
_NONE: frozenset[str] = frozenset()


T = TypeVar("T")


class Problem(msgspec.Struct, frozen=True):
    """An event that makes no sense at its position; the fold skipped it."""

    seq: int
    text: str


class History:
    """The state of the ledger up to `seq`. Runs and groups are in the order of their first event.

    With `details=False`, runs that have ended according to `read` are kept without the fields that decisions do not
    need (`fold.without_details`); use it also for records that were read without details.

    With a `base`, it begins with the base's state, and every answer is the same as if all events had been read. The
    events at the positions `aside` are skipped; `of` finds those positions, and a base has its own.
    """

    def __init__(self, *, details: bool = True, aside: Positions = NOTHING, base: Base | None = None) -> None:
        self._details = details
        self._aside = aside
        self.is_outdated = False
        """Whether an event set aside earlier events that were folded already. Then only `of` gives the right one."""
        self._last: Record | None = None
        self._base = base
        self.runs: MutableMapping[str, Run] = {}
        self.groups: MutableMapping[str, Group] = {}
        self.unknown = 0
        self.problems: list[Problem] = []
        self._by_signature: MutableMapping[str, list[str]] = {}
        self._by_group: MutableMapping[str, list[str]] = {}
        self._published: MutableMapping[str, list[Published]] = {}
        self._opened_at: MutableMapping[str, int] = {}
        self.registrations: MutableMapping[str, Registration] = {}
        self._registered_for: MutableMapping[str, list[str]] = {}
        self._brought: list[tuple[int, int]] = []
        # Names, in the order of their first events: a dict remembers it, a set does not.
        self._open_runs: dict[str, None] = {}
        self._open_groups: dict[str, None] = {}
        self._likenesses_at = -1
        self._last_successes: dict[Likeness, tuple[int, str]] = {}
        if base is not None:
            self._begin_with(base)

    def _begin_with(self, base: Base) -> None:
        self._aside |= base.aside
        self.runs = Recalled(base.run, base.all_runs, base.runs)
        self.groups = Recalled(base.group, base.all_groups, base.groups)
        self._by_signature = Recalled(base.runs_with)
        self._by_group = Recalled(base.runs_in)
        self._published = Recalled(base.published)
        self._opened_at = Recalled(base.opened_at)
        self.registrations = Recalled(base.registration)
        self._registered_for = Recalled(base.registered_for)
        self._brought = list(base.brought)
        self._open_runs = dict.fromkeys(base.open_runs)
        self._open_groups = dict.fromkeys(base.open_groups)

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
        return self._last.seq if self._last else self._base.seq if self._base else 0

    @property
    def hash(self) -> str:
        """The hash of the last event; empty before the first."""
        return self._last.hash if self._last else self._base.hash if self._base else ""

    @property
    def at(self) -> str:
        """The time of the last event; empty before the first event, or if the time is not valid."""
        at = self._last.at if self._last else self._base.at if self._base else ""
        return at if is_moment(at) else ""

    def apply(self, record: Record) -> None:
        """Fold one record. Raises ImpossibleTransition, and then changes nothing."""
        self._fold((record,), ends=_NONE, is_strict=True)

    def read(self, records: Iterable[Record]) -> History:
        """Fold records that are in the ledger already; those that make no sense become `problems`."""
        self._fold(records, ends=_NONE if self._details else _LOSE_DETAILS, is_strict=False)
        return self

    def _fold(self, records: Iterable[Record], *, ends: frozenset[str], is_strict: bool) -> None:
        """Runs whose event is one of `ends` lose their details. One loop for a million records: it must be fast."""
        runs, open_runs, last, aside = self.runs, self._open_runs, self._last, self._aside
        try:
            for record in records:
                if aside and record.seq in aside:
                    last = record
                    continue
                kind = record.data.type
                stream = record.stream
                try:
                    if kind in _OF_A_RUN:
                        before = runs.get(stream)
                        run = evolve(before, record)
                        if before is None:
                            self._begin(run, kind)
                        elif kind in _ENDS:
                            open_runs.pop(stream, None)
                        runs[stream] = without_details(run) if kind in ends else run
                    else:
                        self._apply_other(record)
                except ImpossibleTransition as problem:
                    if is_strict:
                        raise
                    self.problems.append(Problem(record.seq, str(problem)))
                last = record
        finally:
            self._last = last

    def _begin(self, run: Run, kind: str) -> None:
        _append(self._by_group, run.run_group_id, run.run_id)
        if kind == _STARTED:
            _append(self._by_signature, run.signature, run.run_id)
            self._open_runs[run.run_id] = None

    def _apply_other(self, record: Record) -> None:
        event, stream = record.data, record.stream
        if isinstance(event, CancelRequested) and stream not in self.groups:
            self.runs[stream] = evolve(self.runs.get(stream), record)
        elif isinstance(event, (*_OF_A_GROUP, CancelRequested)):
            before = self.groups.get(stream)
            self.groups[stream] = group = evolve_group(before, record)
            if before is None:
                self._opened_at[stream] = record.seq
                self._open_groups[stream] = None
            elif group.finished_at is not None:
                self._open_groups.pop(stream, None)
        elif isinstance(event, HighScorePublished):
            if reason := void(record):
                raise ImpossibleTransition(f"{stream}: {record.type}: {reason}")
            _append(self._published, stream, Published(record.seq, event))
        elif isinstance(event, Registered | RegistrationAmended):
            self._apply_registration(record)
        elif isinstance(event, Merged):
            self._brought += brought_by(record)
        elif isinstance(event, Unreadable):
            raise ImpossibleTransition(f"{stream}: {record.type}: {void(record)}")
        elif isinstance(event, Unknown):
            self.unknown += 1
        elif isinstance(event, SetAside):
            self.is_outdated = self.is_outdated or not self._aside.issuperset(set_aside_by(record))

    def _apply_registration(self, record: Record) -> None:
        registration = evolve_registration(self.registrations.get(record.stream), record)
        self.registrations[record.stream] = registration
        for benchmark_id in dict.fromkeys(task.id for task in registration.plan.benchmarks):
            if registration.id not in self._registered_for.get(benchmark_id, ()):
                _append(self._registered_for, benchmark_id, registration.id)

    def registration_of(self, run: Fitting) -> str | None:
        """The id of the registered plan that a run belongs to: of several, the one that was registered last."""
        plans = reversed(self.registrations_for(run.benchmark_id))
        return next((one.id for one in plans if not self._came_along(one.seq) and covers(one.plan, run)), None)

    def registrations_for(self, benchmark_id: str) -> list[Registration]:
        """The registered plans for a benchmark, in their order."""
        return [self.registrations[name] for name in self._registered_for.get(benchmark_id, ())]

    def attempts(self, signature: str) -> Attempts:
        """The runs of a signature, the first attempt first."""
        return Attempts(self._by_signature.get(signature, ()), self.runs)

    def live_run(self, signature: str) -> Run | None:
        """The run of a signature that is running in this ledger."""
        started = self._by_signature.get(signature, ())
        running = (self.runs[run_id] for run_id in started if run_id in self._open_runs)
        return next(filter(self.is_ours, running), None)

    def is_ours(self, one: Run | Group) -> bool:
        """Whether a run or group began in this ledger. Only the ledger in which it began may end it."""
        first = one.first_seq if isinstance(one, Run) else self._opened_at[one.run_group_id]
        return not self._came_along(first)

    def _came_along(self, seq: int) -> bool:
        return any(first <= seq < first + count for first, count in self._brought)

    def open_runs(self) -> Iterator[Run]:
        """Every run that has not ended."""
        return map(self.runs.__getitem__, self._open_runs)

    def open_groups(self) -> Iterator[Group]:
        """Every group that was not closed."""
        return map(self.groups.__getitem__, self._open_groups)

    def runs_of(self, run_group_id: str) -> list[Run]:
        """The runs of a group, in the order of their start."""
        return [self.runs[run_id] for run_id in self._by_group.get(run_group_id, ())]

    def published(self, benchmark_id: str) -> list[HighScorePublished]:
        """The references for a benchmark, in the order in which they were published."""
        return [one.event for one in self._published.get(benchmark_id, ())]

    def own_high_scores(self, benchmark_id: str) -> list[HighScorePublished]:
        """The references for a benchmark that were published in this ledger, not in a merged one."""
        return [one.event for one in self._published.get(benchmark_id, ()) if not self._came_along(one.seq)]

    def high_score(self, benchmark_id: str) -> HighScorePublished | None:
        """The current reference for a benchmark: the last one that was published here.

        A reference from a merged ledger is used only if this ledger does not have its own.
        """
        published = self.own_high_scores(benchmark_id) or self.published(benchmark_id)
        return published[-1] if published else None

    def reference(self, benchmark_id: str) -> HighScoreReference | None:
        """The reference that a run of the benchmark records when it ends."""
        published = self.high_score(benchmark_id)
        return HighScoreReference(published.label, published.value, published.source) if published else None

    @property
    def aside(self) -> Positions:
        """The positions of the events that are skipped."""
        return self._aside

    @property
    def brought(self) -> list[tuple[int, int]]:
        """The ranges of positions of events that came from other ledgers."""
        return self._brought

    def changed_runs(self) -> Mapping[str, Run]:
        """The runs that are not in the base, or have another state there."""
        return since(self.runs)

    def changes(self) -> Changes:
        """What was added or changed after the base."""
        return Changes(
            runs=since(self.runs),
            groups=since(self.groups),
            by_signature=since(self._by_signature),
            by_group=since(self._by_group),
            published=since(self._published),
            opened_at=since(self._opened_at),
            registrations=since(self.registrations),
            registered_for=since(self._registered_for),
        )

    def last_success(self, likeness: Likeness) -> Run | None:
        """The latest successful run that matches `likeness` and has a known duration."""
        if self._likenesses_at != self.seq:
            self._last_successes = _last_successes(since(self.runs).values())
            self._likenesses_at = self.seq
        candidates = [self._last_successes.get(likeness), self._base.last_success(likeness) if self._base else None]
        last = max((one for one in candidates if one is not None), default=None)
        return None if last is None else self.runs[last[1]]

    def works(self, benchmark_id: str) -> list[Work]:
        """The last run of each signature of a benchmark, without imported runs, in the order in which they began."""
        works = {work.signature: work for work in (self._base.works(benchmark_id) if self._base else ())}
        for run in since(self.runs).values():
            if run.benchmark_id == benchmark_id and run.imported is None:
                work = work_of(run)
                known = works.get(run.signature)
                works[run.signature] = work if known is None else max(work, known, key=lambda one: one.first_seq)
        return sorted(works.values(), key=lambda work: work.first_seq)


def _last_successes(runs: Iterable[Run]) -> dict[Likeness, tuple[int, str]]:
    last: dict[Likeness, tuple[int, str]] = {}
    for run in runs:
        if is_guide(run):
            for likeness in likenesses(run.benchmark_id, run.signature, run.options_key, run.model):
                last[likeness] = max(last.get(likeness, (0, "")), (run.first_seq, run.run_id))
    return last


def _append(lists: MutableMapping[str, list[T]], name: str, item: T) -> None:
    known = lists.get(name)
    if known is None:
        lists[name] = [item]
    else:
        known.append(item)
        lists[name] = known
