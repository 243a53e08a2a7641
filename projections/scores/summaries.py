"""Summaries of many runs: the latest scores, and one row for each benchmark, model and agent.

They are made from the tallies of a history. What is latest goes by the runs' own times (`recency`), what is best by
the rule of records (`records`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from ...ledger.events import Json
from ...ledger.fold import Run
from .attempts import Work
from .counting import SYNTHETIC
from .means import mean_of
from .recency import when
from .records import beats
from .tally import Board, Key, Tally, Worked, board_of, is_success, latest_order

CALIBRATIONS = ("perfect", "wrong", "half", "random")
"""Agents of a known quality, which show whether a benchmark's score measures anything."""

_COUNTS = 0
"""The kind of runs whose scores count."""


class Summaries:
    """The summaries of a history."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def latest_scores(self) -> list[str]:
        """The id of the newest success of each benchmark, agent, provider and model, in their order.

        Synthetic runs (a mock, a dry run) and retracted runs are left out.
        """
        latest: dict[tuple[str, ...], Run] = {}
        for key, tally in self._board.tallies.items():
            if is_success(key.kind) and not key.kind & SYNTHETIC:
                contender = (key.work.benchmark_id, key.work.agent, key.work.provider, key.work.model)
                latest[contender] = max(latest.get(contender, tally.newest), tally.newest, key=when)
        return [latest[contender].run_id for contender in sorted(latest)]

    def benchmarks(self) -> list[Json]:
        """One row for each benchmark: the number of runs, the best score, the latest run."""
        return self._rows(lambda work: work.benchmark_id, _benchmark_row)

    def models(self) -> list[Json]:
        """One row for each model, with its provider."""
        return self._rows(lambda work: f"{work.provider}:{work.model}", lambda *of: _contender_row("model_key", *of))

    def agents(self) -> list[Json]:
        """One row for each agent."""
        return self._rows(lambda work: work.agent, lambda *of: _contender_row("agent", *of))

    def calibrations(self) -> list[Json]:
        """One row for each benchmark that agents of a known quality have run: their latest scores and statuses.

        Under the names that the first orchestrator gave them; complete if all of them have succeeded.
        """
        known: dict[str, dict[str, Run]] = defaultdict(dict)
        for work, worked in self._board.works.items():
            player = work.agent.partition("_v")[0]
            if player in CALIBRATIONS and worked.latest.status != "running":
                of_benchmark = known[work.benchmark_id]
                of_benchmark[player] = max(of_benchmark.get(player, worked.latest), worked.latest, key=when)
        return [_calibration_row(benchmark_id, runs) for benchmark_id, runs in sorted(known.items())]

    def _rows(
        self, name_of: Callable[[Work], str], row: Callable[[str, list[Worked], list[tuple[Key, Tally]]], Json]
    ) -> list[Json]:
        works: dict[str, list[Worked]] = defaultdict(list)
        tallies: dict[str, list[tuple[Key, Tally]]] = defaultdict(list)
        for work, worked in self._board.works.items():
            works[name_of(work)].append(worked)
        for key, tally in self._board.tallies.items():
            tallies[name_of(key.work)].append((key, tally))
        return [row(name, works[name], tallies[name]) for name in sorted(works)]


def _benchmark_row(benchmark_id: str, works: list[Worked], tallies: list[tuple[Key, Tally]]) -> Json:
    """The best is the best of those that can be compared with the newest score: same task, unit and direction."""
    latest = max((worked.latest for worked in works), key=latest_order)
    counting = [(key, tally) for key, tally in tallies if key.kind == _COUNTS]
    record = None
    if counting:
        newest, _ = max(counting, key=lambda one: when(one[1].newest))
        record = _record(tally for key, tally in counting if key.task == newest.task)
    return {
        "benchmark_id": benchmark_id,
        "runs": sum(worked.runs for worked in works),
        "succeeded_runs": sum(tally.runs for key, tally in tallies if is_success(key.kind)),
        "best_score": record.score if record else None,
        "latest_run_id": latest.run_id,
        "latest_started_at": latest.started_at,
        "latest_model": latest.model,
        "latest_provider": latest.provider,
        "best_run_id": record.run_id if record else None,
        "unit": record.unit if record else latest.unit,
    }


def _contender_row(name_of: str, name: str, works: list[Worked], tallies: list[tuple[Key, Tally]]) -> Json:
    """A model or an agent. Scores of several units or directions have no average and no best: those are None then."""
    counting = [(key, tally) for key, tally in tallies if key.kind == _COUNTS]
    scales = {(key.unit, key.upward) for key, _ in counting}
    record = _record(tally for _, tally in counting) if len(scales) == 1 else None
    total, scored = sum(tally.total for _, tally in counting), sum(tally.runs for _, tally in counting)
    return {
        name_of: name,
        "runs": sum(worked.runs for worked in works),
        "succeeded_runs": sum(tally.runs for key, tally in tallies if is_success(key.kind)),
        "average_score": mean_of(total, scored) if record else None,
        "best_score": record.score if record else None,
        "unit": record.unit if record else None,
    }


def _record(tallies: Iterable[Tally]) -> Run | None:
    record: Run | None = None
    for tally in tallies:
        if tally.best is not None and beats(tally.best, record):
            record = tally.best
    return record


def _calibration_row(benchmark_id: str, runs: dict[str, Run]) -> Json:
    latest = {f"{player}_v1": runs.get(player) for player in CALIBRATIONS}
    statuses = {name: run.status if run else None for name, run in latest.items()}
    return {
        "benchmark_id": benchmark_id,
        "scores": {name: run.score if run else None for name, run in latest.items()},
        "statuses": statuses,
        "complete": all(status == "succeeded" for status in statuses.values()),
    }


def benchmark_summary(runs: Iterable[Run]) -> list[Json]:
    """One row for each benchmark."""
    return Summaries(board_of(runs)).benchmarks()
