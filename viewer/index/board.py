"""The leaderboard by contender: which runs stand for each, who is ahead on each task, and what it costs.

A score never mixes campaigns (`scores.standing_runs`). Of a benchmark with its options only the newest revision is
shown; what that leaves out is counted.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from ...ledger.events import Json
from ...projections.scores.attempts import Attempts, Work, work_of
from ...projections.scores.comparison import Contrast, adjust
from ...projections.scores.counting import Doubtful, is_eligible, revision_of, task_config
from ...projections.scores.high_scores import HighScore
from ...projections.scores.leaderboard import Score, Task, score_of, telling_options
from ...projections.scores.ranks import Placed, rank_intervals
from ...projections.scores.revisions import LeftOut
from ...projections.scores.standing_runs import Runs, standing_runs
from .pairing import Pairs
from .row import RunRow
from .run_table import RunTable

MAX_PAIRED = 200
"""Of one leaderboard, no more contrasts than this are tested sample by sample: those that are nearest to the best."""

_SHARES = {"ratio": 1.0, "accuracy": 1.0, "percent": 100.0, "%": 100.0}
"""Units in which a score is the share of samples that were solved, and the score of all."""


class Chosen(msgspec.Struct, frozen=True):
    """The runs that stand for a contender on a task: one for each repetition, of one campaign."""

    task: Task
    agent: str
    provider: str
    model: str
    rows: list[RunRow]
    attempts: Attempts | None


class TaskChoice(msgspec.Struct, frozen=True):
    """A benchmark with its options, and the contenders on its newest revision.

    `earlier_runs` are those of `earlier_revisions`, and `rescored_runs` those with another scorer; both are not shown.
    """

    task: Task
    config: Json
    telling: Json
    chosen: list[Chosen]
    earlier_runs: int
    earlier_revisions: int
    rescored_runs: int


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What a contender scored on a task. Costs are US dollars, times seconds; None if they are not known.

    `rank` is by the score, from 1; `rank_low` and `rank_high` are the ranks that noise allows. `is_tied`: it is the
    best, or not told apart from the best (Holm's correction over the contenders of the task); `against_best` is that
    test, and None for the best itself. `run_group_id` is the campaign, `runs` the number of runs that count in all.
    Of all `attempted` runs that have ended, `failed` failed: `infrastructure_failures` by no fault of the benchmark or
    the model. All failures took `seconds_lost` and, as far as it is known, `cost_lost`.
    """

    score: Score
    rank: int
    rank_low: int
    rank_high: int
    is_tied: bool
    against_best: Contrast | None
    run_id: str
    run_group_id: str
    at: str
    cost_per_run: float | None
    solved: float | None
    cost_per_solved: float | None
    seconds_per_run: float | None
    seconds_per_sample: float | None
    delta_to_high_score: float | None
    attempted: int
    failed: int
    infrastructure_failures: int
    seconds_lost: float
    cost_lost: float


class BoardTask(msgspec.Struct, frozen=True, kw_only=True):
    """A column: a benchmark with its options. `options` are those that tell it from other tasks of the benchmark.

    `name` and `about` are its manifest's, empty if they are not recorded.
    """

    task: Task
    config: Json
    options: Json
    name: str
    about: str
    high_score: HighScore | None
    contenders: int
    earlier_runs: int
    earlier_revisions: int
    rescored_runs: int


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """A row: an agent with a model, and its cell for each task (None: it has no score there).

    `mean_rank` is over the tasks that it has, as are the means of the first and the last rank that noise allows. `tied`
    counts the tasks on which it is not told apart from the best. `cost_per_run` and the seconds are means over its
    tasks; `cost_per_solved` is its cost on tasks whose score is the share of solved samples, for each of these.
    """

    agent: str
    provider: str
    model: str
    cells: list[Cell | None]
    tasks: int
    tied: int
    mean_rank: float
    mean_rank_low: float
    mean_rank_high: float
    cost_per_run: float | None
    cost_per_solved: float | None
    seconds_per_run: float | None
    seconds_per_sample: float | None
    attempted: int
    failed: int
    infrastructure_failures: int
    seconds_lost: float
    cost_lost: float


class Board(msgspec.Struct, frozen=True):
    """The tasks, by benchmark and options, and the contenders, the best first."""

    tasks: list[BoardTask]
    contenders: list[Contender]


