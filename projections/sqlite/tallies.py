"""The tables `works` and `tallies` of `orchestrator.sqlite`: what score tables need of the runs, kept up to date.

They change in the transaction that changes the runs, so they are at the same checkpoint. A run that is new costs one
row of each. If a run leaves a tally that shows it, because of a correction or of what its result says about its task,
the next run is found through an index. The result is what `scores.tally.board_of` makes of all runs.
"""

from __future__ import annotations

import functools
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from ...ledger.events import REPEAT, Json, TaskRevision
from ...ledger.fold import Run
from ...ledger.usage import cost_in
from ..scores.attempts import Sum, Work, count_run, work_of
from ..scores.counting import CHANCE, chance_of, kind_of, repetition_of
from ..scores.recency import when
from ..scores.records import position
from ..scores.tally import AttemptKey, Board, Contender, Key, Tally, Worked, attempt_of, key_of, latest_order
from .tables import ATTEMPT_NAMES, OF_TALLY, TALLY_NAMES, UNIT, UPWARD, WORK_NAMES, upsert

_MAX_KNOWN = 16_000
"""Maximum number of works and of tallies in memory between two batches."""

_PUT_WORK = upsert("works", WORK_NAMES, "id")
_MAX_WHOLE = 200
"""Maximum number of works whose runs are kept whole: with more, they would take too much memory."""

_KEY_NAMES = TALLY_NAMES[:5]
_PUT_TALLY = upsert("tallies", TALLY_NAMES, ", ".join(_KEY_NAMES))
_PUT_SUM = upsert("attempts", ATTEMPT_NAMES, ", ".join(ATTEMPT_NAMES[:3]))
_IS_KEY = " AND ".join(f"{name} = ?" for name in _KEY_NAMES)
_NEWEST_FIRST = "ORDER BY moment DESC, first_seq DESC LIMIT 1"
_FIND_NEWEST = f"SELECT run_id FROM benchmark_runs WHERE {OF_TALLY} {_NEWEST_FIRST}"  # noqa: S608
_FIND_TELLING = f"SELECT run_id FROM benchmark_runs WHERE {OF_TALLY} AND chance IS NOT NULL {_NEWEST_FIRST}"  # noqa: S608
_FIND_BEST = (
    f"SELECT run_id FROM benchmark_runs WHERE {OF_TALLY} AND score = "  # noqa: S608
    f"(SELECT {{pick}}(score) FROM benchmark_runs WHERE {OF_TALLY}) ORDER BY ended_seq, first_seq LIMIT 1"
)
_FIND_LATEST = (
    "SELECT run_id FROM benchmark_runs WHERE work_id = ? "
    "ORDER BY status <> 'running' DESC, moment DESC, first_seq DESC LIMIT 1"
)

_SHOWN = (
    "run_id run_group_id benchmark_id benchmark_directory status attempt agent provider model started_at ended_at "
    "duration_seconds score unit higher_is_better samples stderr comparison_key options_key first_seq last_seq "
    "ended_seq served_model registration"
).split()
"""The columns of a run that tables show, beside its options and the score of guessing."""
_READ_SHOWN = f"SELECT {', '.join(_SHOWN)}, task_revision_json, extra_config_json, chance FROM benchmark_runs"  # noqa: S608
_BARE: Json = {
    field.name: ""
    if field.required
    else field.default
    if field.default_factory is msgspec.NODEFAULT
    else field.default_factory()
    for field in msgspec.structs.fields(Run)
    if field.name not in {*_SHOWN, "task_revision", "metrics"}
}
"""The fields of a run that no table shows, as they are before anything is known of them."""
_UPWARD_PLACE = _SHOWN.index("higher_is_better")
_AT_ONCE = 500

_StoredKey = tuple[int, str, bool, int, str]


@functools.lru_cache(maxsize=2 * _MAX_KNOWN)
def id_of(work: Work) -> int:
    """The id of a work: 63 bits of its digest, so it is the same whenever the tables follow."""
    return int.from_bytes(sha256(msgspec.json.encode(work)).digest()[:8]) >> 1


