"""The state of a ledger that need not be in memory: what it can be asked, and the mappings that look it up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Protocol, TypeVar, overload

import msgspec

from .aside import Positions
from .events import HighScorePublished, Json
from .registrations import Registration
from .states import Group, Run

T = TypeVar("T")


class Work(msgspec.Struct, frozen=True, gc=False):
    """The fields that identify a run's work, with its id and the position of its first event."""

    first_seq: int
    run_id: str
    signature: str
    benchmark_directory: str
    agent: str
    provider: str
    model: str
    extra_config: Json


class Published(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A published high score, and the position of its event."""

    seq: int
    event: HighScorePublished


class Likeness(msgspec.Struct, frozen=True, gc=False):
    """The features that two pieces of work share: the benchmark, and each field that is not None."""

    benchmark_id: str
    comparison_key: str | None = None
    model: str | None = None
    signature: str | None = None


def likenesses(benchmark_id: str, signature: str, comparison_key: str, model: str) -> list[Likeness]:
    """The closest first: the same work, the same task by the same model, the same task, the same benchmark."""
    return [
        Likeness(benchmark_id, signature=signature),
        Likeness(benchmark_id, comparison_key, model),
        Likeness(benchmark_id, comparison_key),
        Likeness(benchmark_id),
    ]


class Base(Protocol):
    """The state of a ledger after the event `seq`. It can be queried, and need not be in memory.

    Each answer is a copy that the caller may change.
    """

    @property
    def seq(self) -> int:
        """The position of its event; 0 before the first."""
        ...

    @property
    def hash(self) -> str:
        """The hash of its event; empty before the first."""
        ...

    @property
    def at(self) -> str:
        """The time of its event."""
        ...

    @property
    def aside(self) -> Positions:
        """The positions of the events that it skipped."""
        ...

    @property
    def brought(self) -> Sequence[tuple[int, int]]:
        """The ranges of events that came from other ledgers."""
        ...

    @property
    def open_runs(self) -> Sequence[str]:
        """The ids of the runs that have not ended, in the order of their first events."""
        ...

    @property
    def open_groups(self) -> Sequence[str]:
        """The ids of the groups that were not closed, in the order of their first events."""
        ...

    @property
    def runs(self) -> int:
        """The number of runs."""
        ...

    @property
    def groups(self) -> int:
        """The number of groups."""
        ...

    def run(self, run_id: str) -> Run | None:
        """A run by its id; an ended run is without details."""
        ...

    def group(self, run_group_id: str) -> Group | None:
        """A group by its id."""
        ...

    def all_runs(self) -> Sequence[str]:
        """The ids of all runs, in the order of their first events."""
        ...

    def all_groups(self) -> Sequence[str]:
        """The ids of all groups, in the order of their first events."""
        ...

    def opened_at(self, run_group_id: str) -> int | None:
        """The position of a group's first event."""
        ...

    def runs_with(self, signature: str) -> list[str] | None:
        """The ids of the runs of a signature, in the order of their first events."""
        ...

    def runs_in(self, run_group_id: str) -> list[str] | None:
        """The ids of the runs of a group, in the order of their first events."""
        ...

    def published(self, benchmark_id: str) -> list[Published] | None:
        """The high scores that were published for a benchmark, in their order."""
        ...

    def registration(self, registration_id: str) -> Registration | None:
        """A registered plan by its id."""
        ...

    def registered_for(self, benchmark_id: str) -> list[str] | None:
        """The ids of the registered plans for a benchmark, in their order."""
        ...

    def last_success(self, likeness: Likeness) -> tuple[int, str] | None:
        """The latest successful run that matches `likeness`: the position of its first event, and its id."""
        ...

    def works(self, benchmark_id: str) -> Iterator[Work]:
        """The last run of each signature of a benchmark; imported runs are left out."""
        ...


class Recalled(MutableMapping[str, T]):
    """A mapping whose values come from a base, except those that were set later."""

    def __init__(
        self, load: Callable[[str], T | None], names: Callable[[], Sequence[str]] = tuple, number: int = 0
    ) -> None:
        """`names` returns the names in the base in their order, and `number` is the number of them."""
        self.since: dict[str, T] = {}
        """The values that were set after the base."""
        self._load = load
        self._names = names
        self._number = number
        self._missed = ""
        """The last name that was looked up and not found: it is often set next."""

    def __getitem__(self, name: str) -> T:
        if name in self.since:
            return self.since[name]
        value = self._load(name)
        if value is None:
            self._missed = name
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: T) -> None:
        if name not in self.since and (name == self._missed or self._load(name) is None):
            self._number += 1
        self.since[name] = value

    def __delitem__(self, name: str) -> None:
        raise TypeError("nothing is ever taken out of a history")

    def __iter__(self) -> Iterator[str]:
        before = self._names()
        yield from before
        known = set(before)
        yield from (name for name in self.since if name not in known)

    def __len__(self) -> int:
        return self._number


class Changes(msgspec.Struct, frozen=True):
    """What was added or changed after a base, by the name of a run, group, signature or benchmark."""

    runs: Mapping[str, Run]
    groups: Mapping[str, Group]
    by_signature: Mapping[str, list[str]]
    by_group: Mapping[str, list[str]]
    published: Mapping[str, list[Published]]
    opened_at: Mapping[str, int]
    registrations: Mapping[str, Registration]
    registered_for: Mapping[str, list[str]]


class Attempts(Sequence[Run]):
    """The runs of a signature, the first attempt first. Each is looked up when it is accessed."""

    def __init__(self, run_ids: Sequence[str], runs: MutableMapping[str, Run]) -> None:
        self._run_ids = run_ids
        self._runs = runs

    def __len__(self) -> int:
        return len(self._run_ids)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Attempts: ...
    def __getitem__(self, index: int | slice) -> Run | Attempts:
        selected = self._run_ids[index]
        return self._runs[selected] if isinstance(selected, str) else Attempts(selected, self._runs)


def since(mapping: MutableMapping[str, T]) -> Mapping[str, T]:
    """What was added or changed after the base."""
    return mapping.since if isinstance(mapping, Recalled) else mapping


def work_of(run: Run) -> Work:
    """The fields that identify a run's work."""
    return Work(
        first_seq=run.first_seq,
        run_id=run.run_id,
        signature=run.signature,
        benchmark_directory=run.benchmark_directory,
        agent=run.agent,
        provider=run.provider,
        model=run.model,
        extra_config=run.extra_config,
    )


def is_guide(run: Run) -> bool:
    """Whether a run can be used to estimate the duration of similar work."""
    return run.status == "succeeded" and run.duration_seconds is not None
