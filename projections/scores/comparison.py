"""Selections of runs side by side: the scores on each task, and which differences are more than noise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, KeysView, Mapping, Sequence
from typing import Any, Literal

import msgspec

from ...ledger.events import Json
from ...ledger.fold import Run
from .attempts import Attempts, Ending, Sum, attempts_in
from .counting import Task, task_config, task_of
from .destinations import Destinations
from .leaderboard import Score, score_of, telling_options
from .means import mean
from .power import smallest_detectable, tost
from .recency import when
from .rescored import scorer_difference
from .revisions import revision_difference
from .samples import SampleReader
from .selection import Kind, Selection, contender_name
from .standing_runs import standing_runs
from .statistics import Difference, Method, holm, paired, unpaired
from .uncertainty import uncertainty

LEVEL = 0.05
"""A difference is more than noise where its adjusted p-value is below this."""

Dimension = Literal["agent", "model"]
Verdict = Literal["better", "worse", "no difference", "unknown"]


class Side(msgspec.Struct, frozen=True):
    """One of what is compared: how many runs it has, and of which agents and models, each as `agent with model`."""

    name: str
    kind: Kind
    runs: int
    contenders: list[str]


class Contrast(msgspec.Struct, frozen=True, kw_only=True):
    """A side against the first one on a task: `delta` = its score - the first one's, in the unit of the task.

    `improvement` is the same, turned so that positive is better.

    `low` and `high` bound the 95% confidence interval; None if nothing is known of the noise. `detectable` is the
    smallest true difference that this comparison finds in 80 of 100 cases (`power.smallest_detectable`). `method` made
    the `p_value`, which is `adjusted_p` after Holm's correction for all contrasts of the comparison; both None if
    nothing is known of the noise. With a margin, `equivalent_p` is the p-value of the equivalence test (`power.tost`):
    below 0.05, the difference is smaller than the margin, and `is_equivalent`. `pairs`, `wins`, `ties` and `losses`
    count samples, seen from this side; None if they could not be paired, and `note` says why. The `verdict` is by the
    direction of the task, too.
    """

    delta: float
    improvement: float
    stderr: float | None = None
    low: float | None = None
    high: float | None = None
    detectable: float | None = None
    equivalent_p: float | None = None
    is_equivalent: bool | None = None
    method: Method | None = None
    p_value: float | None = None
    adjusted_p: float | None = None
    pairs: int | None = None
    wins: int | None = None
    ties: int | None = None
    losses: int | None = None
    verdict: Verdict = "unknown"
    note: str = ""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A task with the score of each side (None: it has none there), and each side's contrast with the first.

    `agent` and `model` are given where the comparison is matched by them. `contrasts` begins with None, for the first
    side itself.
    """

    task: Task
    config: Json
    task_options: Json
    agent: str | None
    model: str | None
    scores: list[Score | None]
    contrasts: list[Contrast | None]
    attempts: list[Attempts | None] = []


