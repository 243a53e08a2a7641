"""How the tables of `orchestrator.sqlite` follow the ledger: batch by batch, rows and checkpoint together.

Building anew is following from the first event on. A batch is folded on the runs and groups that it is about, and no
others, so that memory does not grow with the history.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from typing import TypeVar

import msgspec

from ...ledger.aside import NOTHING, Positions
from ...ledger.equivalence import STATEMENTS, Classes, statement_of
from ...ledger.events import (
    Heartbeat,
    HighScorePublished,
    Imported,
    Merged,
    Record,
    Reproduced,
    Started,
    TablePublished,
)
from ...ledger.fold import Group, Run, makes_idle
from ...ledger.history import History
from ...ledger.judgement import void
from ...ledger.origins import brought_by
from ...ledger.registrations import Registration
from ...ledger.storage.chain import GENESIS
from .equivalence import meeting, read_classes, runs_to_rename
from .rows import STORED_COLUMNS, bound, group_values, load_group, load_run, table_values
from .tables import (
    COUNTED_COLUMNS,
    EQUIVALENCE_NAMES,
    GROUP_NAMES,
    HIGH_SCORE_NAMES,
    NAME,
    PUBLICATION_NAMES,
    REGISTRATION_NAMES,
    REPRODUCTION_NAMES,
    RUN_NAMES,
    VERSION,
    insert,
    upsert,
)
from .tallies import Tallies

BATCH = 1_000
"""Events that are stored together."""

_FOLDED_AT_ONCE = 250
"""Events that are read and folded together: few enough that they stay in the processor's cache."""

_PUT_RUN = upsert("benchmark_runs", [*RUN_NAMES, *STORED_COLUMNS, *COUNTED_COLUMNS], "run_id")
_PUT_GROUP = upsert("run_groups", GROUP_NAMES, "run_group_id")
_PUT_HIGH_SCORE = insert("high_scores", HIGH_SCORE_NAMES)
_PUT_REGISTRATION = upsert("registrations", REGISTRATION_NAMES, "registration_id")
_PUT_STATEMENT = insert("equivalences", EQUIVALENCE_NAMES)
_PUT_PUBLICATION = insert("publications", PUBLICATION_NAMES)
_PUT_REPRODUCTION = insert("reproductions", REPRODUCTION_NAMES)
_PUT_PROBLEM = insert("ledger_problems", ["seq", "problem"])
_CAME_WITH_ANOTHER = [
    f"UPDATE {table} SET merged = 1 WHERE seq >= ? AND seq < ?"  # noqa: S608 - our names
    for table in ("high_scores", "equivalences")
]
_GROUPS = f"SELECT {', '.join(GROUP_NAMES)} FROM run_groups"  # noqa: S608
_RUNS = f"SELECT {', '.join(RUN_NAMES)} FROM benchmark_runs"  # noqa: S608
_AT_ONCE = 500

_RARE = frozenset({HighScorePublished, Merged, Reproduced, TablePublished, *STATEMENTS})
"""Events that have rows of their own, or that change those of other events."""

T = TypeVar("T", Run, Group)


class State(msgspec.Struct, frozen=True):
    """How far the projection has followed the ledger, and the time of the last event it knows."""

    position: int
    head_hash: str
    at: str


def batches(records: Iterable[Record]) -> Iterator[Iterator[Record]]:
    """The records in pieces that a `Follower` takes; each is to be read to its end before the next."""
    rest = iter(records)
    for first in rest:
        yield itertools.chain([first], itertools.islice(rest, BATCH - 1))


class SetAsideSince(Exception):
    """Events that the tables know were set aside after they were followed: the tables have to be built anew."""


