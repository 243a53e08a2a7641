"""Task revisions in tables: the newest one is shown, and what that leaves out is named."""

from __future__ import annotations

import itertools
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from ...ledger.equivalence import Classes, Equivalences
from ...ledger.events import UNKNOWN_REVISION, TaskRevision
from ...ledger.fold import Run, fenced
from .attempts import Sum
from .counting import Task
from .leaderboard import ContenderScore, Standing
from .selection import Selection
from .tally import AttemptKey

PARTS = ("version", "driver", "data", "packages")


class _SameOptions(NamedTuple):
    """What rows share that differ in nothing but the revision of their task."""

    benchmark_id: str
    config: bytes
    unit: str
    higher_is_better: bool

    def is_of(self, task: Task) -> bool:
        """Whether a task has the same benchmark, unit and direction."""
        return (self.benchmark_id, self.unit, self.higher_is_better) == (
            task.benchmark_id,
            task.unit,
            task.higher_is_better,
        )


OfTask = TypeVar("OfTask", Standing, ContenderScore)


class LeftOut(NamedTuple):
    """How many runs with the same options a table leaves out: those of `revisions` earlier revisions, and others.

    `rescored` runs are of the revision that is shown, so they differ from it by their scorer.
    """

    runs: int
    revisions: int
    rescored: int

    @classmethod
    def of(cls, keys: Iterable[tuple[int, Collection[str], bool]]) -> LeftOut:
        """By comparison key: the number of runs, the digests of their revisions, and whether the table shows them."""
        known = list(keys)
        shown = {revision for _, revisions, is_shown in known if is_shown for revision in revisions}
        hidden = [(runs, set(revisions)) for runs, revisions, is_shown in known if not is_shown]
        earlier = [(runs, revisions) for runs, revisions in hidden if not revisions & shown]
        return cls(
            sum(runs for runs, _ in earlier),
            len({frozenset(revisions) for _, revisions in earlier}),
            sum(runs for runs, revisions in hidden if revisions & shown),
        )

    def __bool__(self) -> bool:
        return bool(self.runs or self.rescored)

    @property
    def sentence(self) -> str:
        """What is not shown."""
        parts = [f"{_number(self.runs, 'run')} of {_number(self.revisions, 'earlier revision')}"] if self.runs else []
        parts += [f"{_number(self.rescored, 'run')} with another scorer"] if self.rescored else []
        return f"{' and '.join(parts)} {'is' if self.runs + self.rescored == 1 else 'are'} not shown"


def newest_revisions(standings: Sequence[OfTask]) -> tuple[list[OfTask], list[str]]:
    """The rows of the newest revision of each task, and a sentence about each task of which rows are left out."""
    of: dict[_SameOptions, dict[str, list[OfTask]]] = defaultdict(lambda: defaultdict(list))
    config, same = None, None
    for standing in standings:
        # The rows of a task follow each other: its options are encoded once.
        if same is None or standing.config != config or not same.is_of(standing.task):
            config, same = standing.config, _same_options(standing)
        of[same][standing.task.comparison_key].append(standing)
    kept: set[str] = set()
    sentences = []
    for same, revisions in of.items():
        newest = max(revisions, key=lambda key: max(one.latest_at for one in revisions[key]))
        kept.add(newest)
        left_out = LeftOut.of(
            (sum(one.runs for one in some), {one.revision for one in some}, key == newest)
            for key, some in revisions.items()
        )
        if left_out:
            sentences.append(f"{same.benchmark_id}: {left_out.sentence}")
    return [standing for standing in standings if standing.task.comparison_key in kept], sentences


def _same_options(standing: Standing | ContenderScore) -> _SameOptions:
    config = msgspec.json.encode(standing.config, order="sorted")
    task = standing.task
    return _SameOptions(task.benchmark_id, config, task.unit, task.higher_is_better)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def revision_difference(before: TaskRevision | None, after: TaskRevision | None) -> str:
    """Which parts of two revisions differ, as `driver (12ab and 34cd)`; empty if they are the same."""
    if before is None or after is None:
        if before is after:
            return ""
        return f"one of them is {UNKNOWN_REVISION}, of a run by an older version"
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in PARTS]
    return ", ".join(f"{name} ({_shown(old)} and {_shown(new)})" for name, old, new in pairs if old != new)


def _shown(value: str) -> str:
    if not value:
        return "none"
    return value[:12] if len(value) == 64 else f"'{value}'"


