"""Reads the database of the first orchestrator (elizaOS): its run groups, its runs and their model calls.

The file is not trusted. Every row becomes either an event or a reported problem, even if its cells are not valid.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from ...adapters.adapter import Adapter
from ...adapters.result.storable import plain
from ...adapters.secret_shapes import hide_in, secrets_within
from ...ledger.events import (
    Artifact,
    Counts,
    Event,
    GroupClosed,
    GroupOpened,
    Imported,
    ImportSource,
    Incompatible,
    Json,
    Request,
    Skipped,
)
from ...ledger.identity import parse_utc
from ..errors import UsageError
from ..planning.signature import sign
from ..redaction import Redactor

RUNS, GROUPS, CALLS = "benchmark_runs", "run_groups", "benchmark_run_trajectories"
_MAX_VALUE_BYTES = 16 * 1024 * 1024
"""The maximum size of a value, or of a row."""

_ALL_RUNS = "SELECT * FROM benchmark_runs ORDER BY started_at, run_id"
_ALL_GROUPS = "SELECT * FROM run_groups"
_ALL_CALLS = "SELECT * FROM benchmark_run_trajectories ORDER BY run_id, trajectory_file, turn_index"

UNDONE = {"skipped", "incompatible"}
"""The status of a row for work that was not done."""
_ENDED = {"succeeded", "failed"}
_LABELS = ("agent", "harness")
"""Options of the first orchestrator that name the contender."""
_CALIBRATION = re.compile(r"(perfect|wrong|half|random)_v\d+")
_MOCK_PROVIDERS = {"mock", "synthetic-calibration"}
_MOCK_SWITCHES = ("mock", "dry_run", "smoke")
_MAX_CALLS = 10_000
"""Maximum number of model calls that are kept of a run, since an event is one line."""
_USAGE = {
    "input_tokens": "total_prompt_tokens",
    "output_tokens": "total_completion_tokens",
    "cached_tokens": "total_cache_read_input_tokens",
    "cache_creation_tokens": "total_cache_creation_input_tokens",
    "calls": "llm_call_count",
    "trajectories": "trajectory_count",
    "latency_mean_ms": "mean_latency_ms",
    "latency_p95_ms": "p95_latency_ms",
    "throughput_per_second": "throughput_per_second",
}
_TOKENS = {"input_tokens", "output_tokens", "cached_tokens", "cache_creation_tokens"}
_SUMMARIES = ("trajectory_summary", "token_metrics", "cache_metrics", "performance_metrics")
_WORK = ("benchmark_id", "benchmark_directory", "agent", "provider", "model")
_KEPT = (
    "run_group_id benchmark_id benchmark_directory signature attempt agent provider model started_at ended_at "
    "duration_seconds cwd stdout_path stderr_path result_json_path score unit error high_score_label high_score_value "
    "delta_to_high_score benchmark_version benchmarks_commit eliza_commit eliza_version"
).split()
_GROUP_DETAILS = (
    "execution_namespace checkpoint_relpath cohort_status pause_retry_at pause_reason pause_metadata_json "
    "storage_preflight_json execution_contract_json updated_at"
).split()


class First(msgspec.Struct, frozen=True):
    """The rows of the database: groups, runs, and model calls by run id."""

    groups: list[Json]
    runs: list[Json]
    calls: dict[str, list[Json]]


def read_database(path: Path) -> First:
    """The rows of the database. Raises UsageError if the file is not a database of the first orchestrator."""
    try:
        if not path.is_file():  # SQLite would wait for ever for a pipe without a writer.
            raise UsageError(f"{path} is not a file")
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
            connection.text_factory = lambda text: text.decode(errors="replace")
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            if "projection_state" in tables:
                raise UsageError(f"{path} was made from a ledger by this program\nhint: copy the ledger instead")
            if RUNS not in tables:
                raise UsageError(f"{path} has no table {RUNS}, so it is not a database of the first orchestrator")
            runs = [dict(row) for row in connection.execute(_ALL_RUNS)]
            groups = [dict(row) for row in connection.execute(_ALL_GROUPS)] if GROUPS in tables else []
            calls: dict[str, list[Json]] = {}
            if CALLS in tables:
                for row in connection.execute(_ALL_CALLS):
                    of_run = calls.setdefault(str(row["run_id"]), [])
                    if len(of_run) < _MAX_CALLS:
                        of_run.append({name: row[name] for name in row.keys() if name != "run_id"})  # noqa: SIM118
            return First(groups, runs, calls)
    except sqlite3.DatabaseError as problem:
        raise UsageError(f"{path} cannot be read as a database: {problem}") from problem


ListFiles = Callable[[Path], tuple[list[Artifact], list[str]]]
"""Lists the files in a run's folder, with notes about those that are left out."""


