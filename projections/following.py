"""How the tables of `orchestrator.sqlite` follow the ledger: batch by batch, rows and checkpoint together.

Building anew is following from the first event on. A batch is folded on the runs and groups that it is about, and no
others, so that memory does not grow with the history.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from typing import TypeVar

import msgspec

from ..ledger.chain import GENESIS
from ..ledger.events import Heartbeat, HighScorePublished, Imported, Record, Started
from ..ledger.fold import Group, Run, makes_idle
from ..ledger.history import History
from .rows import group_values, load_group, load_run, run_values
from .schema import GROUP_NAMES, HIGH_SCORE_NAMES, NAME, RUN_NAMES, VERSION, insert, upsert

BATCH = 1_000
"""Events folded at once: few enough that what is made of them stays in the processor's cache until it is stored."""

_PUT_RUN = upsert("benchmark_runs", RUN_NAMES, "run_id")
_PUT_GROUP = upsert("run_groups", GROUP_NAMES, "run_group_id")
_PUT_HIGH_SCORE = insert("high_scores", HIGH_SCORE_NAMES)
_GROUPS = f"SELECT {', '.join(GROUP_NAMES)} FROM run_groups"  # noqa: S608
_RUNS = f"SELECT {', '.join(RUN_NAMES)} FROM benchmark_runs"  # noqa: S608
_AT_ONCE = 500

T = TypeVar("T", Run, Group)


class State(msgspec.Struct, frozen=True):
    """How far the projection has followed the ledger, and the time of the last event it knows."""

    position: int
    head_hash: str
    at: str


def batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """The records in pieces that `apply` takes: of BATCH, and what else of the last one's stream follows at once.

    A group that skips ten thousand signatures is so loaded and stored once, and not with each thousand of them.
    """
    rest = iter(records)
    batch = list(itertools.islice(rest, BATCH))
    while batch:
        stream, following = batch[-1].stream, None
        for record in rest:
            if record.stream != stream:
                following = record
                break
            batch.append(record)
        yield batch
        batch = [] if following is None else [following, *itertools.islice(rest, BATCH - 1)]


def apply(connection: sqlite3.Connection, batch: list[Record]) -> State:
    """Bring the tables from the event before the batch to its last one, inside the caller's transaction."""
    known = _load(connection, batch)
    runs, groups = dict(known.runs), dict(known.groups)
    history = known.read(_without_idle_beats(batch, runs))
    connection.executemany(_PUT_GROUP, map(group_values, _changed(history.groups, groups)))
    connection.executemany(_PUT_RUN, map(run_values, _changed(history.runs, runs)))
    connection.executemany(_PUT_HIGH_SCORE, _published(batch))
    connection.executemany(
        "INSERT INTO ledger_problems VALUES (?, ?)", [(problem.seq, problem.text) for problem in history.problems]
    )
    state = State(history.seq, history.hash, history.at)
    write_state(connection, state)
    return state


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


def _load(connection: sqlite3.Connection, batch: list[Record]) -> History:
    """The history of the streams that go on in the batch, as the tables know it. A new stream begins at version 1."""
    begun: dict[str, bool] = {}
    for record in batch:
        begun.setdefault(record.stream, record.version > 1)
    streams = [stream for stream, is_known in begun.items() if is_known]
    history = History()
    for first in range(0, len(streams), _AT_ONCE):
        some = tuple(streams[first : first + _AT_ONCE])
        marks = ", ".join("?" * len(some))
        history.runs.update((run.run_id, run) for run in read_runs(connection, f"WHERE run_id IN ({marks})", some))
        history.groups.update(
            (group.run_group_id, group) for group in read_groups(connection, f"WHERE run_group_id IN ({marks})", some)
        )
    return history


def _without_idle_beats(batch: list[Record], known: Collection[str]) -> list[Record]:
    """The batch without the heartbeats that the next one of their run makes idle: most events are heartbeats."""
    begun = set(known)
    last_beat: dict[str, int] = {}
    kept: list[Record | None] = []
    for record in batch:
        event, stream = record.data, record.stream
        if type(event) is Heartbeat:
            # A beat before its run's first event is a problem, and told as one.
            if stream in begun:
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


def _changed(after: dict[str, T], before: dict[str, T]) -> Iterator[T]:
    return (one for name, one in after.items() if before.get(name) is not one)


def _published(batch: list[Record]) -> list[tuple[object, ...]]:
    return [
        (record.seq, record.stream, *msgspec.structs.astuple(record.data), record.at)
        for record in batch
        if type(record.data) is HighScorePublished
    ]
