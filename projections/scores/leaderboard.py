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
from .standing_runs import Runs, standing_runs
from .tally import Board, Contender, Tally, board_of, is_scored, is_success
from .uncertainty import Source, uncertainty

__all__ = [
    "CHANCE",
    "DOUBTFUL",
    "RANDOM",
    "ContenderScore",
    "Doubtful",
    "Judged",
    "Ranking",
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
    "score_of_guessing",
    "standings",
    "task_config",
    "task_of",
    "telling_options",
]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The mean of the repeats of one campaign (`standing_runs`), with its standard error and its 95% interval.

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

    `runs` counts all runs of the contender that count, also those of other campaigns than the score's.

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
    which: Runs = "newest",
) -> list[Standing]:
    """The standings of runs, by benchmark, newest task and rank; the order of the runs makes no difference.

    `high_scores` are the references by benchmark id (`high_scores.holding`). `include` names kinds of doubtful runs to
    count too: without it the kinds of DOUBTFUL count nowhere. `which` runs make the score of a contender says
    `standing_runs`.
    """
    return leaderboard_of(board_of(runs), high_scores, include=include, min_completion=min_completion, which=which)


def leaderboard_of(
    board: Board,
    high_scores: Mapping[str, HighScore] | None = None,
    *,
    include: Collection[Doubtful] = (),
    min_completion: float = 0.0,
    which: Runs = "newest",
) -> list[Standing]:
    """The same by the tallies of a history."""
    kinds = kinds_that_count(include)
    of: dict[Contender, list[Tally]] = defaultdict(list)
    for key, tally in board.counting(kinds):
        of[key.contender].append(tally)
    standing = board.standing(kinds, which)
    scores = [
        _contender_score(
            standing[contender],
            max((tally.newest for tally in tallies), key=when),
            best_of(tally.best for tally in tallies if tally.best is not None),
            sum(tally.runs for tally in tallies),
        )
        for contender, tallies in of.items()
    ]
    sound = {key: tally for key, tally in board.tallies.items() if is_success(key.kind) and is_scored(key.kind)}
    guesses = board.standing({key.kind for key in sound}, "newest", agent=RANDOM)
    deciding = [tally.telling for tally in sound.values() if tally.telling is not None]
    known = chances([*deciding, *(run for some in guesses.values() for run in some)])
    attempts = board.attempts_with(include)
    return standings(scores, known, high_scores, attempts=attempts, min_completion=min_completion)


def contender_score(runs: Sequence[ScoredRun], which: Runs = "newest") -> ContenderScore:
    """What runs of one task, agent and model come to; at least one, and all of them count."""
    return _contender_score(standing_runs(runs, which), max(runs, key=when), best_of(runs), len(runs))


def _contender_score(standing: Sequence[ScoredRun], latest: ScoredRun, best: ScoredRun, count: int) -> ContenderScore:
    """The same by the runs that stand for the contender, the newest and the best of all, and their number."""
    assert latest.score is not None and best.score is not None  # noqa: S101 - for the type checker: they are eligible
    return ContenderScore(
        task=task_of(latest),
        config=task_config(latest),
        agent=latest.agent,
        provider=latest.provider,
        model=latest.model,
        runs=count,
        score=score_of(standing),
        latest=when(latest),
        latest_run_id=latest.run_id,
        latest_score=latest.score,
        latest_at=latest.ended_at or latest.started_at,
        best_run_id=best.run_id,
        best_score=best.score,
        revision=revision_of(latest),
    )


class Ranking(msgspec.Struct, frozen=True):
    """What the ranking of a task is made of, and what came of it."""

    made_of: tuple[list[ContenderScore], Json, HighScore | None, float | None, list[Attempts | None]]
    standings: list[Standing]


def standings(
    scores: Iterable[ContenderScore],
    chances: Mapping[Task, float],
    high_scores: Mapping[str, HighScore] | None = None,
    *,
    attempts: Mapping[Work, Attempts] | None = None,
    min_completion: float = 0.0,
    kept: dict[Task, Ranking] | None = None,
) -> list[Standing]:
    """The leaderboard of these scores, one for each contender and task. `chances` are the scores of guessing.

    Contenders of whose attempts a smaller share than `min_completion` succeeded have no place on it, and no rank. Only
    tasks that differ from their ranking in `kept` are ranked anew, and kept there.
    """
    kept = {} if kept is None else kept
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
        some = by_task[task]
        made_of = some, telling[task], reference, chances.get(task), [tried.get(_work_of(one)) for one in some]
        if task not in kept or kept[task].made_of != made_of:
            kept[task] = Ranking(made_of, _ranked(*made_of))
        found += kept[task].standings
    return sorted(found, key=lambda standing: standing.task.benchmark_id)


def score_of(runs: Sequence[ScoredRun]) -> Score:
    """The score of runs of one task, agent and model; at least one, and one of each repetition.

    Which runs of a history these are says `standing_runs`.
    """
    of = {repetition_of(run): run for run in in_order(runs)}
    repeats = [of[number] for number in sorted(of, key=lambda number: (len(number), number))]
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
    """The score of guessing on each task if it is known."""
    reported: dict[Task, float] = {}
    guesses: dict[Task, list[Run]] = defaultdict(list)
    for run in in_order(runs):
        if not run.is_success or run.score is None:
            continue
        if (chance := chance_of(run)) is not None:
            reported[task_of(run)] = chance
        if run.agent == RANDOM:
            guesses[task_of(run)].append(run)
    return {task: score_of_guessing(some) for task, some in guesses.items()} | reported


def score_of_guessing(runs: Iterable[ScoredRun]) -> float:
    """The score of runs by random answers on one task; at least one. Of several models the one that ran last counts."""
    known = in_order(runs)
    model = known[-1].provider, known[-1].model
    return score_of(standing_runs(run for run in known if (run.provider, run.model) == model)).mean


def _work_of(one: ContenderScore) -> Work:
    return Work(one.task.benchmark_id, one.task.comparison_key, one.agent, one.provider, one.model)


def _ranked(
    scores: Sequence[ContenderScore],
    telling: Json,
    reference: HighScore | None,
    chance: float | None,
    attempts: Sequence[Attempts | None],
) -> list[Standing]:
    """The standings of one task, the best first. Contenders with an equal score share a rank."""
    paired = zip(scores, attempts, strict=True)
    in_turn = sorted(paired, key=lambda pair: (_place(pair[0]), pair[0].agent, pair[0].provider, pair[0].model))
    ranks = _rank_intervals([one for one, _ in in_turn])
    ranked: list[Standing] = []
    last_place, rank = None, 0
    for number, ((one, tried), may_have) in enumerate(zip(in_turn, ranks, strict=True), 1):
        if (place := _place(one)) != last_place:
            last_place, rank = place, number
        ranked.append(_standing(one, rank, may_have, telling, reference, chance, tried))
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
