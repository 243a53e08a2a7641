"""What many runs come to: the latest scores, and one row a benchmark, model and agent.

Every run is seen once, in any order, and only what a row says of it is kept: memory does not grow with history. What
is latest goes by the runs' own times (`recency`), what is best by the rule of records (`records`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from ...ledger.events import Json
from ...ledger.fold import Run
from .leaderboard import Judged, is_eligible
from .recency import Moment, when
from .records import beats, is_upward

CALIBRATIONS = ("perfect", "wrong", "half", "random")
"""Agents of a known quality, which show whether a benchmark's score measures anything."""


class Standing(Judged, Protocol):
    """What of a run is asked for here: a whole `Run` has it, and so has a `Score`."""

    @property
    def run_id(self) -> str: ...  # noqa: D102
    @property
    def benchmark_id(self) -> str: ...  # noqa: D102
    @property
    def agent(self) -> str: ...  # noqa: D102
    @property
    def provider(self) -> str: ...  # noqa: D102
    @property
    def model(self) -> str: ...  # noqa: D102
    @property
    def started_at(self) -> str: ...  # noqa: D102
    @property
    def ended_at(self) -> str | None: ...  # noqa: D102
    @property
    def first_seq(self) -> int: ...  # noqa: D102
    @property
    def unit(self) -> str | None: ...  # noqa: D102
    @property
    def higher_is_better(self) -> bool | None: ...  # noqa: D102
    @property
    def ended_seq(self) -> int | None: ...  # noqa: D102
    @property
    def comparison_key(self) -> str: ...  # noqa: D102
    @property
    def is_success(self) -> bool: ...  # noqa: D102


class Score(msgspec.Struct, frozen=True, gc=False):
    """A run without what no summary asks for; `imported` and `retracted` are None where it was not."""

    run_id: str
    benchmark_id: str
    status: str
    agent: str
    provider: str
    model: str
    started_at: str
    ended_at: str | None
    first_seq: int
    score: float | None
    unit: str | None
    higher_is_better: bool | None
    ended_seq: int | None
    comparison_key: str
    synthetic: bool
    late: bool
    retracted: object
    imported: object

    @property
    def is_success(self) -> bool:
        """As `Run.is_success`."""
        return self.status == "succeeded" and self.retracted is None


def _scale(run: Standing) -> tuple[str, str, bool]:
    """What two scores must share to be compared."""
    return run.comparison_key, run.unit or "", is_upward(run)


class _OfBenchmark:
    """The best is the best of those that can be compared with the newest score: same task, unit and direction."""

    def __init__(self, first: Standing) -> None:
        self.runs = self.succeeded = 0
        self.latest = first
        """The newest run that is not under way, or the newest of all if every one is."""
        self.scale: object = None
        """That of the newest score."""
        self._scored_at: Moment | None = None
        self.records: dict[object, Standing] = {}

    def add(self, run: Standing, moment: Moment, *, is_candidate: bool) -> None:
        self.runs += 1
        self.succeeded += run.is_success
        if (run.status != "running", moment) > (self.latest.status != "running", when(self.latest)):
            self.latest = run
        if is_candidate:
            scale = _scale(run)
            if self._scored_at is None or moment > self._scored_at:
                self.scale, self._scored_at = scale, moment
            if beats(run, self.records.get(scale)):
                self.records[scale] = run

    def row(self, benchmark_id: str) -> Json:
        latest, record = self.latest, self.records.get(self.scale)
        return {
            "benchmark_id": benchmark_id,
            "runs": self.runs,
            "succeeded_runs": self.succeeded,
            "best_score": record.score if record else None,
            "latest_run_id": latest.run_id,
            "latest_started_at": latest.started_at,
            "latest_model": latest.model,
            "latest_provider": latest.provider,
            "best_run_id": record.run_id if record else None,
            "unit": record.unit if record else latest.unit,
        }


