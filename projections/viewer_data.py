"""`viewer_data.json`: the whole history as one JSON document, in the shape that the first orchestrator gave it."""

from __future__ import annotations

import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from ..ledger.fold import Group, Run
from .database import NAME, VERSION, State, read_groups, read_runs, read_state
from .high_scores import read_history
from .leaderboard import is_eligible
from .rows import Row, group_row, run_row


def build_dataset(connection: sqlite3.Connection) -> Row:
    """The dataset of an up-to-date `orchestrator.sqlite`: every run, newest first.

    `generated_at` is the time of the last event, so that the same ledger gives the same document.
    """
    runs = list(read_runs(connection))[::-1]
    groups = list(read_groups(connection))[::-1]
    return assemble(runs, groups, read_high_scores(connection), read_state(connection) or State(0, "", ""))


def read_high_scores(connection: sqlite3.Connection) -> list[Row]:
    """Every reference that was published, in the order of publication."""
    return [msgspec.to_builtins(published) for published in read_history(connection)]


def assemble(runs: list[Run], groups: list[Group], high_scores: list[Row], state: State) -> Row:
    """The dataset of runs and groups that stand newest first."""
    return {
        "generated_at": state.at,
        "runs": [run_row(run) for run in runs],
        "run_groups": [group_row(group) for group in groups],
        "latest_scores": [run_row(run) for run in latest_scores(runs)],
        "benchmark_summary": benchmark_summary(runs),
        "model_summary": _score_summary("model_key", runs, lambda run: f"{run.provider}:{run.model}"),
        "agent_summary": _score_summary("agent", runs, lambda run: run.agent),
        "high_scores": high_scores,
        "projection": {"name": NAME, "version": VERSION, "position": state.position, "head_hash": state.head_hash},
    }


def write_dataset(dataset: Row, path: Path) -> None:
    """Write the document in one step: a reader sees the old one or the new one, whole."""
    build = path.with_name(f"{path.name}.build-{os.getpid()}")
    try:
        with build.open("wb") as file:
            file.write(msgspec.json.encode(dataset) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        build.replace(path)
    finally:
        build.unlink(missing_ok=True)


def is_record_candidate(run: Run) -> bool:
    """Whether a run may hold a record: a real success of our own, not imported, synthetic, late or retracted."""
    return is_eligible(run)


def best(runs: Iterable[Run]) -> Run | None:
    """The run with the best score, by the direction of its unit; the first of equals, as given."""
    candidates = [run for run in runs if run.score is not None]
    return max(candidates, key=_goodness, default=None)


def _goodness(run: Run) -> float:
    assert run.score is not None  # noqa: S101 - for the type checker
    return run.score if run.higher_is_better is not False else -run.score


def _scale(run: Run) -> tuple[str, str | None, bool | None]:
    """What two scores must share to be compared."""
    return run.comparison_key, run.unit, run.higher_is_better


def latest_scores(runs: Iterable[Run]) -> list[Run]:
    """The newest score that counts of each benchmark, agent, provider and model; `runs` are newest first."""
    latest: dict[tuple[str, ...], Run] = {}
    for run in runs:
        if run.counts:
            latest.setdefault((run.benchmark_id, run.agent, run.provider, run.model), run)
    return [latest[key] for key in sorted(latest)]


def benchmark_summary(runs: Iterable[Run]) -> list[Row]:
    """One row a benchmark: how many runs, the best score, the latest run; `runs` are newest first.

    The best is the best of those that can be compared with the newest score: same task, unit and direction.
    """
    summary = []
    for benchmark_id, some in sorted(_grouped(runs, lambda run: run.benchmark_id).items()):
        latest = next((run for run in some if run.status != "running"), some[0])
        candidates = [run for run in some if is_record_candidate(run)]
        record = best(run for run in candidates if _scale(run) == _scale(candidates[0]))
        summary.append(
            {
                "benchmark_id": benchmark_id,
                "runs": len(some),
                "succeeded_runs": sum(run.counts for run in some),
                "best_score": record.score if record else None,
                "latest_run_id": latest.run_id,
                "latest_started_at": latest.started_at,
                "latest_model": latest.model,
                "latest_provider": latest.provider,
                "best_run_id": record.run_id if record else None,
                "unit": record.unit if record else latest.unit,
            }
        )
    return summary


def _score_summary(key: str, runs: Iterable[Run], of: Callable[[Run], str]) -> list[Row]:
    """One row a model or agent. Scores of several units have no average and no best: those are None then."""
    summary = []
    for name, some in sorted(_grouped(runs, of).items()):
        scored = [run for run in some if is_record_candidate(run)]
        one_scale = len({(run.unit, run.higher_is_better) for run in scored}) == 1
        scores = [run.score for run in scored if run.score is not None]
        record = best(scored) if one_scale else None
        summary.append(
            {
                key: name,
                "runs": len(some),
                "succeeded_runs": sum(run.counts for run in some),
                "average_score": sum(scores) / len(scores) if one_scale else None,
                "best_score": record.score if record else None,
                "unit": scored[0].unit if one_scale else None,
            }
        )
    return summary


def _grouped(runs: Iterable[Run], of: Callable[[Run], str]) -> dict[str, list[Run]]:
    groups: dict[str, Any] = defaultdict(list)
    for run in runs:
        groups[of(run)].append(run)
    return groups