class Unlike(msgspec.Struct, frozen=True):
    """A benchmark, or a part of one, on which a side cannot be compared with the first one, and why not."""

    benchmark_id: str
    side: str
    reason: str


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """On how many tasks a side is better or worse than the first by more than noise, and on how many it is unknown."""

    side: str
    wins: int
    ties: int
    losses: int
    unknown: int


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two or more sides on every task that the first one and another have in common.

    `matched_by` says what had to be equal beside the task: where a side has several agents or models, each is compared
    with its own.
    """

    sides: list[Side]
    matched_by: list[Dimension]
    level: float
    rows: list[Row]
    tallies: list[Tally]
    unlike: list[Unlike]


def compare(selections: Sequence[Selection], read_samples: SampleReader, *, margin: float | None = None) -> Comparison:
    """Every selection against the first one, task by task.

    With a `margin`, in the unit of each task, every difference is tested for being smaller than that, too.

    A difference is tested sample by sample where both sides have the samples of the ledger's own files
    (`samples.sample_reader`), else by the standard errors; over all contrasts by Holm's correction. Scores of unlike
    options, units or directions are never compared: `unlike` names them.
    """
    dimensions = _matched_dimensions(selections)
    tables = [
        {key: standing_runs(runs) for key, runs in _by_key(selection.runs, dimensions).items()}
        for selection in selections
    ]
    shared = sorted(key for key in tables[0] if any(key in table for table in tables[1:]))
    # Tasks that are in no row count too: a row must show the options which the ones left out do not have.
    telling = telling_options({key.task: task_config(_newest(runs)) for table in tables for key, runs in table.items()})
    rows = [
        _row(key, telling[key.task], [table.get(key, []) for table in tables], read_samples, margin) for key in shared
    ]
    tried = [_tried(selection, dimensions) for selection in selections]
    rows = [
        msgspec.structs.replace(row, attempts=[of_side.get(_attempted(key)) for of_side in tried])
        for row, key in zip(rows, shared, strict=True)
    ]
    contrasts = iter(adjust([contrast for row in rows for contrast in row.contrasts]))
    rows = [msgspec.structs.replace(row, contrasts=[next(contrasts) for _ in row.contrasts]) for row in rows]
    return Comparison(
        sides=[
            Side(some.name, some.kind, some.count, sorted({contender(run) for run in some.runs})) for some in selections
        ],
        matched_by=dimensions,
        level=LEVEL,
        rows=rows,
        tallies=[_tally(some.name, rows, place) for place, some in enumerate(selections[1:], 1)],
        unlike=[
            Unlike(benchmark_id, some.name, reason)
            for some, table in zip(selections[1:], tables[1:], strict=True)
            for benchmark_id, reason in _differences(selections[0].name, tables[0], some.name, table)
        ],
    )


def contrast(
    task: Task,
    first: Sequence[Run],
    second: Sequence[Run],
    read_samples: SampleReader,
    *,
    margin: float | None = None,
) -> Contrast:
    """`second` against `first`: runs of one task, each of one agent and model. Not corrected for many: see `adjust`."""
    before, after = score_of(first), score_of(second)
    delta = after.mean - before.mean
    if before.run_ids == after.run_ids:
        return Contrast(improvement=0.0, delta=0.0, verdict="no difference", note="the same runs")
    found = _pair(_counted(first, before), _counted(second, after), read_samples)
    if isinstance(found, str):
        tested = unpaired(*(uncertainty(_counted(*side)).estimate for side in ((first, before), (second, after))))
        return _contrast(task, delta, tested, margin, note=f"not paired: {found}")
    tested = paired(found.before, found.after, found.clusters)
    gains = [task.improvement(b - a) for a, b in zip(found.before, found.after, strict=True)]
    return _contrast(
        task,
        delta,
        tested,
        margin,
        pairs=len(gains),
        wins=sum(gain > 0 for gain in gains),
        ties=sum(gain == 0 for gain in gains),
        losses=sum(gain < 0 for gain in gains),
        note=found.note,
    )


def adjust(contrasts: Sequence[Contrast | None]) -> list[Contrast | None]:
    """The contrasts with their p-values corrected for their number (Holm), and their verdicts."""
    adjusted = iter(holm([some.p_value for some in contrasts if some is not None and some.p_value is not None]))
    return [
        some if some is None or some.p_value is None else _judged(some, next(adjusted))  #
        for some in contrasts
    ]


def _judged(some: Contrast, adjusted_p: float) -> Contrast:
    verdict: Verdict = "no difference"
    if adjusted_p < LEVEL:
        verdict = "better" if some.improvement > 0 else "worse"
    return msgspec.structs.replace(some, adjusted_p=adjusted_p, verdict=verdict)


def _contrast(task: Task, delta: float, tested: Difference, margin: float | None, **more: Any) -> Contrast:
    equivalent_p = None
    if margin is not None and tested.stderr:
        equivalent_p = tost(tested.mean, tested.stderr, tested.freedom, margin)
    return Contrast(
        delta=delta,
        improvement=task.improvement(delta),
        stderr=tested.stderr,
        low=tested.low,
        high=tested.high,
        detectable=smallest_detectable(tested.stderr) if tested.stderr else None,
        equivalent_p=equivalent_p,
        is_equivalent=None if equivalent_p is None else equivalent_p < LEVEL,
        method=tested.method,
        p_value=tested.p_value,
        **more,
    )


class _Key(msgspec.Struct, frozen=True, order=True):
    """What must be equal for two scores to stand in one row; empty where it need not be."""

    task: Task
    agent: str
    model: str


def _matched_dimensions(selections: Sequence[Selection]) -> list[Dimension]:
    """What some side has several of. The past and the present are always compared like with like."""
    of_times = any(selection.kind == "as-of" for selection in selections)

    def varies(dimension: Dimension) -> bool:
        return any(len({_value(run, dimension) for run in selection.runs}) > 1 for selection in selections)

    return [dimension for dimension in ("agent", "model") if of_times or varies(dimension)]


def contender(run: Run) -> str:
    """Who made a run: its agent, and the model with its provider."""
    return contender_name(run.agent, run.provider, run.model)


def _value(run: Run, dimension: Dimension) -> str:
    return run.agent if dimension == "agent" else f"{run.provider}:{run.model}"


def _by_key(runs: Sequence[Run], dimensions: Collection[Dimension]) -> dict[_Key, list[Run]]:
    table: dict[_Key, list[Run]] = defaultdict(list)
    for run in runs:
        agent = _value(run, "agent") if "agent" in dimensions else ""
        model = _value(run, "model") if "model" in dimensions else ""
        table[_Key(task_of(run), agent, model)].append(run)
    return dict(table)


def _tried(selection: Selection, dimensions: Collection[Dimension]) -> dict[tuple[str, str, str, str], Attempts]:
    """All attempts of a side at each row's work: a failure does not know the unit of the score that it lacks."""
    of: dict[tuple[str, str, str, str], list[tuple[Ending, Sum]]] = defaultdict(list)
    destinations = Destinations(selection.runs)
    for key, some in selection.tried.items():
        work = destinations.of(key.work)
        agent = work.agent if "agent" in dimensions else ""
        model = f"{work.provider}:{work.model}" if "model" in dimensions else ""
        of[work.benchmark_id, work.comparison_key, agent, model].append((key.ending, some))
    return {key: attempts_in(sums) for key, sums in of.items()}


