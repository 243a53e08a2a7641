"""The leaderboard: what each agent with each model scored on each task, and who is ahead.

A task is a benchmark with its options: what runs with one `comparison_key` share. Scores of different tasks, units or
directions never meet in an average, a best or a rank.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, Protocol, get_args

import msgspec

from ...ledger.events import REPEAT, Json
from ...ledger.fold import Run
from .attempts import Attempts, Work, attempts_of
from .high_scores import HighScore
from .intervals import IntervalMethod
from .ranks import Placed, rank_intervals
from .recency import Moment, Timed, in_order, when
from .records import Scored, best_of, is_upward
from .uncertainty import Source, uncertainty

Doubtful = Literal["imported", "synthetic", "late", "retracted"]
DOUBTFUL: tuple[Doubtful, ...] = get_args(Doubtful)
"""Kinds of runs that count only where somebody asks for them."""

CHANCE = "chance"
"""The metric that holds the score of guessing, as a benchmark's manifest or result tells it."""
RANDOM = "random"
"""The agent whose runs are random answers: their mean is the score of guessing, where no metric tells it."""


class Judged(Protocol):
    """What decides whether a run's score counts: a whole `Run` has it, and so has a row of the score columns."""

    @property
    def status(self) -> str: ...  # noqa: D102
    @property
    def score(self) -> float | None: ...  # noqa: D102
    @property
    def imported(self) -> object: ...  # noqa: D102
    @property
    def synthetic(self) -> bool: ...  # noqa: D102
    @property
    def late(self) -> bool: ...  # noqa: D102
    @property
    def retracted(self) -> object: ...  # noqa: D102


class ScoredRun(Judged, Timed, Scored, Protocol):
    """What the score of a contender is made from: a whole `Run` has it, and so has a row of the viewer."""

    @property
    def run_id(self) -> str: ...  # noqa: D102
    @property
    def benchmark_id(self) -> str: ...  # noqa: D102
    @property
    def comparison_key(self) -> str: ...  # noqa: D102
    @property
    def extra_config(self) -> Json: ...  # noqa: D102
    @property
    def agent(self) -> str: ...  # noqa: D102
    @property
    def provider(self) -> str: ...  # noqa: D102
    @property
    def model(self) -> str: ...  # noqa: D102
    @property
    def unit(self) -> str | None: ...  # noqa: D102
    @property
    def stderr(self) -> float | None: ...  # noqa: D102
    @property
    def samples(self) -> int | None: ...  # noqa: D102


class Task(msgspec.Struct, frozen=True, order=True):
    """What two scores must share to be compared: the benchmark, its options, the unit and the direction.

    `comparison_key` is the digest of benchmark and options; an empty unit means that none was said.
    """

    benchmark_id: str
    comparison_key: str
    unit: str
    higher_is_better: bool

    def improvement(self, delta: float) -> float:
        """A difference of scores, turned so that positive is better."""
        return delta if self.higher_is_better else -delta


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The mean of the newest run of each repetition, with its standard error and its 95% interval.

    Both are those of `uncertainty.uncertainty_of`: None if nothing is known of the noise; `stderr` is never 0, and of a
    proportion of 0 or 1 there is only the interval. `stderr_of` is what they come from: the samples, repetitions of one
    question together, or the scatter of the repetitions. `samples` are those of one run.
    """

    mean: float
    stderr: float | None
    stderr_of: Source | None
    low: float | None = None
    high: float | None = None
    interval_method: IntervalMethod | None = None
    repeats: int
    samples: int | None
    run_ids: list[str]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the leaderboard: an agent with a model on a task, over all its runs that count.

    `rank` is among those of the same task by the mean, from 1; equals share one. `rank_low` and `rank_high` are the
    first and the last rank that it may have, as far as scores differ by more than noise (`ranks`). `config` are the
    task's options, `task_options` those of them that tell it from other tasks of its benchmark. `delta_to_high_score` =
    mean - `high_score.value`, None if the reference is in another unit; for a lower-is-better task, below 0 is ahead.
    `chance` is the score of guessing, as the newest run that tells it says, else the mean of runs by random answers;
    `above_chance` is by how much the mean is better than that. None if it is not known.

    `attempts` are all attempts at the work, the failures too (`attempts.Attempts`); None if they were not counted. If
    they are more than the repetitions, the score was picked from several attempts.
    """

    task: Task
    config: Json
    task_options: Json
    agent: str
    provider: str
    model: str
    rank: int
    rank_low: int = 0
    rank_high: int = 0
    runs: int
    score: Score
    latest_run_id: str
    latest_score: float
    latest_at: str
    best_run_id: str
    best_score: float
    high_score: HighScore | None = None
    delta_to_high_score: float | None = None
    chance: float | None = None
    above_chance: float | None = None
    attempts: Attempts | None = None