def across_revisions(selection: Selection) -> Selection:
    """The same as if all revisions were one: scores meet although the tasks may differ."""
    return _with_keys(
        selection,
        lambda run: (
            fenced(run.options_key, UNKNOWN_REVISION, run.later_scorer) if run.options_key else run.comparison_key
        ),
    )


def in_classes(selection: Selection, classes: Classes) -> Selection:
    """The same with one key for the revisions of each of these classes."""

    def key(run: Run) -> str:
        revision = classes.get(run.benchmark_id, {}).get(run.revision, run.revision)
        return fenced(run.options_key, revision, run.later_scorer) if run.options_key else run.comparison_key

    return _with_keys(selection, key)


def _with_keys(selection: Selection, key: Callable[[Run], str]) -> Selection:
    """The selection, with these comparison keys."""

    def renamed(runs: Iterable[Run]) -> list[Run]:
        return [run if run.comparison_key == (new := key(run)) else replace(run, comparison_key=new) for run in runs]

    keys = {run.comparison_key: key(run) for run in selection.every()}
    tried: dict[AttemptKey, Sum] = {}
    for attempt, some in selection.tried.items():
        work = attempt.work._replace(comparison_key=keys.get(attempt.work.comparison_key, attempt.work.comparison_key))
        one = attempt._replace(work=work)
        tried[one] = _together(tried[one], some) if one in tried else some
    return replace(
        selection,
        runs=renamed(selection.runs),
        tried=tried,
        every=lambda: renamed(selection.every()),
        to_check=lambda: renamed(selection.to_check()),
    )


def _together(one: Sum, other: Sum) -> Sum:
    return Sum(
        runs=one.runs + other.runs,
        seconds=one.seconds + other.seconds,
        cost=one.cost + other.cost,
        unpriced=one.unpriced + other.unpriced,
    )


def revision_notes(selections: Sequence[Selection], equivalences: Equivalences) -> list[str]:
    """A sentence about each benchmark whose runs in these selections have several revisions, with the parts."""
    newest: dict[tuple[str, str], dict[str, Run]] = defaultdict(dict)
    for selection in selections:
        for run in selection.runs:
            newest[run.benchmark_id, run.options_key][run.revision] = run
    sentences = []
    for (benchmark_id, _), revisions in sorted(newest.items()):
        first, *others = revisions.values()
        for other in others:
            parts = revision_difference(first.task_revision, other.task_revision)
            is_same = equivalences.are_same(benchmark_id, first.revision, other.revision)
            kind = "equivalent task revisions" if is_same else "several task revisions"
            sentences.append(f"{benchmark_id}: {kind}, of which these parts differ: {parts}")
    return sentences


def served_notes(selections: Sequence[Selection]) -> list[str]:
    """A sentence about each model that the API answered for with different models or fingerprints."""
    answers: dict[str, dict[str, str]] = defaultdict(dict)
    for selection in selections:
        for run in selection.runs:
            if run.served_model:
                answers[f"{run.provider}:{run.model}"][run.served_model] = run.started_at
    sentences = []
    for model, served in sorted(answers.items()):
        names = sorted(served, key=lambda name: served[name])
        for before, now in itertools.pairwise(names):
            sentences.append(f"{model} answered as {before} before, as {now} now")
    return sentences


class Known(msgspec.Struct):
    """What the successes of a revision come to: how many they are, their mean score, and units with directions."""

    runs: int = 0
    mean: float = 0.0
    units: set[str] = msgspec.field(default_factory=set)


def known_revisions(connection: sqlite3.Connection, benchmark_id: str) -> dict[str, Known]:
    """The revisions of a benchmark's successful runs by their digests."""
    known: dict[str, Known] = defaultdict(Known)
    query = (
        "SELECT coalesce(task_revision_json ->> '$.digest', ?), count(*), avg(score), unit, higher_is_better "
        "FROM benchmark_runs WHERE benchmark_id = ? AND status = 'succeeded' GROUP BY 1, unit, higher_is_better"
    )
    for digest, runs, mean, unit, upward in connection.execute(query, (UNKNOWN_REVISION, benchmark_id)):
        one = known[digest]
        one.mean = (one.mean * one.runs + (mean or 0.0) * runs) / (one.runs + runs)
        one.runs += runs
        one.units.add(f"{unit or 'none'}, {'lower' if upward == 0 else 'higher'} is better")
    return dict(known)
