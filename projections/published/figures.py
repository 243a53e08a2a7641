"""Whether the figures of a published row follow from the events of its runs, in the sentences of the page.

`page/rows.js` checks the same in the reader's browser; a test changes every field, and compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from ...ledger.errors import ImpossibleTransition
from ...ledger.events import Imported, PublishedRow, PublishedRun, Record, Started, TaskRevision
from ...ledger.fold import Run, evolve
from ...ledger.usage import cost_in
from ..scores.attempts import attempts, is_attempt
from ..scores.counting import Doubtful, doubts, repetition_of, task_config
from ..scores.records import is_upward
from ..scores.standing_runs import campaign_of
from ..scores.uncertainty import uncertainty
from .document import WithheldLine
from .rows import total

Part = Literal["contender", "score", "attempts"]
"""A part of a row that a page may only state."""

_CLOSE = 1e-9
_BEGUN = ("benchmark_id", "agent", "provider", "model", "config")
"""What the line in which a run began says; later lines may change the revision and the key."""
_CONTENDER = (*_BEGUN, "revision", "comparison_key")
_WORK = ("benchmark_id", "agent", "provider", "model")
_COUNTS = ("attempts", "successes", "own_failures", "infrastructure_failures", "completion")


class Evidence(NamedTuple):
    """The events that a document shows and withholds, by their streams, and what is wrong with others.

    They count up to `position`; `include` are the kinds of doubtful runs that the rules of the table count. With
    `one_campaign`, a row is made of the runs of one; tables of older versions may mix several.
    """

    events: Mapping[str, Sequence[Record]]
    withheld: Mapping[str, Sequence[WithheldLine]]
    broken: Mapping[str, str]
    position: int
    include: Collection[Doubtful]
    one_campaign: bool = False


class Weighed(NamedTuple):
    """What is wrong with a row, and the parts of it that are stated and could not be checked."""

    faults: list[str]
    stated: set[Part]


class _Seen(NamedTuple):
    """A run; whether the lines with which it began, and with which it ended and was corrected, are all here."""

    run: Run
    begins: bool
    ends: bool


class _NotSeen(Exception):
    """A run that cannot be known; the message is the sentence."""


def weigh(row: PublishedRow, shown: PublishedRow, evidence: Evidence) -> Weighed:
    """Check a row of the published event, which the document shows as `shown`."""
    names = [name for name in row.__struct_fields__ if getattr(row, name) != getattr(shown, name)]
    faults = [f"{', '.join(names)} of the document is not that of the published event"] if names else []
    stated: set[Part] = set()
    seen: list[_Seen] = []
    try:
        for number, published in enumerate(row.runs, 1):
            one = _seen(published.run_id, row, number, evidence)
            faults += _faults_of_run(row, published, one, evidence)
            seen.append(one)
        if not all(one.begins for one in seen):
            stated.add("contender")
        if all(one.ends for one in seen):
            faults += _figures(row, seen, evidence)
        else:
            stated.add("score")
        faults += _attempts(row, evidence, stated)
    except _NotSeen as problem:
        faults.append(str(problem))
    except ArithmeticError as problem:  # Sums of numbers that a hostile page has made too large.
        faults.append(f"its figures cannot be computed: {problem}")
    return Weighed(faults, stated)


def compared(name: str, told: object, found: object, source: str = "its runs give") -> Iterator[str]:
    """A sentence if a figure is not the one that was computed."""
    if not _is_close(told, found):
        yield f"{name} is {_shown(told)}, and {source} {_shown(found)}"


def _is_close(one: object, other: object) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=_CLOSE, abs_tol=_CLOSE)
    return one == other


def _shown(value: object) -> str:
    """A value in a sentence, as the page writes it."""
    if value is None:
        return "unknown"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, float):
        value = float(f"{value:.12g}")
    return msgspec.json.encode(value).decode().removesuffix(".0").strip('"')


def _seen(run_id: str, row: PublishedRow, repetition: int, evidence: Evidence) -> _Seen:
    """A run as its events say; what a withheld beginning would say is taken from the row. Raises _NotSeen."""
    if run_id in evidence.broken:
        raise _NotSeen(f"run {run_id}: {evidence.broken[run_id]}")
    records = evidence.events.get(run_id, ())
    hidden = [one for one in evidence.withheld.get(run_id, ()) if one.seq <= evidence.position]
    earliest = min([one.seq for one in hidden] + [record.seq for record in records], default=0)
    first = next((one for one in hidden if one.type in (Started.type, Imported.type) and one.seq == earliest), None)
    run = _stated(row, first, repetition) if first else None
    for record in records:
        if record.seq > evidence.position:
            break
        try:
            run = evolve(run, record)
        except ImpossibleTransition:
            continue  # The ledger's own readers skip it, too.
    if run is None:
        raise _NotSeen(f"the events of run {run_id} are missing")
    # The type of a withheld line is stated, too: only the first line of a run is taken for its beginning.
    ends = all(one is first and one.type == Started.type for one in hidden)
    return _Seen(run, first is None, ends)


def _stated(row: PublishedRow, first: WithheldLine, repetition: int) -> Run:
    """The run that a withheld line began, as the row states it."""
    return Run(
        run_id=first.stream,
        run_group_id="",
        benchmark_id=row.benchmark_id,
        benchmark_directory="",
        signature="",
        status="running",
        attempt=1,
        agent=row.agent,
        provider=row.provider,
        model=row.model,
        extra_config={**row.config, "repeat": repetition},
        started_at="",
        created_at="",
        last_seen_at="",
        task_revision=TaskRevision(digest=row.revision),
        first_seq=first.seq,
    )


def _faults_of_run(row: PublishedRow, published: PublishedRun, seen: _Seen, evidence: Evidence) -> Iterator[str]:
    run, run_id = seen.run, published.run_id
    if seen.begins:
        yield from _differing(run, row, _CONTENDER if seen.ends else _BEGUN)
    ended = run.ended_seq or run.first_seq
    if not seen.ends:
        hidden = [(one.seq, one.hash) for one in evidence.withheld[run_id]]
        if (published.seq, published.hash) not in hidden and not _is_end(published, ended, evidence):
            yield f"event {published.seq} is not the one that ended run {run_id}"
        return
    yield from _differing(run, row, ("unit", "higher_is_better"))
    if (run.score, run.samples) != (published.score, published.samples):
        yield f"run {run_id} has the score {_shown(run.score)} of {_shown(run.samples)} samples by its events"
    if not _is_end(published, ended, evidence):
        yield f"event {published.seq} is not the one that ended run {run_id}"
    if run.status != "succeeded" or run.score is None:
        yield f"run {run_id} has no score that counts"


def _is_end(published: PublishedRun, ended: int, evidence: Evidence) -> bool:
    records = evidence.events.get(published.run_id, ())
    return any(one.seq == published.seq == ended and one.hash == published.hash for one in records)


def _differing(run: Run, row: PublishedRow, names: Sequence[str]) -> Iterator[str]:
    said = {"config": task_config(run), "unit": run.unit or "", "higher_is_better": is_upward(run)}
    for name in names:
        if said.get(name, getattr(run, name, None)) != getattr(row, name):
            yield f"run {run.run_id} has another {name} by its events"


def _figures(row: PublishedRow, seen: Sequence[_Seen], evidence: Evidence) -> Iterator[str]:
    runs = [one.run for one in seen]
    if not runs or any(run.score is None for run in runs):
        yield "a run behind it has no score"
        return
    places = [(len(name), name) for name in map(repetition_of, runs)]
    if places != sorted(set(places)):
        yield "its runs are not those of different repetitions, in their order"
        return
    if evidence.one_campaign and len({campaign_of(one.run) for one in seen if one.begins}) > 1:
        yield "its runs are of several campaigns"
    sure = uncertainty(runs)
    found = {str(doubt) for run in runs for doubt in doubts(run)}
    # Without the line in which a run began, what only that says is taken from the row.
    is_whole = all(one.begins for one in seen)
    registered = sum(run.registration is not None for run in runs) if is_whole else row.registered
    doubtful = sorted(found if is_whole else found | set(row.doubts))
    yield from compared("score", row.score, sure.estimate.mean)
    yield from compared("stderr", row.stderr, sure.stderr)
    yield from compared("low", row.low, sure.low)
    yield from compared("high", row.high, sure.high)
    yield from compared("interval_method", row.interval_method, sure.method)
    yield from compared("samples", row.samples, runs[-1].samples)
    yield from compared("repeats", row.repeats, len(runs))
    yield from compared("registered", row.registered, registered)
    yield from compared("cost_usd", row.cost_usd, total(cost_in(run.usage) for run in runs))
    yield from compared("seconds", row.seconds, total(run.duration_seconds for run in runs))
    yield from compared("doubts", row.doubts, doubtful)
    if foreign := [doubt for doubt in doubtful if doubt not in evidence.include]:
        yield f"the rules of the table do not include {' and '.join(foreign)} runs"


def _attempts(row: PublishedRow, evidence: Evidence, stated: set[Part]) -> Iterator[str]:
    tried = []
    for run_id in row.attempt_ids:
        seen = _seen(run_id, row, 1, evidence)
        if seen.begins and not _is_attempt(seen, row, evidence.include):
            yield f"run {run_id} is not an attempt at this work that counts"
        tried.append(seen)
    if len(set(row.attempt_ids)) < len(tried):
        yield "it counts an attempt twice"
        return
    if not all(one.begins and one.ends for one in tried):
        stated.add("attempts")
    if all(one.ends for one in tried):
        found = attempts(one.run for one in tried)
        for name in _COUNTS:
            yield from compared(name, getattr(row, name), getattr(found, name))


def _is_attempt(seen: _Seen, row: PublishedRow, include: Collection[Doubtful]) -> bool:
    names = (*_WORK, "comparison_key") if seen.ends else _WORK
    return is_attempt(seen.run, include) and not any(_differing(seen.run, row, names))
