"""The baselines of a check: the best or the last runs before those that are checked, or runs that a person names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from ...ledger.fold import Run
from .attempts import Work
from .counting import Task, task_of
from .recency import Moment, in_order, when
from .records import best_of


class Candidates(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of one benchmark with its options, of one agent and model, that are to be checked.

    `runs` are those that count, in the order of their own times. If there are none, `failed` is the newest failure.
    `first` is when the first of all of them was.
    """

    benchmark_id: str
    comparison_key: str
    agent: str
    provider: str
    model: str
    runs: list[Run]
    failed: Run | None
    first: Moment

    @property
    def task(self) -> Task | None:
        """The task of their scores; None if they have none, because a failure may not know its unit."""
        return task_of(self.runs[-1]) if self.runs else None


Baseline = Callable[[Candidates], Sequence[Run]]
"""The runs of one agent and model that candidates are measured against; none: the baseline has nothing for them."""


History = Callable[[Work], Iterable[Run]]
"""The runs of one piece of work that count, in any order: at least the newest ones."""


def history_among(runs: Iterable[Run]) -> History:
    """The history of each piece of work, among these runs that count."""
    work = _by_work(runs, across=False)
    return lambda wanted: work.get(tuple(wanted), ())


def best_before(history: Sequence[Run], *, across: bool = False) -> Baseline:
    """The best run before the first that is checked, of the same agent and model; `across`: of any.

    `history` are runs that count.
    """

    work = _by_work(history, across)

    def find(candidates: Candidates) -> Sequence[Run]:
        earlier = _earlier(work, candidates, across)
        return [best_of(earlier)] if earlier else []

    return find


def last_before(history: Sequence[Run], *, across: bool = False) -> Baseline:
    """The runs of the group that ran it last before the first that is checked; otherwise as `best_before`."""

    work = _by_work(history, across)

    def find(candidates: Candidates) -> Sequence[Run]:
        earlier = _earlier(work, candidates, across)
        return of_one_contender([run for run in earlier if run.run_group_id == earlier[-1].run_group_id])

    return find


def among(runs: Sequence[Run], *, across: bool = False) -> Baseline:
    """These runs, as far as they are of the same task, agent and model; `across`: of the best agent and model."""

    work = _by_work(runs, across)

    def find(candidates: Candidates) -> Sequence[Run]:
        return of_one_contender(_same(work, candidates, across))

    return find


def last_run(runs: Iterable[Run]) -> list[Run]:
    """Of each benchmark with its options, agent and model the runs of the group that ran it last, in order.

    For the check of a model or of a whole history: what came before is what it is measured against.
    """
    by_work: dict[tuple[str, ...], list[Run]] = defaultdict(list)
    for run in in_order(runs):
        if run.status != "running":
            by_work[run.benchmark_id, run.comparison_key, *_contender(run)].append(run)
    newest = [run for some in by_work.values() for run in some if run.run_group_id == some[-1].run_group_id]
    return in_order(newest)


def _contender(run: Run) -> tuple[str, str, str]:
    return run.agent, run.provider, run.model


_Work = Mapping[tuple[str, ...], Sequence[Run]]


def _by_work(runs: Iterable[Run], across: bool) -> _Work:
    """The runs by benchmark, options and, unless `across`, agent and model.

    There may be a thousand candidates, and a hundred thousand runs: each candidate looks only at its own.
    """
    work: dict[tuple[str, ...], list[Run]] = defaultdict(list)
    for run in in_order(runs):
        work[(run.benchmark_id, run.comparison_key, *(() if across else _contender(run)))].append(run)
    return work


def _same(work: _Work, candidates: Candidates, across: bool) -> list[Run]:
    return _of_one_task(_of_work(work, candidates, across), candidates)


def _earlier(work: _Work, candidates: Candidates, across: bool) -> list[Run]:
    return _of_one_task([run for run in _of_work(work, candidates, across) if when(run) < candidates.first], candidates)


def _of_work(work: _Work, candidates: Candidates, across: bool) -> Sequence[Run]:
    own = (candidates.agent, candidates.provider, candidates.model)
    return work.get((candidates.benchmark_id, candidates.comparison_key, *(() if across else own)), ())


def _of_one_task(runs: Sequence[Run], candidates: Candidates) -> list[Run]:
    """Runs in the order of their own times whose scores can be compared: with the candidates', or the newest one's."""
    task = candidates.task or (task_of(runs[-1]) if runs else None)
    return [run for run in runs if task_of(run) == task]


def of_one_contender(runs: Sequence[Run]) -> list[Run]:
    """The runs of the agent and model with the best score: those of several have no mean."""
    if not runs:
        return []
    best = _contender(best_of(runs))
    return [run for run in runs if _contender(run) == best]
