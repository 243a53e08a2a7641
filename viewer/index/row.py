"""A run as a row of a list: the columns that lists, filters and the leaderboard ask for."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_origin, get_type_hints

import msgspec

from ...ledger.events import Annotated, ImportSource, Json, Progress, Retracted, TaskRevision
from ...ledger.fold import Run, Status
from ...ledger.usage import cost_in
from ...projections.scores.leaderboard import CHANCE, chance_of, is_eligible
from ...projections.scores.recency import Moment, when
from ...projections.scores.records import is_upward
from ...projections.scores.uncertainty import uncertainty
from ...projections.sqlite.rows import RUN_COLUMNS, TOKEN_COLUMNS, Column, token_counts

MAX_ERROR = 500
"""Characters of an error in a list; the page of the run has all."""

_ROWS_AT_ONCE = 2_000
_MAX_SHARED = 20_000


class RunRow(msgspec.Struct, frozen=True, gc=False):
    """What a list shows of a run. Scores are in the unit of the benchmark, times ISO 8601 UTC, durations seconds.

    A field with the name of a field of `Run` has its value. `best_so_far` is the best own score of the same task when
    the ledger closed this run, itself included, `previous_best` the one before it; both are None for a run that counts
    in no record. A negative `delta_to_best` is better if `higher_is_better` is false. `chance` is the score of
    guessing, if the run reported it, and `tags` are those of its annotations, of which there are
    `remarks`. `previous_score` is that of the same work in the campaign before, and `previous_differs`: the score is
    away from it by more than twice the standard error of the difference. A list has them, an index has not.
    """

    run_id: str
    run_group_id: str
    benchmark_id: str
    benchmark_directory: str
    status: Status
    reason: str | None
    attempt: int
    agent: str
    provider: str
    model: str
    started_at: str
    ended_at: str | None
    duration_seconds: float | None
    score: float | None
    stderr: float | None
    unit: str | None
    higher_is_better: bool | None
    samples: int | None
    high_score_label: str | None
    high_score_value: float | None
    delta_to_high_score: float | None
    best_so_far: float | None
    previous_best: float | None
    delta_to_best: float | None
    is_record: bool
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    call_count: int | None
    cost_usd: float | None
    error: str | None
    synthetic: bool
    late: bool
    recovered: bool
    retracted: Retracted | None
    imported: ImportSource | None
    progress: Progress | None
    last_seen_at: str
    extra_config: Json
    comparison_key: str
    first_seq: int
    last_seq: int
    ended_seq: int | None
    stale: bool = False
    registration: str | None = None
    reproduces: str | None = None
    chance: float | None = None
    options_key: str = ""
    task_revision: TaskRevision | None = None
    tags: list[str] = []
    remarks: int = 0
    previous_score: float | None = None
    previous_differs: bool = False

    @property
    def is_success(self) -> bool:
        """As `Run.is_success`."""
        return self.status == "succeeded" and self.retracted is None

    @property
    def counts(self) -> bool:
        """Whether the score counts, as in SQL: a success with a score, not doubtful (`counting.DOUBTFUL`)."""
        return is_eligible(self)

    @property
    def moment(self) -> Moment:
        """When the run was, comparable with that of every other run."""
        return when(self)

    @property
    def task(self) -> Task:
        """What two scores must share to be compared."""
        return self.benchmark_id, self.comparison_key, self.unit or "", is_upward(self)


class ListedRun(RunRow, frozen=True, gc=False):
    """A row as lists show it: with the standard error and the 95% interval of its score (`scores.uncertainty`).

    They are None if they are not known; `stderr` is only what the run reported.
    """

    standard_error: float | None = None
    low: float | None = None
    high: float | None = None


Task = tuple[str, str, str, bool]
"""Benchmark, comparison key, unit, and whether higher is better."""

FIELDS = RunRow.__struct_fields__
TYPES = get_type_hints(RunRow)

STANDING = {"best_so_far": None, "previous_best": None, "delta_to_best": None, "is_record": False}
"""The fields that depend on other runs (`records`), as they are before it is known."""

_OF_RUN = tuple(name for name in FIELDS if name in Run.__struct_fields__)
_TOKENS = tuple(name for name in TOKEN_COLUMNS if name in FIELDS)
_UNIQUE = frozenset({"run_id", "started_at", "ended_at", "last_seen_at", "error"})
"""Texts that few rows share."""


def row_of(run: Run) -> RunRow:
    """The row of a run, without what other runs say about it (records)."""
    tokens = dict(zip(TOKEN_COLUMNS, token_counts(run), strict=True))
    values: dict[str, Any] = {**STANDING, **{name: getattr(run, name) for name in _OF_RUN}}
    values |= {name: tokens[name] for name in _TOKENS}
    values |= {"error": _cut(run.error), "cost_usd": cost_in(run.usage), "chance": chance_of(run)}
    values |= {"tags": _tags_of(run.annotations), "remarks": len(run.annotations)}
    if run.ended_at and run.status != "running":
        values["last_seen_at"] = run.ended_at
    return RunRow(**values)


def listed(row: RunRow, *, stale: bool = False) -> ListedRun:
    """The row with what lists show."""
    values = msgspec.structs.asdict(row) | {"stale": stale or row.stale}
    found = uncertainty([row]) if row.score is not None else None
    if found is None:
        return ListedRun(**values)
    return ListedRun(**values, standard_error=found.stderr, low=found.low, high=found.high)


def as_run(row: RunRow) -> Run:
    """The run of a row, with what the row has of it: enough for a comparison or a check."""
    metrics = {} if row.chance is None else {CHANCE: row.chance}
    return Run(
        **{name: getattr(row, name) for name in _OF_RUN}, signature="", created_at=row.started_at, metrics=metrics
    )


# -- from the table of runs

_COLUMN_OF = {column.field: column for column in RUN_COLUMNS}
_READ = (*_OF_RUN, "usage", *_TOKENS)


def _selected(field: str) -> str:
    name = _COLUMN_OF[field].name if field in _COLUMN_OF else field
    return f"substr({name}, 1, {MAX_ERROR + 1})" if field == "error" else name


# To look for the word is much faster than to parse the JSON, and most runs do not have it.
_CHANCE = (
    f"CASE WHEN instr(metrics_json, '\"{CHANCE}\"') AND json_type(metrics_json, '$.{CHANCE}') IN ('real', 'integer') "
    f"THEN json_extract(metrics_json, '$.{CHANCE}') + 0.0 END"
)
_SELECT = ", ".join([*map(_selected, _READ), _CHANCE, "annotations_json"])


def read_rows(connection: sqlite3.Connection, where: str = "", values: Sequence[object] = ()) -> Iterator[RunRow]:
    """The rows of an open `orchestrator.sqlite` in the order of their first event; `where` is SQL from WHERE on."""
    query = f"SELECT {_SELECT} FROM benchmark_runs {where} ORDER BY first_seq"  # noqa: S608
    cursor = connection.execute(query, values)
    decoders = {name: _decoder(name) for name in (*_OF_RUN, "usage")}
    annotated = _Shared(_tags_and_number)
    while some := cursor.fetchmany(_ROWS_AT_ONCE):
        columns: dict[str, Sequence[Any]] = dict(zip((*_READ, "chance", "tags"), zip(*some, strict=True), strict=True))
        for name, decode in decoders.items():
            if decode is not None:
                columns[name] = list(map(decode, columns[name]))
        columns |= {name: [value] * len(some) for name, value in STANDING.items()}
        columns["cost_usd"] = [cost_in(usage) for usage in columns.pop("usage")]
        columns["last_seen_at"] = [
            ended if ended and status != "running" else seen  # One text for both if the run is over.
            for ended, status, seen in zip(columns["ended_at"], columns["status"], columns["last_seen_at"], strict=True)
        ]
        annotations = list(map(annotated, columns["tags"]))
        columns["tags"] = [tags for tags, _ in annotations]
        columns["remarks"] = [number for _, number in annotations]
        columns["stale"] = columns["previous_differs"] = [False] * len(some)
        columns["previous_score"] = [None] * len(some)
        yield from map(RunRow, *(columns[name] for name in FIELDS))


_ANNOTATIONS = msgspec.json.Decoder(list[Annotated])


def _tags_and_number(text: str | None) -> tuple[list[str], int]:
    annotations = _ANNOTATIONS.decode(text or "[]")
    return _tags_of(annotations), len(annotations)


def _tags_of(annotations: Sequence[Annotated]) -> list[str]:
    """The tags of all remarks on a run, each once."""
    return list(dict.fromkeys(tag for one in annotations for tag in one.tags))


def _decoder(field: str) -> Callable[[Any], Any] | None:
    """What makes the value of a field from that of its column; None if they are the same.

    Equal texts, numbers and configurations are kept once: a hundred thousand runs have few different ones.
    """
    column: Column = _COLUMN_OF[field]
    if field == "error":
        return _cut
    if column.json:
        return _Shared(_json(dict[str, Any] if field == "usage" else TYPES[field]))
    if column.is_flag:
        return _flag
    if column.kind == "TEXT" and field not in _UNIQUE:
        return _Shared(lambda text: text)
    return None


class _Shared(dict[Any, Any]):
    """Remembers what it made, so that equal values become one object."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make

    def __missing__(self, value: Any) -> Any:
        if len(self) >= _MAX_SHARED:
            self.clear()
        made = self[value] = self._make(value)
        return made

    def __call__(self, value: Any) -> Any:
        return self[value]


def _json(kind: Any) -> Callable[[str], Any]:
    decoder = msgspec.json.Decoder(kind)
    nothing = "{}" if get_origin(kind) is dict else "null"
    return lambda text: decoder.decode(text or nothing)


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def _cut(error: str | None) -> str | None:
    return error if error is None or len(error) <= MAX_ERROR else error[: MAX_ERROR - 1] + "…"
