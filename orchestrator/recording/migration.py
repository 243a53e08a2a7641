"""Bringing the history of the first orchestrator along: the rows of its `orchestrator.sqlite` become events.

A row is taken as it stands, with its own times; what its author cannot vouch for (was the score valid? was the row
repaired later?) stays open: an imported run is marked as one, and counts for no record.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from typing import Any

import msgspec

from ...adapters.secret_shapes import hide_in, secrets_within
from ...ledger.events import Imported, ImportSource, Json, NewEvent
from ...ledger.history import History
from ...ledger.ledger import Ledger
from ..errors import UsageError
from ..planning.signature import sign
from ..redaction import Redactor

KIND = "elizaos-orchestrator-sqlite"

_NO_RUNS = {"skipped", "incompatible"}
"""Rows that the first orchestrator wrote for work that it did not do."""
_ENDED = {"succeeded", "failed"}
_USAGE = {
    "input_tokens": "total_prompt_tokens",
    "output_tokens": "total_completion_tokens",
    "cached_tokens": "total_cache_read_input_tokens",
    "calls": "llm_call_count",
    "latency_p95_ms": "p95_latency_ms",
}
_WORK = ("benchmark_id", "benchmark_directory", "agent", "provider", "model")
_KEPT = (
    "run_group_id benchmark_id benchmark_directory signature attempt agent provider model started_at ended_at "
    "duration_seconds cwd stdout_path stderr_path result_json_path score unit error high_score_label high_score_value "
    "delta_to_high_score benchmark_version benchmarks_commit eliza_commit eliza_version"
).split()


class Migration(msgspec.Struct, frozen=True):
    """What an import did: runs that were added, that were there already, and rows that are no runs."""

    added: int
    known: int
    no_runs: int


def import_sqlite(path: Path, ledger: Ledger) -> Migration:
    """Append an `imported` event for each run of that database that the ledger does not have yet.

    Raises UsageError where the file is no such database, and what `Ledger.decide` raises.
    """
    rows = list(_rows(path))
    with path.open("rb") as file:
        source = ImportSource(KIND, path.name, file_digest(file, "sha256").hexdigest())
    runs = [row for row in rows if row["status"] not in _NO_RUNS]
    events = [NewEvent(row["run_id"], Imported(source=source, run=_run(row))) for row in runs]
    fresh: list[NewEvent] = []

    def decide(history: History) -> list[NewEvent]:
        fresh[:] = [new for new in events if new.stream not in history.runs]
        return fresh

    if events:
        ledger.decide(decide)
    return Migration(len(fresh), len(events) - len(fresh), len(rows) - len(runs))


def _rows(path: Path) -> Iterator[Json]:
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
            if "projection_state" in tables:
                raise UsageError(f"{path} was made from a ledger by this program: copy the ledger instead")
            if "benchmark_runs" not in tables:
                raise UsageError(f"{path} has no table benchmark_runs: it is no database of the first orchestrator")
            for row in connection.execute("SELECT * FROM benchmark_runs ORDER BY started_at, run_id"):
                yield dict(row)
    except sqlite3.DatabaseError as problem:
        raise UsageError(f"{path} cannot be read as a database: {problem}") from problem


def _run(row: Json) -> Json:
    """The fields of a run row, without the secrets that the first orchestrator kept in them."""
    config = _decoded(row.get("extra_config_json"), {})
    run: Json = {name: row[name] for name in _KEPT if row.get(name) is not None}
    run["status"] = row["status"] if row["status"] in _ENDED else "failed"
    if row["status"] not in _ENDED:
        run["reason"] = "unfinished"
        run["error"] = row.get("error") or f"the first orchestrator left it {row['status']}"
    if row.get("higher_is_better") is not None:
        run["higher_is_better"] = bool(row["higher_is_better"])
    run["extra_config"] = hide_in(config)
    run["command"] = [str(part) for part in _decoded(row.get("command_json"), [])]
    run["metrics"] = _decoded(row.get("metrics_json"), {})
    run["usage"] = {name: row[column] for name, column in _USAGE.items() if row.get(column)}
    run["provenance"] = {"artifacts": _decoded(row.get("artifacts_json"), [])}
    work = {
        name: str(run.get(name, "")) for name in ("benchmark_id", "benchmark_directory", "agent", "provider", "model")
    }
    run["comparison_key"] = sign(**work, extra_config=run["extra_config"]).comparison_key
    # The secrets of a configuration may stand in the command and in an error, too.
    words = Redactor(dict(secrets_within(config)))
    return run | {name: words.value(run[name]) for name in ("command", "error", "metrics") if name in run}


def _decoded(text: Any, default: Any) -> Any:
    """A JSON column; what the first orchestrator wrote as NaN is null, and what is no JSON is the default."""
    if not isinstance(text, str):
        return default
    try:
        value = json.loads(text, parse_constant=lambda _: None)
    except ValueError:
        return default
    return value if isinstance(value, type(default)) else default
