"""The leaderboard and the regressions of all runs, from what each contender came to: only what changed is measured."""

from __future__ import annotations

import heapq
import math
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from ...projections.scores.attempts import Attempts, count, ending, is_attempt, together
from ...projections.scores.attempts import Work as AttemptedWork
from ...projections.scores.attempts import work_of as attempted_work
from ...projections.scores.check import CheckedScore, check, last_before, last_run
from ...projections.scores.comparison import Contrast, adjust
from ...projections.scores.destinations import Destinations
from ...projections.scores.high_scores import HighScore
from ...projections.scores.leaderboard import (
    RANDOM,
    ContenderScore,
    Doubtful,
    Ranking,
    Standing,
    contender_score,
    is_eligible,
    score_of_guessing,
    standings,
)
from ...projections.scores.leaderboard import Task as ScoredTask
from ...projections.scores.samples import SampleScores
from ...projections.scores.standing_runs import Runs
from .drops import Drop, drop_of
from .groups import Groups
from .row import RunRow, Task, as_run

Work = tuple[Task, str, str, str]
"""A task, and the agent, provider and model that ran it."""

Pairing = Callable[[CheckedScore], Contrast]
"""Compares a score with its baseline sample by sample, if both have samples."""

MAX_PAIRED = 50
"""The newest regressions whose samples are read: as many as a page lists, and some more."""

_NOT_READ = SampleScores(problem="samples are not read here")


def work_of(row: RunRow) -> Work | None:
    """The work of a run with a score; None if it has none."""
    if row.status != "succeeded" or row.score is None:
        return None
    return row.task, row.agent, row.provider, row.model


def _chance_task(row: RunRow) -> Task | None:
    return row.task if row.chance is not None and row.is_success and row.score is not None else None


def _guess_task(row: RunRow) -> Task | None:
    return row.task if row.agent == RANDOM and row.is_success and row.score is not None else None