class Follower:
    """Brings the tables of a connection from batch to batch, inside the caller's transactions.

    It keeps the runs and groups of the last batch in memory: most of those that go on were in it. Events at the
    positions `aside` are passed over; all of them must be known before the first batch.
    """

    def __init__(self, connection: sqlite3.Connection, aside: Positions = NOTHING) -> None:
        self._connection = connection
        self._aside = aside
        self._runs: MutableMapping[str, Run] = {}
        self._groups: MutableMapping[str, Group] = {}
        self._tallies = Tallies(connection)
        self._classes: Classes = read_classes(connection)

    def apply(self, batch: Iterable[Record]) -> State:
        """Bring the tables from the event before the batch to its last one."""
        rest, history = iter(batch), History(aside=self._aside)
        high_scores, statements, brought = [], [], []
        publications: list[tuple[object, ...]] = []
        reproductions: list[tuple[object, ...]] = []
        while records := list(itertools.islice(rest, _FOLDED_AT_ONCE)):
            self._load(records, history)
            history.read(_without_idle_beats(records, history.runs, self._aside))
            rare = [record for record in records if type(record.data) in _RARE]
            high_scores += _published(rare, self._aside)
            statements += _stated(rare, self._aside)
            publications += _publications(rare, self._aside)
            reproductions += _reproductions(rare, history)
            brought += [(first, first + count) for record in rare for first, count in brought_by(record)]
        put = self._connection.executemany
        put(_PUT_HIGH_SCORE, high_scores)
        put(_PUT_STATEMENT, statements)
        for mark in _CAME_WITH_ANOTHER:
            put(mark, brought)
        if may_part := bool(statements or brought):
            self._read_classes()
        if self._classes or may_part:
            for run in list(history.runs.values()):
                history.runs[run.run_id] = meeting(run, self._classes)
        put(_PUT_GROUP, map(group_values, _changed(history.groups, self._groups)))
        self._put(list(_changed(history.runs, self._runs)), self._runs)
        self._tallies.store()
        put(_PUT_REGISTRATION, map(_registration_values, history.registrations.values()))
        put(_PUT_PUBLICATION, publications)
        put(_PUT_REPRODUCTION, reproductions)
        put(_PUT_PROBLEM, [(problem.seq, problem.text) for problem in history.problems])
        self._runs, self._groups = history.runs, history.groups
        if history.is_outdated:
            raise SetAsideSince
        state = State(history.seq, history.hash, history.at)
        write_state(self._connection, state)
        return state

    def _put(self, changed: list[Run], before: Mapping[str, Run]) -> None:
        """Write runs that have changed, and count them anew."""
        counted = [self._tallies.change(before.get(run.run_id), run) for run in changed]
        rows = (bound([*table_values(run), *more]) for run, more in zip(changed, counted, strict=True))
        self._connection.executemany(_PUT_RUN, rows)

    def _read_classes(self) -> None:
        """Read which revisions are equivalent now, and rename the tasks of the runs for which that has changed."""
        before, self._classes = self._classes, read_classes(self._connection)
        benchmarks = {name for name in before | self._classes if before.get(name) != self._classes.get(name)}
        for where, values in runs_to_rename(self._connection, self._classes, sorted(benchmarks)):
            found = {run.run_id: run for run in read_runs(self._connection, where, values)}
            renamed = {run_id: meeting(run, self._classes) for run_id, run in found.items()}
            self._put(list(renamed.values()), found)
            self._tallies.store()
            # They may go on in this batch.
            self._runs.update({run_id: run for run_id, run in renamed.items() if run_id in self._runs})

    def settle(self) -> None:
        """Complete the tallies, after the last batch and when the tables have their indexes."""
        self._tallies.settle()

    def _load(self, records: list[Record], history: History) -> None:
        """Give the history the runs and groups that go on in these records, as the tables know them."""
        begun: dict[str, bool] = {}
        for record in records:
            begun.setdefault(record.stream, record.version > 1)  # A new stream begins at version 1.
        unknown = []
        for stream, is_older in begun.items():
            if not is_older or any(stream in known for known in (history.runs, history.groups, history.registrations)):
                continue
            if run := self._runs.get(stream):
                history.runs[stream] = run
            elif group := self._groups.get(stream):
                history.groups[stream] = group
            else:
                unknown.append(stream)
        for first in range(0, len(unknown), _AT_ONCE):
            some = tuple(unknown[first : first + _AT_ONCE])
            marks = ", ".join("?" * len(some))
            for run in read_runs(self._connection, f"WHERE run_id IN ({marks})", some):
                history.runs[run.run_id] = self._runs[run.run_id] = run
            for group in read_groups(self._connection, f"WHERE run_group_id IN ({marks})", some):
                history.groups[group.run_group_id] = self._groups[group.run_group_id] = group
            for one in read_registrations(self._connection, f"WHERE registration_id IN ({marks})", some):
                history.registrations[one.id] = one


