"""The leaderboard: what each agent with each model scored on each task, and who is ahead.

A task is a benchmark with its options: what runs with one `comparison_key` share. Scores of different tasks, units or
directions never meet in an average, a best or a rank.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from ...ledger.events import UNKNOWN_REVISION, Json
from ...ledger.fold import Run
from .attempts import Attempts, Work
from .counting import (
    CHANCE,
    DOUBTFUL,
    RANDOM,
    Doubtful,
    Judged,
    ScoredRun,
    Task,
    chance_of,
    doubts,
    is_eligible,
    kinds_that_count,
    repetition_of,
    revision_of,
    task_config,
    task_of,
)
from .high_scores import HighScore
from .intervals import IntervalMethod
from .ranks import Placed, rank_intervals
from .recency import Moment, in_order, when
from .records import best_of
from .tally import Board, Tally, board_of, is_scored, is_success
from .uncertainty import Source, uncertainty

__all__ = [
    "CHANCE",
    "DOUBTFUL",
    "RANDOM",
    "ContenderScore",
    "Doubtful",
    "Judged",
    "Score",
    "ScoredRun",
    "Standing",
    "Task",
    "chance_of",
    "chances",
    "contender_score",
    "doubts",
    "is_eligible",
    "leaderboard",
    "leaderboard_of",
    "score_of",
    "standings",
    "task_config",
    "task_of",
    "telling_options",
]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The mean of the newest run of each repetition, with its standard error and its 95% interval.

    Both are those of `uncertainty.uncertainty_of`: None if nothing is known of the noise; `stderr` is never 0, and of a
    proportion of 0 or 1 there is only the interval. `stderr_of` is what they come from: the samples, repetitions of one
    question together, or the scatter of the repetitions. `samples` are those of one run. `registered` counts the
    repetitions that belong to a registered plan.
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
    registered: int = 0


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the leaderboard: an agent with a model on a task, over all its runs that count.

    `rank` is among those of the same task by the mean, from 1; equals share one. `rank_low` and `rank_high` are the
    first and the last rank that it may have, as far as scores differ by more than noise (`ranks`). `config` are the
    task's options, `task_options` those of them that tell it from other tasks of its benchmark. `delta_to_high_score` =
    mean - `high_score.value`, None if the reference is in another unit; for a lower-is-better task, below 0 is ahead.
    `chance` is the score of guessing, as the newest run that tells it says, else the mean of runs by random answers;
    `above_chance` is by how much the mean is better than that. None if it is not known.

    `revision` is the digest of the task revision of the newest run, or `unknown`.

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
    revision: str = UNKNOWN_REVISION
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
    revision: str


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
    return leaderboard_of(board_of(runs), high_scores, include=include, min_completion=min_completion)


def leaderboard_of(
    board: Board,
    high_scores: Mapping[str, HighScore] | None = None,
    *,
    include: Collection[Doubtful] = (),
    min_completion: float = 0.0,
) -> list[Standing]:
    """The same by the tallies of a history."""
    of: dict[tuple[Task, str, str, str], list[Tally]] = defaultdict(list)
    for key, tally in board.counting(kinds_that_count(include)):
        of[key.task, key.work.agent, key.work.provider, key.work.model].append(tally)
    scores = [
        _contender_score(
            [tally.newest for tally in tallies],
            best_of(tally.best for tally in tallies if tally.best is not None),
            sum(tally.runs for tally in tallies),
        )
        for tallies in of.values()
    ]
    successes = [tally for key, tally in board.tallies.items() if is_success(key.kind) and is_scored(key.kind)]
    deciding = in_order(run for tally in successes for run in (tally.telling, tally.newest) if run is not None)
    attempts = board.attempts_with(include)
    return standings(scores, chances(deciding), high_scores, attempts=attempts, min_completion=min_completion)


def contender_score(runs: Sequence[ScoredRun]) -> ContenderScore:
    """What runs of one task, agent and model come to; at least one, and all of them count."""
    return _contender_score(runs, best_of(runs), len(runs))


def _contender_score(newest: Sequence[ScoredRun], best: ScoredRun, count: int) -> ContenderScore:
    """The same if only the newest run of each repetition is known, the best of all, and their number."""
    latest = max(newest, key=when)
    assert latest.score is not None and best.score is not None  # noqa: S101 - for the type checker: they are eligible
    return ContenderScore(
        task=task_of(latest),
        config=task_config(latest),
        agent=latest.agent,
        provider=latest.provider,
        model=latest.model,
        runs=count,
        score=score_of(newest),
        latest=when(latest),
        latest_run_id=latest.run_id,
        latest_score=latest.score,
        latest_at=latest.ended_at or latest.started_at,
        best_run_id=best.run_id,
        best_score=best.score,
        revision=revision_of(latest),
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


def score_of(runs: Sequence[ScoredRun]) -> Score:
    """The score of runs of one task, agent and model; at least one.

    Of several attempts at one repetition the newest counts: what came before it may be of an older benchmark.
    """
    newest = {repetition_of(run): run for run in in_order(runs)}
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
        registered=sum(run.registration is not None for run in repeats),
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
        ranked.append(_standing(one, rank, may_have, telling, reference, chance, attempts.get(_work_of(one))))
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
    attempts: Attempts | None,
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
        revision=one.revision,
        high_score=reference,
        delta_to_high_score=one.score.mean - reference.value if reference else None,
        chance=chance,
        above_chance=None if chance is None else one.task.improvement(one.score.mean - chance),
        attempts=attempts,
    )


def _rank_intervals(scores: Sequence[ContenderScore]) -> list[tuple[int, int]]:
    placed = []
    for one in scores:
        turn = one.task.improvement
        bounds = sorted(turn(bound) for bound in (one.score.low, one.score.high) if bound is not None)
        placed.append(Placed(turn(one.score.mean), *(bounds or (None, None))))
    return rank_intervals(placed)