class Tallies:
    """Follows the changes of runs, inside the caller's transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._works: dict[Work, Worked] = {}
        self._tallies: dict[Key, Tally | None] = {}
        self._changed_works: set[Work] = set()
        self._changed: set[Key] = set()
        self._sums: dict[AttemptKey, Sum] = {}
        self._changed_sums: set[AttemptKey] = set()
        self._unsettled: set[_StoredKey] = set()
        self._unsettled_works: set[int] = set()

    def change(self, old: Run | None, new: Run) -> list[Any]:
        """Take in a run that was `old`, and is `new` now; the values of its tally columns."""
        work = self._enter(old, new)
        self._count_attempt(old, new)
        chance = chance_of(new)
        before, after = None if old is None else key_of(old), key_of(new)
        if (old is None or before is None) and after is None:
            pass
        elif old is None or before != after or _is_other(old, new):
            if old is not None and before is not None:
                self._remove(before, old)
            if after is not None:
                self._add(after, new)
        return [id_of(work), kind_of(new), repetition_of(new), when(new)[0], chance]

    def _count_attempt(self, old: Run | None, new: Run) -> None:
        before, after = None if old is None else attempt_of(old), attempt_of(new)
        if old is not None and before == after and _taken(old) == _taken(new):
            return
        if old is not None and before is not None:
            count_run(self._sum(before), old, before.ending, -1)
        count_run(self._sum(after), new, after.ending)
        self._changed_sums |= {key for key in (before, after) if key is not None}

    def _sum(self, key: AttemptKey) -> Sum:
        if key not in self._sums:
            query = "SELECT runs, seconds, cost, unpriced FROM attempts WHERE work_id = ? AND kind = ? AND ending = ?"
            row = self._connection.execute(query, (id_of(key.work), key.kind, key.ending)).fetchone()
            self._sums[key] = _sum(row) if row else Sum()
        return self._sums[key]

    def _enter(self, old: Run | None, new: Run) -> Work:
        work = work_of(new)
        is_new = old is None or self._leave(old, work)
        known = self._work(work)
        if known is None:
            self._works[work] = Worked(runs=1, latest=new)
            self._changed_works.add(work)
        elif is_new:
            known.add(new)
            self._changed_works.add(work)
        elif old is not None and latest_order(new) != latest_order(old):
            if latest_order(new) > latest_order(known.latest):
                known.latest = new
                self._changed_works.add(work)
            elif known.latest.run_id == new.run_id:
                self._unsettled_works.add(id_of(work))
        return work

    def _leave(self, run: Run, now: Work) -> bool:
        """Take a run out of the work that it was of, if it is of another one now; whether it is."""
        before = work_of(run)
        if before == now:
            return False
        known = self._work(before)
        if known is None:
            raise AssertionError(f"{run.run_id} was not counted")
        known.runs -= 1
        self._changed_works.add(before)
        if known.latest.run_id == run.run_id:
            self._unsettled_works.add(id_of(before))
        return True

    def _remove(self, key: Key, run: Run) -> None:
        tally = self._tally(key)
        if tally is None:
            raise AssertionError(f"{run.run_id} was not counted")
        if tally.remove(run):
            self._unsettled.add(_stored(key))
        if not tally.runs:
            self._tallies[key] = None
        self._changed.add(key)

    def _add(self, key: Key, run: Run) -> None:
        tally = self._tally(key)
        if tally is None:
            tally = self._tallies[key] = Tally(newest=run)
        tally.add(run)
        self._changed.add(key)

    def _work(self, work: Work) -> Worked | None:
        """A work with at least one run; None if it has none."""
        if work not in self._works:
            row = self._connection.execute("SELECT runs, latest FROM works WHERE id = ?", (id_of(work),)).fetchone()
            if row is None:
                return None
            self._works[work] = Worked(runs=row[0], latest=self._read(row[1]))
        known = self._works[work]
        return known if known.runs else None

    def _tally(self, key: Key) -> Tally | None:
        if key not in self._tallies:
            query = f"SELECT runs, total, newest, best, telling FROM tallies WHERE {_IS_KEY}"  # noqa: S608
            row = self._connection.execute(query, _stored(key)).fetchone()
            self._tallies[key] = row and _tally(row, self._read)
        return self._tallies[key]

    def _read(self, run_id: str) -> Run:
        [run] = read_shown(self._connection, "WHERE run_id = ?", (run_id,))
        return run

    def store(self) -> None:
        """Write what has changed. The runs themselves have been written before."""
        changed = [(work, self._works[work]) for work in sorted(self._changed_works)]
        left = [(id_of(work),) for work, known in changed if not known.runs]
        self._connection.executemany("DELETE FROM works WHERE id = ?", left)
        works = [(id_of(work), *work, known.runs, known.latest.run_id) for work, known in changed if known.runs]
        self._connection.executemany(_PUT_WORK, works)
        empty, rows = [], []
        for key in sorted(self._changed):  # The same ledger gives the same bytes, and a set has no order.
            stored, tally = _stored(key), self._tallies[key]
            if tally is None:
                empty.append(stored)
            else:
                rows.append((*stored, tally.runs, _text(tally.total), *_shown_ids(tally)))
        self._connection.executemany(f"DELETE FROM tallies WHERE {_IS_KEY}", empty)  # noqa: S608
        self._connection.executemany(_PUT_TALLY, rows)
        self._store_sums()
        if len(self._works) > _MAX_WHOLE:
            self._slim_down()
        self._changed_works.clear()
        self._changed.clear()
        if max(len(self._works), len(self._tallies), len(self._sums)) > _MAX_KNOWN:
            self._forget()

    def _slim_down(self) -> None:
        for key in self._changed:
            if (tally := self._tallies[key]) is not None:
                tally.newest = _slim(tally.newest)
                tally.best = tally.best and _slim(tally.best)
                tally.telling = tally.telling and _slim(tally.telling)
        for work in self._changed_works:
            worked = self._works[work]
            worked.latest = _slim(worked.latest)

    def _store_sums(self) -> None:
        empty, rows = [], []
        for key in sorted(self._changed_sums):
            stored, some = (id_of(key.work), key.kind, key.ending), self._sums[key]
            if some.runs:
                rows.append((*stored, some.runs, _text(some.seconds), _text(some.cost), some.unpriced))
            else:
                empty.append(stored)
        self._connection.executemany("DELETE FROM attempts WHERE work_id = ? AND kind = ? AND ending = ?", empty)
        self._connection.executemany(_PUT_SUM, rows)
        self._changed_sums.clear()

    def _forget(self) -> None:
        self._works.clear()
        self._tallies.clear()
        self._sums.clear()

    def settle(self) -> None:
        """Find the runs that tallies show now in place of those that were taken out. Needs the indexes."""
        for key in sorted(self._unsettled):
            best = _FIND_BEST.format(pick="max" if key[2] else "min")
            self._connection.execute(
                f"UPDATE tallies SET newest = ({_FIND_NEWEST}), best = ({best}), telling = ({_FIND_TELLING}) "  # noqa: S608
                f"WHERE {_IS_KEY} AND runs > 0",
                (*key, *key, *key, *key, *key),
            )
        for work_id in sorted(self._unsettled_works):
            query = f"UPDATE works SET latest = ({_FIND_LATEST}) WHERE id = ?"  # noqa: S608
            self._connection.execute(query, (work_id, work_id))
        self._unsettled.clear()
        self._unsettled_works.clear()
        self._forget()


def read_board(connection: sqlite3.Connection, *, works: bool = True) -> Board:
    """The board of an open `orchestrator.sqlite`, to be used while that is open; without its works if not needed.

    Of its runs it holds what tables show, without details.
    """
    named = {row[0]: Work(*row[1:]) for row in connection.execute(f"SELECT id, {', '.join(Work._fields)} FROM works")}  # noqa: S608
    shown = "SELECT newest FROM tallies UNION SELECT best FROM tallies UNION SELECT telling FROM tallies"
    if works:
        shown += " UNION SELECT latest FROM works"
    runs = {run.run_id: run for run in read_shown(connection, f"WHERE run_id IN ({shown})")}
    tallies = {
        Key(named[work_id], unit, bool(upward), kind, repetition): _tally(row, runs.__getitem__)
        for work_id, unit, upward, kind, repetition, *row in connection.execute(
            f"SELECT {', '.join(TALLY_NAMES)} FROM tallies"  # noqa: S608
        )
    }
    worked = {
        named[work_id]: Worked(runs=count, latest=runs[latest])
        for work_id, count, latest in (connection.execute("SELECT id, runs, latest FROM works") if works else ())
    }
    sums = {key: some for _, key, some in read_sums(connection)}
    return Board(worked, tallies, sums, _Stored(connection, runs))


class _Candidate(NamedTuple):
    """Of a success what `standing_runs` asks."""

    run_id: str
    run_group_id: str
    repetition: str
    ended_at: str
    first_seq: int

    @property
    def started_at(self) -> str:
        return self.ended_at

    @property
    def extra_config(self) -> Json:
        return {REPEAT: self.repetition}


class _Stored:
    """The successes in an open `orchestrator.sqlite`; `known` are runs that were read already."""

    def __init__(self, connection: sqlite3.Connection, known: Mapping[str, Run]) -> None:
        self._connection = connection
        self._known = known

    def candidates(
        self, wanted: Mapping[Contender, str | None], kinds: Collection[int]
    ) -> Mapping[Contender, Sequence[_Candidate]]:
        of = {(id_of(one.work), one.unit, int(one.upward)): one for one in wanted}
        named = [(campaign, id_of(one.work)) for one, campaign in wanted.items() if campaign is not None]
        whole = [(id_of(one.work),) for one, campaign in wanted.items() if campaign is None]
        found: dict[Contender, list[_Candidate]] = defaultdict(list)
        for columns, keys in (("run_group_id, work_id", named), ("work_id", whole)):
            for *key, kind, run_id, group, repetition, moment, first_seq in self._select(columns, sorted(set(keys))):
                contender = of.get(tuple(key))
                if contender is not None and kind in kinds and wanted[contender] in (None, group):
                    found[contender].append(_Candidate(run_id, group, repetition, moment, first_seq))
        return found

    def _select(self, columns: str, keys: Sequence[tuple[object, ...]]) -> Iterator[Any]:
        for first in range(0, len(keys), _AT_ONCE):
            some = keys[first : first + _AT_ONCE]
            row = f"({', '.join('?' * len(some[0]))})"
            query = (
                f"SELECT work_id, {UNIT}, {UPWARD}, kind, run_id, run_group_id, repetition, moment, first_seq "  # noqa: S608
                f"FROM benchmark_runs WHERE ({columns}) IN (VALUES {', '.join([row] * len(some))}) "
                "AND status = 'succeeded'"
            )
            yield from self._connection.execute(query, [value for key in some for value in key])

    def runs(self, run_ids: Collection[str]) -> Mapping[str, Run]:
        found = {run_id: self._known[run_id] for run_id in run_ids if run_id in self._known}
        missing = [run_id for run_id in run_ids if run_id not in found]
        for first in range(0, len(missing), _AT_ONCE):
            some = tuple(missing[first : first + _AT_ONCE])
            where = f"WHERE run_id IN ({', '.join('?' * len(some))})"
            found |= {run.run_id: run for run in read_shown(self._connection, where, some)}
        return found


def read_sums(connection: sqlite3.Connection) -> Iterator[tuple[int, AttemptKey, Sum]]:
    """The attempts of all work, each sum with the id of its work."""
    query = f"SELECT {', '.join(Work._fields)}, {', '.join(ATTEMPT_NAMES)} FROM attempts JOIN works ON work_id = id"  # noqa: S608
    query = query.replace(" runs,", " attempts.runs,")
    for *work, work_id, kind, ending, runs, seconds, cost, unpriced in connection.execute(query):
        yield work_id, AttemptKey(Work(*work), kind, ending), _sum((runs, seconds, cost, unpriced))


def read_shown(connection: sqlite3.Connection, where: str, values: tuple[object, ...] = ()) -> Iterator[Run]:
    """Runs with the fields that score tables show, and no others; `where` is SQL from WHERE on."""
    configs: dict[str, Json] = {}
    revisions: dict[str | None, TaskRevision | None] = {None: None}
    for *shown, revision, config, chance in connection.execute(f"{_READ_SHOWN} {where}", values):
        if config not in configs:
            configs[config] = msgspec.json.decode(config or "{}")
        if revision not in revisions:
            revisions[revision] = msgspec.json.decode(revision, type=TaskRevision)
        if (upward := shown[_UPWARD_PLACE]) is not None:
            shown[_UPWARD_PLACE] = bool(upward)
        yield Run(
            **dict(zip(_SHOWN, shown, strict=True)),
            task_revision=revisions[revision],
            extra_config=configs[config],
            metrics={} if chance is None else {CHANCE: chance},
            signature="",
            created_at="",
            last_seen_at="",
        )


def _is_other(old: Run, new: Run) -> bool:
    """Whether a success of one key looks different in a table."""
    return (old.score, position(old), when(old), chance_of(old)) != (
        new.score,
        position(new),
        when(new),
        chance_of(new),
    )


def _slim(run: Run) -> Run:
    """A run without what no table shows: thousands of them are kept while the tables are built."""
    if not run.last_seen_at:
        return run  # It is slim already.
    chance = chance_of(run)
    return msgspec.structs.replace(run, **_BARE, metrics={} if chance is None else {CHANCE: chance})


def _stored(key: Key) -> _StoredKey:
    return id_of(key.work), key.unit, key.upward, key.kind, key.repetition


def _shown_ids(tally: Tally) -> Iterable[str | None]:
    return (None if run is None else run.run_id for run in (tally.newest, tally.best, tally.telling))


def _tally(row: Any, read: Any) -> Tally:
    runs, total, newest, best, telling = row
    return Tally(
        runs=runs,
        total=_number(total),
        newest=read(newest),
        best=None if best is None else read(best),
        telling=None if telling is None else read(telling),
    )


def _taken(run: Run) -> tuple[float | None, float | None]:
    return run.duration_seconds, cost_in(run.usage)


def _sum(row: Any) -> Sum:
    runs, seconds, cost, unpriced = row
    return Sum(runs, _number(seconds), _number(cost), unpriced)


def _text(total: int) -> str:
    """An exact sum as `digits@zeros` in hexadecimal: most scores end in hundreds of zeros."""
    if not total:
        return "0@0"
    zeros = (total & -total).bit_length() - 1
    return f"{total >> zeros:x}@{zeros:x}"


def _number(text: str) -> int:
    digits, _, zeros = text.partition("@")
    return int(digits, 16) << int(zeros, 16)