def choose(
    table: RunTable, runs: Runs = "newest", *, include: Collection[Doubtful] = (), before: str = ""
) -> list[TaskChoice]:
    """The runs that stand for each contender on each task. With `before`, only runs that ended before that time."""
    board = table.scoreboard
    attempts: Mapping[Work, Attempts] = board.attempts_with(include)
    of_task: dict[Task, list[Chosen]] = defaultdict(list)
    count: dict[Task, int] = defaultdict(int)
    for (task, agent, provider, model), numbers in board.works.members.items():
        found = [
            row
            for number in numbers
            if is_eligible(row := table.rows[number], include) and (not before or row.moment[0] < before)
        ]
        if not found:
            continue
        known = Task(*task)
        count[known] += len(found)
        rows = standing_runs(found, runs)
        tried = attempts.get(work_of(rows[-1]))
        of_task[known].append(Chosen(known, agent, provider, model, rows, tried))
    return _newest_revisions(of_task, count)


def _newest_revisions(of_task: Mapping[Task, list[Chosen]], count: Mapping[Task, int]) -> list[TaskChoice]:
    same: dict[tuple[str, bytes, str, bool], list[Task]] = defaultdict(list)
    newest = {task: max((one.rows[-1] for one in some), key=lambda row: row.moment) for task, some in of_task.items()}
    for task, row in newest.items():
        options = msgspec.json.encode(task_config(row), order="sorted")
        same[task.benchmark_id, options, task.unit, task.higher_is_better].append(task)
    shown = {max(some, key=lambda task: newest[task].moment): some for some in same.values()}
    left_out = {
        task: LeftOut.of(
            (count[other], {revision_of(one.rows[-1]) for one in of_task[other]}, other == task) for other in some
        )
        for task, some in shown.items()
    }
    telling = telling_options({task: task_config(newest[task]) for task in shown})
    return [
        TaskChoice(
            task=task,
            config=task_config(newest[task]),
            telling=telling[task],
            chosen=of_task[task],
            earlier_runs=left_out[task].runs,
            earlier_revisions=left_out[task].revisions,
            rescored_runs=left_out[task].rescored,
        )
        for task in sorted(shown, key=lambda task: (task.benchmark_id, _options(telling[task])))
    ]


def _options(config: Json) -> list[tuple[str, bool, float, str]]:
    """An order of options in which 32000 comes before 128000."""
    return [
        (name, not isinstance(value, int | float), float(value) if isinstance(value, int | float) else 0.0, str(value))
        for name, value in sorted(config.items())
    ]


def build(
    choices: Sequence[TaskChoice],
    pairs: Pairs,
    high_scores: Mapping[str, HighScore],
    names: Mapping[str, tuple[str, str]],
) -> Board:
    """The leaderboard of these runs. `names` has the name and the description of benchmarks."""
    budget = _Budget(pairs, choices)
    tasks: list[BoardTask] = []
    cells: dict[tuple[str, str, str], dict[int, tuple[Cell, Chosen]]] = defaultdict(dict)
    for place, one in enumerate(choices):
        reference = high_scores.get(one.task.benchmark_id)
        if reference is not None and not reference.measures(one.task.unit or None, one.task.higher_is_better):
            reference = None
        for chosen, cell in zip(one.chosen, _cells(one, reference, budget), strict=True):
            cells[chosen.agent, chosen.provider, chosen.model][place] = cell, chosen
        name, about = names.get(one.task.benchmark_id, ("", ""))
        tasks.append(
            BoardTask(
                task=one.task,
                config=one.config,
                options=one.telling,
                name=name,
                about=about,
                high_score=reference,
                contenders=len(one.chosen),
                earlier_runs=one.earlier_runs,
                earlier_revisions=one.earlier_revisions,
                rescored_runs=one.rescored_runs,
            )
        )
    contenders = [_contender(who, found, len(tasks)) for who, found in cells.items()]
    contenders.sort(key=lambda one: (-one.tied, one.mean_rank, one.agent, one.provider, one.model))
    return Board(tasks, contenders)


class _Budget:
    """Which contrasts are tested sample by sample: as long as there are not too many."""

    def __init__(self, pairs: Pairs, choices: Sequence[TaskChoice]) -> None:
        self.pairs = pairs
        self.left = MAX_PAIRED
        rows = [row for one in choices if len(one.chosen) > 1 for chosen in one.chosen for row in chosen.rows]
        self._sampled = pairs.with_samples(rows[: 20 * MAX_PAIRED]) if rows else set()

    def contrast(self, task: Task, first: Sequence[RunRow], second: Sequence[RunRow]) -> Contrast:
        """`second` against `first`."""
        paired = self.left > 0 and all(row.run_id in self._sampled for row in (*first, *second))
        self.left -= paired
        return self.pairs.contrast(task, first, second, paired=paired)


def untested_cells(one: TaskChoice) -> list[Cell]:
    """The cells of a task, in the order of its contenders, without a test against the best."""
    return _cells(one, None, None)