def write_state(connection: sqlite3.Connection, state: State) -> None:
    """Note the checkpoint."""
    connection.execute(
        "INSERT OR REPLACE INTO projection_state VALUES (?, ?, ?, ?, ?)",
        (NAME, VERSION, *msgspec.structs.astuple(state)),
    )


START = State(0, GENESIS, "")
"""Before the first event."""


def read_runs(connection: sqlite3.Connection, where: str = "", values: tuple[object, ...] = ()) -> Iterator[Run]:
    """The runs in the order of their start; `where` is SQL from WHERE on, with `?` for `values`."""
    order = "" if "ORDER BY" in where else " ORDER BY rowid"
    return map(load_run, connection.execute(f"{_RUNS} {where}{order}", values))


def read_groups(connection: sqlite3.Connection, where: str = "", values: tuple[object, ...] = ()) -> Iterator[Group]:
    """The groups in the order in which they were opened; `where` as in `read_runs`."""
    order = "" if "ORDER BY" in where else " ORDER BY rowid"
    return map(load_group, connection.execute(f"{_GROUPS} {where}{order}", values))


def read_registrations(
    connection: sqlite3.Connection, where: str = "", values: tuple[object, ...] = ()
) -> Iterator[Registration]:
    """The registered plans in the order in which they were registered; `where` as in `read_runs`."""
    query = f"SELECT registration_json FROM registrations {where} ORDER BY seq"  # noqa: S608
    return (msgspec.json.decode(text, type=Registration) for (text,) in connection.execute(query, values))


def _registration_values(one: Registration) -> tuple[object, ...]:
    encoded = msgspec.json.encode(one).decode()
    return one.id, one.seq, one.at, one.first.author, one.first.hypothesis, encoded


def _without_idle_beats(batch: list[Record], known: Collection[str], aside: Positions) -> list[Record]:
    """The batch without the heartbeats that the next one of their run makes idle: most events are heartbeats.

    A heartbeat that is set aside, or that cannot have happened, makes none idle.
    """
    begun = set(known)
    last_beat: dict[str, int] = {}
    kept: list[Record | None] = []
    for record in batch:
        event, stream = record.data, record.stream
        if type(event) is Heartbeat:
            # A heartbeat before the first event of its run is a problem, and is reported as one.
            if stream in begun and record.seq not in aside and void(record) is None:
                before = last_beat.get(stream)
                if before is not None and makes_idle(event, kept[before].data):  # type: ignore[union-attr, arg-type]
                    kept[before] = None
                last_beat[stream] = len(kept)
        elif stream in last_beat:
            del last_beat[stream]
        elif type(event) is Started or type(event) is Imported:
            begun.add(stream)
        kept.append(record)
    return [record for record in kept if record is not None]


def _changed(after: Mapping[str, T], before: Mapping[str, T]) -> Iterator[T]:
    return (one for name, one in after.items() if before.get(name) is not one)


def _stated(batch: list[Record], aside: Positions) -> list[tuple[object, ...]]:
    return [
        (record.seq, *statement, 0)
        for record in batch
        if (statement := statement_of(record.stream, record.data)) is not None
        and record.seq not in aside
        and void(record) is None
    ]


def _published(batch: list[Record], aside: Positions) -> list[tuple[object, ...]]:
    return [
        (record.seq, record.stream, *msgspec.structs.astuple(record.data), record.at, 0)
        for record in batch
        if type(record.data) is HighScorePublished and record.seq not in aside and void(record) is None
    ]


def _publications(batch: list[Record], aside: Positions) -> Iterator[tuple[object, ...]]:
    for record in batch:
        event = record.data
        if isinstance(event, TablePublished) and record.seq not in aside and void(record) is None:
            document = msgspec.json.encode(event).decode()
            yield record.seq, record.stream, event.name, event.version, record.at, event.author, document


def _reproductions(batch: list[Record], history: History) -> Iterator[tuple[object, ...]]:
    refused = {problem.seq for problem in history.problems}
    for record in batch:
        event = record.data
        if isinstance(event, Reproduced) and record.seq not in history.aside and record.seq not in refused:
            evidence = msgspec.json.encode(event.evidence).decode()
            of = (event.of.run, event.of.origin, event.of.hash)
            yield record.seq, record.stream, *of, event.verdict, event.by, record.at, evidence
