"""What score tables need of many runs: counts, sums, and the few runs that decide.

Of the runs of one piece of work in one state (`Key`) a table shows how many there are, the newest, the best and their
mean. So a tally keeps these, and not the runs: it is as large as the table, not as the history. `orchestrator.sqlite`
keeps tallies up to date (`sqlite.tallies`); `board_of` makes them from runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from ...ledger.fold import Run
from .attempts import Attempts, Ending, Sum, Work, attempts_in, count_run, ending, is_attempt_of, work_of
from .counting import RETRACTED, UNSCORED, Doubtful, Task, chance_of, kind_of, repetition_of
from .destinations import Destinations
from .means import exact
from .recency import Moment, when
from .records import beats, is_upward
from .standing_runs import Candidate, Runs, campaign_of, standing_runs


class Contender(NamedTuple):
    """A piece of work with the unit and the direction of its scores: an agent with a model on a task."""

    work: Work
    unit: str
    upward: bool

    @property
    def task(self) -> Task:
        """The task of the scores."""
        return Task(self.work.benchmark_id, self.work.comparison_key, self.unit, self.upward)


class Key(NamedTuple):
    """What the runs of a tally share. `kind` is that of `counting.kind_of`, `repetition` that of `repetition_of`."""

    work: Work
    unit: str
    upward: bool
    kind: int
    repetition: str

    @property
    def contender(self) -> Contender:
        """Whose runs they are."""
        return Contender(self.work, self.unit, self.upward)

    @property
    def task(self) -> Task:
        """The task of their scores."""
        return self.contender.task


class Tally(msgspec.Struct, kw_only=True):
    """Of the successes with one key: their number, the sum of their scores, and the runs that tables show.

    `total` is exact, in units of 2**-1074, so it does not depend on the order of the runs. `telling` is the newest run
    that reports the score of guessing. `best` is None if the runs have no scores.
    """

    runs: int = 0
    total: int = 0
    newest: Run
    best: Run | None = None
    telling: Run | None = None

    def add(self, run: Run) -> None:
        """Count one more run."""
        self.runs += 1
        if run is not self.newest and when(run) > when(self.newest):
            self.newest = run
        if run.score is not None:
            self.total += exact(run.score)
            if beats(run, self.best):
                self.best = run
        if chance_of(run) is not None and (self.telling is None or when(run) > when(self.telling)):
            self.telling = run

    def remove(self, run: Run) -> bool:
        """Count a run no more; whether the tally still shows it, so that another run has to be found in its place."""
        self.runs -= 1
        if run.score is not None:
            self.total -= exact(run.score)
        return run.run_id in {shown.run_id for shown in (self.newest, self.best, self.telling) if shown is not None}


class Worked(msgspec.Struct, kw_only=True):
    """A piece of work: the number of its runs of any status, and the newest that is over, or the newest if none is."""

    runs: int
    latest: Run

    def add(self, run: Run) -> None:
        """Count one more run."""
        self.runs += 1
        if latest_order(run) > latest_order(self.latest):
            self.latest = run


class AttemptKey(NamedTuple):
    """What the attempts of a sum share, of any status; `kind` as in `Key`."""

    work: Work
    kind: int
    ending: Ending


class Successes(Protocol):
    """The successes of a history: what tallies do not keep is looked up in them."""

    def candidates(
        self, wanted: Mapping[Contender, str | None], kinds: Collection[int]
    ) -> Mapping[Contender, Sequence[Candidate]]:
        """The runs of those kinds of each contender; only of one campaign if it is named."""
        ...

    def runs(self, run_ids: Collection[str]) -> Mapping[str, Run]:
        """Runs by their ids, with what tables show."""
        ...


class Board(msgspec.Struct, frozen=True):
    """All work, tallies and attempts of a history."""

    works: dict[Work, Worked]
    tallies: dict[Key, Tally]
    attempts: dict[AttemptKey, Sum]
    successes: Successes

    def standing(self, kinds: Collection[int], which: Runs, *, agent: str | None = None) -> dict[Contender, list[Run]]:
        """The runs of those kinds that stand for each contender (`standing_runs`); only of one agent if it is named."""
        newest: dict[Contender, dict[str, Run]] = defaultdict(dict)
        for key, tally in self.counting(kinds):
            if agent is None or key.work.agent == agent:
                of = newest[key.contender]
                of[key.repetition] = max(of.get(key.repetition, tally.newest), tally.newest, key=when)
        latest = {contender: max(some.values(), key=when) for contender, some in newest.items()}
        # The tallies do not tell which runs are of one campaign. With one repetition there is nothing to tell.
        repeated = {
            contender: None if which == "repeats" else campaign_of(latest[contender])
            for contender, some in newest.items()
            if len(some) > 1
        }
        chosen = {
            contender: [run.run_id for run in standing_runs(some, which)]
            for contender, some in self.successes.candidates(repeated, kinds).items()
        }
        runs = self.successes.runs([run_id for some in chosen.values() for run_id in some])
        return {
            contender: [runs[run_id] for run_id in chosen[contender]] if contender in chosen else [run]
            for contender, run in latest.items()
        }

    def attempts_with(self, include: Collection[Doubtful] = ()) -> dict[Work, Attempts]:
        """The attempts at each piece of work, as `destinations.attempts_of`."""
        of: dict[Work, list[tuple[Ending, Sum]]] = defaultdict(list)
        destinations = Destinations(tally.newest for key, tally in self.tallies.items() if is_success(key.kind))
        for key, some in self.attempts.items():
            if is_attempt_of(key.kind, include):
                of[destinations.of(key.work)].append((key.ending, some))
        return {work: attempts_in(sums) for work, sums in of.items()}

    def counting(self, kinds: Iterable[int]) -> Iterator[tuple[Key, Tally]]:
        """The tallies of those kinds."""
        wanted = frozenset(kinds)
        return ((key, tally) for key, tally in self.tallies.items() if key.kind in wanted)


def key_of(run: Run) -> Key | None:
    """The tally in which a run is counted; None if it is not a success."""
    if run.status != "succeeded":
        return None
    return Key(work_of(run), run.unit or "", is_upward(run), kind_of(run), repetition_of(run))


def attempt_of(run: Run) -> AttemptKey:
    """The sum in which a run is counted as an attempt."""
    return AttemptKey(work_of(run), kind_of(run), ending(run))


def is_success(kind: int) -> bool:
    """As `Run.is_success`, of a kind."""
    return not kind & RETRACTED


def is_scored(kind: int) -> bool:
    """Whether runs of a kind have scores."""
    return not kind & UNSCORED


def latest_order(run: Run) -> tuple[bool, Moment]:
    """The order in which the last is the latest run: those that are over come after those that still run."""
    return run.status != "running", when(run)


class _InMemory:
    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._of: dict[Contender, list[tuple[int, Run]]] = defaultdict(list)

    def add(self, key: Key, run: Run) -> None:
        self._runs[run.run_id] = run
        self._of[key.contender].append((key.kind, run))

    def candidates(
        self, wanted: Mapping[Contender, str | None], kinds: Collection[int]
    ) -> Mapping[Contender, Sequence[Run]]:
        return {
            contender: [
                run for kind, run in self._of[contender] if kind in kinds and campaign in (None, campaign_of(run))
            ]
            for contender, campaign in wanted.items()
        }

    def runs(self, run_ids: Collection[str]) -> Mapping[str, Run]:
        return {run_id: self._runs[run_id] for run_id in run_ids}


def board_of(runs: Iterable[Run]) -> Board:
    """The board of runs, in any order."""
    board = Board({}, {}, {}, successes := _InMemory())
    for run in runs:
        work = work_of(run)
        if worked := board.works.get(work):
            worked.add(run)
        else:
            board.works[work] = Worked(runs=1, latest=run)
        attempt = attempt_of(run)
        count_run(board.attempts.setdefault(attempt, Sum()), run, attempt.ending)
        if key := key_of(run):
            tally = board.tallies.get(key)
            if tally is None:
                tally = board.tallies[key] = Tally(newest=run)
            tally.add(run)
            successes.add(key, run)
    return board
