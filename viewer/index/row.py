"""A run as it stands in a list."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from sys import intern
from typing import Any

import msgspec

from ...ledger.events import ImportSource, Json, Progress, Retracted
from ...ledger.fold import Run, Status
from ...ledger.usage import cost_in
from ...projections.scores.leaderboard import CHANCE, chance_of, is_eligible
from ...projections.scores.records import is_upward
from ...projections.sqlite.rows import RUN_COLUMNS, TOKEN_COLUMNS, token_counts

MOST_ERROR = 500
"""Characters of an error that a list shows; a run's own page has all."""


class RunRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a list says of a run. Scores are in the unit of the benchmark, times ISO 8601 UTC, durations seconds.

    `best_so_far` is the best own score of the same task when the ledger closed this run, itself included,
    `previous_best` the one before it; both are None for a run that counts in no record. A negative `delta_to_best`
    is better where `higher_is_better` is false. `chance` is the score of guessing, where the run told it.
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
    best_so_far: float | None = None
    previous_best: float | None = None
    delta_to_best: float | None = None
    is_record: bool = False
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
    chance: float | None = None

    @property
    def is_success(self) -> bool:
        """As `Run.is_success`."""
        return self.status == "succeeded" and self.retracted is None

    @property
    def counts(self) -> bool:
        """Whether the score counts, as in SQL: a success with a score, not imported, synthetic, late or retracted."""
        return is_eligible(self)

    @property
    def task(self) -> Task:
        """What two scores must share to be compared."""
        return self.benchmark_id, self.comparison_key, self.unit or "", is_upward(self)


Task = tuple[str, str, str, bool]
"""Benchmark, comparison key, unit, and whether higher is better."""

_OF_RUN = (
    "run_id run_group_id benchmark_id benchmark_directory status reason attempt agent provider model started_at "
    "ended_at duration_seconds score stderr unit higher_is_better samples high_score_label high_score_value "
    "delta_to_high_score error synthetic late recovered retracted imported progress last_seen_at extra_config "
    "comparison_key first_seq last_seq ended_seq"
).split()
"""The fields of a row that are those of a run."""

_NAMES = [*_OF_RUN, "usage"]
_BY_FIELD = {column.field: column for column in RUN_COLUMNS}
_TOKENS = TOKEN_COLUMNS[:3] + TOKEN_COLUMNS[4:]
_ERROR = _NAMES.index("error")
_SELECT = ", ".join(
    f"substr({column.name}, 1, {MOST_ERROR + 1})" if column.field == "error" else column.name
    for column in map(_BY_FIELD.__getitem__, _NAMES)
)
# To look for the word is much faster than to read the JSON, and mostly enough.
_CHANCE = (
    f"CASE WHEN instr(metrics_json, '\"{CHANCE}\"') AND json_type(metrics_json, '$.{CHANCE}') IN ('real', 'integer') "
    f"THEN json_extract(metrics_json, '$.{CHANCE}') + 0.0 END"
)
_RETRACTED = msgspec.json.Decoder(Retracted)
_IMPORTED = msgspec.json.Decoder(ImportSource)
_PROGRESS = msgspec.json.Decoder(Progress)


def row_of(run: Run) -> RunRow:
    """The row of a run, without what other runs say about it (records)."""
    given: dict[str, Any] = {name: getattr(run, name) for name in _OF_RUN}
    tokens = dict(zip(TOKEN_COLUMNS, token_counts(run), strict=True))
    given.update({name: tokens[name] for name in _TOKENS}, error=_cut(run.error), cost_usd=cost_in(run.usage))
    given["chance"] = chance_of(run)
    if run.ended_at and run.status != "running":
        given["last_seen_at"] = run.ended_at
    return RunRow(**given)


def as_run(row: RunRow) -> Run:
    """The run of a row, as far as the row tells: what a leaderboard or a comparison asks."""
    metrics = {} if row.chance is None else {CHANCE: row.chance}
    return Run(
        **{name: getattr(row, name) for name in _OF_RUN}, signature="", created_at=row.started_at, metrics=metrics
    )


def read_rows(connection: sqlite3.Connection, where: str = "", values: Sequence[object] = ()) -> Iterator[RunRow]:
    """The rows of an open `orchestrator.sqlite` in the order of their first event; `where` is SQL from WHERE on."""
    configs: dict[str, Json] = {}
    references: dict[float, float] = {}
    query = f"SELECT {_SELECT}, {', '.join(_TOKENS)}, {_CHANCE} FROM benchmark_runs {where} ORDER BY first_seq"  # noqa: S608
    for told in connection.execute(query, values):
        yield _load(told, configs, references)


def _load(told: tuple[Any, ...], configs: dict[str, Json], references: dict[float, float]) -> RunRow:
    """Equal texts and configurations are kept once: a hundred thousand runs have few."""
    (
        run_id, group, benchmark, directory, status, reason, attempt, agent, provider, model, started, ended, duration,
        score, stderr, unit, higher, samples, label, reference, delta, error, synthetic, late, recovered, retracted,
        imported, progress, seen, config, key, first_seq, last_seq, ended_seq, usage, read, written, total, calls,
        chance,
    ) = told  # fmt: skip
    if config not in configs:
        configs[config] = msgspec.json.decode(config or "{}")
    return RunRow(
        run_id=run_id,
        run_group_id=intern(group),
        benchmark_id=intern(benchmark),
        benchmark_directory=intern(directory),
        status=intern(status),  # type: ignore[arg-type]  # the projection's own words
        reason=None if reason is None else intern(reason),
        attempt=attempt,
        agent=intern(agent),
        provider=intern(provider),
        model=intern(model),
        started_at=started,
        ended_at=ended,
        duration_seconds=duration,
        score=score,
        stderr=stderr,
        unit=None if unit is None else intern(unit),
        higher_is_better=None if higher is None else bool(higher),
        samples=samples,
        high_score_label=None if label is None else intern(label),
        high_score_value=None if reference is None else references.setdefault(reference, reference),
        delta_to_high_score=delta,
        input_tokens=read,
        output_tokens=written,
        total_tokens=total,
        call_count=calls,
        cost_usd=cost_in(msgspec.json.decode(usage)) if usage and "cost" in usage else None,
        error=_cut(error),
        synthetic=bool(synthetic),
        late=bool(late),
        recovered=bool(recovered),
        retracted=None if retracted is None else _RETRACTED.decode(retracted),
        imported=None if imported is None else _IMPORTED.decode(imported),
        progress=None if progress is None else _PROGRESS.decode(progress),
        last_seen_at=ended if ended and status != "running" else seen,  # One text for both, where it is over.
        extra_config=configs[config],
        comparison_key=intern(key),
        first_seq=first_seq,
        last_seq=last_seq,
        ended_seq=ended_seq,
        chance=None if chance is None else references.setdefault(chance, chance),
    )


def _cut(error: str | None) -> str | None:
    return error if error is None or len(error) <= MOST_ERROR else error[: MOST_ERROR - 1] + "…"