class Reader(msgspec.Struct, frozen=True):
    """The context in which a run is read. `adapters` say which options replace the model with a mock."""

    database: Path
    source: ImportSource
    adapters: Mapping[str, Adapter]
    list_files: ListFiles


def run_event(row: Json, calls: list[Json], reader: Reader) -> Imported:
    """The event of a run's row, without the secrets that the first orchestrator stored in it."""
    stored = _decoded(row.get("extra_config_json"), {})
    config = {name: value for name, value in stored.items() if name not in _LABELS}
    run: Json = {name: row[name] for name in _KEPT if row.get(name) is not None}
    run["status"] = row["status"] if row["status"] in _ENDED else "failed"
    if row["status"] not in _ENDED:
        run["reason"] = "unfinished"
        run["error"] = row.get("error") or f"the first orchestrator left it {row['status']}"
    if row.get("higher_is_better") is not None:
        run["higher_is_better"] = bool(row["higher_is_better"])
    run["extra_config"] = hide_in(plain(config))
    run["command"] = [str(part) for part in _decoded(row.get("command_json"), [])]
    run["metrics"] = _decoded(row.get("metrics_json"), {})
    run["synthetic"] = _is_synthetic(row, config, run["metrics"], reader.adapters)
    summaries = {name: _decoded(row.get(f"{name}_json"), {}) for name in _SUMMARIES}
    run["usage"] = _usage(row, summaries["token_metrics"])
    files, notes = _files(row, reader)
    run["artifacts"] = [msgspec.to_builtins(file) for file in files]
    run["notes"] = notes
    if len(calls) == _MAX_CALLS:
        notes.append(f"only the first {_MAX_CALLS} model calls were imported")
    details = {
        "artifacts": _decoded(row.get("artifacts_json"), []),
        "trajectories": calls,
        "trajectory_count": row.get("trajectory_count"),
        "comparison_id": row.get("comparison_id"),
        "labels": {name: stored[name] for name in _LABELS if name in stored},
        **summaries,
    }
    run["provenance"] = {name: value for name, value in details.items() if value}
    work = {name: str(run.get(name, "")) for name in _WORK}
    run["comparison_key"] = sign(**work, extra_config=run["extra_config"]).comparison_key
    run = plain(run)
    # Secrets of the configuration may also be in the command and in an error.
    words = Redactor(dict(secrets_within(stored)))
    names = ("command", "error", "metrics", "notes", "provenance")
    return Imported(source=reader.source, run=run | {name: words.value(run[name]) for name in names if name in run})


def group_events(row: Json, runs: list[Json], source: ImportSource) -> list[Event]:
    """The events of a group, from its row and the rows of its runs: opened, skipped or incompatible work, closed.

    Raises ValueError if the row does not hold a request.
    """
    requested = _decoded(row.get("request_json"), {})
    ids = _decoded(row.get("benchmarks_json"), []) or _decoded(json.dumps(requested.get("benchmarks")), [])
    benchmarks = [str(id) for id in ids] or list(dict.fromkeys(str(run["benchmark_id"]) for run in runs))
    fields = ("benchmarks", "agent", "provider", "model", "extra_config")
    flags = {name: value for name, value in requested.items() if name not in fields}
    details = {name.removesuffix("_json"): _cell(row, name) for name in _GROUP_DETAILS}
    if details := {name: value for name, value in details.items() if value not in (None, {}, [], "")}:
        flags["first_orchestrator"] = details
    played = sorted({str(run["agent"]) for run in runs})
    agents = sorted(played, key=lambda agent: agent != requested.get("agent"))
    opened = GroupOpened(
        request=Request(
            benchmarks=benchmarks,
            agent=", ".join(agents) or _text(requested.get("agent")),
            provider=_text(requested.get("provider")) or "",
            model=_text(requested.get("model")) or "",
            extra=hide_in(plain(_decoded(json.dumps(requested.get("extra_config")), {}))),
            flags=hide_in(plain(flags)),
        ),
        benchmarks=benchmarks,
        repo_meta=plain(_repo_meta(_decoded(row.get("repo_meta_json"), {}))),
        created_by=_text(row.get("created_by")) or "",
        imported=source,
        opened_at=_moment(row.get("created_at")),
    )
    undone = [_undone(run) for run in runs if run["status"] in UNDONE]
    return [opened, *undone, _closed(row, runs, details)]


