"""`viewer_data.json`: the whole history as one JSON document, in the shape that the first orchestrator gave it.

Each run and each group stands on a line of its own, the newest first (a run by its start). So a document that follows
the ledger is put together from the lines of the one before: only those of new and changed runs are made anew, the rest
is copied.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from ...ledger.equivalence import STATEMENTS
from ...ledger.events import Merged, SetAside
from ...ledger.store import EventReader
from ..scores.high_scores import read_history
from ..scores.summaries import Summaries, benchmark_summary
from .database import is_place_of, read_state
from .following import START, State
from .keeping import KeptFile, Notice, exclusive, replacing
from .rows import FIRST_COLUMNS, GROUP_COLUMNS, RUN_COLUMNS, TOKEN_COLUMNS, Column, Row
from .tables import GROUP_NAMES, NAME, RUN_NAMES, VERSION
from .tallies import read_board

__all__ = ["benchmark_summary", "build_dataset", "render", "update_dataset", "write_dataset"]

_LAYOUT = 3
"""Raise it when the same rows are written in another way."""

_ROWS_AT_ONCE = 200
_MAX_CHANGES = 5_000
"""If more runs have changed, all are written anew."""
_COPIED_AT_ONCE = 1024 * 1024
_TAIL_BYTES = 4096
_CANNOT_COPY = (errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM)
"""What `copy_file_range` answers on file systems that do not have it."""

_encode = msgspec.json.encode
_lines = msgspec.json.Encoder().encode_lines


class _Projection(msgspec.Struct, frozen=True):
    """The state that a document was made from; it is at the end of the document."""

    name: str
    version: int
    position: int
    head_hash: str
    layout: int = 0


class _Rows:
    """How the rows of a table become lines of JSON; the texts in its `_json` columns go in as they are."""

    def __init__(
        self, table: str, names: list[str], columns: tuple[Column, ...], order: str, more: tuple[str, ...] = ()
    ) -> None:
        fields = [*(column.field for column in columns), *more]
        self.order = order
        self.query = f"SELECT {', '.join(names)} FROM {table}"  # noqa: S608
        self._row: Any = msgspec.defstruct("TableRow", [(field, Any) for field in fields], gc=False)
        self._json = [place for place, column in enumerate(columns) if column.json]
        self._flags = [place for place, column in enumerate(columns) if column.is_flag]

    def encode(self, rows: Iterable[tuple[Any, ...]]) -> bytes:
        """The rows as lines with a comma between them."""
        # A line break inside a JSON text is always escaped.
        return _lines(list(map(self._take, rows)))[:-1].replace(b"\n", b",\n")

    def _take(self, row: tuple[Any, ...]) -> Any:
        values = list(row)
        for place in self._json:
            if (text := values[place]) is not None:
                values[place] = msgspec.Raw(text)
        for place in self._flags:
            if (flag := values[place]) is not None:
                values[place] = flag != 0
        return self._row(*values)

    def pieces(self, connection: sqlite3.Connection) -> Iterator[bytes]:
        """All of the table, the newest row first."""
        rows = connection.execute(f"{self.query} ORDER BY {self.order}")
        between = b""
        while some := rows.fetchmany(_ROWS_AT_ONCE):
            yield between + self.encode(some)
            between = b",\n"


_RUNS = _Rows(
    "benchmark_runs",
    [*RUN_NAMES, *FIRST_COLUMNS],
    RUN_COLUMNS,
    "started_at DESC, rowid DESC",
    (*TOKEN_COLUMNS, *FIRST_COLUMNS),
)
_GROUPS = _Rows("run_groups", GROUP_NAMES, GROUP_COLUMNS, "created_at DESC, rowid DESC")
_FIRST_SEQ, _STARTED_AT = RUN_NAMES.index("first_seq"), RUN_NAMES.index("started_at")
_FOLLOWING = (
    "SELECT run_id, first_seq FROM benchmark_runs WHERE (started_at, rowid) < (?, (SELECT rowid FROM benchmark_runs "
    "WHERE run_id = ?)) ORDER BY started_at DESC, rowid DESC LIMIT 1"
)
_RUNS_BEGIN, _GROUPS_BEGIN = b',\n"runs":[\n', b'\n],\n"run_groups":[\n'


def build_dataset(connection: sqlite3.Connection) -> Row:
    """The dataset of an up-to-date `orchestrator.sqlite`: every run, newest first.

    `generated_at` is the time of the last event, so that the same ledger gives the same document.
    """
    dataset: Row = msgspec.json.decode(b"".join(render(connection)))
    return dataset


def render(connection: sqlite3.Connection) -> Iterator[bytes]:
    """The document of an up-to-date `orchestrator.sqlite`, piece by piece."""
    state = read_state(connection) or START
    yield _beginning(state)
    yield from _RUNS.pieces(connection)
    yield from _ending(connection, state)


def write_dataset(connection: sqlite3.Connection, path: Path) -> None:
    """Write the document anew, in one step: a reader sees the old one or the new one, whole.

    Raises ProjectionError if it cannot be written.
    """
    with exclusive(path) as kept, _replacing(kept) as file:
        file.writelines(render(connection))


def update_dataset(
    connection: sqlite3.Connection, path: Path, store: EventReader, *, notice: Notice | None = None
) -> None:
    """Bring the document to where the tables are, to the same bytes as `write_dataset`, at the cost of what is new.

    The part that did not change is copied from the old document; if nothing changed, nothing is written. A document
    that another program has changed is written anew, and `notice` gets a line. Raises ProjectionError if it cannot
    be written, and LedgerDamaged.
    """
    state = read_state(connection) or START
    with exclusive(path, notice=notice) as kept, _open_old(kept) as old:
        if notice is not None and kept.left is not None and os.path.lexists(path) and not kept.is_untouched():
            notice(f"{path.name} was changed by another program: it is written anew from the ledger")
        if old is None or not is_place_of(store, old.state) or _changes_old_rows(store, old.state.position):
            plan = None
        elif old.state.position >= state.position:
            return  # Another process was faster, and its document is newer.
        else:
            plan = _plan(connection, old)
        with _replacing(kept) as file:
            if plan is None or old is None:
                file.writelines(render(connection))
                return
            file.write(_beginning(state))
            for number, piece in enumerate(plan):
                if number:
                    file.write(b",\n")
                if isinstance(piece, bytes):
                    file.write(piece)
                else:
                    old.copy(piece, file)
            file.writelines(_ending(connection, state))


_OF_ANY_AGE = [event.type for event in (SetAside, Merged, *STATEMENTS)]
"""Events that change rows of any age: what was set aside, and what makes revisions equivalent or foreign."""


def _changes_old_rows(store: EventReader, position: int) -> bool:
    """Whether rows may have changed since whose runs have no new event."""
    return any(store.read(after=position, types=_OF_ANY_AGE))


def _beginning(state: State) -> bytes:
    return b'{"generated_at":' + _encode(state.at) + _RUNS_BEGIN


def _ending(connection: sqlite3.Connection, state: State) -> Iterator[bytes]:
    yield _GROUPS_BEGIN
    yield from _GROUPS.pieces(connection)
    summaries = Summaries(read_board(connection))
    latest = [
        connection.execute(f"{_RUNS.query} WHERE run_id = ?", (run_id,)).fetchone()
        for run_id in summaries.latest_scores()
    ]
    yield b'\n],\n"latest_scores":[\n' + _RUNS.encode(latest)
    yield b'\n],\n"benchmark_summary":' + _encode(summaries.benchmarks())
    yield b',\n"model_summary":' + _encode(summaries.models())
    yield b',\n"agent_summary":' + _encode(summaries.agents())
    yield b',\n"calibration_summary":' + _encode(summaries.calibrations())
    yield b',\n"high_scores":' + _encode(read_history(connection))
    made_of = _Projection(NAME, VERSION, state.position, state.head_hash, _LAYOUT)
    yield b',\n"projection":' + _encode(made_of) + b"}\n"


class _Old:
    """The document as it was."""

    def __init__(self, file: BinaryIO, text: mmap.mmap, state: State) -> None:
        self._file = file
        self._text = text
        self.state = state
        self.begin = text.find(_RUNS_BEGIN) + len(_RUNS_BEGIN)
        self.end = text.rfind(_GROUPS_BEGIN)

    def line_of(self, run_id: str, begin: int) -> range | None:
        """Where the line of a run stands, with its comma and without its line break; looked for from `begin` on."""
        found = self._text.find(b'\n{"run_id":' + _encode(run_id) + b",", begin - 1, self.end)
        if found < 0:
            return None
        end = self._text.find(b"\n", found + 1, self.end)
        return range(found + 1, end if end >= 0 else self.end)

    def copy(self, piece: range, file: BinaryIO) -> None:
        """Copy those bytes to another file; the kernel does it, without a detour through this process."""
        file.flush()
        place, left = piece.start, len(piece)
        while left:
            try:
                copied = os.copy_file_range(self._file.fileno(), file.fileno(), left, offset_src=place)
            except OSError as problem:
                if problem.errno not in _CANNOT_COPY:
                    raise
                copied = file.write(self._text[place : place + min(left, _COPIED_AT_ONCE)])
                file.flush()
            if not copied:
                raise OSError(f"{self._file.name} ended at byte {place}")
            place += copied
            left -= copied


@contextlib.contextmanager
def _open_old(kept: KeptFile) -> Iterator[_Old | None]:
    """The document; None if there is none, another program changed it, or another version wrote it."""
    if not kept.is_untouched():
        yield None
        return
    with kept.path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        _, found, tail = file.read().rpartition(b'\n"projection":')
        try:
            made_of = msgspec.json.decode(tail.removesuffix(b"}\n"), type=_Projection)
        except msgspec.DecodeError:
            made_of = None
        if not found or made_of is None or (made_of.version, made_of.layout) != (VERSION, _LAYOUT):
            yield None
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            old = _Old(file, text, State(made_of.position, made_of.head_hash, ""))
            yield old if len(_RUNS_BEGIN) <= old.begin <= old.end + 1 else None


def _plan(connection: sqlite3.Connection, old: _Old) -> list[bytes | range] | None:
    """The lines of the runs, newest first: some made anew, the others as places in the old document.

    None if it is better to write all of them anew.
    """
    # Left to itself, SQLite walks through all runs in the order of their start.
    query = f"{_RUNS.query} INDEXED BY runs_by_change WHERE last_seq > ? ORDER BY {_RUNS.order} LIMIT ?"
    rows = connection.execute(query, (old.state.position, _MAX_CHANGES + 1)).fetchall()
    if len(rows) > _MAX_CHANGES:
        return None
    plan: list[bytes | range] = []
    place = old.begin
    new: list[tuple[Any, ...]] = []
    for row in rows:
        is_new = row[_FIRST_SEQ] > old.state.position
        if is_new:
            new.append(row)
            following = connection.execute(_FOLLOWING, (row[_STARTED_AT], row[0])).fetchone()
            if following is None:  # They come after all runs of the document.
                plan += [range(place, old.end)] if place < old.end else []
                plan.append(_RUNS.encode(new))
                return plan
            if following[1] > old.state.position:
                continue  # That run is new, too, and comes next: both are inserted together.
        line = old.line_of(following[0] if is_new else row[0], place)
        if line is None:
            return None
        if line.start > place:
            plan.append(range(place, line.start - len(b",\n")))
        plan.append(_RUNS.encode(new if is_new else [row]))
        place = line.start if is_new else line.stop + 1
        new = []
    if place < old.end:
        plan.append(range(place, old.end))
    return plan


@contextlib.contextmanager
def _replacing(kept: KeptFile) -> Iterator[BinaryIO]:
    """A new file that takes the place of the document at the end."""
    with replacing(kept) as build, build.open("wb") as file:
        yield file