class _OfRunner:
    """Of a model or an agent. Scores of several units have no average and no best: those are None then."""

    def __init__(self) -> None:
        self.runs = self.succeeded = self.scored = 0
        self.total = 0.0
        self.scales: set[tuple[str, bool]] = set()
        self.record: Standing | None = None

    def add(self, run: Standing, *, is_candidate: bool) -> None:
        self.runs += 1
        self.succeeded += run.is_success
        if is_candidate and run.score is not None:
            self.scored += 1
            self.total += run.score
            self.scales.add((run.unit or "", is_upward(run)))
            if beats(run, self.record):
                self.record = run

    def row(self, key: str, name: str) -> Json:
        record = self.record if len(self.scales) == 1 else None
        return {
            key: name,
            "runs": self.runs,
            "succeeded_runs": self.succeeded,
            "average_score": self.total / self.scored if record else None,
            "best_score": record.score if record else None,
            "unit": record.unit if record else None,
        }


class Summaries:
    """The summaries of runs."""

    def __init__(self, runs: Iterable[Standing]) -> None:
        self._latest: dict[tuple[str, str, str, str], tuple[Moment, str]] = {}
        self._benchmarks: dict[str, _OfBenchmark] = {}
        self._models: dict[str, _OfRunner] = {}
        self._agents: dict[str, _OfRunner] = {}
        self._calibrations: dict[str, dict[str, Standing]] = {}
        for run in runs:
            self._add(run)

    def _add(self, run: Standing) -> None:
        is_candidate, moment = is_eligible(run), when(run)
        player = run.agent.partition("_v")[0]
        if player in CALIBRATIONS and run.status != "running":
            known_of = self._calibrations.setdefault(run.benchmark_id, {})
            if player not in known_of or moment > when(known_of[player]):
                known_of[player] = run
        if run.is_success and not run.synthetic:
            key = (run.benchmark_id, run.agent, run.provider, run.model)
            known = self._latest.get(key)
            if known is None or moment > known[0]:
                self._latest[key] = moment, run.run_id
        if (benchmark := self._benchmarks.get(run.benchmark_id)) is None:
            benchmark = self._benchmarks[run.benchmark_id] = _OfBenchmark(run)
        benchmark.add(run, moment, is_candidate=is_candidate)
        for of, name in ((self._models, f"{run.provider}:{run.model}"), (self._agents, run.agent)):
            if (runner := of.get(name)) is None:
                runner = of[name] = _OfRunner()
            runner.add(run, is_candidate=is_candidate)

    def latest_scores(self) -> list[str]:
        """The run with the newest score that counts of each benchmark, agent, provider and model, in their order.

        What was made without a model (a mock, a dry run) is none.
        """
        return [self._latest[key][1] for key in sorted(self._latest)]

    def benchmarks(self) -> list[Json]:
        """One row a benchmark: how many runs, the best score, the latest run."""
        return [self._benchmarks[name].row(name) for name in sorted(self._benchmarks)]

    def models(self) -> list[Json]:
        """One row a model, with its provider."""
        return [self._models[name].row("model_key", name) for name in sorted(self._models)]

    def calibrations(self) -> list[Json]:
        """One row a benchmark that players of a known quality have run: the latest score and status of each.

        Under the names that the first orchestrator gave them; complete if all of them have succeeded.
        """
        rows: list[Json] = []
        for benchmark_id, runs in sorted(self._calibrations.items()):
            latest = {f"{player}_v1": runs.get(player) for player in CALIBRATIONS}
            statuses = {name: run.status if run else None for name, run in latest.items()}
            scores = {name: run.score if run else None for name, run in latest.items()}
            is_complete = all(status == "succeeded" for status in statuses.values())
            rows.append({"benchmark_id": benchmark_id, "scores": scores, "statuses": statuses, "complete": is_complete})
        return rows

    def agents(self) -> list[Json]:
        """One row an agent."""
        return [self._agents[name].row("agent", name) for name in sorted(self._agents)]


def benchmark_summary(runs: Iterable[Run]) -> list[Json]:
    """One row a benchmark."""
    return Summaries(runs).benchmarks()
