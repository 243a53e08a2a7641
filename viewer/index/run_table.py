"""All runs as rows in memory: filtered, searched, counted and sorted within milliseconds."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import compress, islice
from operator import attrgetter
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import msgspec

from ...ledger.events import REPEAT
from ...projections.scores.attempts import Attempts
from ...projections.scores.attempts import Work as AttemptedWork
from ...projections.scores.check import CheckedScore
from ...projections.scores.leaderboard import ContenderScore
from .names import Flags, ManyNames, Names, both
from .orders import COLUMNS, LATEST, NEWEST, Orders, Sort, place_of
from .records import Records
from .row import RunRow, Task
from .scoreboard import Scoreboard, Work

FILTERS = ("benchmark", "status", "agent", "provider", "model", "group", "reason", "options", "kind", "tag")
FACETS = ("benchmark", "status", "agent", "provider", "model", "reason", "group", "options")
FACETS_OF_MANY = ("kind", "tag")
KINDS: dict[str, Callable[[RunRow], bool]] = {
    "annotated": lambda row: row.remarks > 0,
    "error": lambda row: bool(row.error),
    "imported": lambda row: row.imported is not None,
    "late": lambda row: row.late,
    "new best": lambda row: row.is_record and row.previous_best is not None,
    "recovered": lambda row: row.recovered,
    "reproduction": lambda row: row.reproduces is not None,
    "retracted": lambda row: row.retracted is not None,
    "synthetic": lambda row: row.synthetic,
}
"""What a reader must know to trust a run. A run can be of several kinds, or of none."""

MAX_IN_FACET = 500
MAX_GROUPS = 50
"""There may be thousands of groups, so a facet has only the newest."""

_MANY = 2_000
"""From this number of changes on, sorting again is cheaper than inserting one by one."""

_MAX_REMEMBERED = 64
K = TypeVar("K")


class Question(msgspec.Struct, frozen=True):
    """A filter and an order. Times are ISO 8601 UTC; a row must contain all of `words`."""

    names: Mapping[str, frozenset[str]] = {}
    since: str = ""
    until: str = ""
    words: tuple[str, ...] = ()
    sort: Sort = NEWEST


class Facets(msgspec.Struct, frozen=True):
    """The number of rows of each value, and the number of values that are left out."""

    counts: dict[str, dict[str, int]]
    left_out: dict[str, int]


class Parts(NamedTuple):
    """What a table has worked out about its rows, for a table of the same rows."""

    records: dict[Task, array[int]]
    works: dict[Work, array[int]]
    reported: dict[Task, array[int]]
    guesses: dict[Task, array[int]]
    tried: dict[AttemptedWork, array[int]]
    scores: list[tuple[Work, ContenderScore]]
    checks: list[tuple[Work, CheckedScore]]
    attempts: list[tuple[AttemptedWork, Attempts]]
    orders: dict[Sort, array[int]]
    names: Mapping[str, Names] = MappingProxyType({})


KEPT_ORDERS: tuple[Sort, ...] = (NEWEST, ((LATEST, True),))
"""The orders that the first pages ask for."""


class RunTable:
    """The rows of runs, numbered in the order of their first event. Not safe for several threads at once.

    Rows from `parts` know their records already.
    """

    def __init__(self, rows: Iterable[RunRow], parts: Parts | None = None) -> None:
        self.rows: list[RunRow] = list(rows)
        self.numbers = {row.run_id: number for number, row in enumerate(self.rows)}
        self.records = Records(parts.records if parts else None)
        if parts is None:
            self.records.load(self.rows)
        self.scoreboard = Scoreboard(self.rows)
        if parts is None:
            self.scoreboard.load()
        else:
            self.scoreboard.restore(parts.works, parts.reported, parts.guesses, parts.tried)
            self.scoreboard.attempts.update(parts.attempts)
            self.scoreboard.scores.update(parts.scores)
            self.scoreboard.checks.update(parts.checks)
        self._orders = Orders(self.rows, parts.orders if parts else None)
        self._names: dict[str, Names] = dict(parts.names) if parts else {}
        self._many: dict[str, ManyNames] = {}
        self._texts: list[str] | None = None
        self._flags: dict[tuple[object, ...], Flags] = {}

    def find(self, run_id: str) -> RunRow | None:
        """The row of a run."""
        number = self.numbers.get(run_id)
        return None if number is None else self.rows[number]

    def put(self, news: Sequence[RunRow]) -> list[RunRow]:
        """Add or change rows. Returns every row that changed, also those whose record changed."""
        self._flags.clear()
        if len(news) > _MANY:
            self._orders.forget()
        changed: dict[str, RunRow] = {}
        for row in news:
            number = self.numbers.setdefault(row.run_id, len(self.rows))
            for place, stood in self.records.put(number, row, self.rows).items():
                self._set(place, stood)
                changed[stood.run_id] = stood
        return list(changed.values())

    def _set(self, number: int, row: RunRow) -> None:
        if number == len(self.rows):
            self.rows.append(row)
            self._orders.put_in(number)
        else:
            left = self._orders.take_out(number, row)
            self.scoreboard.take_out(number)
            self.rows[number] = row
            self._orders.put_in(number, left)
        self.scoreboard.put_in(number)
        for name, names in self._names.items():
            names.put(number, _value(name)(row))
        for name, many in self._many.items():
            many.put(number, _VALUES_OF_MANY[name](row))
        if self._texts is not None:
            self._texts[number : number + 1] = [_text(row)]

    def matching(self, asked: Question, *, but: str = "") -> Flags | None:
        """The rows that match; None stands for all. `but` names a filter that is left out."""
        found: Flags | None = None
        for name, wanted in asked.names.items():
            if name != but:
                found = both(found, self._remembered((name, wanted), partial(self._named, name, wanted)))
        if asked.since or asked.until:
            times = (asked.since, asked.until)
            found = both(found, self._remembered(("started", *times), partial(self._started, *times)))
        for word in asked.words:
            found = both(found, self._remembered(("word", word), partial(self._having, word)))
        return found

    def having(self, name: str, value: str) -> list[RunRow]:
        """The rows with that value in a column of names."""
        return list(compress(self.rows, self.names(name).flags([value])))

    def latest(self) -> Sequence[int]:
        """The numbers of all rows, the latest run first."""
        return self._orders.order(((LATEST, True),))

    def latest_since(self, since: str) -> Sequence[int]:
        """The numbers of the runs that ended at a time or later, or are running since then; the latest first."""
        order = self.latest()
        return order[: bisect_right(order, 0, key=lambda number: self.rows[number].moment[0] < since)]

    def parts(self) -> Parts:
        """What the table has worked out about its rows."""
        board = self.scoreboard
        board.bring_up()
        return Parts(
            records=_copies(self.records.all()),
            works=_copies(board.works.members),
            reported=_copies(board.reported.members),
            guesses=_copies(board.guesses.members),
            tried=_copies(board.tried.members),
            scores=list(board.scores.items()),
            checks=list(board.checks.items()),
            attempts=list(board.attempts.items()),
            orders={sort: self._orders.order(sort)[:] for sort in KEPT_ORDERS},
        )

    def count(self, found: Flags | None) -> int:
        """The number of these rows."""
        return len(self.rows) if found is None else found.count(1)

    def page(self, found: Flags | None, sort: Sort, *, first: int = 0, most: int | None = None) -> list[RunRow]:
        """Rows in order, from the place `first` among those that match."""
        order = self._orders.order(sort)
        end = None if most is None else first + most
        kept = order[first:end] if found is None else islice(filter(found.__getitem__, order), first, end)
        return list(map(self.rows.__getitem__, kept))

    def page_after(self, found: Flags | None, sort: Sort, after: object, number: int, most: int) -> list[RunRow]:
        """The rows after one with the columns of `after` and that number, which need not exist."""
        order = self._orders.order(sort)
        rest = order[place_of(self.rows, order, sort, after, number - 1) :]
        kept = rest[:most] if found is None else islice(filter(found.__getitem__, rest), most)
        return list(map(self.rows.__getitem__, kept))

    def facets(self, asked: Question) -> Facets:
        """The values of each column under all filters but its own, by name."""
        counts: dict[str, dict[str, int]] = {}
        left_out: dict[str, int] = {}
        found = self.matching(asked)
        for name in FACETS:
            counted = self.names(name).counts(self.matching(asked, but=name) if name in asked.names else found)
            if name == "reason":
                counted.pop("", None)
            if name == "group":
                shown = sorted(counted.items(), reverse=True)[:MAX_GROUPS]  # Their ids begin with their time.
            else:
                shown = sorted(sorted(counted.items(), key=lambda item: -item[1])[:MAX_IN_FACET])
            if len(shown) < len(counted):
                left_out[name] = len(counted) - len(shown)
            counts[name] = dict(shown)
        for name in FACETS_OF_MANY:
            counted = self.many(name).counts(self.matching(asked, but=name) if name in asked.names else found)
            counts[name] = dict(sorted(sorted(counted.items(), key=lambda item: -item[1])[:MAX_IN_FACET]))
        return Facets(counts, left_out)

    def names(self, name: str) -> Names:
        """A column of names, by the name of its filter."""
        if name not in self._names:
            self._names[name] = Names(map(_value(name), self.rows))
        return self._names[name]

    def many(self, name: str) -> ManyNames:
        """A column in which rows have several names, by the name of its filter."""
        if name not in self._many:
            self._many[name] = ManyNames(map(_VALUES_OF_MANY[name], self.rows))
        return self._many[name]

    def _remembered(self, key: tuple[object, ...], find: Callable[[], Flags]) -> Flags:
        flags = self._flags.get(key)
        if flags is None:
            if len(self._flags) >= _MAX_REMEMBERED:
                self._flags.clear()
            flags = self._flags[key] = find()
        return flags

    def _named(self, name: str, wanted: frozenset[str]) -> Flags:
        return (self.many(name) if name in FACETS_OF_MANY else self.names(name)).flags(wanted)

    def _started(self, since: str, until: str) -> Flags:
        return bytes([since <= row.started_at and (not until or row.started_at < until) for row in self.rows])

    def _having(self, word: str) -> Flags:
        if self._texts is None:
            self._texts = [_text(row) for row in self.rows]
        return bytes([word in text for text in self._texts])


_VALUES_OF_MANY: dict[str, Callable[[RunRow], Collection[str]]] = {
    "kind": lambda row: [name for name, is_one in KINDS.items() if is_one(row)],
    "tag": lambda row: row.tags,
}


def _value(name: str) -> Callable[[RunRow], str | None]:
    return options_text if name == "options" else attrgetter(COLUMNS[name])


def options_text(row: RunRow) -> str:
    """The options of a run without the number of its repetition: `context=32000 seed=42`."""
    return " ".join(
        f"{name}={value if isinstance(value, str) else msgspec.json.encode(value).decode()}"
        for name, value in sorted(row.extra_config.items())
        if name != REPEAT
    )


def _copies(some: Mapping[K, array[int]]) -> dict[K, array[int]]:
    return {key: numbers[:] for key, numbers in some.items()}


def _text(row: RunRow) -> str:
    """The text that a search looks through."""
    parts = (row.run_id, row.run_group_id, row.benchmark_id, row.agent, row.provider, row.model, row.error or "")
    return "\n".join(parts).lower()