def _closed(row: Json, runs: list[Json], details: Json) -> GroupClosed:
    status = {str(run["signature"]): run["status"] for run in runs if run["status"] not in UNDONE}
    done = list(status.values())
    reason = "completed" if row.get("finished_at") else str(details.get("cohort_status") or "unfinished")
    return GroupClosed(
        counts=Counts(
            succeeded=done.count("succeeded"),
            failed=len(done) - done.count("succeeded"),
            skipped=sum(run["status"] == "skipped" for run in runs),
            incompatible=sum(run["status"] == "incompatible" for run in runs),
        ),
        reason="unfinished" if reason == "running" else reason,
        notes=[str(details["pause_reason"])] if details.get("pause_reason") else [],
        closed_at=_moment(row.get("finished_at") or row.get("updated_at") or row.get("created_at")),
    )


def _undone(row: Json) -> Skipped | Incompatible:
    metrics = _decoded(row.get("metrics_json"), {})
    common: Json = {name: _text(row.get(name)) for name in ("agent", "provider", "model")}
    common |= {"benchmark_id": str(row["benchmark_id"]), "signature": str(row.get("signature") or "")}
    reason = str(metrics.get("reason") or row.get("error") or row["status"])
    if row["status"] == "skipped":
        existing = metrics.get("existing_succeeded_run_id") or metrics.get("existing_run_id")
        return Skipped(**common, reason=reason, existing_run_id=_text(existing))
    return Incompatible(**common, missing=[str(row.get("error") or reason)])


def _is_synthetic(row: Json, config: Json, metrics: Json, adapters: Mapping[str, Adapter]) -> bool:
    """Whether a calibration harness, a mock or rules took the place of the agent or the model."""
    if _CALIBRATION.fullmatch(str(row.get("agent"))) or str(row.get("provider")).lower() in _MOCK_PROVIDERS:
        return True
    if "synthetic_harness" in metrics or any(config.get(name) is True for name in _MOCK_SWITCHES):
        return True
    adapter = adapters.get(str(row.get("benchmark_id")))
    return adapter is not None and adapter.manifest.is_synthetic(str(row.get("agent")), config)


def _usage(row: Json, tokens: Json) -> Json:
    """The usage of the model calls of a run, without estimated numbers of tokens."""
    is_estimate = bool(tokens.get("token_estimate_source"))
    usage = {
        name: row[column]
        for name, column in _USAGE.items()
        if isinstance(row.get(column), int | float) and row[column] > 0 and not (is_estimate and name in _TOKENS)
    }
    total = tokens.get("total_tokens")
    if isinstance(total, int) and total > 0 and not is_estimate:
        usage["total_tokens"] = total
    return usage


def _files(row: Json, reader: Reader) -> tuple[list[Artifact], list[str]]:
    """The files of a run, if its folder exists at the path in the row or beside the database."""
    run_id, group = str(row["run_id"]), str(row.get("run_group_id"))
    directory = f"{row.get('benchmark_directory')}__{row.get('benchmark_id')}"
    recorded = [Path(str(path)).parent for path in _decoded(row.get("artifacts_json"), [])]
    beside = [reader.database.absolute().parent / group / directory / run_id]
    if not recorded or not all(part and "/" not in part and part not in (".", "..") for part in (run_id, group)):
        return [], []
    for folder in (*recorded, *beside):
        # The database is not trusted, and its paths may name any folder: only a folder with the ids of the run is read.
        if (folder.name, folder.parent.parent.name) == (run_id, group) and (folder / "output").is_dir():
            return reader.list_files(folder)
    return [], ["its files were not found at the path of the first orchestrator: " + str(recorded[0])]


def _repo_meta(meta: Json) -> Json:
    """The commits under their own names and under those that this program uses."""
    return {
        **meta,
        "benchmarks": {"commit": meta["benchmarks_commit"]} if meta.get("benchmarks_commit") else {},
        "eliza": {"commit": meta["eliza_commit"]} if meta.get("eliza_commit") else {},
        "eliza_version": meta.get("eliza_version"),
    }


def _moment(text: Any) -> str | None:
    """A time in the format of events, in UTC; None if the text is not a time."""
    if not isinstance(text, str):
        return None
    try:
        moment = parse_utc(text)
    except ValueError:
        return None
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(moment, datetime) else None


def _cell(row: Json, name: str) -> Any:
    return _decoded(row.get(name), {}) if name.endswith("_json") else row.get(name)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _decoded(text: Any, default: Any) -> Any:
    """A JSON column; NaN becomes null, and text that is not JSON becomes the default."""
    if not isinstance(text, str):
        return default
    try:
        value = json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return default
    return value if isinstance(value, type(default)) else default