def _attempted(key: _Key) -> tuple[str, str, str, str]:
    return key.task.benchmark_id, key.task.comparison_key, key.agent, key.model


def _row(
    key: _Key,
    telling: Json,
    sides: Sequence[Sequence[Run]],
    read_samples: SampleReader,
    margin: float | None,
) -> Row:
    first = sides[0]
    return Row(
        task=key.task,
        config=task_config(_newest(first)),
        task_options=telling,
        agent=key.agent or None,
        model=key.model or None,
        scores=[score_of(runs) if runs else None for runs in sides],
        contrasts=[
            None,
            *(contrast(key.task, first, runs, read_samples, margin=margin) if runs else None for runs in sides[1:]),
        ],
    )


def _counted(runs: Sequence[Run], score: Score) -> list[Run]:
    return [run for run in runs if run.run_id in score.run_ids]


class _Pairs(msgspec.Struct, frozen=True):
    """The scores of both sides, sample by sample in one order; `note` names lines that could not be used.

    `clusters` has the cluster of each sample; None if no sample declares one.
    """

    before: list[float]
    after: list[float]
    clusters: list[str] | None
    note: str


def _pair(first: Sequence[Run], second: Sequence[Run], read_samples: SampleReader) -> _Pairs | str:
    """The samples that both sides have; or why they cannot be paired.

    A sample whose line could not be used is left out on both sides. Otherwise they must have the same samples.
    """
    read = [[(run, read_samples(run)) for run in runs] for runs in (first, second)]
    for run, some in (*read[0], *read[1]):
        if some.problem:
            return f"{run.run_id}: {some.problem}"
    sides = []
    for side in read:
        common = _common([some.scores.keys() for _, some in side], [some.left_out for _, some in side])
        if common is None:
            return "the repetitions have different samples"
        # The same question asked in several repetitions: its mean (Miller 2024, section 3.1).
        sides.append({name: mean([some.scores[name] for _, some in side]) for name in common})
    before, after = sides
    common = _common([before.keys(), after.keys()], [sum(some.left_out for _, some in side) for side in read])
    if common is None:
        return f"the samples are not the same ({len(before.keys() & after.keys())} in common)"
    notes = [f"{run.run_id}: {some.note}" for run, some in (*read[0], *read[1]) if some.note]
    declared = {name: cluster for _, some in read[0] for name, cluster in some.clusters.items()}
    clusters = [declared.get(name, f"\0{name}") for name in common] if declared else None
    return _Pairs([before[name] for name in common], [after[name] for name in common], clusters, "; ".join(notes))


