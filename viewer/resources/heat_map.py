"""`/api/benchmarks/{benchmark_id}/samples`: which contender solves which sample of a task."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import falcon
import msgspec

from ...ledger.events import Json
from ...ledger.fold import Run
from ...projections.scores.counting import task_config, task_of
from ...projections.scores.leaderboard import is_eligible, telling_options
from ...projections.scores.selection import contender_name
from ..api.answers import answer
from ..api.parameters import AS_OF, OFFSET, Form, Parameter, limit
from ..api.site import Site
from ..index.archive import Head
from ..index.kept import Kept
from ..index.row import RunRow, as_run
from ..index.sample_grid import MAX_CONTENDERS, MAX_REPEATS, Cell, Grid, Source
from .leaderboard import INCLUDE

_SHOWN = ("all", "never", "always", "different", "flaky", "errors")
_SORTS = ("hardest", "easiest", "id", "category")
_KEPT = 2
_MAX_PAGE = 500


class GridTask(msgspec.Struct, frozen=True):
    """A task of the benchmark that has runs with scores: the options that tell it from the others."""

    comparison_key: str
    options: Json
    runs: int


class GridContender(msgspec.Struct, frozen=True):
    """A column: a contender, its newest run, its score, and the runs whose samples were read.

    `problems` say why samples of a run are not shown.
    """

    name: str
    agent: str
    provider: str
    model: str
    run_id: str
    score: float | None
    repeats: int
    problems: list[str]


class GridRow(msgspec.Struct, frozen=True):
    """A sample with a cell for each contender (None: it has not the sample).

    `difficulty` is the share of the contenders whose newest run solves it, or if scores are graded, their mean score;
    an error counts as the lowest score.
    """

    id: str
    category: str
    difficulty: float | None
    cells: list[Cell | None]


class GridCounts(msgspec.Struct, frozen=True):
    """Samples that no contender solves, or all, or some; that ended in an error; and whose repeats do not agree."""

    all: int
    never: int
    always: int
    different: int
    errors: int
    flaky: int


class HeatMap(msgspec.Struct, frozen=True):
    """A page of the samples of a task, by contender.

    `low` and `high` bound the scores. If these are all (`is_binary`), the better one solves a sample.
    `categories` count all samples. `notes` say what was left out.
    """

    benchmark_id: str
    task: str
    tasks: list[GridTask]
    unit: str
    higher_is_better: bool
    contenders: list[GridContender]
    counts: GridCounts
    categories: dict[str, int]
    total: int
    rows: list[GridRow]
    is_binary: bool
    low: float
    high: float
    notes: list[str]
    head: Head


class BenchmarkSamples:
    """The samples of a task by contender: the hardest, those that none solves, those that are not stable."""

    about = "Which contender solves which sample of a benchmark"
    parameters = Form(
        Parameter("task", "the comparison key of one of its tasks; default: that of the newest run"),
        Parameter("show", "only these samples", "choice", "all", choices=_SHOWN),
        Parameter("category", "only samples of this category", is_list=True),
        Parameter("q", "only samples whose id contains this text"),
        Parameter("sort", "the order of the samples", "choice", "hardest", choices=_SORTS),
        INCLUDE,
        OFFSET,
        limit(100, _MAX_PAGE),
        AS_OF,
    )
    answer = HeatMap

    def __init__(self, site: Site) -> None:
        self._site = site
        self._grids: Kept[tuple[str, ...], _Measured] = Kept(lambda grids: len(grids) > _KEPT)

    def on_get(self, req: falcon.Request, resp: falcon.Response, benchmark_id: str) -> None:
        """The grid of a task is read once, and kept as long as nothing of it changes."""
        asked = self.parameters.read(req)
        with self._site.archive.look(asked["as_of"]) as view:
            head = view.head
            rows = [row for row in view.table.rows if row.benchmark_id == benchmark_id]
        if not rows:
            raise falcon.HTTPNotFound(title="no such benchmark", description=f"the ledger has no run of {benchmark_id}")
        counting = [row for row in rows if row.status == "succeeded" and is_eligible(row, asked["include"])]
        counting.sort(key=lambda row: row.moment, reverse=True)
        key = asked["task"] or (counting[0].comparison_key if counting else "")
        of_task = [row for row in counting if row.comparison_key == key]
        kept = self._keep(benchmark_id, key, of_task)
        answer(req, resp, _answer(benchmark_id, key, counting, of_task, kept, asked, head))

    on_head = on_get

    def _keep(self, benchmark_id: str, task: str, rows: Sequence[RunRow]) -> _Measured:
        contenders = _contenders(rows)
        name = (benchmark_id, task, *(f"{row.run_id} {row.last_seq}" for runs in contenders for row in runs))
        return self._grids.get(name, lambda: _Measured(contenders, self._grid(contenders)))

    def _grid(self, contenders: Sequence[Sequence[RunRow]]) -> Grid:
        archive = self._site.archive
        sources = []
        for rows in contenders:
            runs = [run for row in rows if (run := archive.find_run(row.run_id)) is not None]
            sources.append([self._source(run) for run in runs])
        upwards = contenders[0][0].task[3] if contenders else True
        return Grid(sources, higher_is_better=upwards)

    def _source(self, run: Run) -> Source:
        archive = self._site.archive
        folder, elsewhere = archive.folder(run), archive.workspace.elsewhere
        return Source(run.run_id, folder, run.artifacts, run.samples or 0, elsewhere, frozenset(run.excluded))


class _Measured:
    """A grid with what is asked of it again and again."""

    def __init__(self, contenders: Sequence[Sequence[RunRow]], grid: Grid) -> None:
        self.contenders, self.grid = contenders, grid
        self.categories = dict(Counter(grid.categories.get(name, "") for name in grid.ids).most_common())
        self.kinds = [_kinds(grid, at) for at in range(len(grid.ids))]
        self.counts = GridCounts(**{name: sum(name in kinds for kinds in self.kinds) for name in _SHOWN})


def _kinds(grid: Grid, at: int) -> frozenset[str]:
    """What a sample is, by the names of _SHOWN."""
    scores = grid.newest(at)
    known = [score for score in scores if math.isfinite(score)]
    kinds = {"all"}
    if len(known) < len(scores):
        kinds.add("errors")
    if grid.is_binary and scores:
        solved = sum(map(grid.is_solved, scores))
        kinds |= {"never"} if not solved else {"always"} if solved == len(scores) else set()
    if len(set(scores)) > 1:
        kinds.add("different")
    if grid.is_flaky(at):
        kinds.add("flaky")
    return frozenset(kinds)


def _contenders(rows: Sequence[RunRow]) -> list[list[RunRow]]:
    """The newest runs of each contender, those of the contender with the best newest score first."""
    found: dict[tuple[str, str, str], list[RunRow]] = {}
    for row in rows:
        some = found.setdefault((row.agent, row.provider, row.model), [])
        if len(some) < MAX_REPEATS:
            some.append(row)
    upwards = rows[0].task[3] if rows else True
    ordered = sorted(
        found.values(), key=lambda some: (some[0].score or 0.0) if upwards else -(some[0].score or 0.0), reverse=True
    )
    return ordered[:MAX_CONTENDERS]


def _answer(
    benchmark_id: str,
    task: str,
    counting: Sequence[RunRow],
    of_task: Sequence[RunRow],
    kept: _Measured,
    asked: dict[str, Any],
    head: Head,
) -> HeatMap:
    grid = kept.grid
    order = _order(kept, asked)
    page = order[asked["offset"] : asked["offset"] + asked["limit"]]
    contenders = [
        GridContender(
            contender_name(rows[0].agent, rows[0].provider, rows[0].model),
            rows[0].agent,
            rows[0].provider,
            rows[0].model,
            column.sources[0].run_id if column.sources else rows[0].run_id,
            rows[0].score,
            len(column.sources),
            column.problems,
        )
        for rows, column in zip(kept.contenders, grid.columns, strict=True)
    ]
    everyone = {(row.agent, row.provider, row.model) for row in of_task}
    notes = []
    if len(everyone) > len(kept.contenders):
        notes.append(f"{len(everyone) - len(kept.contenders)} more contenders are not shown: the worst scores")
    if grid.left_out:
        notes.append(f"{grid.left_out} repeats were not read, because the task has too many samples")
    return HeatMap(
        benchmark_id,
        task,
        _tasks(counting),
        (of_task[0].unit if of_task else "") or "",
        of_task[0].task[3] if of_task else True,
        contenders,
        kept.counts,
        kept.categories,
        len(order),
        [
            GridRow(
                grid.ids[at],
                grid.categories.get(grid.ids[at], ""),
                None if math.isnan(grid.difficulties[at]) else grid.difficulties[at],
                [grid.cell(column, at) for column in range(len(grid.columns))],
            )
            for at in page
        ],
        grid.is_binary,
        grid.low,
        grid.high,
        notes,
        head,
    )


def _order(kept: _Measured, asked: dict[str, Any]) -> list[int]:
    grid = kept.grid
    categories, wanted = frozenset(asked["category"]), (asked["q"] or "").lower()
    order = [
        at
        for at, kinds in enumerate(kept.kinds)
        if asked["show"] in kinds
        and (not categories or grid.categories.get(grid.ids[at], "") in categories)
        and (not wanted or wanted in grid.ids[at].lower())
    ]
    upwards = kept.contenders[0][0].task[3] if kept.contenders else True
    if asked["sort"] in ("hardest", "easiest"):
        turn = 1 if (upwards or grid.is_binary) == (asked["sort"] == "hardest") else -1
        order.sort(key=lambda at: _or_last(turn * grid.difficulties[at]))
    elif asked["sort"] == "id":
        order.sort(key=lambda at: grid.ids[at])
    else:
        order.sort(key=lambda at: (grid.categories.get(grid.ids[at], ""), _or_last(grid.difficulties[at])))
    return order


def _or_last(value: float) -> float:
    """A key that puts what is not known at the end."""
    return math.inf if math.isnan(value) else value


def _tasks(rows: Sequence[RunRow]) -> list[GridTask]:
    """The tasks of the benchmark whose runs have samples, the newest first."""
    runs = [as_run(row) for row in rows]
    counts = Counter(task_of(run) for run in runs)
    telling = telling_options({task_of(run): task_config(run) for run in reversed(runs)})
    return [GridTask(task.comparison_key, telling[task], many) for task, many in counts.items()]