def _cells(one: TaskChoice, reference: HighScore | None, budget: _Budget | None) -> list[Cell]:
    """The cells of a task, in the order of its contenders."""
    turn = one.task.improvement
    scores = [score_of(chosen.rows) for chosen in one.chosen]
    values = [float(f"{turn(score.mean):.12g}") for score in scores]
    ranks = rank_intervals([_placed(one.task, score) for score in scores])
    in_turn = sorted(range(len(scores)), key=lambda place: -values[place])
    best = in_turn[0]
    rows = [chosen.rows for chosen in one.chosen]
    tests: list[Contrast | None] = [None] * len(scores)
    if budget is not None:
        for place in in_turn[1:]:
            tests[place] = budget.contrast(one.task, rows[best], rows[place])
    adjusted = adjust(tests)
    return [
        _cell(
            one.task,
            chosen,
            score,
            rank=1 + sum(other > values[place] for other in values),
            ranks=ranks[place],
            test=adjusted[place],
            reference=reference,
        )
        for place, (chosen, score) in enumerate(zip(one.chosen, scores, strict=True))
    ]


def _placed(task: Task, score: Score) -> Placed:
    if score.low is None or score.high is None:
        return Placed(task.improvement(score.mean), None, None)
    low, high = sorted((task.improvement(score.low), task.improvement(score.high)))
    return Placed(task.improvement(score.mean), low, high)


def _cell(
    task: Task,
    chosen: Chosen,
    score: Score,
    *,
    rank: int,
    ranks: tuple[int, int],
    test: Contrast | None,
    reference: HighScore | None,
) -> Cell:
    rows, latest = chosen.rows, chosen.rows[-1]
    tried = chosen.attempts
    cost = _mean(row.cost_usd for row in rows)
    seconds = _mean(row.duration_seconds for row in rows)
    samples = _mean(row.samples for row in rows)
    solved = _solved(task, score, samples)
    return Cell(
        score=score,
        rank=rank,
        rank_low=ranks[0],
        rank_high=ranks[1],
        is_tied=test is None or test.verdict != "worse",
        against_best=test,
        run_id=latest.run_id,
        run_group_id=latest.run_group_id,
        at=latest.ended_at or latest.started_at,
        cost_per_run=cost,
        solved=solved,
        cost_per_solved=cost / solved if cost is not None and solved else None,
        seconds_per_run=seconds,
        seconds_per_sample=seconds / samples if seconds is not None and samples else None,
        delta_to_high_score=score.mean - reference.value if reference else None,
        attempted=tried.successes + tried.failures if tried else len(rows),
        failed=tried.failures if tried else 0,
        infrastructure_failures=tried.infrastructure_failures if tried else 0,
        seconds_lost=tried.seconds_lost if tried else 0.0,
        cost_lost=tried.cost_lost if tried else 0.0,
    )


def _solved(task: Task, score: Score, samples: float | None) -> float | None:
    """The number of samples that were solved; None if the score is not the share of them."""
    if task.unit not in _SHARES or not task.higher_is_better or samples is None:
        return None
    share = score.mean / _SHARES[task.unit]
    return samples * share if 0 <= share <= 1 else None


def _contender(who: tuple[str, str, str], found: Mapping[int, tuple[Cell, Chosen]], tasks: int) -> Contender:
    cells = [cell for cell, _ in found.values()]
    priced = [
        (cell.cost_per_run, cell.solved) for cell in cells if cell.cost_per_run is not None and cell.solved is not None
    ]
    solved = math.fsum(number for _, number in priced)
    return Contender(
        agent=who[0],
        provider=who[1],
        model=who[2],
        cells=[found[place][0] if place in found else None for place in range(tasks)],
        tasks=len(cells),
        tied=sum(cell.is_tied for cell in cells),
        mean_rank=_mean(cell.rank for cell in cells) or 0.0,
        mean_rank_low=_mean(cell.rank_low for cell in cells) or 0.0,
        mean_rank_high=_mean(cell.rank_high for cell in cells) or 0.0,
        cost_per_run=_mean(cell.cost_per_run for cell in cells),
        cost_per_solved=math.fsum(cost for cost, _ in priced) / solved if solved else None,
        seconds_per_run=_mean(cell.seconds_per_run for cell in cells),
        seconds_per_sample=_mean(cell.seconds_per_sample for cell in cells),
        attempted=sum(cell.attempted for cell in cells),
        failed=sum(cell.failed for cell in cells),
        infrastructure_failures=sum(cell.infrastructure_failures for cell in cells),
        seconds_lost=math.fsum(cell.seconds_lost for cell in cells),
        cost_lost=math.fsum(cell.cost_lost for cell in cells),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
