"""What can be named, asked of the tables of `orchestrator.sqlite`: each answer costs what it is about."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from ...ledger.equivalence import Classes
from ...ledger.fold import Group, Run
from ..scores.attempts import Sum, Work, is_attempt_of
from ..scores.baselines import Baseline, Candidates, of_one_contender
from ..scores.counting import DOUBTFUL, Doubtful, is_eligible, kinds_that_count, task_of
from ..scores.recency import in_order, when
from ..scores.records import best_of
from ..scores.revisions import in_classes
from ..scores.selection import MAX_HISTORY, Catalogue, Contender, Kind, Selection
from ..scores.tally import AttemptKey
from .equivalence import read_classes
from .following import read_groups, read_runs
from .tables import OF_TALLY
from .tallies import read_sums

_AT_ONCE = 500
_NEWEST = "ORDER BY moment DESC, first_seq DESC LIMIT 1"
_EARLIER = "(moment, first_seq) < (?, ?)"
_HAS_RUNS = "EXISTS (SELECT 1 FROM benchmark_runs WHERE benchmark_runs.run_group_id = run_groups.run_group_id)"
_StoredKey = tuple[int, str, bool, int, str]


class StoredCatalogue:
    """The catalogue of an open database. `past` gives the catalogue as of a time.

    Runs of an earlier time are compared with runs of now. So a catalogue of the past has the `classes` of revisions
    that are equivalent now: everything that compares or checks follows one rule.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        past: Callable[[str], Catalogue],
        include: Collection[Doubtful] = (),
        classes: Classes | None = None,
    ) -> None:
        self.include = include
        self._connection = connection
        self._past = past
        self._classes = None if classes is None or classes == read_classes(connection) else classes

    def runs_beginning_with(self, name: str, most: int) -> list[str]:
        """As the protocol says."""
        return self._beginning_with(name, most, "benchmark_runs", "run_id")

    def groups_beginning_with(self, name: str, most: int) -> list[str]:
        """As the protocol says."""
        return self._beginning_with(name, most, "run_groups", "run_group_id")

    def _beginning_with(self, name: str, most: int, table: str, column: str) -> list[str]:
        if not name:
            return []
        if self._connection.execute(f"SELECT 1 FROM {table} WHERE {column} = ?", (name,)).fetchone():  # noqa: S608
            return [name]
        # The ids from the name on, up to the first that does not begin with it.
        query = f"SELECT {column} FROM {table} WHERE {column} >= ? AND {column} < ? ORDER BY rowid LIMIT ?"  # noqa: S608
        return [some for (some,) in self._connection.execute(query, (name, name + chr(0x10FFFF), most))]

    def find_run(self, run_id: str) -> Run | None:
        """As the protocol says."""
        return next(read_runs(self._connection, "WHERE run_id = ?", (run_id,)), None)

    def find_group(self, run_group_id: str) -> Group | None:
        """As the protocol says."""
        return next(read_groups(self._connection, "WHERE run_group_id = ?", (run_group_id,)), None)

    def newest_group(self) -> Group | None:
        """As the protocol says."""
        newest_first = read_groups(
            self._connection, f"WHERE skipped_json <> '[]' OR {_HAS_RUNS} ORDER BY created_at DESC, rowid DESC"
        )
        return next((group for group in newest_first if self._has_runs(group)), None)

    def _has_runs(self, group: Group) -> bool:
        own = "SELECT 1 FROM benchmark_runs WHERE run_group_id = ?"
        return (
            any(skip.existing_run_id for skip in group.skipped)
            or self._connection.execute(own, (group.run_group_id,)).fetchone() is not None
        )

    def runs_of(self, group: Group) -> list[Run]:
        """As the protocol says."""
        runs = {run.run_id: run for run in read_runs(self._connection, "WHERE run_group_id = ?", (group.run_group_id,))}
        earlier = {skip.existing_run_id for skip in group.skipped if skip.existing_run_id} - runs.keys()
        runs.update((run.run_id, run) for run in self._runs("run_id", sorted(earlier)))
        return sorted(runs.values(), key=lambda run: run.first_seq)

    def contenders(self) -> Collection[Contender]:
        """As the protocol says."""
        return self._connection.execute("SELECT DISTINCT agent, provider, model FROM works").fetchall()

    def benchmarks(self) -> Collection[str]:
        """As the protocol says."""
        return [name for (name,) in self._connection.execute("SELECT DISTINCT benchmark_id FROM works")]

    def ids(self) -> Collection[str]:
        """As the protocol says."""
        query = "SELECT run_id FROM benchmark_runs UNION ALL SELECT run_group_id FROM run_groups"
        return [name for (name,) in self._connection.execute(query)]

    def of(self, kind: Kind, name: str, contenders: Collection[Contender] | None) -> Selection:
        """As the protocol says."""
        works = self._works_of(contenders)
        counting = kinds_that_count(self.include)
        count, has_doubtful = 0, False
        shown: set[str] = set()
        for work_id, tally_kind, runs, newest, best in self._connection.execute(
            "SELECT work_id, kind, runs, newest, best FROM tallies"
        ):
            if works is not None and work_id not in works:
                continue
            if tally_kind in counting:
                count += runs
                shown |= {newest, best}
            else:
                has_doubtful = has_doubtful or tally_kind in _DOUBTFUL_KINDS
        selection = Selection(
            name=name,
            kind=kind,
            runs=sorted(self._runs("run_id", sorted(shown)), key=lambda run: run.first_seq),
            count=count,
            has_doubtful=has_doubtful,
            tried=self._tried(works),
            every=lambda: self._every(works),
            to_check=lambda: self._run_last(works),
        )
        return selection if self._classes is None else in_classes(selection, self._classes)

    def _tried(self, works: set[int] | None) -> dict[AttemptKey, Sum]:
        counting = kinds_that_count(self.include)
        return {
            key: some
            for work_id, key, some in read_sums(self._connection)
            if (works is None or work_id in works)
            and (is_attempt_of(key.kind) or (key.ending == "succeeded" and key.kind in counting))
        }

    def scored(self, benchmark_id: str | None = None) -> Iterable[Run]:
        """As the protocol says."""
        where, values = "status = 'succeeded' AND score IS NOT NULL", [benchmark_id] * (benchmark_id is not None)
        if values:
            where += " AND benchmark_id = ?"
        runs = read_runs(self._connection, f"WHERE {where} ORDER BY first_seq", tuple(values))
        return (run for run in runs if is_eligible(run, self.include))

    def history(self, work: Work) -> Iterable[Run]:
        """As the protocol says."""
        where = (
            "WHERE work_id = (SELECT id FROM works WHERE benchmark_id = ? AND comparison_key = ? AND agent = ? "
            "AND provider = ? AND model = ?) AND status = 'succeeded' AND score IS NOT NULL "
            "ORDER BY moment DESC, first_seq DESC LIMIT ?"
        )
        runs = read_runs(self._connection, where, (*work, MAX_HISTORY))
        return [run for run in runs if is_eligible(run, self.include)]

    def past(self, when: str) -> Catalogue:
        """As the protocol says."""
        return self._past(when)

    def best_before(self, *, across: bool) -> Baseline:
        """As the protocol says."""

        def find(candidates: Candidates) -> Sequence[Run]:
            keys, _ = self._earlier(candidates, across)
            best = [run for key in keys for run in self._best_before(key, candidates)]
            return [best_of(best)] if best else []

        return find

    def last_before(self, *, across: bool) -> Baseline:
        """As the protocol says."""

        def find(candidates: Candidates) -> Sequence[Run]:
            keys, last = self._earlier(candidates, across)
            if last is None:
                return []
            works = {key[0] for key in keys}
            where = f"WHERE run_group_id = ? AND work_id IN ({', '.join('?' * len(works))})"
            group = read_runs(self._connection, where, (last.run_group_id, *works))
            return of_one_contender(in_order(run for run in group if self._is_earlier(run, last, candidates)))

        return find

    def _is_earlier(self, run: Run, last: Run, candidates: Candidates) -> bool:
        return is_eligible(run, self.include) and task_of(run) == task_of(last) and when(run) < candidates.first

    def _earlier(self, candidates: Candidates, across: bool) -> tuple[list[_StoredKey], Run | None]:
        """The tallies of one task with scores before the candidates', and the newest of those runs."""
        newest = [
            (key, run)
            for key in self._tallies(candidates, across)
            for run in self._newest_before(key, candidates)
            if candidates.task in (None, task_of(run))
        ]
        if not newest:
            return [], None
        _, last = max(newest, key=lambda one: when(one[1]))
        return [key for key, run in newest if task_of(run) == task_of(last)], last

    def _tallies(self, candidates: Candidates, across: bool) -> list[_StoredKey]:
        """The tallies of the same benchmark and options with scores that count."""
        where, values = "benchmark_id = ? AND comparison_key = ?", [candidates.benchmark_id, candidates.comparison_key]
        if not across:
            where += " AND agent = ? AND provider = ? AND model = ?"
            values += [candidates.agent, candidates.provider, candidates.model]
        query = (
            "SELECT work_id, unit, upward, kind, repetition FROM tallies "  # noqa: S608
            f"WHERE work_id IN (SELECT id FROM works WHERE {where})"
        )
        kinds = kinds_that_count(self.include)
        return [
            (work_id, unit, bool(upward), kind, repetition)
            for work_id, unit, upward, kind, repetition in self._connection.execute(query, values).fetchall()
            if kind in kinds
        ]

    def _newest_before(self, key: _StoredKey, candidates: Candidates) -> Iterator[Run]:
        where = f"WHERE {OF_TALLY} AND {_EARLIER} {_NEWEST}"
        return read_runs(self._connection, where, (*key, *candidates.first))

    def _best_before(self, key: _StoredKey, candidates: Candidates) -> Iterator[Run]:
        order = "DESC" if key[2] else "ASC"
        values = (*key, *candidates.first)
        query = f"SELECT score FROM benchmark_runs WHERE {OF_TALLY} AND {_EARLIER} ORDER BY score {order} LIMIT 1"  # noqa: S608
        if row := self._connection.execute(query, values).fetchone():
            where = f"WHERE {OF_TALLY} AND score = ? AND {_EARLIER} ORDER BY ended_seq, first_seq LIMIT 1"
            yield from read_runs(self._connection, where, (*key, *row, *candidates.first))

    def _works_of(self, contenders: Collection[Contender] | None) -> set[int] | None:
        if contenders is None:
            return None
        wanted = set(contenders)
        rows = self._connection.execute("SELECT id, agent, provider, model FROM works")
        return {work_id for work_id, *contender in rows if tuple(contender) in wanted}

    def _runs(self, column: str, values: Sequence[object]) -> Iterator[Run]:
        for begin in range(0, len(values), _AT_ONCE):
            some = tuple(values[begin : begin + _AT_ONCE])
            yield from read_runs(self._connection, f"WHERE {column} IN ({', '.join('?' * len(some))})", some)

    def _every(self, works: set[int] | None) -> Iterable[Run]:
        if works is None:
            return read_runs(self._connection)
        named = {row[0] for row in self._connection.execute("SELECT id FROM works")}
        if works == named:
            return read_runs(self._connection)
        return sorted(self._runs("work_id", sorted(works)), key=lambda run: run.first_seq)

    def _run_last(self, works: set[int] | None) -> list[Run]:
        """Of each piece of work the runs of the group that ran it last, in the order of their own times."""
        query = (
            "SELECT works.id, run_group_id FROM works JOIN benchmark_runs ON run_id = latest WHERE status <> 'running'"
        )
        runs: list[Run] = []
        for work_id, group_id in self._connection.execute(query).fetchall():
            if works is None or work_id in works:
                where = "WHERE run_group_id = ? AND work_id = ? AND status <> 'running'"
                runs += read_runs(self._connection, where, (group_id, work_id))
        return in_order(runs)


_DOUBTFUL_KINDS = kinds_that_count(DOUBTFUL)