class ContenderScore(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent with a model scored on a task, over all its runs that count.

    It depends on these runs alone. So it can be kept until one of them changes, and the leaderboard is made from it.
    `latest` is the moment of the newest run, and `config` are the task's options as that run had them.
    """

    task: Task
    config: Json
    agent: str
    provider: str
    model: str
    runs: int
    score: Score
    latest: Moment
    latest_run_id: str
    latest_score: float
    latest_at: str
    best_run_id: str
    best_score: float


def leaderboard(
    runs: Iterable[Run],
    high_scores: Mapping[str, HighScore] | None = None,
    *,
    include: Collection[Doubtful] = (),
    min_completion: float = 0.0,
) -> list[Standing]:
    """The standings of runs, by benchmark, newest task and rank; the order of the runs makes no difference.

    `high_scores` are the references by benchmark id (`high_scores.holding`). `include` names kinds of doubtful runs to
    count too: without it imported, synthetic, late and retracted runs count nowhere.
    """
    everything = in_order(runs)
    of: dict[tuple[Task, str, str, str], list[Run]] = defaultdict(list)
    for run in everything:
        if is_eligible(run, include):
            of[task_of(run), run.agent, run.provider, run.model].append(run)
    return standings(
        map(contender_score, of.values()),
        chances(everything),
        high_scores,
        attempts=attempts_of(everything, include),
        min_completion=min_completion,
    )


def contender_score(runs: Sequence[ScoredRun]) -> ContenderScore:
    """What runs of one task, agent and model come to; at least one, and all of them count."""
    latest, best = max(runs, key=when), best_of(runs)
    assert latest.score is not None and best.score is not None  # noqa: S101 - for the type checker: they are eligible
    return ContenderScore(
        task=task_of(latest),
        config=task_config(latest),
        agent=latest.agent,
        provider=latest.provider,
        model=latest.model,
        runs=len(runs),
        score=score_of(runs),
        latest=when(latest),
        latest_run_id=latest.run_id,
        latest_score=latest.score,
        latest_at=latest.ended_at or latest.started_at,
        best_run_id=best.run_id,
        best_score=best.score,
    )


def standings(
    scores: Iterable[ContenderScore],
    chances: Mapping[Task, float],
    high_scores: Mapping[str, HighScore] | None = None,
    *,
    attempts: Mapping[Work, Attempts] | None = None,
    min_completion: float = 0.0,
) -> list[Standing]:
    """The leaderboard of these scores, one for each contender and task. `chances` are the scores of guessing.

    Contenders of whose attempts a smaller share than `min_completion` succeeded have no place on it, and no rank.
    """
    tried = attempts or {}
    by_task: dict[Task, list[ContenderScore]] = defaultdict(list)
    for one in scores:
        completion = known.completion if (known := tried.get(_work_of(one))) else None
        if completion is None or completion >= min_completion:
            by_task[one.task].append(one)
    newest = {task: max(some, key=lambda one: one.latest) for task, some in by_task.items()}
    telling = telling_options({task: one.config for task, one in newest.items()})
    found: list[Standing] = []
    # The newest task of a benchmark first.
    for task in sorted(by_task, key=lambda task: newest[task].latest, reverse=True):
        reference = (high_scores or {}).get(task.benchmark_id)
        if reference is not None and not reference.measures(task.unit or None, task.higher_is_better):
            reference = None
        found += _ranked(by_task[task], telling[task], reference, chances.get(task), tried)
    return sorted(found, key=lambda standing: standing.task.benchmark_id)


def is_eligible(run: Judged, include: Collection[Doubtful] = ()) -> bool:
    """Whether a run's score counts: a success with a score, and none of the doubtful kinds but those in `include`.

    Without `include` it is the column `counts` of the SQL view `runs`.
    """
    return run.status == "succeeded" and run.score is not None and not doubts(run).difference(include)


def doubts(run: Judged) -> set[Doubtful]:
    """The doubtful kinds that a run is of."""
    kinds: set[Doubtful] = set()
    if run.imported is not None:
        kinds.add("imported")
    if run.synthetic:
        kinds.add("synthetic")
    if run.late:
        kinds.add("late")
    if run.retracted is not None:
        kinds.add("retracted")
    return kinds


def task_of(run: ScoredRun) -> Task:
    """The task that a run's score belongs to. A run that names no direction is taken for higher-is-better."""
    return Task(run.benchmark_id, run.comparison_key, run.unit or "", is_upward(run))


def task_config(run: ScoredRun) -> Json:
    """A run's options without the number of the repetition."""
    return {name: value for name, value in run.extra_config.items() if name != REPEAT}


def score_of(runs: Sequence[ScoredRun]) -> Score:
    """The score of runs of one task, agent and model; at least one.

    Of several attempts at one repetition the newest counts: what came before it may be of an older benchmark.
    """
    newest = {str(run.extra_config.get(REPEAT, 1)): run for run in in_order(runs)}
    repeats = [newest[number] for number in sorted(newest, key=lambda number: (len(number), number))]
    found = uncertainty(repeats)
    return Score(
        mean=found.estimate.mean,
        stderr=found.stderr,
        stderr_of=found.source,
        low=found.low,
        high=found.high,
        interval_method=found.method,
        repeats=len(repeats),
        samples=repeats[-1].samples,
        run_ids=[run.run_id for run in repeats],
    )


def telling_options(configs: Mapping[Task, Json]) -> dict[Task, Json]:
    """The options of each task in which the tasks of its benchmark differ; none if they all agree."""
    tasks: dict[str, list[Task]] = defaultdict(list)
    for task in configs:
        tasks[task.benchmark_id].append(task)
    telling: dict[Task, Json] = {}
    for some in tasks.values():
        names = {name for task in some for name in configs[task]}
        differing = {
            name for name in names if any(configs[task].get(name) != configs[some[0]].get(name) for task in some)
        }
        for task in some:
            telling[task] = {name: value for name, value in configs[task].items() if name in differing}
    return telling


def chance_of(run: Run) -> float | None:
    """The score of guessing, where the run told it."""
    told = run.metrics.get(CHANCE)
    return float(told) if isinstance(told, int | float) and not isinstance(told, bool) else None


def chances(runs: Iterable[Run]) -> dict[Task, float]:
    """The score of guessing on each task if it is known; the runs are in the order of their times."""
    reported: dict[Task, float] = {}
    guesses: dict[Task, list[Run]] = defaultdict(list)
    for run in runs:
        if not run.is_success or run.score is None:
            continue
        if (chance := chance_of(run)) is not None:
            reported[task_of(run)] = chance
        if run.agent == RANDOM:
            guesses[task_of(run)].append(run)
    return {task: score_of(some).mean for task, some in guesses.items()} | reported


def _work_of(one: ContenderScore) -> Work:
    return Work(one.task.benchmark_id, one.task.comparison_key, one.agent, one.provider, one.model)


def _ranked(
    scores: Iterable[ContenderScore],
    telling: Json,
    reference: HighScore | None,
    chance: float | None,
    attempts: Mapping[Work, Attempts],
) -> list[Standing]:
    """The standings of one task, the best first. Contenders with an equal score share a rank."""
    in_turn = sorted(scores, key=lambda one: (_place(one), one.agent, one.provider, one.model))
    ranked: list[Standing] = []
    last_place, rank = None, 0
    for number, (one, may_have) in enumerate(zip(in_turn, _rank_intervals(in_turn), strict=True), 1):
        if (place := _place(one)) != last_place:
            last_place, rank = place, number
        standing = _standing(one, rank, may_have, telling, reference, chance)
        ranked.append(msgspec.structs.replace(standing, attempts=attempts.get(_work_of(one))))
    return ranked


def _place(one: ContenderScore) -> float:
    # The mean of 0.4 and 0.2 is a little more than 0.3, and no better. The view in SQL does the same.
    return float(f"{-one.task.improvement(one.score.mean):.12g}")


def _standing(
    one: ContenderScore,
    rank: int,
    may_have: tuple[int, int],
    telling: Json,
    reference: HighScore | None,
    chance: float | None,
) -> Standing:
    return Standing(
        task=one.task,
        config=one.config,
        task_options=telling,
        agent=one.agent,
        provider=one.provider,
        model=one.model,
        rank=rank,
        rank_low=may_have[0],
        rank_high=may_have[1],
        runs=one.runs,
        score=one.score,
        latest_run_id=one.latest_run_id,
        latest_score=one.latest_score,
        latest_at=one.latest_at,
        best_run_id=one.best_run_id,
        best_score=one.best_score,
        high_score=reference,
        delta_to_high_score=one.score.mean - reference.value if reference else None,
        chance=chance,
        above_chance=None if chance is None else one.task.improvement(one.score.mean - chance),
    )


def _rank_intervals(scores: Sequence[ContenderScore]) -> list[tuple[int, int]]:
    placed = []
    for one in scores:
        turn = one.task.improvement
        bounds = sorted(turn(bound) for bound in (one.score.low, one.score.high) if bound is not None)
        placed.append(Placed(turn(one.score.mean), *(bounds or (None, None))))
    return rank_intervals(placed)
