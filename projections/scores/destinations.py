"""Attempts without a success count beside the scores that they would have had.

A run knows two things about its task only at its end: the revision of its data, which its result reports, and a later
scorer, which judges it afterwards. A failed run knows neither, so it has another comparison key than the successes of
the same work. This is the one place that says with which of them it counts; the view `attempts` in SQL says it again.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Protocol

from ...ledger.events import TaskRevision
from ...ledger.fold import Run, fenced
from .attempts import Attempted, Attempts, Work, attempts, is_attempt, work_of
from .counting import Doubtful
from .recency import Moment, Timed, when


class Success(Attempted, Timed, Protocol):
    """A success with what tells its task: a whole `Run` has it, and so has a row of it."""

    @property
    def options_key(self) -> str: ...  # noqa: D102
    @property
    def task_revision(self) -> TaskRevision | None: ...  # noqa: D102


class Destinations:
    """Where the attempts of work without a success count.

    `successes` are the successes, or at least the newest of each piece of work.
    """

    def __init__(self, successes: Iterable[Success]) -> None:
        self._done: set[Work] = set()
        self._tasks: set[tuple[str, str]] = set()
        self._later: dict[tuple[str, str], dict[Work, Moment]] = defaultdict(dict)
        for run in successes:
            work, moment = work_of(run), when(run)
            self._done.add(work)
            self._tasks.add((work.benchmark_id, work.comparison_key))
            for key in _keys_before(run.comparison_key, run.options_key, run.task_revision):
                of_key = self._later[run.benchmark_id, key]
                of_key[work] = max(of_key.get(work, moment), moment)

    def of(self, work: Work) -> Work:
        """The work that attempts at `work` count with: the newest of the same contender, else of the same task.

        That is `work` itself if it has a success, or if nothing later is known of its task.
        """
        task = (work.benchmark_id, work.comparison_key)
        if work in self._done or task not in self._later:
            return work
        later = self._later[task]
        own = {one: moment for one, moment in later.items() if one[2:] == work[2:]}
        if not own and task in self._tasks:
            return work
        newest = max(own or later, key=lambda one: (later[one], one))
        return work._replace(comparison_key=newest.comparison_key)


def attempts_of(runs: Iterable[Run], include: Collection[Doubtful] = ()) -> dict[Work, Attempts]:
    """The attempts at each piece of work."""
    every = list(runs)
    destinations = Destinations(run for run in every if run.is_success)
    of: dict[Work, list[Run]] = defaultdict(list)
    for run in every:
        if is_attempt(run, include):
            of[destinations.of(work_of(run))].append(run)
    return {work: attempts(some) for work, some in of.items()}


@functools.lru_cache(maxsize=4096)
def _keys_before(comparison_key: str, options_key: str, revision: TaskRevision | None) -> frozenset[str]:
    """The comparison keys that a run would have without a later scorer, and without the revision of its data."""
    if revision is None:
        keys = {options_key}
    else:
        without_data = TaskRevision.of(
            version=revision.version, driver=revision.driver, data="", packages=revision.packages
        )
        keys = {fenced(options_key, one.digest) for one in (revision, without_data)}
    return frozenset(keys - {comparison_key})