def _common(some: Sequence[KeysView[str]], left_out: Sequence[int]) -> list[str] | None:
    """The names that all have, in the order of the first; None if one lacks more of them than it left out."""
    every = set().union(*some)
    if any(len(every) - len(names) > missing for names, missing in zip(some, left_out, strict=True)):
        return None
    common = [name for name in some[0] if all(name in names for names in some)]
    return common or None


def _tally(side: str, rows: Sequence[Row], place: int) -> Tally:
    verdicts = [some.verdict for row in rows if (some := row.contrasts[place]) is not None]
    return Tally(
        side=side,
        wins=verdicts.count("better"),
        ties=verdicts.count("no difference"),
        losses=verdicts.count("worse"),
        unknown=verdicts.count("unknown"),
    )


_Table = Mapping[_Key, Sequence[Run]]


def _differences(first: str, before: _Table, side: str, after: _Table) -> Iterator[tuple[str, str]]:
    """Everything that two sides do not have in common, by benchmark, each with the reason."""
    for benchmark_id in sorted({key.task.benchmark_id for key in before.keys() | after.keys()}):
        ours, theirs = ([key for key in table if key.task.benchmark_id == benchmark_id] for table in (before, after))
        if not ours or not theirs:
            yield benchmark_id, f"only {first if ours else side} has a score"
        elif not set(ours) & set(theirs):
            a, b = _newest_keys(before)[benchmark_id], _newest_keys(after)[benchmark_id]
            yield benchmark_id, _difference(a, _newest(before[a]), b, _newest(after[b]))
        else:
            # On a benchmark that they have in common, one of them may have run more of it.
            configs = {key.task: task_config(_newest(before.get(key) or after[key])) for key in (*ours, *theirs)}
            telling = telling_options(configs)
            for name, keys, others in ((first, ours, theirs), (side, theirs, ours)):
                for key in sorted(set(keys) - set(others)):
                    yield benchmark_id, f"only {name} has a score{_of_key(key, telling[key.task])}"


def _of_key(key: _Key, telling: Json) -> str:
    """What tells a row from the others of its benchmark, in words."""
    options = [f"{name}={_shown(telling, name)}" for name in telling]
    contenders = [part for part in (key.agent, key.model) if part]
    words = [", ".join(options), " with ".join(contenders), key.task.unit if not options else ""]
    listed = ", ".join(word for word in words if word)
    return f" for {listed}" if listed else ""


def _newest_keys(table: _Table) -> dict[str, _Key]:
    """Of each benchmark the row that was run last."""
    return {key.task.benchmark_id: key for key in sorted(table, key=lambda key: when(_newest(table[key])))}


def _newest(runs: Sequence[Run]) -> Run:
    return max(runs, key=when)


def _difference(a: _Key, before: Run, b: _Key, after: Run) -> str:
    if a.task.comparison_key != b.task.comparison_key:
        options = telling_options({a.task: task_config(before), b.task: task_config(after)})
        names = sorted(options[a.task].keys() | options[b.task].keys())
        if not names and (parts := revision_difference(before.task_revision, after.task_revision)):
            return f"other task revisions: {parts}"
        if not names and (scorers := scorer_difference(before.scorer, after.scorer)):
            return f"other scorers: {scorers}"
        listed = ", ".join(f"{n}: {_shown(options[a.task], n)} and {_shown(options[b.task], n)}" for n in names)
        return f"other options ({listed})" if listed else "other options"
    if a.task.unit != b.task.unit:
        return f"other units ({a.task.unit or 'none'} and {b.task.unit or 'none'})"
    if a.task.higher_is_better != b.task.higher_is_better:
        return "for one of them lower is better"
    return f"other agents or models ({contender(before)} and {contender(after)})"


def _shown(options: Json, name: str) -> str:
    return msgspec.json.encode(options[name]).decode() if name in options else "none"