class Scoreboard:
    """What each contender came to on each task. `rows` change with the table, which announces each change.

    Whatever is kept here is the same as what all runs together would give.
    """

    def __init__(self, rows: Sequence[RunRow]) -> None:
        self._rows = rows
        self.works: Groups[Work] = Groups(work_of)
        self.scores: dict[Work, ContenderScore] = {}
        self.checks: dict[Work, CheckedScore] = {}
        self.chances: dict[Task, float] = {}
        self._drops: dict[Work, Drop | None] = {}
        self._ranked: dict[ScoredTask, Ranking] = {}
        self._regressions: list[CheckedScore] | None = None
        self.reported: Groups[Task] = Groups(_chance_task)
        self.guesses: Groups[Task] = Groups(_guess_task)
        self.tried: Groups[AttemptedWork] = Groups(_attempted_work)
        self.attempts: dict[AttemptedWork, Attempts] = {}
        self._attempts_placed: Mapping[AttemptedWork, Attempts] | None = None
        self._groups = (self.works, self.reported, self.guesses, self.tried)

    def load(self) -> None:
        """Begin with all rows."""
        for groups in self._groups:
            groups.load(self._rows)

    def restore(
        self,
        works: dict[Work, array[int]],
        reported: dict[Task, array[int]],
        guesses: dict[Task, array[int]],
        tried: dict[AttemptedWork, array[int]],
    ) -> None:
        """Begin with groups of the same rows. The caller adds the scores, checks and attempts of the works."""
        self.works.members, self.reported.members, self.guesses.members = works, reported, guesses
        self.tried.members = tried
        self.reported.changed.update(reported)
        self.guesses.changed.update(guesses)

    def take_out(self, number: int) -> None:
        """Row `number` is about to change."""
        for groups in self._groups:
            groups.take_out(number, self._rows)

    def put_in(self, number: int) -> None:
        """Row `number` is new or has changed."""
        for groups in self._groups:
            groups.put_in(number, self._rows)

    def standings(
        self, high_scores: Mapping[str, HighScore], include: Collection[Doubtful] = (), which: Runs = "newest"
    ) -> list[Standing]:
        """The leaderboard: the same as `leaderboard` of all runs."""
        scores = self.all()
        if include or which != "newest":
            of_work = (self._counting(work, include) for work in self.works.members)
            scores = (contender_score(rows, which) for rows in of_work if rows)
        attempts = self.attempts_with(include)
        chances = {ScoredTask(*task): chance for task, chance in self.chances.items()}
        kept = None if include or which != "newest" else self._ranked
        return standings(scores, chances, high_scores, attempts=attempts, kept=kept)

    def attempts_with(self, include: Collection[Doubtful] = ()) -> Mapping[AttemptedWork, Attempts]:
        """The attempts at each piece of work, also those of the kinds in `include`."""
        self.bring_up()
        if include:
            return self._placed(self._attempts(include))
        if self._attempts_placed is None:
            self._attempts_placed = self._placed(self.attempts)
        return self._attempts_placed

    def _placed(self, attempts: Mapping[AttemptedWork, Attempts]) -> Mapping[AttemptedWork, Attempts]:
        """Attempts without a success, beside the scores that they would have had (`destinations`)."""
        if all(some.successes for some in attempts.values()):
            return attempts
        members = (map(self._rows.__getitem__, reversed(numbers)) for numbers in self.works.members.values())
        newest = (next((row for row in rows if row.is_success), None) for rows in members)
        destinations = Destinations(row for row in newest if row is not None)
        placed: dict[AttemptedWork, Attempts] = {}
        for work, some in attempts.items():
            target = destinations.of(work)
            placed[target] = together(placed[target], some) if target in placed else some
        return placed

    def all(self) -> Iterable[ContenderScore]:
        """The score of each contender on each task that it has run."""
        self.bring_up()
        return self.scores.values()

    def beside_previous(self, row: RunRow) -> RunRow:
        """The row with the score of the same work in the campaign before."""
        work = work_of(row)
        if work is None or not row.counts:
            return row
        numbers = self.works.members.get(work, ())
        for place in range(bisect_left(numbers, row.moment, key=lambda number: self._rows[number].moment) - 1, -1, -1):
            other = self._rows[numbers[place]]
            if other.counts and other.run_group_id != row.run_group_id and other.score is not None:
                delta, noise = (row.score or 0.0) - other.score, math.hypot(row.stderr or 0.0, other.stderr or 0.0)
                return replace(row, previous_score=other.score, previous_differs=0 < 2 * noise < abs(delta))
        return row

    def drop(self, work: Work) -> Drop | None:
        """What a contender scored last on a task, and the level before it dropped; None for a single campaign."""
        self.bring_up()
        if work not in self._drops:
            self._drops[work] = drop_of(self._counting(work, ()))
        return self._drops[work]

    def regressions(self, pair: Pairing | None = None) -> list[CheckedScore]:
        """The works whose last group scored worse than the one before, with Holm's correction over all of them.

        `pair` compares the newest MAX_PAIRED of them sample by sample, as `check` does.
        """
        self.bring_up()
        if self._regressions is None:
            self._regressions = self._find_regressions(pair)
        return self._regressions

    def _find_regressions(self, pair: Pairing | None) -> list[CheckedScore]:
        newest: dict[tuple[str, ...], Work] = {}
        for work in self.checks:
            # Scores in the unit before are not what the contender scores now.
            same = (*work[0][:2], *work[1:])
            if same not in newest or self.scores[work].latest > self.scores[newest[same]].latest:
                newest[same] = work
        checks = [self.checks[work] for work in newest.values()]
        if pair is not None:
            latest = {id(self.checks[work]): self.scores[work].latest for work in newest.values()}
            worse = heapq.nlargest(
                MAX_PAIRED, (one for one in checks if one.result == "worse"), key=lambda one: latest[id(one)]
            )
            paired = {id(one): replace(one, contrast=pair(one)) for one in worse}
            checks = [paired.get(id(one), one) for one in checks]
        adjusted = adjust([one.contrast for one in checks])
        return [
            replace(one, contrast=corrected)
            for one, corrected in zip(checks, adjusted, strict=True)
            if one.result == "worse"
        ]

    def bring_up(self) -> None:
        """Measure again what has changed."""
        if self.works.changed:
            self._regressions = None
        if self.works.changed or self.tried.changed:
            self._attempts_placed = None
        for work in self.works.changed:
            self.scores.pop(work, None)
            self.checks.pop(work, None)
            self._drops.pop(work, None)
            rows = self._counting(work, ()) if work in self.works.members else []
            if rows:
                self.scores[work] = contender_score(rows)
                self._check(work, rows)
        for tried in self.tried.changed:
            self.attempts.pop(tried, None)
            if numbers := self.tried.members.get(tried):
                self.attempts[tried] = _count(self._rows[number] for number in numbers)
        for task in self.reported.changed | self.guesses.changed:
            self.chances.pop(task, None)
            if numbers := self.reported.members.get(task):
                chance = self._rows[numbers[-1]].chance
                assert chance is not None  # noqa: S101 - for the type checker: the group is of runs that report it
                self.chances[task] = chance
            elif numbers := self.guesses.members.get(task):
                self.chances[task] = score_of_guessing(self._rows[number] for number in numbers)
        for groups in self._groups:
            groups.changed.clear()

    def _counting(self, work: Work, include: Collection[Doubtful]) -> list[RunRow]:
        rows = map(self._rows.__getitem__, self.works.members[work])
        return [row for row in rows if is_eligible(row, include)]

    def _attempts(self, include: Collection[Doubtful]) -> dict[AttemptedWork, Attempts]:
        """Those of the runs that count with these kinds, too."""
        of: dict[AttemptedWork, list[RunRow]] = defaultdict(list)
        for row in self._rows:
            if is_attempt(row, include):
                of[attempted_work(row)].append(row)
        return {work: _count(rows) for work, rows in of.items()}

    def _check(self, work: Work, rows: Sequence[RunRow]) -> None:
        """As `check --baseline last` finds it; the files of samples are not read for it."""
        runs = [as_run(row) for row in _last_two_groups(rows)]
        found = check(last_run(runs), last_before(runs), lambda _: _NOT_READ, checked="", against="")
        for one in found.scores:
            if one.contrast is not None:
                self.checks[work] = one


def _attempted_work(row: RunRow) -> AttemptedWork | None:
    return attempted_work(row) if is_attempt(row) else None


def _count(rows: Iterable[RunRow]) -> Attempts:
    return count((ending(row), row.duration_seconds, row.cost_usd) for row in rows)


def _last_two_groups(rows: Sequence[RunRow]) -> list[RunRow]:
    """All that the check of a long history asks of it: the last group, and the one that was last before it began."""
    return list(_from_the_end(rows))[::-1]


def _from_the_end(rows: Sequence[RunRow]) -> Iterator[RunRow]:
    last = rows[-1].run_group_id
    first = next(place for place, row in enumerate(rows) if row.run_group_id == last)
    before = rows[first - 1].run_group_id if first else last
    for place in range(len(rows) - 1, -1, -1):
        if rows[place].run_group_id == (last if place >= first else before):
            yield rows[place]
